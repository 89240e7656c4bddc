//! The emulator as a program: prints `{"url":…,"ca_pem":…,"plain_url":…}` on one line and serves until it is ended.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use aws_emulator::{Emulator, Launch, State};
use serde_json::json;

const USAGE: &str = "\
usage: aws-emulator [--listen ADDRESS:PORT] [--tls] [--plain ADDRESS:PORT] [--state FILE] [--beside FILE]... [--seed NUMBER] [--until-stdin-closes]

Stands in for AWS IAM Roles Anywhere, STS and IAM. Prints one line of JSON on stdout, {\"url\":…,\"ca_pem\":…,\"plain_url\":…},
and one line per request on stderr. Ends on SIGTERM and SIGINT, and with --until-stdin-closes when its standard input ends.

  --listen ADDRESS:PORT   default 127.0.0.1:0, which takes a free port
  --tls                   HTTPS; ca_pem is then the CA to trust, and the certificate is for the address listened on
  --plain ADDRESS:PORT    a second listener without TLS on the same account, for clients that know no CA of ours
  --state FILE            the account's resources as JSON; default an empty account (see /_admin/state)
  --beside FILE           the state of another account at the same address; any number of them (see /_admin/state?account=…)
  --seed NUMBER           vary what AWS leaves open, the same way for the same number; default 0, which does not vary
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "aws-emulator: {message}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    launch: Launch,
    state: Option<PathBuf>,
    beside: Vec<PathBuf>,
    until_stdin_closes: bool,
    help: bool,
}

fn run() -> Result<(), String> {
    let arguments = parse(std::env::args().skip(1))?;
    if arguments.help {
        return write_out(USAGE);
    }
    let state = arguments.state.map_or_else(|| Ok(State::default()), |path| read_state(&path))?;
    let emulator = Emulator::launch(state, arguments.launch).map_err(|error| error.to_string())?;
    let others =
        arguments.beside.iter().map(|path| beside(&emulator, path)).collect::<Result<Vec<_>, _>>()?;
    let line = json!({"url": emulator.url(), "ca_pem": emulator.ca_pem(), "plain_url": emulator.plain_url()});
    write_out(&format!("{line}\n"))?;
    if arguments.until_stdin_closes {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        drop(others);
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let launch = Launch { print_log: true, ..Launch::default() };
    let mut arguments =
        Arguments { launch, state: None, beside: Vec::new(), until_stdin_closes: false, help: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--listen" => arguments.launch.address = number::<SocketAddr>(&word, &value()?)?,
            "--seed" => arguments.launch.seed = number(&word, &value()?)?,
            "--state" => arguments.state = Some(value()?.into()),
            "--beside" => arguments.beside.push(value()?.into()),
            "--plain" => arguments.launch.plain = Some(number(&word, &value()?)?),
            "--tls" => arguments.launch.tls = true,
            "--until-stdin-closes" => arguments.until_stdin_closes = true,
            "--help" | "-h" => arguments.help = true,
            _ => return Err(format!("unknown argument {word}\n{USAGE}")),
        }
    }
    Ok(arguments)
}

fn number<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{name} \"{text}\": {error}"))
}

/// Another account at the same address. It also has an address of its own, which nobody is told.
fn beside(emulator: &Emulator, path: &std::path::Path) -> Result<Emulator, String> {
    let launch = Launch { print_log: true, ..Launch::default() };
    let other = Emulator::launch(read_state(path)?, launch).map_err(|error| error.to_string())?;
    emulator.join(&other);
    Ok(other)
}

fn read_state(path: &std::path::Path) -> Result<State, String> {
    let json = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    State::from_json(&json).map_err(|error| format!("{}: {error}", path.display()))
}

fn write_out(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| error.to_string())
}
