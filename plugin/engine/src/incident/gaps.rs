//! What the record of sessions lacks, as the answers of incident commands tell it.

use crate::credentials::ledger::Backlog;
use crate::ground::clock;
use crate::incident::incidents::Incidents;

/// The keys of storage that one warning names.
const MAX_NAMED: usize = 8;

impl Incidents {
    /// Warns of parts of storage that cannot be read, and of facts that storage has not taken. `of_them` is what holds for the
    /// sessions in the parts.
    pub(super) fn gaps(&self, unreadable: &[String], of_them: &str) -> Vec<String> {
        let backlog = self.credentials.ledger.backlog(clock::now());
        damaged(unreadable, of_them).into_iter().chain(unstored(backlog)).collect()
    }
}

fn damaged(unreadable: &[String], of_them: &str) -> Option<String> {
    let (named, more) = unreadable.split_at(unreadable.len().min(MAX_NAMED));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    (!named.is_empty()).then(|| {
        format!(
            "the record of sessions is incomplete, because these parts of storage cannot be read: {}{more}; {of_them}",
            named.join(", ")
        )
    })
}

fn unstored(backlog: Backlog) -> Option<String> {
    backlog.trouble.map(|why| {
        format!(
            "storage takes no record of sessions ({why}): the {} newest facts about who has which session are known to this process alone, and are lost if it ends",
            backlog.waiting
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_parts_that_cannot_be_read_are_counted() {
        let parts: Vec<String> = (0..10).map(|number| format!("session/{number}")).collect();

        let told = damaged(&parts, "they live").unwrap();

        assert!(
            told.contains("session/0, session/1, ") && told.ends_with("session/7 and 2 more; they live"),
            "{told}"
        );
        assert_eq!(damaged(&[], "they live"), None);
    }
}
