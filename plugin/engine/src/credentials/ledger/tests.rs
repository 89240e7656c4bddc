mod cutting;

use std::sync::Arc;
use std::time::Duration as Wait;

use ca::Serial;
use rolesanywhere::{SecretString, Session};
use time::Duration;
use time::macros::datetime;
use vault_backend::Storage;

use super::*;
use crate::credentials::handed::{Handed, MAX_HOLDERS};
use crate::credentials::key::tests::{key as key_of, parts as some_parts};
use crate::records::session_event::PodName;

const NOW: OffsetDateTime = datetime!(2026-11-24 15:00 UTC);
const HOUR: Duration = Duration::HOUR;

/// A session that ends at `expiration`, whose certificate has the serial number `number`.
fn issued(number: u32, expiration: OffsetDateTime) -> Arc<Issued> {
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
        subject_arn: None,
        packed_policy_size: None,
        request_id: None,
    };
    let serial = serial(number).to_string();
    Arc::new(Issued {
        session,
        began: NOW,
        serial,
        trust_anchor: some_parts().call.trust_anchor,
        warnings: Vec::new(),
        handed: Handed::default(),
        hop: None,
    })
}

fn serial(number: u32) -> Serial {
    Serial::from_bytes(&number.to_be_bytes())
}

fn key(role: &str) -> SessionKey {
    let mut parts = some_parts();
    role.clone_into(&mut parts.role);
    key_of(parts)
}

/// The ledger of a process that begins on this storage.
fn on(storage: &Storage) -> Ledger {
    let store = Store::new(storage.clone(), |_| {});
    Ledger::new(NOW, store, Arc::default(), Arc::new(Lifecycle::new()))
}

fn ledger() -> Ledger {
    on(&Storage::in_memory())
}

fn hand_out<'a>(issued: &'a Arc<Issued>, key: &'a SessionKey, sharing: SessionSharing) -> HandOut<'a> {
    let pod = PodLookup::Known(PodName {
        cluster: Some("prod".to_owned()),
        namespace: Some("payments".to_owned()),
        service_account: Some("api".to_owned()),
    });
    HandOut { issued, key, sharing, is_entity: true, request_id: "request", pod }
}

fn note(ledger: &Ledger, issued: &Arc<Issued>, key: &SessionKey, sharing: SessionSharing, holder: &str) {
    let noted = ledger.note(NOW, hand_out(issued, key, sharing), &ledger.reader(holder));
    assert!(noted.is_ok());
}

fn of_entity(entity: &str) -> Selector {
    Selector::Entity(entity.to_owned())
}

async fn find(ledger: &Ledger, which: &Selector) -> Vec<Entry> {
    ledger.known(NOW, |_| true).await.unwrap().find(which, None)
}

/// Waits until everything is stored.
async fn stored(ledger: &Ledger) {
    while ledger.backlog(NOW).waiting > 0 {
        tokio::time::sleep(Wait::from_millis(1)).await;
    }
}

/// The serial numbers, in order, of the sessions that `which` selects.
async fn serials(ledger: &Ledger, which: &Selector) -> Vec<String> {
    let mut serials: Vec<_> =
        find(ledger, which).await.iter().map(|entry| entry.serial().to_owned()).collect();
    serials.sort_unstable();
    serials
}

#[tokio::test]
async fn a_session_is_found_by_serial_number_by_each_holder_and_by_its_cluster_before_and_after_it_is_stored()
{
    let ledger = ledger();
    let session = issued(7, NOW + HOUR);
    for holder in ["one", "two", "two"] {
        note(&ledger, &session, &key("web"), SessionSharing::Identity, holder);
    }

    let cluster = |name: &str| Selector::Cluster(name.to_owned());
    for is_stored in [false, true] {
        if is_stored {
            stored(&ledger).await;
        }
        for which in [Selector::Serial(serial(7)), of_entity("one"), of_entity("two"), cluster("prod")] {
            assert_eq!(find(&ledger, &which).await.len(), 1, "{which:?}");
        }
        for which in [Selector::Serial(serial(8)), of_entity("three"), cluster("dev")] {
            assert_eq!(find(&ledger, &which).await.len(), 0, "{which:?}");
        }
        let known = ledger.known(NOW, |_| true).await.unwrap();
        assert_eq!(known.find(&of_entity("one"), Some("api")).len(), 0);
    }
}

#[tokio::test]
async fn another_process_finds_what_was_handed_out_with_all_that_was_known_of_it() {
    let storage = Storage::in_memory();
    let before = on(&storage);
    let session = issued(7, NOW + HOUR);
    note(&before, &session, &key("web"), SessionSharing::Identity, "one");
    note(&before, &session, &key("web"), SessionSharing::Identity, "two");
    stored(&before).await;
    before.mark_denied(&find(&before, &of_entity("one")).await);
    stored(&before).await;
    drop(before);

    let after = on(&storage);
    let entry = find(&after, &of_entity("two")).await.remove(0);

    assert_eq!((entry.others(&of_entity("two")), entry.is_denied), (1, true));
    assert_eq!(
        (entry.role(), entry.expiration(), entry.source_identity()),
        ("web", NOW + HOUR, Some("CN=web"))
    );
    let holding = &entry.holdings["one"];
    assert_eq!((holding.request_id.as_str(), holding.since), ("request", NOW.unix_timestamp()));
    assert_eq!(holding.pod.namespace.as_deref(), Some("payments"));
    assert!(after.began().await.unwrap() <= NOW);
}

#[tokio::test]
async fn others_are_those_who_lose_it_beside_whoever_is_meant() {
    let (ledger, session) = (ledger(), issued(7, NOW + HOUR));
    for holder in ["one", "two", "three"] {
        note(&ledger, &session, &key("web"), SessionSharing::Identity, holder);
    }
    note(&ledger, &issued(8, NOW + HOUR), &key("web"), SessionSharing::None, "one");

    let mut others = Vec::new();
    for number in [7, 8] {
        let which = Selector::Serial(serial(number));
        let entry = find(&ledger, &which).await.remove(0);
        others.push((entry.others(&which), entry.others(&of_entity("one"))));
    }
    assert_eq!(others, [(2, 2), (0, 0)]);
}

#[tokio::test]
async fn a_session_with_more_holders_than_are_listed_counts_as_everybodys() {
    let (ledger, session) = (ledger(), issued(7, NOW + HOUR));
    for holder in 0..=MAX_HOLDERS {
        note(&ledger, &session, &key("web"), SessionSharing::Identity, &holder.to_string());
    }
    stored(&ledger).await;

    let found = find(&ledger, &of_entity("nobody")).await;

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].others(&of_entity("0")), MAX_HOLDERS);
}

#[tokio::test]
async fn callers_of_whom_nothing_is_known_count_as_more_than_one() {
    let (ledger, shared) = (ledger(), issued(8, NOW + HOUR));
    note(&ledger, &issued(7, NOW + HOUR), &key("web"), SessionSharing::Identity, "");
    note(&ledger, &shared, &key("web"), SessionSharing::Identity, "one");
    note(&ledger, &shared, &key("web"), SessionSharing::Identity, "");
    note(&ledger, &issued(9, NOW + HOUR), &key("web"), SessionSharing::None, "");

    let mut others = Vec::new();
    for number in [7, 8, 9] {
        let which = Selector::Serial(serial(number));
        others.push(find(&ledger, &which).await.remove(0).others(&which));
    }
    assert_eq!(others, [1, 1, 0]);
}

#[tokio::test]
async fn what_was_denied_comes_after_what_was_not() {
    let ledger = ledger();
    let mut elsewhere = some_parts();
    elsewhere.call.role = "arn:aws:iam::123456789012:role/a".parse().unwrap();
    note(&ledger, &issued(7, NOW + HOUR), &key_of(elsewhere), SessionSharing::Identity, "one");
    note(&ledger, &issued(8, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");
    let roles = async || {
        let found = by_iam_role(find(&ledger, &of_entity("one")).await);
        found.iter().map(|(role, _)| role.name().to_owned()).collect::<Vec<_>>()
    };

    let before = roles().await;
    ledger.mark_denied(&find(&ledger, &Selector::Serial(serial(7))).await);

    assert_eq!(
        (before, roles().await),
        (vec!["a".to_owned(), "web".to_owned()], vec!["web".to_owned(), "a".to_owned()])
    );
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_found_and_its_bucket_goes_whole() {
    let storage = Storage::in_memory();
    let ledger = on(&storage);
    for number in 0..100 {
        note(&ledger, &issued(number, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");
    }
    note(&ledger, &issued(200, NOW + HOUR * 3), &key("web"), SessionSharing::Identity, "one");
    stored(&ledger).await;

    let later = NOW + HOUR;
    let left = ledger.known(later, |_| true).await.unwrap().find(&of_entity("one"), None);
    ledger.expire(later).await.unwrap();
    let buckets_before = storage.list("session/").await.unwrap();
    ledger.expire(later + HOUR + Duration::minutes(6)).await.unwrap();

    assert_eq!((left.len(), buckets_before.len()), (1, 2), "the hour is not over");
    assert_eq!(storage.list("session/").await.unwrap().len(), 1);
    assert_eq!(serials(&ledger, &of_entity("one")).await, [serial(200).to_string()]);
}

#[tokio::test]
async fn there_are_fewer_puts_than_sessions_and_far_fewer_keys() {
    let storage = Storage::in_memory();
    let ledger = on(&storage);
    for number in 0..1000 {
        note(&ledger, &issued(number, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");
        if number % 10 == 0 {
            stored(&ledger).await;
        }
    }
    stored(&ledger).await;

    let folder = storage.list("session/").await.unwrap().remove(0);
    let keys = storage.list(&format!("session/{folder}")).await.unwrap().len();
    assert!(storage.puts().len() < 300 && keys <= 70, "{} puts, {keys} keys", storage.puts().len());
    assert_eq!(serials(&ledger, &of_entity("one")).await.len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn storage_that_takes_no_writes_loses_nothing_holds_up_nobody_and_is_told() {
    let storage = Storage::in_memory();
    let (ledger, session) = (on(&storage), issued(7, NOW + HOUR));
    storage.fail_writes(true);
    note(&ledger, &session, &key("web"), SessionSharing::Identity, "one");
    let second =
        ledger.note(NOW, hand_out(&session, &key("web"), SessionSharing::Identity), &ledger.reader("two"));
    let began = tokio::time::Instant::now();
    ledger.recorded(second.unwrap()).await;
    let waited = began.elapsed();

    let found = find(&ledger, &of_entity("two")).await.len();
    let trouble = ledger.backlog(NOW).trouble;
    storage.fail_writes(false);
    stored(&ledger).await;

    assert!(waited < Wait::from_secs(1), "{waited:?}");
    assert_eq!((found, trouble.as_deref()), (1, Some("cannot write to readonly storage")));
    assert_eq!(ledger.backlog(NOW).trouble, None);
    assert_eq!(serials(&on(&storage), &of_entity("two")).await.len(), 1);
}

#[tokio::test]
async fn a_second_holder_waits_until_the_record_is_stored_and_the_first_does_not() {
    let storage = Storage::in_memory();
    let (ledger, session) = (on(&storage), issued(7, NOW + HOUR));
    let key = key("web");
    let noted = ["one", "two"].map(|holder| {
        ledger.note(NOW, hand_out(&session, &key, SessionSharing::Identity), &ledger.reader(holder)).unwrap()
    });

    ledger.recorded(noted[0]).await;
    let puts_before = storage.puts().len();
    ledger.recorded(noted[1]).await;

    assert_eq!(puts_before, 0);
    assert!(storage.puts().iter().any(|key| key.starts_with("session/")), "{:?}", storage.puts());
}

#[tokio::test]
async fn a_part_that_cannot_be_read_is_named_and_hides_no_other() {
    let storage = Storage::in_memory();
    let ledger = on(&storage);
    note(&ledger, &issued(7, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");
    stored(&ledger).await;
    let bucket = storage.list("session/").await.unwrap().remove(0);
    for (name, text) in [("damaged", "{"), ("later", "{\"format\": 99, \"events\": []}")] {
        storage.put(&format!("session/{bucket}{name}"), text.as_bytes().to_vec()).await.unwrap();
    }

    let known = ledger.known(NOW, |_| true).await.unwrap();

    assert_eq!(known.find(&of_entity("one"), None).len(), 1);
    assert_eq!(known.unreadable, ["damaged", "later"].map(|name| format!("session/{bucket}{name}")));
}

#[tokio::test]
async fn pages_show_every_session_once_in_order() {
    let ledger = ledger();
    for number in 0..25 {
        let role = if number % 5 == 0 { "api" } else { "web" };
        note(
            &ledger,
            &issued(number, NOW + HOUR * (1 + number % 3)),
            &key(role),
            SessionSharing::None,
            "one",
        );
        if number == 20 {
            stored(&ledger).await;
        }
    }

    let (mut shown, mut after) = (Vec::new(), String::new());
    let filter = Filter { role: Some("web".to_owned()), ..Filter::default() };
    loop {
        let page = ledger.page(NOW, &filter, &after, 6).await.unwrap();
        assert!(page.entries.len() == 6 || !page.has_more);
        shown.extend(page.entries.iter().map(|entry| entry.serial().to_owned()));
        after = shown.last().cloned().unwrap();
        if !page.has_more {
            break;
        }
    }

    let expected: Vec<String> =
        (0..25).filter(|number| number % 5 != 0).map(|number| serial(number).to_string()).collect();
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_list_takes_those_whose_one_holder_is_all_that_is_asked_for() {
    let (ledger, session) = (ledger(), issued(7, NOW + HOUR));
    note(&ledger, &session, &key("web"), SessionSharing::Identity, "one");
    let listed = async |filter: Filter| ledger.page(NOW, &filter, "", 9).await.unwrap().entries.len();
    let text = |text: &str| Some(text.to_owned());

    let of_pod = Filter {
        cluster: text("prod"),
        namespace: text("payments"),
        service_account: text("api"),
        ..Filter::default()
    };
    assert_eq!(listed(of_pod.clone()).await, 1);
    assert_eq!(listed(Filter { entity_id: text("one"), ..of_pod.clone() }).await, 1);
    for wrong in [
        Filter { entity_id: text("two"), ..of_pod.clone() },
        Filter { cluster: text("dev"), ..of_pod.clone() },
        Filter { namespace: text("web"), ..of_pod.clone() },
        Filter { service_account: text("web"), ..of_pod.clone() },
        Filter { role: text("api"), ..of_pod },
    ] {
        assert_eq!(listed(wrong.clone()).await, 0, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_process_that_dies_between_a_hand_out_and_its_put_leaves_a_session_that_is_not_in_the_record() {
    let storage = Storage::in_memory();
    let ledger = on(&storage);
    note(&ledger, &issued(7, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");
    let at_its_death = storage.survived();
    stored(&ledger).await;

    let known = async |storage: &Storage| serials(&on(storage), &of_entity("one")).await.len();

    assert_eq!((known(&at_its_death).await, known(&storage.survived()).await), (0, 1));
}

#[tokio::test]
async fn a_hundred_thousand_sessions_are_listed_found_and_deleted_with_a_few_thousand_calls_of_storage() {
    const SESSIONS: u32 = 100_000;
    let storage = Storage::in_memory();
    let (ledger, key) = (on(&storage), key("web"));
    for number in 0..SESSIONS {
        let holder = format!("entity-{}", number % 1000);
        note(&ledger, &issued(number, NOW + HOUR), &key, SessionSharing::None, &holder);
        if number % 10_000 == 0 {
            stored(&ledger).await;
        }
    }
    stored(&ledger).await;
    let (puts, before) = (storage.puts().len(), storage.gets().len());

    let own = serials(&ledger, &of_entity("entity-7")).await.len();
    let gets = storage.gets().len() - before;
    let page = ledger.page(NOW, &Filter::default(), "", 10).await.unwrap();
    ledger.expire(NOW + HOUR * 3).await.unwrap();

    assert_eq!((own, page.entries.len(), page.has_more), (100, 10, true));
    assert!(puts <= 7000 && gets <= 7000, "{puts} Puts and {gets} Gets");
    assert_eq!(storage.list("session/").await.unwrap(), Vec::<String>::new());
}
