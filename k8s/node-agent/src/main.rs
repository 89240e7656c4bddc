//! The binary: options to one subcommand, and its error to stderr and the exit status.

use std::process::ExitCode;

use node_agent::options::{Command, Options};

fn main() -> ExitCode {
    let Options { command } = Options::from_arguments();
    let done = match command {
        Command::Serve(options) => node_agent::serve::run(*options),
        Command::Link(options) => node_agent::link::run(&options),
        Command::Ready => node_agent::ready::run(),
        Command::Ecr(options) => node_agent::ecr::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::FAILURE
        }
    }
}
