//! The bundle that a trust anchor should have, computed from the certificates that it holds and those that it must hold. No I/O.

use std::collections::BTreeSet;

/// AWS takes at most two certificates in an anchor's bundle.
/// Source: IAM Roles Anywhere User Guide, "Quotas".
pub(crate) const MAX_CERTIFICATES: usize = 2;

/// The certificates of one anchor that are remembered before those that are no longer anywhere are forgotten. The record then has
/// 70 KB, and Vault's storage accepts 512 KB or more.
const MAX_REMEMBERED: usize = 1_000;

/// A certificate as DER. Certificates are compared byte by byte.
type Der = Vec<u8>;

/// The difference between an anchor's bundle and the issuers that sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BundlePlan {
    /// The whole bundle as it should be: the issuers that sign, then the certificates that are not ours.
    pub(crate) bundle: Vec<Der>,
    /// The issuers that sign and that the anchor does not hold yet.
    pub(crate) missing: Vec<Der>,
    /// Our issuers that the anchor holds and that no longer sign.
    pub(crate) retired: Vec<Der>,
    /// The certificates that this mount did not put there. They stay.
    pub(crate) foreign: Vec<Der>,
}

/// The bundle has no room for an issuer that signs. Nothing must be changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BundleFull {
    /// The certificates that are not ours and take the room.
    pub(crate) foreign: Vec<Der>,
    /// The issuers that sign and that the anchor does not hold.
    pub(crate) missing: Vec<Der>,
}

impl BundlePlan {
    /// Compares the certificates that the anchor `holds` with the issuers that `sign`. `ours` contains the SHA-256 sums of all
    /// certificates that this mount has put into the anchor or has as an issuer.
    ///
    /// # Errors
    /// [`BundleFull`] if the bundle would need more than [`MAX_CERTIFICATES`], because a certificate that is not ours is never
    /// removed.
    pub(crate) fn new(holds: &[Der], sign: &[Der], ours: &BTreeSet<String>) -> Result<Self, BundleFull> {
        let missing: Vec<Der> = sign.iter().filter(|issuer| !holds.contains(issuer)).cloned().collect();
        let others = holds.iter().filter(|held| !sign.contains(held)).cloned();
        let (retired, foreign): (Vec<Der>, Vec<Der>) =
            others.partition(|held| ours.contains(&fingerprint(held)));
        let bundle: Vec<Der> = sign.iter().chain(&foreign).cloned().collect();
        if bundle.len() > MAX_CERTIFICATES {
            return Err(BundleFull { foreign, missing });
        }
        Ok(Self { bundle, missing, retired, foreign })
    }

    /// Whether the anchor holds every issuer that signs, and none of ours that does not. Foreign certificates do not count.
    pub(crate) fn is_in_sync(&self) -> bool {
        self.missing.is_empty() && self.retired.is_empty()
    }
}

/// The certificates to record of `ours`, which are all that this mount ever had or put into the anchor. Up to [`MAX_REMEMBERED`]
/// all are recorded, because one that comes back must be recognized. Beyond it only those remain that the anchor `holds` or that
/// are among the current `issuers`.
pub(crate) fn remembered(
    ours: &BTreeSet<String>,
    holds: &[Der],
    issuers: &BTreeSet<String>,
) -> BTreeSet<String> {
    if ours.len() <= MAX_REMEMBERED {
        return ours.clone();
    }
    let held: BTreeSet<String> = holds.iter().map(|der| fingerprint(der)).collect();
    ours.iter().filter(|sum| held.contains(*sum) || issuers.contains(*sum)).cloned().collect()
}

/// The SHA-256 of a certificate as 64 lowercase hexadecimal digits.
pub(crate) fn fingerprint(der: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der))
}

/// The [`fingerprint`] of each certificate, without their order.
pub(crate) fn fingerprints(list: &[Vec<u8>]) -> BTreeSet<String> {
    list.iter().map(|der| fingerprint(der)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &[u8] = b"the issuer that signs";
    const NEXT: &[u8] = b"the next issuer";
    const FORMER: &[u8] = b"an issuer of ours that is retired";
    const FOREIGN: &[u8] = b"somebody else's";

    fn plan(holds: &[&[u8]], sign: &[&[u8]]) -> Result<BundlePlan, BundleFull> {
        let list = |list: &[&[u8]]| list.iter().map(|der| der.to_vec()).collect::<Vec<_>>();
        let ours = [NOW, NEXT, FORMER].into_iter().map(fingerprint).collect();
        BundlePlan::new(&list(holds), &list(sign), &ours)
    }

    #[test]
    fn an_anchor_that_holds_the_issuers_is_in_sync_in_any_order() {
        let plan = plan(&[NEXT, NOW], &[NOW, NEXT]).unwrap();

        assert!(plan.is_in_sync(), "{plan:?}");
    }

    #[test]
    fn the_next_issuer_is_added_beside_the_one_that_signs() {
        let plan = plan(&[NOW], &[NOW, NEXT]).unwrap();

        assert_eq!((plan.bundle, plan.missing), (vec![NOW.to_vec(), NEXT.to_vec()], vec![NEXT.to_vec()]));
    }

    #[test]
    fn a_retired_issuer_of_ours_goes() {
        let plan = plan(&[FORMER, NOW], &[NOW]).unwrap();

        assert_eq!((plan.bundle, plan.retired), (vec![NOW.to_vec()], vec![FORMER.to_vec()]));
    }

    #[test]
    fn a_retired_issuer_makes_room_for_the_next_one() {
        let plan = plan(&[FORMER, NOW], &[NOW, NEXT]).unwrap();

        assert_eq!(plan.bundle, [NOW, NEXT]);
    }

    #[test]
    fn what_is_not_ours_stays_while_there_is_room() {
        let plan = plan(&[FOREIGN], &[NOW]).unwrap();

        assert_eq!(
            (plan.bundle, plan.foreign),
            (vec![NOW.to_vec(), FOREIGN.to_vec()], vec![FOREIGN.to_vec()])
        );
    }

    #[test]
    fn without_room_nothing_is_planned_and_what_stands_in_the_way_is_named() {
        let full = plan(&[FOREIGN, NOW], &[NOW, NEXT]).unwrap_err();

        assert_eq!((full.foreign, full.missing), (vec![FOREIGN.to_vec()], vec![NEXT.to_vec()]));
    }

    #[test]
    fn of_many_certificates_those_are_remembered_that_are_issuers_or_held() {
        let sums = |list: &[&[u8]]| list.iter().map(|der| fingerprint(der)).collect::<BTreeSet<_>>();
        let gone = |count: usize| (0..count).map(|number| number.to_string()).collect::<BTreeSet<_>>();
        let (issuers, holds) = (sums(&[NOW, NEXT]), [FORMER.to_vec(), FOREIGN.to_vec()]);
        let ours = sums(&[NOW, NEXT, FORMER]);
        let few = &ours | &gone(MAX_REMEMBERED - 3);

        assert_eq!(remembered(&few, &holds, &issuers), few);
        assert_eq!(remembered(&(&ours | &gone(MAX_REMEMBERED)), &holds, &issuers), ours);
    }

    #[test]
    fn no_plan_drops_an_issuer_that_signs() {
        for holds in [&[][..], &[NOW], &[NEXT], &[FORMER, NOW], &[FORMER, NEXT], &[NOW, NEXT]] {
            let plan = plan(holds, &[NOW, NEXT]).unwrap();

            assert!(plan.bundle.contains(&NOW.to_vec()) && plan.bundle.contains(&NEXT.to_vec()), "{holds:?}");
        }
    }
}
