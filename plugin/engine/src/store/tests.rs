//! When cached records are out of date, and which sessions a change ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;

/// A role that differs from others by its issuer.
fn role(issuer: &str) -> Role {
    let mut role = Role::plain();
    role.issuer_ref = issuer.to_owned();
    role
}

/// A store with this role as `app`, and its storage for changes that the store does not see.
async fn stored(role: &Role) -> (Store, Storage) {
    let storage = Storage::in_memory();
    storage.put_json("role/app", role).await.unwrap();
    (Store::new(storage.clone(), |_| {}), storage)
}

/// The role `app` as a read of credentials gets it.
async fn kept(store: &Store) -> Option<Role> {
    store.cached_role("app").await.unwrap().map(|role| Role::clone(&role))
}

/// Polls `work` once. It must wait, for storage or a lock.
fn begin<F: Future>(work: F) -> Pin<Box<F>> {
    let mut work = Box::pin(work);
    let polled = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending), "storage holds the answer");
    work
}

#[tokio::test]
async fn a_kept_role_is_not_read_again_until_it_changes() {
    let (store, storage) = stored(&role("a")).await;
    assert_eq!(kept(&store).await, Some(role("a")));

    storage.put_json("role/app", &role("b")).await.unwrap();
    let before = kept(&store).await;
    store.changed("role/app");

    assert_eq!((before, kept(&store).await), (Some(role("a")), Some(role("b"))));
}

#[tokio::test]
async fn what_was_read_before_a_change_is_not_kept_after_it() {
    let (store, storage) = stored(&role("a")).await;
    storage.hold(true);
    let reading = begin(store.cached_role("app"));
    storage.hold(false);

    store.write().await.put_role("app", &role("b"), Ends::Nothing).await.unwrap();
    let read = reading.await.unwrap();

    assert_eq!(read.as_deref(), Some(&role("a")), "it began before the change");
    assert_eq!(kept(&store).await, Some(role("b")));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_seen() {
    let (store, storage) = stored(&role("a")).await;
    kept(&store).await;
    let generation = store.generation();
    storage.lose_answers(true);

    let writer = store.write().await;
    writer.put_role("app", &role("b"), Ends::Nothing).await.unwrap_err();
    let seen = kept(&store).await;
    writer.delete_role("app").await.unwrap_err();
    writer.put_config(&Config::default(), Ends::Nothing).await.unwrap_err();

    assert_eq!((seen, kept(&store).await), (Some(role("b")), None));
    assert_ne!(store.generation(), generation);
}

#[tokio::test]
async fn a_write_that_is_given_up_half_way_is_seen() {
    let (store, storage) = stored(&role("a")).await;
    storage.hold(true);
    let new = role("b");
    let writer = store.write().await;
    let writing = begin(writer.put_role("app", &new, Ends::Nothing));
    storage.hold(false);
    // read and cached while the write is under way
    let generation = store.generation();
    kept(&store).await;
    storage.put_json("role/app", &role("c")).await.unwrap();

    drop(writing);

    assert_eq!(kept(&store).await, Some(role("c")));
    assert_eq!(store.generation(), generation, "a role is no part of a snapshot");
}

#[tokio::test]
async fn a_snapshot_is_out_of_date_once_a_write_begins_and_once_it_ends() {
    let storage = Storage::in_memory();
    let store = Store::new(storage.clone(), |_| {});
    storage.hold(true);
    let first = store.generation();

    let config = Config::default();
    let writer = store.write().await;
    let writing = begin(writer.put_config(&config, Ends::Nothing));
    let second = store.generation();
    drop(writing);

    assert!(first != second && second != store.generation());
}

#[tokio::test]
async fn a_role_that_is_missing_or_out_of_reach_is_asked_for_again() {
    let storage = Storage::in_memory();
    let store = Store::new(storage.clone(), |_| {});
    storage.put("role/app", b"{".to_vec()).await.unwrap();
    store.cached_role("app").await.unwrap_err();
    storage.delete("role/app").await.unwrap();
    assert_eq!(kept(&store).await, None);

    storage.put_json("role/app", &role("a")).await.unwrap();

    assert_eq!(kept(&store).await, Some(role("a")));
}

#[tokio::test]
async fn no_more_roles_are_kept_than_the_bound_says() {
    let store = Store::new(Storage::in_memory(), |_| {});
    for number in 0..MAX_CACHED_ROLES + 500 {
        let name = number.to_string();
        store.storage.put_json(&role_key(&name), &role("a")).await.unwrap();

        store.cached_role(&name).await.unwrap();
    }

    assert!(store.cache.roles.len() <= MAX_CACHED_ROLES && store.cache.roles.len() > MAX_CACHED_ROLES / 2);
}

/// The sessions that a store drops during `change`, in order. Its storage loses the answer of every write.
async fn ended_by(change: impl AsyncFnOnce(&Store)) -> Vec<String> {
    let ended = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&ended);
    let note = move |ends: Ends<'_>| noted.lock().unwrap().push(format!("{ends:?}"));
    let storage = Storage::in_memory();
    storage.lose_answers(true);
    change(&Store::new(storage, note)).await;
    let ended = ended.lock().unwrap();
    ended.clone()
}

#[tokio::test]
async fn a_write_that_errs_ends_the_sessions_all_the_same() {
    let ended = ended_by(async |store| {
        let writer = store.write().await;
        writer.put_role("app", &role("b"), Ends::Role("app")).await.unwrap_err();
        writer.delete_cluster("prod").await.unwrap_err();
    });

    assert_eq!(ended.await, [r#"Role("app")"#, r#"Cluster("prod")"#]);
}

#[tokio::test]
async fn what_another_node_changed_ends_the_sessions_made_from_it() {
    let ended = ended_by(async |store| {
        for key in ["role/app", "cluster/prod", "issuer/1", "config", "config/issuers", "key/1"] {
            store.invalidate(key);
        }
    });

    let all = [r#"Role("app")"#, r#"Cluster("prod")"#, r#"Issuer("1")"#, "All", "All", "Nothing"];
    assert_eq!(ended.await, all);
}

#[tokio::test]
async fn a_second_writer_waits_for_the_first() {
    let store = Store::new(Storage::in_memory(), |_| {});
    let first = store.write().await;

    let second = begin(store.write());
    drop(first);

    drop(second.await);
}
