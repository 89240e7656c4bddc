//! `book lay-out <folder>` writes the book's source for mdBook; `book check <folder>` checks each link of the book that mdBook made.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use documents::{book, page, repository};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["lay-out", folder] => book::lay_out(&repository(), Path::new(folder)).map(|()| String::new()),
        ["check", folder] => check(Path::new(folder)),
        _ => Err(io::Error::other("usage: book lay-out|check <folder>")),
    };
    let (text, code) = match done {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => (format!("book: {error}\n"), ExitCode::FAILURE),
    };
    if io::stderr().write_all(text.as_bytes()).is_ok() { code } else { ExitCode::FAILURE }
}

/// A line that tells how many links the book has.
fn check(folder: &Path) -> io::Result<String> {
    let (looked_at, problems) = page::broken(folder)?;
    if !problems.is_empty() || looked_at == 0 {
        let text = format!("{} of {looked_at} links lead nowhere\n{}", problems.len(), problems.join("\n"));
        return Err(io::Error::other(text));
    }
    Ok(format!("book: {looked_at} links lead somewhere\n"))
}
