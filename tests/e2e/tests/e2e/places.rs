//! A role with two regions: one of them dies under load, and comes back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use e2e::say;
use e2e::users::Users;
use harness::{Api, PROFILE_ARN, REGION, Reply, Stage, TRUST_ANCHOR_ARN, admin, caller};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const WEST: &str = "eu-west-1";
const IDENTITIES: usize = 50;
const READERS_OF_EACH: usize = 4;
/// The deadline of one read.
const DEADLINE: Duration = Duration::from_secs(15);

/// The same resource in the west.
fn in_the_west(arn: &str) -> String {
    arn.replace(REGION, WEST)
}

/// Gives the account the same anchor and profile in the west, and the role `app` both places.
async fn two_places(users: &Users) {
    let stage = &users.stage;
    let mut account = admin(stage.aws.url(), "GET", "state", None).await;
    account["regions"] =
        json!({ WEST: { "trust_anchors": account["trust_anchors"], "profiles": account["profiles"] } });
    for role in account["roles"].as_array_mut().unwrap() {
        let source = &mut role["trust_policy"]["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"];
        *source = json!([TRUST_ANCHOR_ARN, in_the_west(TRUST_ANCHOR_ARN)]);
    }
    admin(stage.aws.url(), "PUT", "state", Some(account)).await;
    users.configure(json!({ "rate_limit": 400, "rate_burst": 400 })).await;
    let both = |arn: &str| format!("{arn},{}", in_the_west(arn));
    let places = json!({
        "trust_anchor_arn": both(TRUST_ANCHOR_ARN), "profile_arn": both(PROFILE_ARN),
        "session_sharing": "none",
    });
    users.write_role(places).await;
}

/// What 200 readers saw since the last look.
#[derive(Clone, Debug, Default)]
struct Seen {
    reads: usize,
    failed: Vec<String>,
    slowest: Duration,
    regions: BTreeSet<String>,
    strangers: usize,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Seen>>);

impl Shared {
    fn take(&self) -> Seen {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note(&self, reply: &Reply, name: &str, took: Duration) {
        let mut seen = self.0.lock().unwrap();
        seen.reads += 1;
        seen.slowest = seen.slowest.max(took);
        if reply.status == 200 {
            seen.regions.insert(reply.string("region").to_owned());
            seen.strangers += usize::from(reply.string("source_identity") != format!("CN={name}"));
        } else {
            seen.failed.push(format!("{} {}", reply.status, reply.text));
        }
    }

    /// Reads as `name` until it is aborted, and looks whose session each answer is.
    async fn read_on(self, user: Api, name: String) {
        loop {
            let began = Instant::now();
            let reply = user.read("iamra/creds/app").await;
            self.note(&reply, &name, began.elapsed());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

async fn readers(users: &Users) -> (JoinSet<()>, Shared) {
    let (mut tasks, shared) = (JoinSet::new(), Shared::default());
    for number in 0..IDENTITIES {
        let name = format!("user-{number}");
        let user = users.login(&name).await;
        for _ in 0..READERS_OF_EACH {
            tasks.spawn(shared.clone().read_on(user.clone(), name.clone()));
        }
    }
    (tasks, shared)
}

async fn with_region(stage: &Stage, knobs: Value) {
    stage.knobs(json!({ "regions": { REGION: knobs } })).await;
}

/// A phase of the load, told of in the run's output.
async fn during(shared: &Shared, phase: &str, span: Duration) -> Seen {
    tokio::time::sleep(span).await;
    let seen = shared.take();
    say(&format!(
        "places: {phase}: {} reads, {} failed, the slowest {} ms, regions {:?}, of another identity {}",
        seen.reads,
        seen.failed.len(),
        seen.slowest.as_millis(),
        seen.regions,
        seen.strangers
    ));
    assert!(seen.reads > IDENTITIES, "{phase}: {seen:?}");
    assert!(seen.failed.is_empty(), "{phase}: {:?}", seen.failed.first());
    assert_eq!(seen.strangers, 0, "{phase}");
    assert!(seen.slowest < DEADLINE, "{phase}: {:?}", seen.slowest);
    seen
}

/// The line of the metrics while each place is well.
const NONE_AWAY: &str = "iamra_limiter_away_places 0\n";

#[tokio::test]
async fn no_read_fails_while_a_region_is_dead_or_hangs_and_it_takes_over_again_when_it_is_back() {
    let users = Users::new().await;
    two_places(&users).await;
    let (mut tasks, shared) = readers(&users).await;

    let before = during(&shared, "both well", Duration::from_secs(4)).await;
    with_region(&users.stage, json!({ "dead": true })).await;
    let _ = during(&shared, "the first one dies", Duration::from_secs(6)).await;
    let dead = during(&shared, "it is dead", Duration::from_secs(4)).await;
    with_region(&users.stage, json!({ "failing": 503 })).await;
    let _ = during(&shared, "it answers 503", Duration::from_secs(10)).await;
    with_region(&users.stage, json!({})).await;
    // pauses between two looks grow to a minute and a half
    let (mut back, mut metrics) = (Seen::default(), String::new());
    for _ in 0..20 {
        back = during(&shared, "it is back", Duration::from_secs(6)).await;
        metrics = users.stage.root().read("iamra/metrics").await.ok().text;
        // on a loaded machine two late answers are enough to leave a place again
        if back.regions == before.regions && metrics.contains(NONE_AWAY) {
            break;
        }
    }
    tasks.shutdown().await;

    assert_eq!(before.regions, BTreeSet::from([REGION.to_owned()]));
    assert_eq!(dead.regions, BTreeSet::from([WEST.to_owned()]), "but for a look");
    assert_eq!(back.regions, before.regions);
    assert!(metrics.contains(NONE_AWAY), "{metrics}");
}

#[tokio::test]
async fn an_answer_names_its_region_and_is_valid_in_the_other() {
    let users = Users::new().await;
    two_places(&users).await;
    with_region(&users.stage, json!({ "dead": true })).await;

    let answer = users.login("one").await.read("iamra/creds/app").await.ok();

    assert_eq!(answer.string("region"), WEST);
    with_region(&users.stage, json!({})).await;
    assert_eq!(caller(users.stage.aws.url(), &answer).await.unwrap().arn, answer.string("arn"));
}

#[tokio::test]
async fn pairs_that_do_not_go_together_are_refused_and_nothing_is_stored() {
    let stage = Stage::dev().await;
    let west = in_the_west(TRUST_ANCHOR_ARN);
    for (anchors, expected) in [
        (format!("{TRUST_ANCHOR_ARN},{west}"), "profile_arn: none is in region eu-west-1"),
        (format!("{TRUST_ANCHOR_ARN},{}", west.replace(harness::ACCOUNT, "999999999999")), "account"),
        ([TRUST_ANCHOR_ARN; 9].join(","), "9 ARNs, at most 8"),
    ] {
        let body =
            json!({ "role_arn": harness::ROLE_ARN, "trust_anchor_arn": anchors, "profile_arn": PROFILE_ARN });
        let refused = stage.root().write("iamra/roles/two", body).await;

        assert!(refused.status == 400 && refused.errors().contains(expected), "{expected}: {refused:?}");
        assert_eq!(stage.root().read("iamra/roles/two").await.status, 404);
    }
}
