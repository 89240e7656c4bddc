//! The engine's metrics through a real Vault, as published parsers read them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use e2e::node_agent::NodeAgent;
use e2e::users::Users;
use e2e::{config_file, pages};
use harness::{Api, Stage, binaries, kill, until};
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

const ALERTS: &str = "observability/alerts.yaml";
/// The page of the book with the scrape job, and a part for each alert.
const RUNBOOK: &str = "operate/monitoring.md";
const DASHBOARD: &str = "observability/dashboard.json";

/// Runs the pinned parsers. The first run in a test process installs them.
fn parsers(arguments: &[&OsStr]) -> Output {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let run = |arguments: &[&OsStr]| {
        let run = Command::new(binaries::workspace().join("tests/tools/prometheus/run"))
            .arg(concat!(env!("CARGO_TARGET_TMPDIR"), "/prometheus"))
            .args(arguments)
            .output();
        run.expect("bash runs")
    };
    INSTALLED.get_or_init(|| drop(run(&["--queries".as_ref(), config_file(DASHBOARD).as_ref()])));
    run(arguments)
}

/// Compares `text` with the files that query its metrics.
fn checked(text: &str, files: &[&str]) -> Output {
    let metrics = file_of(text);
    let files: Vec<_> = files.iter().map(|file| config_file(file)).collect();
    let mut arguments: Vec<&OsStr> = vec![metrics.path().as_ref()];
    arguments.extend(files.iter().map(|file| file.as_os_str()));
    parsers(&arguments)
}

fn file_of(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

/// The output of Prometheus' own checker for a file that it accepts.
#[track_caller]
fn promtool(arguments: &[&str], file: &Path) -> String {
    let run = Command::new(binaries::promtool()).args(arguments).arg(file).output().expect("promtool runs");
    said(&run)
}

#[track_caller]
fn said(run: &Output) -> String {
    let (out, error) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && error.is_empty(), "{error}{out}");
    out.into_owned()
}

/// The samples of a text, by name and labels.
fn samples(text: &str) -> Map<String, Value> {
    let run = checked(text, &[]);
    assert!(run.status.success(), "{}\n{text}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).unwrap()
}

/// The output of `vault read` without the empty line that it adds.
async fn scraped(stage: &Stage) -> String {
    let printed = stage.vault.cli(&["read", "-format=raw", "iamra/metrics"]).await.ok();
    printed.strip_suffix("\n").expect("the command ends its output").to_owned()
}

/// The same, with what a node agent in front of this Vault shows: dashboard and alerts ask for both.
async fn scraped_with_an_agent(stage: &Stage) -> String {
    let agent = NodeAgent::start(&stage.vault.addr(), &[]).await;
    let engine = scraped(stage).await;
    let engine = engine.strip_suffix("# EOF").or_else(|| engine.strip_suffix("# EOF\n"));
    engine.expect("OpenMetrics ends so").to_owned() + &agent.metrics().await
}

/// A token with the policy that is shipped for Prometheus.
async fn token(stage: &Stage) -> String {
    let rules = fs::read_to_string(config_file("policies/metrics.hcl")).unwrap();
    stage.vault.token("iamra-metrics", &rules).await
}

async fn watcher(stage: &Stage) -> Api {
    stage.root().with_token(&token(stage).await)
}

/// The example of the book's page: the path that Prometheus scrapes, and the word before its token.
fn scrape_config() -> (String, String) {
    let text = pages::text_of(RUNBOOK);
    let block = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let value = |key: &str| {
        let line =
            block.lines().find_map(|line| line.trim().strip_prefix(key)).expect("it is in the example");
        line.trim().to_owned()
    };
    (value("metrics_path:"), value("type:"))
}

#[tokio::test]
async fn the_commands_text_is_open_metrics_and_agrees_with_aws() {
    let users = Users::new().await;
    let (ann, bob) = (users.login("ann").await, users.login("bob").await);
    for reader in [&ann, &ann, &bob] {
        let _ = reader.read("iamra/creds/app").await.ok();
    }
    let _ = users.stage.root().read("iamra/creds/nobody").await.refused(400);

    let samples = samples(&scraped(&users.stage).await);

    let calls = json!(f64::from(u32::try_from(users.calls().await).unwrap()));
    assert_eq!(samples["iamra_sessions_issued_total"], calls);
    assert_eq!(samples["iamra_create_session_duration_seconds_count"], calls);
    assert_eq!(samples["iamra_answers_total{session=\"new\"}"], 2.0);
    assert_eq!(samples["iamra_answers_total{session=\"shared\"}"], 1.0);
    assert_eq!(samples["iamra_answers_total{session=\"none\"}"], 0.0);
    assert_eq!(samples["iamra_answer_duration_seconds_count"], 3.0, "the read of no role waited for nothing");
    assert_eq!(samples["iamra_cache_sessions"], 2.0);
}

#[tokio::test]
async fn what_aws_refuses_is_counted_by_its_type_and_nowhere_else() {
    let users = Users::new().await;
    let mut world = users.stage.admin("GET", "state", None).await;
    world["profiles"][0]["enabled"] = json!(false);
    users.stage.admin("PUT", "state", Some(world)).await;

    let _ = users.login("ann").await.read("iamra/creds/app").await.refused(400);

    let samples = samples(&scraped(&users.stage).await);
    let refused =
        |kind: &str| samples[&format!("iamra_create_session_refused_total{{type=\"{kind}\"}}")].clone();
    assert_eq!(refused("AccessDeniedException"), 1.0, "{samples:?}");
    assert_eq!((refused("other"), refused("AwsBadAnswer")), (json!(0.0), json!(0.0)));
    assert_eq!(samples["iamra_create_session_throttled_total"], 0.0);
    assert_eq!(samples["iamra_create_session_unreachable_total"], 0.0);
}

#[tokio::test]
async fn prometheus_gets_in_as_the_readme_has_it_and_nobody_without_a_token() {
    let stage = Stage::dev().await;
    let (path, word) = scrape_config();
    let url = format!("{}{path}", stage.vault.addr());
    let token = token(&stage).await;
    let http = reqwest::Client::new();

    let scrape = http.get(&url).header("Authorization", format!("{word} {token}")).send().await.unwrap();
    let stranger = http.get(&url).send().await.unwrap();

    assert_eq!((scrape.status().as_u16(), stranger.status().as_u16()), (200, 403));
    let kind = scrape.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(samples(&scrape.text().await.unwrap())["iamra_callers_waiting"], 0.0);
}

#[tokio::test]
async fn a_watcher_reads_metrics_and_nothing_else() {
    let stage = Stage::dev().await;

    let watcher = watcher(&stage).await;

    assert_eq!(watcher.read("iamra/metrics").await.status, 200);
    for path in ["iamra/config", "iamra/roles/demo", "iamra/creds/demo", "iamra/preview/demo"] {
        assert_eq!(watcher.read(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn totals_begin_again_with_the_process() {
    let stage = Stage::dev().await;
    let _ = stage.creds("demo").await.ok();
    let before = samples(&scraped(&stage).await);
    let pids = stage.vault.live_plugins();

    pids.iter().copied().for_each(kill);

    let after = until("metrics of a new process", std::time::Duration::from_secs(60), async || {
        let run = stage.vault.cli(&["read", "-format=raw", "iamra/metrics"]).await;
        (run.code == 0).then(|| run.stdout.trim_end().to_owned() + "\n")
    })
    .await;
    let total = "iamra_sessions_issued_total";
    assert_eq!((&before[total], &samples(&after)[total]), (&json!(1.0), &json!(0.0)));
}

/// A stage whose engine has read a trust anchor.
async fn with_an_anchor() -> Stage {
    let stage = Stage::dev().await;
    stage.manage_anchor().await;
    let _ = stage.root().write("iamra/trust-anchors/main/sync", json!({})).await.ok();
    stage
}

#[tokio::test]
async fn an_anchor_is_in_the_metrics_for_as_long_as_it_is_looked_after() {
    let stage = with_an_anchor().await;
    let name = "iamra_trust_anchor_in_step{trust_anchor=\"main\"}";

    let before = samples(&scraped(&stage).await).get(name).cloned();
    let _ = stage.root().delete("iamra/trust-anchors/main").await.ok();
    let after = samples(&scraped(&stage).await).get(name).cloned();

    assert_eq!((before, after), (Some(json!(1.0)), None));
}

#[tokio::test]
async fn what_is_revoked_is_counted() {
    let stage = with_an_anchor().await;
    let before = samples(&scraped(&stage).await)["iamra_revocations_total"].clone();

    let _ = stage.root().write("iamra/roles/demo/revoke-sessions", json!({})).await.ok();

    assert_eq!(
        (before, &samples(&scraped(&stage).await)["iamra_revocations_total"]),
        (json!(0.0), &json!(1.0))
    );
}

/// The parts of the runbook, each under the name of its alert.
fn runbook() -> Vec<String> {
    let text = pages::text_of(RUNBOOK);
    text.lines().filter_map(|line| line.strip_prefix("## Iamra")).map(|name| format!("Iamra{name}")).collect()
}

#[test]
fn each_alert_links_to_its_part_of_the_runbook() {
    let text = fs::read_to_string(config_file(ALERTS)).unwrap();
    let named = |mark: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.trim().strip_prefix(mark)).map(str::to_owned).collect()
    };

    let (alerts, links) = (named("- alert: "), named("runbook_url: "));

    assert_eq!(alerts, runbook());
    let parts: Vec<&str> = links.iter().filter_map(|link| link.rsplit('#').next()).collect();
    assert_eq!(parts, alerts.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>());
    assert!(links.iter().all(|link| link.contains(&format!("/docs/{RUNBOOK}#"))), "{links:?}");
}

#[tokio::test]
async fn dashboard_and_alerts_ask_for_metrics_and_labels_that_are_there() {
    let text = scraped_with_an_agent(&with_an_anchor().await).await;

    let run = checked(&text, &[DASHBOARD, ALERTS]);

    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[tokio::test]
async fn a_metric_label_or_value_that_is_gone_would_be_noticed() {
    let text = scraped_with_an_agent(&with_an_anchor().await).await;

    for (gone, now, expected) in [
        ("iamra_cache_sessions_max", "iamra_cache_sessions_most", "there is no iamra_cache_sessions_max"),
        ("session=\"stale\"", "session=\"old\"", "has no session=\"stale\""),
        ("is_default=", "default=", "has no label is_default"),
        ("issuer_id=", "id=", "no metric has the label issuer_id"),
    ] {
        let run = checked(&text.replace(gone, now), &[ALERTS]);

        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn promtool_has_nothing_against_the_metrics() {
    let users = Users::new().await;
    let _ = users.login("ann").await.read("iamra/creds/app").await.ok();
    let metrics = file_of(&scraped(&users.stage).await);

    let classic = said(&parsers(&["--classic".as_ref(), metrics.path().as_ref()]));
    let classic = file_of(&classic);
    let run = Command::new(binaries::promtool())
        .args(["check", "metrics", "--extended"])
        .stdin(File::open(classic.path()).unwrap())
        .output()
        .expect("promtool runs");

    let report = said(&run);
    for name in ["iamra_answers_total", "iamra_create_session_duration_seconds", "iamra_build_info"] {
        assert!(report.contains(name), "{report}");
    }
}

#[test]
fn promtool_has_nothing_against_the_rules_and_the_dashboards_queries() {
    let queries = said(&parsers(&["--queries".as_ref(), config_file(DASHBOARD).as_ref()]));
    let strictly = ["check", "rules", "--lint=all", "--lint-fatal"];

    let rules = promtool(&strictly, &config_file(ALERTS));
    let dashboard = promtool(&strictly, file_of(&queries).path());

    let panels = queries.matches("\"expr\"").count();
    assert!(rules.contains("SUCCESS: 21 rules found"), "{rules}");
    assert!(panels > 20 && dashboard.contains(&format!("SUCCESS: {panels} rules found")), "{dashboard}");
}

#[test]
fn alerts_fire_when_something_is_wrong_and_stay_silent_when_nothing_is() {
    let said =
        promtool(&["test", "rules"], Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/alerts_test.yaml")));

    assert!(said.contains("SUCCESS"), "{said}");
}
