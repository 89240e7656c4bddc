use ca::Serial;
use std::mem::size_of;

use rolesanywhere::{SecretString, Session};
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::credentials::key::tests::{key as key_of, parts as some_parts};

const NOW: OffsetDateTime = datetime!(2026-11-24 15:00 UTC);
const HOUR: Duration = Duration::HOUR;

/// A session that ends at `expiration`, whose certificate has the serial number `number`.
fn issued(number: u32, expiration: OffsetDateTime) -> Issued {
    let session = Session {
        access_key_id: "ASIAEXAMPLE00000".to_owned(),
        secret_access_key: SecretString::from("key"),
        session_token: SecretString::from("token"),
        expiration,
        dated: None,
        assumed_role_arn: String::new(),
        assumed_role_id: String::new(),
        source_identity: Some("CN=web".to_owned()),
        role_session_name: format!("{number:08x}"),
        subject_arn: String::new(),
        packed_policy_size: None,
        request_id: None,
    };
    Issued { session, began: NOW, serial: serial(number).to_string(), warnings: Vec::new() }
}

fn serial(number: u32) -> Serial {
    Serial::from_bytes(&number.to_be_bytes())
}

fn key(role: &str) -> SessionKey {
    let mut parts = some_parts();
    role.clone_into(&mut parts.role);
    key_of(parts)
}

fn note(
    ledger: &Ledger,
    now: OffsetDateTime,
    issued: &Issued,
    key: &SessionKey,
    sharing: SessionSharing,
    holder: &str,
) {
    ledger.note(now, issued, key, sharing, &ledger.reader(holder)).unwrap();
}

fn of_entity(entity: &str) -> Selector {
    Selector::Entity(entity.to_owned())
}

#[test]
fn a_session_is_found_by_serial_number_by_each_holder_and_by_its_cluster() {
    let ledger = Ledger::new(NOW);
    let session = issued(7, NOW + HOUR);
    for holder in ["one", "two", "two"] {
        note(&ledger, NOW, &session, &key("web"), SessionSharing::Identity, holder);
    }

    let cluster = |name: &str| Selector::Cluster(name.to_owned());
    let found = |which: &Selector| ledger.find(NOW, which, None).len();
    for which in [Selector::Serial(serial(7)), of_entity("one"), of_entity("two"), cluster("prod")] {
        assert_eq!(found(&which), 1, "{which:?}");
    }
    for which in [Selector::Serial(serial(8)), of_entity("three"), cluster("dev")] {
        assert_eq!(found(&which), 0, "{which:?}");
    }
    assert_eq!(ledger.find(NOW, &of_entity("one"), Some("api")).len(), 0);
}

#[test]
fn others_are_those_who_lose_it_beside_whoever_is_meant() {
    let ledger = Ledger::new(NOW);
    for holder in ["one", "two", "three"] {
        note(&ledger, NOW, &issued(7, NOW + HOUR), &key("web"), SessionSharing::Identity, holder);
    }
    note(&ledger, NOW, &issued(8, NOW + HOUR), &key("web"), SessionSharing::None, "one");

    let others = |number| {
        let which = Selector::Serial(serial(number));
        let entry = ledger.find(NOW, &which, None).remove(0);
        (entry.others(&which), entry.others(&of_entity("one")))
    };
    assert_eq!((others(7), others(8)), ((2, 2), (0, 0)));
}

#[test]
fn a_session_with_more_holders_than_are_listed_counts_as_everybodys() {
    let ledger = Ledger::new(NOW);
    let session = issued(7, NOW + HOUR);
    for holder in 0..=MAX_HOLDERS {
        note(&ledger, NOW, &session, &key("web"), SessionSharing::Identity, &holder.to_string());
    }

    let found = ledger.find(NOW, &of_entity("nobody"), None);

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].others(&of_entity("0")), MAX_HOLDERS);
}

#[test]
fn callers_of_whom_nothing_is_known_count_as_more_than_one() {
    let ledger = Ledger::new(NOW);
    note(&ledger, NOW, &issued(7, NOW + HOUR), &key("web"), SessionSharing::Identity, "");
    note(&ledger, NOW, &issued(8, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");
    note(&ledger, NOW, &issued(8, NOW + HOUR), &key("web"), SessionSharing::Identity, "");
    note(&ledger, NOW, &issued(9, NOW + HOUR), &key("web"), SessionSharing::None, "");

    let others = |number| {
        let which = Selector::Serial(serial(number));
        ledger.find(NOW, &which, None).remove(0).others(&which)
    };
    assert_eq!((others(7), others(8), others(9)), (1, 1, 0));
}

#[test]
fn what_was_denied_comes_after_what_was_not() {
    let ledger = Ledger::new(NOW);
    let mut elsewhere = some_parts();
    elsewhere.call.role = "arn:aws:iam::123456789012:role/a".parse().unwrap();
    note(&ledger, NOW, &issued(7, NOW + HOUR), &key_of(elsewhere), SessionSharing::Identity, "one");
    note(&ledger, NOW, &issued(8, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");
    let roles = || {
        let found = by_iam_role(ledger.find(NOW, &of_entity("one"), None));
        found.iter().map(|(role, _)| role.name().to_owned()).collect::<Vec<_>>()
    };

    let before = roles();
    ledger.mark_denied(&ledger.find(NOW, &Selector::Serial(serial(7)), None));

    assert_eq!(
        (before, roles()),
        (vec!["a".to_owned(), "web".to_owned()], vec!["web".to_owned(), "a".to_owned()])
    );
}

#[test]
fn a_session_that_has_ended_is_not_found_and_leaves_with_all_that_was_kept_of_it() {
    let ledger = Ledger::new(NOW);
    note(&ledger, NOW, &issued(7, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");

    let later = NOW + HOUR;
    assert!(ledger.find(later, &of_entity("one"), None).is_empty());
    note(&ledger, later, &issued(8, later + HOUR), &key("api"), SessionSharing::Identity, "one");

    let index = ledger.index();
    let roles: Vec<&str> = index.origins.iter().map(|origin| origin.role.as_str()).collect();
    assert_eq!((index.by_serial.len(), index.by_end.len(), roles), (1, 1, vec!["api"]));
}

#[test]
fn a_full_ledger_forgets_those_that_end_first() {
    let ledger = Ledger::new(NOW);
    let most = u32::try_from(MAX_SESSIONS).unwrap();
    for number in 0..=most {
        let end = NOW + HOUR + Duration::seconds(number.into());
        note(&ledger, NOW, &issued(number, end), &key("web"), SessionSharing::None, "one");
    }

    let knows = |number| !ledger.find(NOW, &Selector::Serial(serial(number)), None).is_empty();
    assert!(!knows(0) && knows(1) && knows(most));
    assert!(ledger.has_forgotten(NOW) && !ledger.has_forgotten(NOW + HOUR));
    assert_eq!(ledger.index().origins.len(), 1);
}

#[test]
fn only_a_session_that_is_shared_holds_on_to_what_is_kept_of_it() {
    let ledger = Ledger::new(NOW);
    note(&ledger, NOW, &issued(7, NOW + HOUR), &key("web"), SessionSharing::None, "one");
    note(&ledger, NOW, &issued(8, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");

    let kept = |number| ledger.find(NOW, &Selector::Serial(serial(number)), None).remove(0).cached_as;

    assert_eq!((kept(7), kept(8)), (None, Some(key("web"))));
    assert!(size_of::<Entry>() <= 128, "{} bytes", size_of::<Entry>());
}

fn cut(ledger: &Ledger, which: &Selector, role: Option<&str>) -> Vec<Entry> {
    ledger.cut(NOW, which, role, |_, _| Ok::<(), CutOff>(())).unwrap()
}

fn of_cluster() -> Selector {
    Selector::Cluster("prod".to_owned())
}

#[test]
fn in_no_order_is_a_read_of_before_a_cut_handed_what_the_cut_did_not_find() {
    for which in [Selector::Serial(serial(7)), of_entity("one"), of_cluster()] {
        let (ledger, session, key) = (Ledger::new(NOW), issued(7, NOW + HOUR), key("web"));

        let before = ledger.reader("one");
        assert_eq!(cut(&ledger, &which, Some("web")).len(), 0);
        let under_way = ledger.note(NOW, &session, &key, SessionSharing::Identity, &before);
        note(&ledger, NOW, &session, &key, SessionSharing::Identity, "one");
        let found = cut(&ledger, &which, Some("web")).len();

        assert_eq!((under_way, found), (Err(CutOff), 1), "{which:?}");
    }
}

#[test]
fn what_a_cut_found_is_handed_to_nobody_who_comes_later() {
    let (ledger, session) = (Ledger::new(NOW), issued(7, NOW + HOUR));
    note(&ledger, NOW, &session, &key("web"), SessionSharing::Identity, "one");
    cut(&ledger, &of_entity("one"), None);

    let later = ledger.note(NOW, &session, &key("web"), SessionSharing::Identity, &ledger.reader("two"));

    assert_eq!(later, Err(CutOff));
}

#[test]
fn a_cut_that_is_refused_changes_nothing() {
    let (ledger, key) = (Ledger::new(NOW), key("web"));
    note(&ledger, NOW, &issued(7, NOW + HOUR), &key, SessionSharing::Identity, "one");
    let before = ledger.reader("one");
    let mut checked = 0;

    let refused = ledger.cut(NOW, &of_entity("one"), None, |found, of_iam_role| {
        checked = found.len() + of_iam_role(&key.parts().call.role).len();
        Err("shared")
    });

    assert_eq!((refused.err(), checked), (Some("shared"), 2));
    for session in [issued(7, NOW + HOUR), issued(8, NOW + HOUR)] {
        assert_eq!(ledger.note(NOW, &session, &key, SessionSharing::Identity, &before), Ok(()));
    }
}

#[tokio::test]
async fn a_cut_lets_reads_through_that_it_does_not_mean() {
    let ledger = Ledger::new(NOW);
    let [other, of_role, meant] = [("two", "web"), ("one", "api"), ("one", "web")]
        .map(|(holder, role)| (ledger.reader(holder), key(role)));

    cut(&ledger, &of_entity("one"), Some("web"));

    assert_eq!(ledger.admit(&other.0, &other.1).await, Ok(()));
    assert_eq!(ledger.admit(&of_role.0, &of_role.1).await, Ok(()));
    assert_eq!(ledger.admit(&meant.0, &meant.1).await, Err(CutOff));
}

#[tokio::test]
async fn a_read_that_begins_while_a_cut_is_open_waits_and_one_of_before_is_refused() {
    let (ledger, key) = (Ledger::new(NOW), key("web"));
    let before = ledger.reader("one");
    let held = ledger.hold(RevocationScope::IamRole(key.parts().call.role.clone()));
    let during = ledger.reader("one");

    let refused = ledger.admit(&before, &key).await;
    let waits = ledger.admit(&during, &key);
    tokio::pin!(waits);
    let is_waiting = futures_util::poll!(waits.as_mut()).is_pending();
    drop(held);

    assert_eq!((refused, is_waiting, waits.await), (Err(CutOff), true, Ok(())));
    assert_eq!(ledger.admit(&before, &key).await, Err(CutOff), "also afterwards");
}

#[tokio::test]
async fn reads_under_way_lose_a_source_identity_that_is_cut_and_no_other() {
    let (ledger, key, session) = (Ledger::new(NOW), key("web"), issued(7, NOW + HOUR));
    for (identity, expected) in [("CN=web", Err(CutOff)), ("CN=api", Ok(()))] {
        let before = ledger.reader("one");
        let role = key.parts().call.role.clone();

        drop(ledger.hold(RevocationScope::Identities(role, [identity.into()].into())));

        assert_eq!(ledger.note(NOW, &session, &key, SessionSharing::None, &before), expected, "{identity}");
    }
}
