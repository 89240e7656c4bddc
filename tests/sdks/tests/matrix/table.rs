//! The table: the known behaviour of each SDK on each way, and its form in docs/sdks.md.

use sdks::{Outcome, Sdk};

use crate::way::Way;

/// One cell.
pub(crate) struct Cell {
    pub(crate) sdk: Sdk,
    pub(crate) way: Way,
    pub(crate) outcome: Outcome,
    /// A part of its first error, in the SDK's own words.
    pub(crate) says: &'static str,
    /// A remark for the reader beside yes or no.
    why: &'static str,
}

/// Every cell of the table; [`crate::the_sdks_do_what_the_table_says`] measures them.
pub(crate) fn expected() -> Vec<Cell> {
    Sdk::ALL.into_iter().flat_map(|sdk| Way::ALL.map(|way| cell(sdk, way))).collect()
}

fn cell(sdk: Sdk, way: Way) -> Cell {
    use Outcome::{Never, ReadsOnce, Refreshes};
    let (outcome, says, why) = match (sdk, way) {
        (Sdk::Boto3 | Sdk::Cli, Way::Vault) => {
            (Never, "CERTIFICATE_VERIFY_FAILED", ", trusts only the public CAs it brings")
        }
        (Sdk::Cli, _) => (Refreshes, "", ", each command"),
        (Sdk::Java, Way::File) => (Refreshes, "", ", reads the changed file"),
        (_, Way::File) => (ReadsOnce, "ExpiredToken", ", reads it once"),
        _ => (Refreshes, "", ""),
    };
    Cell { sdk, way, outcome, says, why }
}

impl Cell {
    fn text(&self) -> String {
        let word = if self.outcome == Outcome::Refreshes { "yes" } else { "no" };
        format!("{word}{}", self.why)
    }
}

/// The cells as Markdown, a line an SDK.
pub(crate) fn markdown(cells: &[Cell]) -> String {
    let row = |first: &str, rest: &[String]| format!("| {first} | {} |\n", rest.join(" | "));
    let head = row("SDK", &Way::ALL.map(|way| way.title().to_owned()));
    let rule = row("---", &Way::ALL.map(|_| "---".to_owned()));
    let body = Sdk::ALL.map(|sdk| {
        let own = cells.iter().filter(|cell| cell.sdk == sdk);
        row(&sdk.title(), &own.map(Cell::text).collect::<Vec<_>>())
    });
    format!("{head}{rule}{}", body.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::binaries::workspace;
    use std::fs;

    const BEGIN: &str = "<!-- sdk-table -->\n";
    const END: &str = "<!-- /sdk-table -->";

    #[test]
    fn the_page_holds_the_table() {
        let file = workspace().join("docs/sdks.md");
        let page = fs::read_to_string(&file).unwrap();

        let wanted = with_table(&page, &markdown(&expected()));

        if is_to_be_written() {
            fs::write(&file, wanted).unwrap();
        } else {
            assert!(page == wanted, "the table in docs/sdks.md is another one: run `make sdk-table`");
        }
    }

    /// The text with this table between its two markers.
    fn with_table(page: &str, table: &str) -> String {
        let (before, rest) = page.split_once(BEGIN).expect("the first marker");
        let (_, after) = rest.split_once(END).expect("the second marker");
        format!("{before}{BEGIN}{table}{END}{after}")
    }

    #[expect(clippy::disallowed_methods, reason = "how `make sdk-table` asks for it")]
    fn is_to_be_written() -> bool {
        std::env::var_os("UPDATE_DOCUMENTS").is_some()
    }
}
