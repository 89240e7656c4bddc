//! The details that AWS leaves open, varied by a seed and the number of the request, so that a run can be repeated.

use sha2::{Digest, Sha256};

/// The choices for one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variation {
    bits: u64,
}

impl Variation {
    /// Seed 0 makes the plain choice each time.
    pub(crate) fn new(seed: u64, request: u64) -> Variation {
        if seed == 0 {
            return Variation { bits: 0 };
        }
        let digest =
            Sha256::new().chain_update(seed.to_be_bytes()).chain_update(request.to_be_bytes()).finalize();
        Variation { bits: digest.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte)) }
    }

    /// Whether `x-amzn-ErrorType` carries the front end's suffix.
    pub(crate) fn suffixed_type(self) -> bool {
        self.bits & 1 == 1
    }

    /// Whether "Unable to assume role for …" ends in a period; both were seen.
    pub(crate) fn final_period(self) -> bool {
        self.bits >> 1 & 1 == 1
    }

    /// Whether a reply has a member that no client knows.
    pub(crate) fn unknown_member(self) -> bool {
        self.bits >> 2 & 1 == 1
    }

    /// Whether a throttled reply says `Retry-After`.
    pub(crate) fn retry_after(self) -> bool {
        self.bits >> 3 & 1 == 1
    }

    /// The members in another order; the plain choice keeps theirs.
    pub(crate) fn shuffle<T>(self, members: &mut [T]) {
        if !members.is_empty() {
            let turn = usize::try_from(self.bits >> 8 & 0xff).unwrap_or_default() % members.len();
            members.rotate_left(turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_zero_never_varies_and_another_seed_varies_the_same_way_twice() {
        let plain: Vec<u64> = (0..9).map(|request| Variation::new(0, request).bits).collect();
        let first: Vec<u64> = (0..9).map(|request| Variation::new(7, request).bits).collect();

        let second: Vec<u64> = (0..9).map(|request| Variation::new(7, request).bits).collect();

        assert!(plain.iter().all(|bits| *bits == 0));
        assert_eq!(first, second);
        assert_ne!(first[0], first[1]);
    }
}
