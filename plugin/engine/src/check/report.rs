//! Collects the verdicts, and renders them as the answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::asking::NotAsked;
use super::link::Link;
use super::verdict::{Clue, LinkState, Verdict};
use crate::records::role::Role;

/// The verdict on each link so far, and the reports on further places.
#[derive(Debug, Default)]
pub(crate) struct CheckReport(BTreeMap<Link, Verdict>, Vec<FurtherPlace>);

/// What was seen of one of the role's further places.
#[derive(Debug)]
struct FurtherPlace {
    region: String,
    report: CheckReport,
}

impl CheckReport {
    /// Adds a verdict. Of two verdicts on a link the worse counts; two of one state are joined.
    pub(super) fn note(&mut self, link: Link, verdict: Verdict) {
        let joined = match self.0.remove(&link) {
            Some(known) => known.and(verdict),
            None => verdict,
        };
        self.0.insert(link, joined);
    }

    /// Replaces the verdict on a link, whatever it was.
    pub(super) fn replace(&mut self, link: Link, verdict: Verdict) {
        self.0.insert(link, verdict);
    }

    /// Replaces the verdict on a link with what `revise` makes of it. Does nothing if the link has none.
    pub(super) fn revised(mut self, link: Link, revise: impl FnOnce(Verdict) -> Verdict) -> Self {
        if let Some(verdict) = self.0.remove(&link) {
            self.0.insert(link, revise(verdict));
        }
        self
    }

    /// Whether the verdict on `link` left this clue for another link's cure.
    pub(super) fn has_clue(&self, link: Link, clue: Clue) -> bool {
        self.0.get(&link).is_some_and(|verdict| verdict.has_clue(clue))
    }

    /// Adds the report on a further place. Its links that are the same in every place are left out of the answer.
    pub(super) fn with_place(mut self, region: String, report: Self) -> Self {
        self.1.push(FurtherPlace { region, report });
        self
    }

    /// Every verdict of the answer under its key: `<link>`, and `<link>@<region>` of a further place.
    fn all(&self) -> impl Iterator<Item = (String, &Verdict)> {
        let own = self.0.iter().map(|(link, verdict)| (link.key().to_owned(), verdict));
        let further = self.1.iter().flat_map(|FurtherPlace { region, report }| {
            let of_place = report.0.iter().filter(|(link, _)| link.is_of_place());
            of_place.map(move |(link, verdict)| (format!("{}@{region}", link.key()), verdict))
        });
        own.chain(further)
    }

    /// The broken links, a line for each with its verdict; none if nothing is broken. Warnings do not count.
    pub(crate) fn failure(&self) -> Option<String> {
        let broken = self.all().filter(|(_, verdict)| verdict.state == LinkState::Broken);
        let lines: Vec<String> = broken.map(|(key, verdict)| format!("{key}: {verdict}")).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The state of a link; not checked if it has no verdict yet.
    pub(super) fn state(&self, link: Link) -> LinkState {
        self.0.get(&link).map_or(LinkState::NotChecked, |verdict| verdict.state)
    }

    /// Whether the link has a broken verdict by now.
    pub(super) fn is_broken(&self, link: Link) -> bool {
        self.state(link) == LinkState::Broken
    }

    /// The complete report of a role, which makes a hop or not: each link without a verdict was not checked, for this reason.
    pub(super) fn rest(mut self, role: &Role, why: NotAsked) -> Self {
        let is_chained = role.hop.target().is_some();
        for &link in Link::ALL.iter().filter(|link| is_chained || !Link::OF_HOP.contains(link)) {
            self.0.entry(link).or_insert_with(|| Verdict::not_checked(why));
        }
        self
    }

    /// The answer of `check/<role>`: a text for each link, then the keys of those that are not ok, and a summary.
    pub(crate) fn shown(&self) -> Map<String, Value> {
        let named = |state: LinkState| -> Vec<String> {
            self.all().filter(|(_, verdict)| verdict.state == state).map(|(key, _)| key).collect()
        };
        let links = self.all().map(|(key, verdict)| (key, json!(verdict.to_string())));
        let lists = [
            ("broken", json!(named(LinkState::Broken))),
            ("not_checked", json!(named(LinkState::NotChecked))),
            ("summary", json!(self.summary())),
            ("warnings", json!(named(LinkState::Warning))),
        ];
        links.chain(lists.map(|(name, list)| (name.to_owned(), list))).collect()
    }

    /// One line that begins with `broken`, `ok` or `not checked`, for scripts, and then counts the links by state.
    fn summary(&self) -> String {
        let count = |state: LinkState| self.all().filter(|(_, verdict)| verdict.state == state).count();
        let worst = if count(LinkState::Broken) > 0 {
            "broken"
        } else if count(LinkState::Ok) + count(LinkState::Warning) > 0 {
            "ok"
        } else {
            "not checked"
        };
        format!(
            "{worst}: {} ok, {} with a warning, {} broken, {} not checked",
            count(LinkState::Ok),
            count(LinkState::Warning),
            count(LinkState::Broken),
            count(LinkState::NotChecked)
        )
    }
}
