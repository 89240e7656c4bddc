//! Several addresses of Vault: the first that answers as Vault does is asked, and the one that failed comes last.

use node_agent::cache::Limits;
use node_agent::clock::Clock;

use crate::client::{pod, token};
use crate::fake_vault::{FakeVault, Said, logged_in};
use crate::world::{World, vault_options};

/// Two Vaults, and an agent that knows both.
async fn two() -> (FakeVault, World) {
    let (first, second) = (FakeVault::start().await, FakeVault::start().await);
    let options = vault_options(&format!("{},{}", first.url, second.url), &[]);
    (first, World::of(second, options, Clock::of_this_machine(), Limits::default()))
}

#[tokio::test]
async fn while_the_first_is_well_the_second_is_not_asked() {
    let (first, world) = two().await;

    world.ask("payments", "api").await.ok();

    assert_eq!((first.log().len(), world.vault.log().len()), (2, 0));
}

#[tokio::test]
async fn a_sealed_first_costs_one_request_and_is_then_asked_last() {
    let (first, world) = two().await;
    first.answers(|_| Some(Said::error(503, "Vault is sealed")));

    for account in ["a", "b", "c"] {
        world.ask("payments", account).await.ok();
    }

    assert_eq!((first.log().len(), world.vault.log().len()), (1, 6));
}

#[tokio::test]
async fn a_first_that_is_gone_is_no_fault() {
    let vault = FakeVault::start().await;
    let options = vault_options(&format!("http://127.0.0.1:9,{}", vault.url), &[]);
    let world = World::of(vault, options, Clock::of_this_machine(), Limits::default());

    world.ask("payments", "api").await.ok();
}

#[tokio::test]
async fn an_engine_that_is_throttled_is_not_asked_again_through_the_second() {
    let (first, world) = two().await;
    first.answers(|asked| {
        let throttled = Said::refusal(503, "ThrottlingException", "AWS counts too many requests");
        Some(if asked.path.ends_with("/login") { logged_in(&asked.account) } else { throttled })
    });

    let (code, _) = world.ask("payments", "api").await.refused(503);

    assert_eq!(code, "ThrottlingException");
    assert!(world.vault.log().is_empty());
}

#[tokio::test]
async fn with_none_of_use_each_is_named_with_its_fault() {
    let (first, world) = two().await;
    first.answers(|_| Some(Said::error(503, "Vault is sealed")));
    world.vault.answers(|_| Some(Said::bytes(404, "text/html", b"<html>".to_vec())));

    let (code, message) = world.ask_with(&token("payments", "api"), pod(1)).await.refused(503);

    assert_eq!(code, "VaultUnreachable");
    assert!(message.contains(&format!("Vault at {} is sealed", first.url)), "{message}");
    assert!(
        message.contains(&format!("Vault at {} answers status 404 with HTML", world.vault.url)),
        "{message}"
    );
}
