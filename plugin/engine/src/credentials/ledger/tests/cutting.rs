//! Revocations beside reads: what a cut finds, whom it ends, and who waits.

use super::*;

async fn cut(ledger: &Ledger, which: &Selector, role: Option<&str>) -> Vec<Entry> {
    let known = ledger.known(NOW, |_| true).await.unwrap();
    ledger.cut(known, which, role, |_, _| Ok::<(), CutOff>(())).unwrap()
}

fn of_cluster() -> Selector {
    Selector::Cluster("prod".to_owned())
}

#[tokio::test]
async fn in_no_order_is_a_read_of_before_a_cut_handed_what_the_cut_did_not_find() {
    for which in [Selector::Serial(serial(7)), of_entity("one"), of_cluster()] {
        let (ledger, session, key) = (ledger(), issued(7, NOW + HOUR), key("web"));

        let before = ledger.reader("one");
        assert_eq!(cut(&ledger, &which, Some("web")).await.len(), 0);
        let under_way = ledger.note(NOW, hand_out(&session, &key, SessionSharing::Identity), &before);
        note(&ledger, &session, &key, SessionSharing::Identity, "one");
        let found = cut(&ledger, &which, Some("web")).await.len();

        assert_eq!((under_way, found), (Err(CutOff), 1), "{which:?}");
    }
}

#[tokio::test]
async fn a_cut_finds_what_is_handed_out_while_the_record_is_read() {
    let (ledger, session, key) = (ledger(), issued(7, NOW + HOUR), key("web"));
    note(&ledger, &session, &key, SessionSharing::Identity, "two");
    stored(&ledger).await;

    let known = ledger.known(NOW, |entry| entry.is_meant(&of_entity("one"), None)).await.unwrap();
    note(&ledger, &session, &key, SessionSharing::Identity, "one");
    stored(&ledger).await;
    let found = ledger.cut(known, &of_entity("one"), None, |_, _| Ok::<(), CutOff>(())).unwrap();

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].others(&of_entity("one")), 1, "the one who had it before loses it too");
}

#[tokio::test]
async fn what_a_cut_found_is_handed_to_nobody_who_comes_later() {
    let (ledger, session, key) = (ledger(), issued(7, NOW + HOUR), key("web"));
    note(&ledger, &session, &key, SessionSharing::Identity, "one");
    cut(&ledger, &of_entity("one"), None).await;

    let later = ledger.note(NOW, hand_out(&session, &key, SessionSharing::Identity), &ledger.reader("two"));

    assert_eq!(later, Err(CutOff));
}

#[tokio::test]
async fn a_cut_that_is_refused_changes_nothing() {
    let (ledger, key, session) = (ledger(), key("web"), issued(7, NOW + HOUR));
    note(&ledger, &session, &key, SessionSharing::Identity, "one");
    let before = ledger.reader("one");
    let mut checked = 0;

    let known = ledger.known(NOW, |_| true).await.unwrap();
    let refused = ledger.cut(known, &of_entity("one"), None, |found, known| {
        checked = found.len() + known.those(|entry| *entry.role_arn() == key.parts().call.role).len();
        Err("shared")
    });

    assert_eq!((refused.err(), checked), (Some("shared"), 2));
    for session in [session, issued(8, NOW + HOUR)] {
        let noted = ledger.note(NOW, hand_out(&session, &key, SessionSharing::Identity), &before);
        assert!(noted.is_ok());
    }
}

#[tokio::test]
async fn a_cut_lets_reads_through_that_it_does_not_mean() {
    let ledger = ledger();
    let [other, of_role, meant] = [("two", "web"), ("one", "api"), ("one", "web")]
        .map(|(holder, role)| (ledger.reader(holder), key(role)));

    cut(&ledger, &of_entity("one"), Some("web")).await;

    assert_eq!(ledger.admit(&other.0, &other.1).await, Ok(()));
    assert_eq!(ledger.admit(&of_role.0, &of_role.1).await, Ok(()));
    assert_eq!(ledger.admit(&meant.0, &meant.1).await, Err(CutOff));
}

#[tokio::test]
async fn a_read_that_begins_while_a_cut_is_open_waits_and_one_of_before_is_refused() {
    let (ledger, key) = (ledger(), key("web"));
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
    let (ledger, key, session) = (ledger(), key("web"), issued(7, NOW + HOUR));
    for (identity, expected) in [("CN=web", Err(CutOff)), ("CN=api", Ok(()))] {
        let before = ledger.reader("one");
        let role = key.parts().call.role.clone();

        drop(ledger.hold(RevocationScope::Identities(role, [identity.into()].into())));

        let noted = ledger.note(NOW, hand_out(&session, &key, SessionSharing::None), &before).map(|_| ());
        assert_eq!(noted, expected, "{identity}");
    }
}

#[tokio::test]
async fn a_hold_finds_what_was_handed_out_while_the_record_was_read_and_ends_what_comes_after_it() {
    let (ledger, key, hub) = (ledger(), key("web"), issued(7, NOW + HOUR));
    note(&ledger, &hub, &key, SessionSharing::Identity, "one");
    stored(&ledger).await;
    let target = "arn:aws:iam::444455556666:role/target".parse().unwrap();
    let mut hop = Arc::into_inner(issued(7, NOW + HOUR)).unwrap();
    hop.hop = Some(HopOf { hub, target });
    let hop = Arc::new(hop);
    let [early, late] = ["two", "three"].map(|holder| ledger.reader(holder));

    let known = ledger.known_by(NOW, tokio::time::Instant::now() + MAX_WAIT, |_| true).await;
    let handed = ledger.note(NOW, hand_out(&hop, &key, SessionSharing::Identity), &early).is_ok();
    let scope = RevocationScope::IamRole(key.parts().call.role.clone());
    let (held, found) = ledger.hold_known(known, scope, |_| true);
    let refused = ledger.note(NOW, hand_out(&issued(8, NOW + HOUR), &key, SessionSharing::Identity), &late);
    drop(held);

    let [entry] = &found[..] else { panic!("{found:?}") };
    assert_eq!((handed, refused, entry.hops.len(), entry.holdings.len()), (true, Err(CutOff), 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_storage_does_not_give_is_known_as_far_as_this_process_knows_it() {
    for is_silent in [false, true] {
        let storage = Storage::in_memory();
        let ledger = on(&storage);
        note(&ledger, &issued(7, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");
        stored(&ledger).await;
        storage.fail_writes(true);
        note(&ledger, &issued(8, NOW + HOUR), &key("web"), SessionSharing::Identity, "one");
        if is_silent {
            storage.hold(true);
        } else {
            storage.fail_reads("session/");
        }

        let deadline = tokio::time::Instant::now() + Wait::from_secs(10);
        let known = ledger.known_by(NOW, deadline, |_| true).await;

        let found = known.those(|_| true);
        assert_eq!(found.iter().map(Entry::serial).collect::<Vec<_>>(), [serial(8).to_string()]);
        assert_eq!(known.unreadable, ["session/"]);
    }
}

#[tokio::test]
async fn a_bucket_that_storage_does_not_give_hides_no_other() {
    let storage = Storage::in_memory();
    let ledger = on(&storage);
    for (number, hours) in [(7, 1), (8, 3)] {
        note(&ledger, &issued(number, NOW + HOUR * hours), &key("web"), SessionSharing::Identity, "one");
    }
    stored(&ledger).await;
    let first = format!("session/{}", storage.list("session/").await.unwrap().remove(0));
    storage.fail_reads(&first);

    let known = ledger.known_by(NOW, tokio::time::Instant::now() + MAX_WAIT, |_| true).await;
    let whole = ledger.known(NOW, |_| true).await;

    assert_eq!((known.those(|_| true).len(), &known.unreadable[..]), (1, &[first][..]));
    assert!(whole.is_err(), "who must know all of it is told");
}
