//! `simulate [file.svg]`: plays every scenario, prints the tables, writes the plot, and fails where a promise is broken.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use simulation::run::Run;
use simulation::scenario::Scenario;
use simulation::{plot, table};

fn main() -> ExitCode {
    let path = std::env::args().nth(1).unwrap_or_else(|| "simulation.svg".to_owned());
    let results: Vec<_> = Scenario::all()
        .into_iter()
        .map(|scenario| {
            let finished = Run::play(&scenario);
            (scenario, finished)
        })
        .collect();
    let mut report = table::tables(&results);
    let broken: Vec<String> =
        results.iter().flat_map(|(scenario, finished)| finished.broken_promises(scenario)).collect();
    let unwritten = plot::write(Path::new(&path), &results).err().map(|error| format!("{path}: {error}"));
    let failures: Vec<String> = broken.into_iter().chain(unwritten).collect();
    report.push_str(&failures.join("\n"));
    finish(&report, if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn finish(report: &str, code: ExitCode) -> ExitCode {
    match std::io::stdout().write_all(report.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
