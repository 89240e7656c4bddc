//! Which key is dropped when there is no room: one with a refusal before one with an answer, and then the one that was asked for the
//! longest time ago. So a crowd of refused tokens drops nobody's answer.

use std::collections::BTreeSet;

/// What a key is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// It holds no answer.
    Refusal,
    /// It holds an answer.
    Answer,
}

/// The place of a key among those that may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    worth: Worth,
    /// Requests are numbered.
    asked: u64,
}

/// The keys that may be dropped, the first to go first. A key with a flight is not among them.
#[derive(Debug)]
pub(super) struct Recency<K> {
    by_place: BTreeSet<(Place, K)>,
    asked: u64,
}

impl<K: Ord + Clone> Recency<K> {
    pub(super) fn new() -> Recency<K> {
        Recency { by_place: BTreeSet::new(), asked: 0 }
    }

    /// Gives a key that was asked for now a place, and takes the one that it had.
    pub(super) fn put(&mut self, key: &K, worth: Worth, old: Option<Place>) -> Place {
        self.take(key, old);
        self.asked += 1;
        let place = Place { worth, asked: self.asked };
        self.by_place.insert((place, key.clone()));
        place
    }

    /// Takes the place of a key that may not be dropped, or is.
    pub(super) fn take(&mut self, key: &K, place: Option<Place>) {
        if let Some(place) = place {
            self.by_place.remove(&(place, key.clone()));
        }
    }

    /// The key that goes first.
    pub(super) fn first(&self) -> Option<&K> {
        self.by_place.first().map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_go_before_answers_and_the_oldest_first() {
        let mut recency = Recency::new();
        let old = recency.put(&"answer", Worth::Answer, None);
        let first = recency.put(&"first refusal", Worth::Refusal, None);
        let second = recency.put(&"second refusal", Worth::Refusal, None);
        recency.put(&"answer", Worth::Answer, Some(old));

        let mut gone = Vec::new();
        for place in [first, second] {
            let key = *recency.first().unwrap();
            recency.take(&key, Some(place));
            gone.push(key);
        }

        assert_eq!(gone, ["first refusal", "second refusal"]);
        assert_eq!(recency.first(), Some(&"answer"));
    }
}
