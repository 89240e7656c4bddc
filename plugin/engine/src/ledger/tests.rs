use std::mem::size_of;

use rolesanywhere::{Secret, Session};
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::sharing::some_parts;

const NOW: OffsetDateTime = datetime!(2026-11-24 15:00 UTC);
const HOUR: Duration = Duration::HOUR;

/// A session that ends at `expiration`, whose certificate has the serial number `number`.
fn issued(number: u32, expiration: OffsetDateTime) -> Issued {
    let session = Session {
        access_key_id: "ASIAEXAMPLE00000".to_owned(),
        secret_access_key: Secret::new("key".to_owned()),
        session_token: Secret::new("token".to_owned()),
        expiration,
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
    SessionKey::new(parts)
}

fn of_entity(entity: &str) -> Which {
    Which::Entity(entity.to_owned())
}

#[test]
fn a_session_is_found_by_serial_number_by_each_holder_and_by_its_cluster() {
    let ledger = Ledger::new(NOW);
    let session = issued(7, NOW + HOUR);
    for holder in ["one", "two", "two"] {
        ledger.note(NOW, &session, (&key("web"), true), holder);
    }

    let cluster = |name: &str| Which::Cluster(name.to_owned());
    let found = |which: &Which| ledger.find(NOW, which, None).len();
    for which in [Which::Serial(serial(7)), of_entity("one"), of_entity("two"), cluster("prod")] {
        assert_eq!(found(&which), 1, "{which:?}");
    }
    for which in [Which::Serial(serial(8)), of_entity("three"), cluster("dev")] {
        assert_eq!(found(&which), 0, "{which:?}");
    }
    assert_eq!(ledger.find(NOW, &of_entity("one"), Some("api")).len(), 0);
}

#[test]
fn others_are_those_who_lose_it_beside_whoever_is_meant() {
    let ledger = Ledger::new(NOW);
    for holder in ["one", "two", "three"] {
        ledger.note(NOW, &issued(7, NOW + HOUR), (&key("web"), true), holder);
    }
    ledger.note(NOW, &issued(8, NOW + HOUR), (&key("web"), false), "one");

    let others = |number| {
        let which = Which::Serial(serial(number));
        let entry = ledger.find(NOW, &which, None).remove(0);
        (entry.others(&which), entry.others(&of_entity("one")))
    };
    assert_eq!((others(7), others(8)), ((2, 2), (0, 0)));
}

#[test]
fn a_session_with_more_holders_than_are_listed_counts_as_everybodys() {
    let ledger = Ledger::new(NOW);
    let session = issued(7, NOW + HOUR);
    for holder in 0..=MOST_HOLDERS {
        ledger.note(NOW, &session, (&key("web"), true), &holder.to_string());
    }

    let found = ledger.find(NOW, &of_entity("nobody"), None);

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].others(&of_entity("0")), MOST_HOLDERS);
}

#[test]
fn callers_of_whom_nothing_is_known_count_as_more_than_one() {
    let ledger = Ledger::new(NOW);
    ledger.note(NOW, &issued(7, NOW + HOUR), (&key("web"), true), "");
    ledger.note(NOW, &issued(8, NOW + HOUR), (&key("web"), true), "one");
    ledger.note(NOW, &issued(8, NOW + HOUR), (&key("web"), true), "");
    ledger.note(NOW, &issued(9, NOW + HOUR), (&key("web"), false), "");

    let others = |number| {
        let which = Which::Serial(serial(number));
        ledger.find(NOW, &which, None).remove(0).others(&which)
    };
    assert_eq!((others(7), others(8), others(9)), (1, 1, 0));
}

#[test]
fn what_was_denied_comes_after_what_was_not() {
    let ledger = Ledger::new(NOW);
    let mut elsewhere = some_parts();
    elsewhere.call.role = "arn:aws:iam::123456789012:role/a".parse().unwrap();
    ledger.note(NOW, &issued(7, NOW + HOUR), (&SessionKey::new(elsewhere), true), "one");
    ledger.note(NOW, &issued(8, NOW + HOUR), (&key("web"), true), "one");
    let roles = || {
        let found = by_iam_role(ledger.find(NOW, &of_entity("one"), None));
        found.iter().map(|(role, _)| role.name().to_owned()).collect::<Vec<_>>()
    };

    let before = roles();
    ledger.mark_denied(&ledger.find(NOW, &Which::Serial(serial(7)), None));

    assert_eq!(
        (before, roles()),
        (vec!["a".to_owned(), "web".to_owned()], vec!["web".to_owned(), "a".to_owned()])
    );
}

#[test]
fn a_session_that_has_ended_is_not_found_and_leaves_with_all_that_was_kept_of_it() {
    let ledger = Ledger::new(NOW);
    ledger.note(NOW, &issued(7, NOW + HOUR), (&key("web"), true), "one");

    let later = NOW + HOUR;
    assert!(ledger.find(later, &of_entity("one"), None).is_empty());
    ledger.note(later, &issued(8, later + HOUR), (&key("api"), true), "one");

    let pages = ledger.pages();
    let roles: Vec<&str> = pages.lineages.iter().map(|lineage| lineage.role.as_str()).collect();
    assert_eq!((pages.by_serial.len(), pages.by_end.len(), roles), (1, 1, vec!["api"]));
}

#[test]
fn a_full_ledger_forgets_those_that_end_first() {
    let ledger = Ledger::new(NOW);
    let most = u32::try_from(MOST_SESSIONS).unwrap();
    for number in 0..=most {
        let end = NOW + HOUR + Duration::seconds(number.into());
        ledger.note(NOW, &issued(number, end), (&key("web"), false), "one");
    }

    let knows = |number| !ledger.find(NOW, &Which::Serial(serial(number)), None).is_empty();
    assert!(!knows(0) && knows(1) && knows(most));
    assert!(ledger.has_forgotten(NOW) && !ledger.has_forgotten(NOW + HOUR));
    assert_eq!(ledger.pages().lineages.len(), 1);
}

#[test]
fn only_a_session_that_is_shared_holds_on_to_what_is_kept_of_it() {
    let ledger = Ledger::new(NOW);
    ledger.note(NOW, &issued(7, NOW + HOUR), (&key("web"), false), "one");
    ledger.note(NOW, &issued(8, NOW + HOUR), (&key("web"), true), "one");

    let kept = |number| ledger.find(NOW, &Which::Serial(serial(number)), None).remove(0).kept_as;

    assert_eq!((kept(7), kept(8)), (None, Some(key("web"))));
    assert!(size_of::<Entry>() <= 128, "{} bytes", size_of::<Entry>());
}
