//! The commands of the book's pages, which are run as they are written, and the outputs that pages show.

use std::fs;
use std::path::PathBuf;

use harness::binaries::workspace;

/// The blocks of a page in `docs` that are marked `sh` or, with a `mark`, `sh <mark>`: each block's mark and commands, in order.
///
/// # Panics
/// When the page is not there, or a block does not end.
pub fn blocks(page: &str) -> Vec<(String, String)> {
    let text = text_of(page);
    let blocks = text.split("\n```sh").skip(1).map(|rest| {
        let (mark, rest) = rest.split_once('\n').expect("a block has lines");
        let (commands, _) = rest.split_once("```").expect("a block ends");
        (mark.trim().to_owned(), commands.to_owned())
    });
    blocks.collect()
}

/// The `vault` commands of the page's blocks with this mark, in order, without `vault` and without the remarks behind them.
///
/// # Panics
/// When the page has no such block.
pub fn commands(page: &str, mark: &str) -> Vec<String> {
    let blocks: Vec<_> = blocks(page).into_iter().filter(|(own, _)| own == mark).collect();
    assert!(!blocks.is_empty(), "docs/{page} has no block marked {mark}");
    let lines = blocks.iter().flat_map(|(_, commands)| commands.lines());
    let commands = lines.filter_map(|line| line.strip_prefix("vault "));
    commands.map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned()).collect()
}

/// The text of a page in `docs`.
///
/// # Panics
/// When it does not exist.
pub fn text_of(page: &str) -> String {
    fs::read_to_string(file(page)).unwrap_or_else(|error| panic!("docs/{page}: {error}"))
}

fn file(page: &str) -> PathBuf {
    workspace().join("docs").join(page)
}

/// Compares the output of a run with a page in `docs`, which shows it between `<!-- part -->` and `<!-- /part -->`. Words with digits
/// differ from run to run. With `UPDATE_DOCUMENTS` set the page is written instead.
///
/// # Panics
/// When the page shows something else, or has no such part.
pub fn hold(page: &str, part: &str, printed: &str) {
    let text = text_of(page);
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- /{part} -->"));
    let (before, rest) = text.split_once(&begin).expect("the part's first mark");
    let (shown, after) = rest.split_once(&end).expect("the part's second mark");
    if is_to_be_written() {
        fs::write(file(page), format!("{before}{begin}{printed}{end}{after}")).expect("the page is written");
        return;
    }
    let (shown, printed) = (words(shown), words(printed));
    let differs = shown.iter().zip(&printed).position(|(shown, printed)| shown != printed);
    let at = differs.unwrap_or(shown.len().min(printed.len())).saturating_sub(4);
    let around =
        |words: &[&str]| words[at.min(words.len())..].iter().take(12).copied().collect::<Vec<_>>().join(" ");
    assert!(
        shown == printed,
        "docs/{page} shows {:?} where {:?} is printed: `make check-tables` writes it",
        around(&shown),
        around(&printed)
    );
}

fn words(text: &str) -> Vec<&str> {
    let fixed = |word| if has_digit(word) { "#" } else { word };
    text.split_whitespace().map(fixed).collect()
}

fn has_digit(word: &str) -> bool {
    word.contains(|character: char| character.is_ascii_digit())
}

#[expect(clippy::disallowed_methods, reason = "how `make check-tables` asks for it")]
fn is_to_be_written() -> bool {
    std::env::var_os("UPDATE_DOCUMENTS").is_some()
}
