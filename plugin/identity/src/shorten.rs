//! Makes a result fit its field: the values that `short` marks are shortened one by one, then all of them together.

use crate::digest;
use crate::reference::Slot;
use crate::subject_field::SubjectField;

/// A piece of a template for one caller.
pub(crate) struct Part<'a> {
    /// The characters that go into the result: `value`, or its shortened form.
    pub text: String,
    /// The whole value, from which every digest is made.
    pub value: String,
    /// The reference that gave the value; `None` for plain characters.
    pub slot: Option<&'a Slot>,
}

/// Shortens the values that `short` marks, as far as they must be. A result that does not fit after that is for
/// [`SubjectField::check`] to refuse.
pub(crate) fn fit(field: SubjectField, parts: &mut Vec<Part<'_>>) {
    shorten_each(field, parts);
    join_all(field, parts);
}

/// Shortens each value that `short` marks and the field does not take, then marked values from the right until the whole fits.
/// Values further left therefore stay readable longest.
fn shorten_each(field: SubjectField, parts: &mut [Part<'_>]) {
    let takes = |character: char| field.takes(character);
    for part in parts.iter_mut().filter(|part| part.is_short()) {
        if !digest::may_stay(&part.value, takes) {
            part.text = digest::shorten(&part.value, field.longest(), takes);
        }
    }
    for index in (0..parts.len()).rev() {
        let over = length(parts).saturating_sub(field.longest());
        if over > 0 && parts[index].is_short() {
            let room = parts[index].text.chars().count().saturating_sub(over);
            parts[index].text = digest::shorten(&parts[index].value, room, takes);
        }
    }
}

/// Replaces all values that `short` marks, from the first to the last with the plain characters between them, by one digest,
/// where even their single digests do not fit side by side.
///
/// The values stay apart, and the result is refused for its length, in two cases: where the joined value would contain the first
/// character of a plain part that it replaces, and where a reference that `short` does not mark would be lost. Without that first
/// character in the result, no other caller's values can give the same one.
fn join_all(field: SubjectField, parts: &mut Vec<Part<'_>>) {
    let over = length(parts).saturating_sub(field.longest());
    let marked = |part: &Part<'_>| part.is_short();
    let (Some(first), Some(last)) = (parts.iter().position(marked), parts.iter().rposition(marked)) else {
        return;
    };
    if over == 0 || first == last {
        return;
    }
    let swallowed = &parts[first..=last];
    if swallowed.iter().any(|part| part.slot.is_some_and(|slot| !slot.short)) {
        return;
    }
    let values: Vec<&str> =
        swallowed.iter().filter(|part| marked(part)).map(|part| part.value.as_str()).collect();
    let room = length(swallowed).saturating_sub(over);
    let borders: Vec<&str> =
        swallowed.iter().filter(|part| !marked(part)).map(|part| part.text.as_str()).collect();
    let ends = |character: char| borders.iter().any(|border| border.starts_with(character));
    let text = digest::shorten_all(&values, room, |character| field.takes(character) && !ends(character));
    if text.chars().count() <= room && !text.contains(ends) {
        parts[first].text = text;
        parts.drain(first + 1..=last);
    }
}

/// The length of the result in characters.
fn length(parts: &[Part<'_>]) -> usize {
    parts.iter().map(|part| part.text.chars().count()).sum()
}

impl Part<'_> {
    /// Whether `short` marks the part.
    fn is_short(&self) -> bool {
        self.slot.is_some_and(|slot| slot.short)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::template::tests::{TWO, resolved};

    #[test]
    fn what_short_marks_gives_way_from_the_right_and_what_it_does_not_stays() {
        let (thirty, forty) = ("a".repeat(30), "b".repeat(40));

        let text = resolved(TWO, &[("a", &thirty), ("b", &forty)]).unwrap();

        assert_eq!(text.len(), 61);
        assert!(text.starts_with(&format!("x.{thirty}.bbb")), "{text}");
        let error = resolved(&TWO.replace(" | short", ""), &[("a", &thirty), ("b", &forty)]).unwrap_err();
        assert!(error.to_string().contains("73 characters, 1 to 61"), "{error}");
    }

    /// A template with so many characters in front that two digests do not fit a common name side by side.
    const NARROW: &str = "payments-prod-eu-central-1.{{identity.entity.metadata.a | short}}.{{identity.entity.metadata.b | short}}";

    #[test]
    fn values_whose_digests_do_not_fit_beside_each_other_become_one() {
        let (a, b) = ("kube-prometheus-stack", "kube-prometheus-stack-kube-state-metrics");

        let text = resolved(NARROW, &[("a", a), ("b", b)]).unwrap();

        let (prefix, digits) = text.rsplit_once('-').unwrap();
        assert_eq!((prefix, digits.len()), ("payments-prod-eu-central-1.kube-prom", 24), "{text}");
        assert_eq!(resolved(NARROW, &[("a", "a"), ("b", "b")]).unwrap(), "payments-prod-eu-central-1.a.b");
    }

    #[test]
    fn what_another_character_would_confuse_or_short_does_not_mark_is_never_joined() {
        let (a, b) = ("a".repeat(30), "b".repeat(30));
        for template in [
            NARROW.replace("}}.{{", "}}-{{"),
            NARROW.replace("}}.{{", "}}.{{identity.entity.name}}.{{"),
            NARROW.replace("eu-central-1", "ap-southeast-2-and-more"),
        ] {
            let error = resolved(&template, &[("a", &a), ("b", &b)]).unwrap_err().to_string();

            assert!(error.contains("1 to 61 are allowed"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_joined_is_nobody_elses(a in "[ab]{24,40}", b in "[ab]{24,40}", c in "[ab.-]{1,34}", d in "[ab0-9-]{1,34}") {
            let joined = resolved(NARROW, &[("a", &a), ("b", &b)]).unwrap();
            let (_, text) = joined.split_once('.').unwrap();

            prop_assert!(joined.len() == 61 && !text.contains('.'), "{joined}");
            for (c, d) in [(c.as_str(), d.as_str()), (text, "b"), ("b", text), (a.as_str(), text), (text, b.as_str()), (&b, &a)] {
                let other = resolved(NARROW, &[("a", c), ("b", d)]).unwrap_or_default();
                prop_assert!(other != joined || (c, d) == (a.as_str(), b.as_str()), "{joined}");
            }
        }
    }
}
