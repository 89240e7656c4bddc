//! What a pod may try, each with its own refusal, beside pods that work.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{connect, pod, receive, request, send, token};
use crate::fake_vault::Said;
use crate::world::World;

/// Under this a pod's answer counts as unharmed by what its neighbours do. A debug build on a loaded machine takes some of it.
const UNHARMED: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_request_without_a_token_is_refused() {
    let world = World::new().await;
    let bare = format!("GET /v1/credentials HTTP/1.1\r\nHost: {}\r\n\r\n", world.agent);

    let (code, message) = world.send(pod(1), bare.as_bytes()).await.refused(401);

    assert_eq!(code, "TokenMissing");
    assert!(message.contains("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), "{message}");
    assert!(world.vault.log().is_empty());
}

#[tokio::test]
async fn a_token_of_nine_kibibytes_is_refused() {
    let world = World::new().await;
    let long = format!("e30.{}.c2ln", "a".repeat(9 * 1024));

    let (code, message) = world.ask_with(&long, pod(1)).await.refused(400);

    assert_eq!(code, "TokenTooLong");
    assert!(message.contains("at most 8192 are taken"), "{message}");
    assert!(world.vault.log().is_empty());
}

#[tokio::test]
async fn a_request_to_another_host_is_refused() {
    let world = World::new().await;
    for host in ["rebound.example.com", "localhost", "169.254.170.23"] {
        let wrong = format!(
            "GET /v1/credentials HTTP/1.1\r\nHost: {host}\r\nAuthorization: {}\r\n\r\n",
            token("a", "b")
        );

        let (code, message) = world.send(pod(1), wrong.as_bytes()).await.refused(421);

        assert_eq!(code, "HostNotAllowed");
        assert!(message.contains(&world.agent.to_string()), "{message}");
    }
    assert!(world.vault.log().is_empty());
}

#[tokio::test]
async fn a_header_of_a_mebibyte_is_refused() {
    let world = World::new().await;
    let huge = format!(
        "GET /v1/credentials HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n",
        world.agent,
        "a".repeat(1 << 20)
    );

    let (code, message) = world.send(pod(1), huge.as_bytes()).await.refused(431);

    assert_eq!(code, "HeadTooLarge");
    assert!(message.contains("more than 16 KiB"), "{message}");
}

#[tokio::test]
async fn another_method_a_body_and_another_path_are_refused() {
    let world = World::new().await;
    let (agent, token) = (world.agent, token("a", "b"));
    for (first, rest, status) in [
        ("POST /v1/credentials", "Content-Length: 2\r\n\r\n{}", 405),
        ("GET /v1/credentials", "Content-Length: 2\r\n\r\n{}", 413),
        ("GET /v1/credentials", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
        ("GET /v1/credentials/../../sys/seal", "\r\n", 400),
        ("GET /latest/meta-data", "\r\n", 404),
    ] {
        let text = format!("{first} HTTP/1.1\r\nHost: {agent}\r\nAuthorization: {token}\r\n{rest}");

        world.send(pod(1), text.as_bytes()).await.refused(status);
    }
    assert!(world.vault.log().is_empty());
}

#[tokio::test]
async fn what_is_not_http_ends_its_connection_alone() {
    let world = World::new().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\n\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        // an answer, or an end without one
        let _ = send(world.agent, pod(2), garbage).await;
    }

    world.ask("payments", "api").await.ok();
}

#[tokio::test]
async fn two_hundred_slow_heads_harm_no_neighbour_and_end_after_five_seconds() {
    let world = World::new().await;
    let mut slow = Vec::new();
    for number in 0..200 {
        let mut stream = connect(world.agent, pod(100 + number % 4)).await.unwrap();
        stream.write_all(b"GET /v1/credentials HTTP/1.1\r\nHost:").await.unwrap();
        slow.push(stream);
    }
    let began = Instant::now();

    for neighbour in 1..20 {
        let asked = Instant::now();
        world.ask_with(&token("payments", "api"), pod(neighbour)).await.ok();
        assert!(asked.elapsed() < UNHARMED, "{:?}", asked.elapsed());
    }

    let (code, _) = receive(&mut slow[0]).await.unwrap().refused(408);
    assert_eq!(code, "HeadTooSlow");
    assert!((4..8).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_pod_with_too_many_connections_is_turned_away_beside_a_neighbour_that_is_served() {
    let world = World::new().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(connect(world.agent, pod(7)).await.unwrap());
    }

    let turned_away = world.ask_with(&token("payments", "api"), pod(7)).await;
    world.ask_with(&token("payments", "api"), pod(8)).await.ok();

    assert_eq!(turned_away.header("retry-after"), Some("1"));
    assert_eq!(turned_away.refused(429).0, "TooManyRequests");
}

#[tokio::test]
async fn a_flood_is_turned_away_and_its_neighbour_is_served() {
    let world = World::new().await;
    let flood = token("payments", "flood");
    world.ask_with(&flood, pod(7)).await.ok();
    let mut flooding = JoinSet::new();
    for _ in 0..8 {
        let (agent, text) = (world.agent, request(world.agent, "/v1/credentials", &flood));
        flooding.spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..100 {
                // a connection that is reset counts as turned away
                statuses
                    .push(send(agent, pod(7), text.as_bytes()).await.map_or(429, |answered| answered.status));
            }
            statuses
        });
    }
    for _ in 0..10 {
        let asked = Instant::now();
        world.ask_with(&token("payments", "api"), pod(8)).await.ok();
        assert!(asked.elapsed() < UNHARMED, "{:?}", asked.elapsed());
    }

    let statuses: Vec<u16> = flooding.join_all().await.into_iter().flatten().collect();

    let turned_away = statuses.iter().filter(|status| **status == 429).count();
    assert!(turned_away >= 100, "only {turned_away} of {} were turned away", statuses.len());
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn a_flood_of_forged_tokens_costs_vault_few_logins_and_its_neighbour_nothing() {
    let world = World::new().await;
    world.vault.answers(|asked| {
        let forged = asked.account.starts_with("forged");
        Some(if forged { Said::error(403, "permission denied") } else { crate::fake_vault::well(asked, 1) })
    });
    let mut statuses = Vec::new();
    for number in 0..100 {
        statuses.push(world.ask_with(&token("forged", &format!("n{number}")), pod(7)).await.status);
    }

    world.ask_with(&token("payments", "api"), pod(8)).await.ok();

    let forged = world.vault.log().iter().filter(|asked| asked.account.starts_with("forged")).count();
    assert!((20..30).contains(&forged), "{forged} logins");
    assert!(statuses[..20].iter().all(|status| *status == 403) && statuses[99] == 429, "{statuses:?}");
}

#[tokio::test]
async fn a_hundred_requests_of_one_token_cost_one_login() {
    let world = World::new().await;
    world.vault.answers(|asked| Some(crate::fake_vault::well(asked, 1).after(Duration::from_millis(50))));
    let token = token("payments", "api");
    let asked = (0..100).map(|number| world.ask_with(&token, pod(number)));

    let answered = futures_util::future::join_all(asked).await;

    assert!(answered.iter().all(|answered| answered.status == 200));
    assert_eq!(world.vault.logins(), 1);
}
