//! What is measured: one row per way to a credential, ours and those that people use today.

use harness::Reply;
use serde_json::Value;

use crate::load::{self, Ask, Pressure};
use crate::pods;
use crate::usage::Sample;
use crate::world::{EARLIER, FIXED, KV, OURS, Plugin, World};

/// One way to a credential at one latency of the AWS.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Milliseconds that the AWS takes for each call.
    pub(crate) latency_ms: u64,
    /// Connections, or processes at a time.
    pub(crate) connections: u32,
    /// The rows that an own one is compared with, where they were measured at the same latency.
    peers: &'static [&'static str],
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// Vault is asked by the load tool.
    Read { ask: Ask, plugin: Option<Plugin>, text: &'static str, answers: Answers },
    /// Pods get a certificate and sign for a session themselves.
    Pods,
}

/// What two reads, one after the other, must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    /// The same text: nobody was asked for it.
    Same,
    /// Another text: it was made for this read.
    Fresh,
}

impl Row {
    /// Name and latency.
    pub(crate) fn title(&self) -> String {
        format!("{} at {} ms", self.name, self.latency_ms)
    }

    /// Whether this one is measured by the other.
    pub(crate) fn compares_with(&self, other: &Row) -> bool {
        self.latency_ms == other.latency_ms && self.peers.contains(&other.name)
    }

    /// Reads twice and looks at what comes back.
    ///
    /// # Panics
    /// When it is no credential, or not the one that this row is about.
    pub(crate) async fn check(&self, world: &World) {
        let Work::Read { ask, text, answers, .. } = &self.work else { return pods::check(world) };
        let first = world.ask(ask).await;
        let (first, second) = (found(&first, text), found(&world.ask(ask).await, text));
        assert_eq!(first == second, *answers == Answers::Same, "{}: {first} and {second}", self.name);
    }

    /// Measures it once, for some seconds.
    pub(crate) fn measure(&self, world: &World, seconds: u64) -> Sample {
        match &self.work {
            Work::Read { ask, plugin, .. } => {
                let pressure = Pressure { connections: self.connections, seconds, numbers: 0..0 };
                load::run(world, ask, *plugin, &pressure).0
            }
            Work::Pods => pods::run(world, self.connections, seconds),
        }
    }
}

fn found(reply: &Reply, pointer: &str) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text);
    let text = reply.body.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.unwrap_or_else(|| panic!("no text at {pointer} in {}", reply.text)).to_owned()
}

/// Connections where nothing waits for the AWS.
const FEW: u32 = 16;
/// Connections where each read waits 150 ms for it.
const MANY: u32 = 64;
/// The latency of a call to an AWS region far away.
pub(crate) const FAR: u64 = 150;

/// Every row, in the order of the table; those of an earlier build last.
pub(crate) fn all(with_earlier: bool) -> Vec<Row> {
    let mut rows = near();
    rows.extend(far());
    if with_earlier {
        rows.extend(earlier());
    }
    rows
}

/// What an earlier build has, too.
fn earlier() -> Vec<Row> {
    vec![
        earlier_creds(EARLIER_UNCACHED, "iamra-earlier/creds/uncached", Answers::Fresh),
        earlier_creds(EARLIER_SHARED, "iamra-earlier/creds/shared", Answers::Same),
        earlier_creds(EARLIER_STATIC, "iamra-earlier/creds/static", Answers::Same),
    ]
}

fn earlier_creds(name: &'static str, path: &'static str, answers: Answers) -> Row {
    peer(name, get(path), Some(EARLIER), KEY, answers)
}

/// With an AWS that answers at once, and what never asks it.
fn near() -> Vec<Row> {
    vec![
        creds(
            "iamra/creds, not shared",
            0,
            FEW,
            "iamra/creds/uncached",
            Answers::Fresh,
            &[STS, PKI, SEED, EARLIER_UNCACHED],
        ),
        creds(
            "iamra/creds, shared",
            0,
            FEW,
            "iamra/creds/shared",
            Answers::Same,
            &[STS, SEED, KV_EXTERNAL, LEASED, EARLIER_SHARED],
        ),
        creds("iamra/creds, two places, not shared", 0, FEW, "iamra/creds/placed", Answers::Fresh, &[STS]),
        creds("iamra/creds, chained, not shared", 0, FEW, "iamra/creds/chained", Answers::Fresh, &[STS]),
        creds("iamra/creds, chained, shared", 0, FEW, "iamra/creds/chained-shared", Answers::Same, &[STS]),
        creds("iamra/creds, lease=static", 0, FEW, "iamra/creds/static", Answers::Same, LEASELESS),
        container("iamra/container", 0, "iamra/container/shared"),
        container("iamra/container, named after the caller", 0, "iamra/container/named"),
        sts(0, FEW),
        peer(PKI, issue(), None, "/data/certificate", Answers::Fresh),
        seed(0),
        peer(KV_EXTERNAL, get("kvext/demo"), Some(KV), KEY, Answers::Same),
        peer(LEASED, get("fixed-answer/leased"), Some(FIXED), KEY, Answers::Same),
        peer(FLOOR, get("fixed-answer/leaseless"), Some(FIXED), KEY, Answers::Same),
        peer("kv version 1 (built in)", get("kv1/demo"), None, KEY, Answers::Same),
    ]
}

/// What asks an AWS that is far away, or would without a cache.
fn far() -> Vec<Row> {
    vec![
        creds("iamra/creds, not shared", FAR, MANY, "iamra/creds/uncached", Answers::Fresh, &[STS, SEED]),
        creds("iamra/creds, chained, not shared", FAR, MANY, "iamra/creds/chained", Answers::Fresh, &[STS]),
        creds("iamra/creds, shared", FAR, FEW, "iamra/creds/shared", Answers::Same, &[STS, SEED]),
        creds("iamra/creds, lease=static", FAR, FEW, "iamra/creds/static", Answers::Same, &[STS, SEED]),
        container("iamra/container", FAR, "iamra/container/shared"),
        sts(FAR, MANY),
        seed(FAR),
    ]
}

pub(crate) const STS: &str = "aws/sts (built in)";
const PKI: &str = "pki/issue, EC P-256 (built in)";
const SEED: &str = "pki/issue, then a signing client in each pod";
const KV_EXTERNAL: &str = "kv as external Go plugin";
const LEASED: &str = "Go plugin, fixed answer, leased";
pub(crate) const FLOOR: &str = "Go plugin, fixed answer, no lease";
/// What a cached read without a lease is measured by.
const LEASELESS: &[&str] = &[STS, SEED, KV_EXTERNAL, FLOOR, EARLIER_STATIC];

const EARLIER_UNCACHED: &str = "an earlier build's creds, not shared";
const EARLIER_SHARED: &str = "an earlier build's creds, shared";
const EARLIER_STATIC: &str = "an earlier build's creds, lease=static";

const KEY: &str = "/data/access_key";

fn get(path: &'static str) -> Ask {
    Ask { method: "GET", path, body: None, status: 200 }
}

fn issue() -> Ask {
    Ask { method: "POST", path: "pki/issue/pod", body: Some(r#"{"common_name":"web.pods"}"#), status: 200 }
}

fn creds(
    name: &'static str,
    latency_ms: u64,
    connections: u32,
    path: &'static str,
    answers: Answers,
    peers: &'static [&'static str],
) -> Row {
    let work = Work::Read { ask: get(path), plugin: Some(OURS), text: KEY, answers };
    Row { name, latency_ms, connections, peers, work }
}

fn container(name: &'static str, latency_ms: u64, path: &'static str) -> Row {
    let text = "/AccessKeyId";
    let work = Work::Read { ask: get(path), plugin: Some(OURS), text, answers: Answers::Same };
    Row { name, latency_ms, connections: FEW, peers: LEASELESS, work }
}

fn sts(latency_ms: u64, connections: u32) -> Row {
    Row { latency_ms, connections, ..peer(STS, get("aws/sts/demo"), None, KEY, Answers::Fresh) }
}

/// What Vault is asked with an AWS that answers at once, or is never asked.
fn peer(name: &'static str, ask: Ask, plugin: Option<Plugin>, text: &'static str, answers: Answers) -> Row {
    let work = Work::Read { ask, plugin, text, answers };
    Row { name, latency_ms: 0, connections: FEW, peers: &[], work }
}

/// Two processes at a time: as many as the smallest machine that this was written for has processors.
fn seed(latency_ms: u64) -> Row {
    Row { name: SEED, latency_ms, connections: 2, peers: &[], work: Work::Pods }
}
