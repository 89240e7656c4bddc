//! Hops and the sessions that make them, over two regions.

use std::time::Duration;

use engine::Engine;
use proptest::prelude::*;
use serde_json::json;
use tokio::runtime;
use tokio::time::{Instant, advance};
use vault_backend::testing::{TestMount, TestResponse};

use super::{chained, pod, read, role};
use crate::aws::{Aws, form, number_of};
use crate::mounts::{ANCHOR, PROFILE};

const REGIONS: [&str; 2] = ["eu-central-1", "eu-west-1"];
const SERVICES: [&str; 2] = ["rolesanywhere", "sts"];
const NAMESPACES: [&str; 3] = ["payments", "orders", "search"];

/// A mount whose role `app` may make its sessions in both regions. Its certificates are named after the caller's cluster and namespace.
async fn in_two_regions(aws: &Aws) -> TestMount<Engine> {
    let mount = chained(aws, json!({})).await;
    let config = json!({
        "default_trust_anchor_arn": in_both(ANCHOR), "default_profile_arn": in_both(PROFILE), "rate_limit": 1000,
        "rate_burst": 1000,
    });
    assert_eq!(mount.write("config", config).await.error, "");
    let cluster = json!({ "accessor": "auth_kubernetes_1" });
    assert_eq!(mount.write("clusters/prod", cluster).await.error, "");
    write_role(&mount, 0).await;
    mount
}

async fn write_role(mount: &TestMount<Engine>, version: usize) {
    let of_version = role(
        json!({ "common_name": "{{kubernetes.cluster}}-{{kubernetes.namespace}}", "external_id": version_name(version) }),
    );
    assert_eq!(mount.write("roles/app", of_version).await.error, "");
}

fn version_name(version: usize) -> String {
    format!("version-{version}")
}

fn in_both(arn: &str) -> String {
    format!("{arn},{}", arn.replace(REGIONS[0], REGIONS[1]))
}

fn take_away_the_first_region(aws: &Aws) {
    for service in SERVICES {
        aws.set_away(service, REGIONS[0], true);
    }
}

fn hosts(aws: &Aws) -> Vec<String> {
    let host = |uri: &http::Uri| uri.host().unwrap().replace(".amazonaws.com", "");
    aws.requests().iter().map(|request| host(request.uri())).collect()
}

#[tokio::test(start_paused = true)]
async fn without_its_first_region_both_halves_of_a_hop_are_made_in_the_second() {
    let aws = Aws::granting();
    let mount = in_two_regions(&aws).await;
    take_away_the_first_region(&aws);

    read(&mount.beside(pod("payments"))).await;

    let both = ["rolesanywhere.eu-central-1", "rolesanywhere.eu-west-1", "sts.eu-central-1", "sts.eu-west-1"];
    assert_eq!(hosts(&aws), both);
}

#[tokio::test(start_paused = true)]
async fn an_sts_that_is_away_moves_the_hop_and_not_the_session_that_makes_it() {
    let aws = Aws::granting();
    let mount = in_two_regions(&aws).await;
    aws.set_away("sts", REGIONS[0], true);

    read(&mount.beside(pod("payments"))).await;

    assert_eq!(hosts(&aws), ["rolesanywhere.eu-central-1", "sts.eu-central-1", "sts.eu-west-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_hop_whose_first_session_nobody_makes_is_for_later() {
    let aws = Aws::granting();
    let mount = in_two_regions(&aws).await;
    for region in REGIONS {
        aws.set_away("rolesanywhere", region, true);
    }

    let reply = mount.beside(pod("payments")).read("creds/app").await;

    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.error.contains("Connection refused"), "{}", reply.error);
    assert!(aws.hops().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_region_that_dies_between_the_halves_of_a_hop_costs_its_caller_nothing() {
    let aws = Aws::granting().after(Duration::from_millis(500));
    let mount = in_two_regions(&aws).await.asked_by(pod("payments"));
    let dies = async {
        aws.is_asked().await;
        take_away_the_first_region(&aws);
    };

    let (reply, ()) = tokio::join!(mount.read("creds/app"), dies);

    assert_eq!(reply.status, 200, "{reply:?}");
}

/// What happens to a mount, step by step.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A service of a region goes or comes.
    SetAway { service: usize, region: usize, is_away: bool },
    /// A pod of a namespace reads.
    Read(usize),
    /// Seconds go by.
    Pass(u64),
    /// The role gets another external id.
    ChangeRole,
}

fn event(regions: usize) -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (0..2_usize, 0..regions, any::<bool>())
            .prop_map(|(service, region, is_away)| Event::SetAway { service, region, is_away }),
        6 => (0..NAMESPACES.len()).prop_map(Event::Read),
        2 => (1_u64..2400).prop_map(Event::Pass),
        1 => Just(Event::ChangeRole),
    ]
}

/// A mount under a schedule, and what is known of it.
struct Play {
    aws: Aws,
    mount: TestMount<Engine>,
    version: usize,
    /// How many requests AWS had when the role was changed last.
    changed_after: usize,
    answered: usize,
}

impl Play {
    async fn new() -> Self {
        let aws = Aws::granting();
        let mount = in_two_regions(&aws).await;
        Self { aws, mount, version: 0, changed_after: 0, answered: 0 }
    }

    async fn happen(&mut self, event: Event) {
        match event {
            Event::SetAway { service, region, is_away } => {
                self.aws.set_away(SERVICES[service], REGIONS[region], is_away);
            }
            Event::Pass(seconds) => advance(Duration::from_secs(seconds)).await,
            Event::ChangeRole => {
                self.version += 1;
                write_role(&self.mount, self.version).await;
                self.changed_after = self.aws.requests().len();
            }
            Event::Read(namespace) => {
                let asked = Instant::now();
                let reply = self.mount.beside(pod(NAMESPACES[namespace])).read("creds/app").await;
                assert!(asked.elapsed() < Duration::from_secs(60), "{:?}", asked.elapsed());
                self.look_at(NAMESPACES[namespace], &reply);
            }
        }
    }

    /// A caller receives its own session, of the role as it is, that ends with its hop and its hub at the latest; or is told to
    /// come later.
    fn look_at(&mut self, namespace: &str, reply: &TestResponse) {
        if reply.status != 200 {
            assert_eq!(reply.status, 503, "{reply:?}");
            return;
        }
        self.answered += 1;
        let requests = self.aws.requests();
        let key = reply.data["access_key"].as_str().unwrap();
        let number: usize = key.strip_prefix("ASIAHOP").unwrap().parse().unwrap();
        let hub = number_of(&requests[number - 1]);
        assert_eq!(reply.data["source_identity"], json!(format!("CN=prod-{namespace}")));
        assert!(hub > self.changed_after, "a hub of before the change");
        let hop = form(&requests[number - 1]);
        assert_eq!(hop["ExternalId"], version_name(self.version));
        let lease = Duration::from_nanos(reply.lease_nanoseconds.unwrap().unsigned_abs());
        for (request, seconds) in [(hub, 3600), (number, hop["DurationSeconds"].parse().unwrap())] {
            let made = requests[request - 1].extensions().get::<Instant>().unwrap();
            let left = Duration::from_secs(seconds).saturating_sub(made.elapsed());
            assert!(lease <= left + Duration::from_secs(1), "request {request} has {left:?}: {reply:?}");
        }
    }
}

fn play(events: Vec<Event>) -> Play {
    let paused = runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    paused.block_on(async {
        let mut play = Play::new().await;
        for event in events {
            play.happen(event).await;
        }
        play
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_chained_session_is_its_callers_own_and_outlives_neither_of_its_halves(
        events in prop::collection::vec(event(REGIONS.len()), 1..40),
    ) {
        play(events);
    }

    #[test]
    fn while_one_region_is_well_no_read_fails(events in prop::collection::vec(event(1), 1..40)) {
        let reads = events.iter().filter(|event| matches!(event, Event::Read(_))).count();

        prop_assert_eq!(play(events).answered, reads);
    }
}
