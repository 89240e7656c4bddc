//! Revocation by the lists imported for the anchor.

use time::OffsetDateTime;

use super::Notes;
use crate::{
    pki::{Certificate, RevocationList},
    rules::{Refusal, Rule},
    state::{State, TrustAnchor},
};

/// Refuses a path with a certificate that an enabled list of its issuer names. A list that no CA of the anchor signed is
/// not applied, and a stale one is. The log remarks both, because AWS documents neither.
pub(super) fn check(
    state: &State,
    anchor: &TrustAnchor,
    anchors: &[Certificate],
    path: &[Certificate],
    now: OffsetDateTime,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    for crl in state.crls.iter().filter(|crl| crl.enabled && crl.trust_anchor_id == anchor.id) {
        let Ok(list) = RevocationList::from_text(&crl.crl_pem) else { continue };
        if !anchors.iter().any(|ca| list.is_signed_by(ca)) {
            notes
                .remarks
                .push(format!("crl {} is not signed by a CA of the anchor and was not applied", crl.id));
            continue;
        }
        if list.is_stale(now) {
            notes.remarks.push(format!("crl {} is past its nextUpdate", crl.id));
        }
        if let Some(revoked) = path.iter().find(|certificate| list.revokes(certificate)) {
            let detail = format!("serial {} is in crl {}", hex::encode(revoked.serial()), crl.id);
            return Err(Refusal::new(Rule::Revoked, detail));
        }
    }
    Ok(())
}
