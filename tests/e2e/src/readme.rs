//! The commands of `README.md`, which are run as they stand there, and the runs that documents show.

use std::fs;
use std::path::Path;

use harness::binaries::workspace;

/// The `vault` commands of the section with this title, without what is said behind them: what follows `vault`, in order.
///
/// # Panics
/// When there is no such section.
pub fn commands(title: &str) -> Vec<String> {
    let text = fs::read_to_string(workspace().join("README.md")).expect("README.md can be read");
    let (_, section) = text.split_once(&format!("\n## {title}\n")).expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    vault "));
    lines.map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned()).collect()
}

/// Holds what a run printed against what `document` shows of it, between `<!-- part -->` and `<!-- /part -->`. Words with digits in them
/// are each run's own. With `UPDATE_README` set the document is written instead.
///
/// # Panics
/// When the document shows something else, or has no such part.
pub fn hold(document: &Path, part: &str, printed: &str) {
    let text = fs::read_to_string(document).expect("the document can be read");
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- /{part} -->"));
    let (before, rest) = text.split_once(&begin).expect("the part's first mark");
    let (shown, after) = rest.split_once(&end).expect("the part's second mark");
    if is_to_be_written() {
        fs::write(document, format!("{before}{begin}{printed}{end}{after}"))
            .expect("the document is written");
        return;
    }
    let (shown, printed) = (words(shown), words(printed));
    let differs = shown.iter().zip(&printed).position(|(shown, printed)| shown != printed);
    let at = differs.unwrap_or(shown.len().min(printed.len())).saturating_sub(4);
    let around =
        |words: &[&str]| words[at.min(words.len())..].iter().take(12).copied().collect::<Vec<_>>().join(" ");
    assert!(
        shown == printed,
        "{} shows {:?} where {:?} is printed: `make check-tables` writes it",
        document.display(),
        around(&shown),
        around(&printed)
    );
}

fn words(text: &str) -> Vec<&str> {
    let fixed = |word| if has_digit(word) { "#" } else { word };
    text.split_whitespace().map(fixed).collect()
}

fn has_digit(word: &str) -> bool {
    word.contains(|sign: char| sign.is_ascii_digit())
}

#[expect(clippy::disallowed_methods, reason = "how `make check-tables` asks for it")]
fn is_to_be_written() -> bool {
    std::env::var_os("UPDATE_README").is_some()
}
