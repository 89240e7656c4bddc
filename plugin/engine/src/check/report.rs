//! All verdicts as an answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::asking::NotAsked;
use super::link::Link;
use super::verdict::{Clue, State, Verdict};

/// What is said of each link so far.
#[derive(Debug, Default)]
pub(crate) struct CheckReport(BTreeMap<Link, Verdict>);

impl CheckReport {
    /// Adds a verdict; the worse one counts, and two of one state are both told.
    pub(super) fn note(&mut self, link: Link, verdict: Verdict) {
        let joined = match self.0.remove(&link) {
            Some(known) => known.and(verdict),
            None => verdict,
        };
        self.0.insert(link, joined);
    }

    /// Says it anew.
    pub(super) fn replace(&mut self, link: Link, verdict: Verdict) {
        self.0.insert(link, verdict);
    }

    /// Says of a link what `told` makes of it.
    pub(super) fn told_anew(mut self, link: Link, told: impl FnOnce(Verdict) -> Verdict) -> Self {
        if let Some(verdict) = self.0.remove(&link) {
            self.0.insert(link, told(verdict));
        }
        self
    }

    pub(super) fn has_clue(&self, link: Link, clue: Clue) -> bool {
        self.0.get(&link).is_some_and(|verdict| verdict.has_clue(clue))
    }

    /// The links that are broken, each with its text; nothing where none is.
    pub(crate) fn failure(&self) -> Option<String> {
        let broken = self.0.iter().filter(|(_, verdict)| verdict.state == State::Broken);
        let lines: Vec<String> = broken.map(|(link, verdict)| format!("{}: {verdict}", link.key())).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// How a link is, as far as it was judged.
    pub(super) fn state(&self, link: Link) -> State {
        self.0.get(&link).map_or(State::NotChecked, |verdict| verdict.state)
    }

    pub(super) fn is_broken(&self, link: Link) -> bool {
        self.state(link) == State::Broken
    }

    /// The whole: links of which nothing was said were not checked, for this reason.
    pub(super) fn rest(mut self, why: NotAsked) -> Self {
        for link in Link::ALL {
            self.0.entry(link).or_insert_with(|| Verdict::not_checked(why));
        }
        self
    }

    /// As `check/<role>` answers it: a text for each link, then the names of those that are not ok.
    pub(crate) fn shown(&self) -> Map<String, Value> {
        let named = |state: State| -> Vec<&str> {
            let those = self.0.iter().filter(|(_, verdict)| verdict.state == state);
            those.map(|(link, _)| link.key()).collect()
        };
        let links = self.0.iter().map(|(link, verdict)| (link.key().to_owned(), json!(verdict.to_string())));
        let lists = [
            ("broken", json!(named(State::Broken))),
            ("not_checked", json!(named(State::NotChecked))),
            ("summary", json!(self.summary())),
            ("warnings", json!(named(State::Warning))),
        ];
        links.chain(lists.map(|(name, list)| (name.to_owned(), list))).collect()
    }

    fn summary(&self) -> String {
        let count = |state: State| self.0.values().filter(|verdict| verdict.state == state).count();
        let worst = if count(State::Broken) > 0 {
            "broken"
        } else if count(State::Ok) + count(State::Warning) > 0 {
            "ok"
        } else {
            "not checked"
        };
        format!(
            "{worst}: {} ok, {} with a warning, {} broken, {} not checked",
            count(State::Ok),
            count(State::Warning),
            count(State::Broken),
            count(State::NotChecked)
        )
    }
}
