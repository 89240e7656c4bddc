//! The six SDKs in pods of their own, each over five sessions of a minute: no sidecar, and no variable but AWS's own two.
//!
//! A pod's image has busybox alone. The runtimes and the SDKs are those of this host, whose folders are its volumes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use ::sdks::{Call, Sdk, first_error, survived, without_brinks};
use cluster::{Cluster, MINUTE, Team, eventually, told};
use harness::{admin, binaries};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::chart::push;

/// Seconds that each caller calls: five sessions and a bit, from any moment of the first.
const SECONDS: u32 = 330;
/// A start while many others start, and the caller's own seconds.
const PATIENCE: Duration = Duration::from_secs(1200);
/// Ends that each SDK must outlive.
const ENDS: usize = 5;

const HEAD: &str = "| SDK | calls | failed | under way when their session ended | sessions | ends outlived |
| --- | --: | --: | --: | --: | --: |";

/// Folders of the host that are no programs, or that the cluster has of its own; `bin` is the image's, for its shell.
const NOT_MOUNTED: [&str; 11] =
    ["bin", "boot", "dev", "lost+found", "media", "mnt", "proc", "run", "sys", "tmp", "var"];

#[tokio::test]
#[ignore = "on a cluster: `make test-k8s`"]
async fn six_sdks_outlive_five_sessions_each_without_a_sidecar_and_without_one_failed_call() {
    let team = Team::associated_with_profile("agent-sdks", MINUTE).await;
    // pods with folders of the host
    let label = "pod-security.kubernetes.io/enforce=privileged";
    team.cluster.kubectl(&["label", "namespace", &team.namespace, label, "--overwrite"]).await.ok();
    team.kubectl(&["create", "serviceaccount", "api"]).await.ok();
    let rust = tokio::task::spawn_blocking(|| binaries::program("sdk-rust")).await.expect("cargo builds it");
    let template = team.manifests("pod-identity").await.pod_template();
    for sdk in Sdk::ALL {
        let pod = pod(&name(sdk), &template, sdk.caller(&rust));
        let arguments = ["--namespace", &team.namespace, "apply", "--filename=-"];
        team.cluster.kubectl_with(&arguments, Some(pod.to_string())).await.ok();
    }

    let mut rows = vec![HEAD.to_owned()];
    let mut wrong = Vec::new();
    for sdk in Sdk::ALL {
        let all = calls(&team, &name(sdk)).await;
        let ends = ends(&team.cluster).await;
        let calls = without_brinks(&all, &ends);
        let failed = calls.iter().filter(|call| call.said.is_err()).count();
        let sessions: BTreeSet<_> = calls.iter().filter_map(|call| call.said.as_ref().ok()).collect();
        let (outlived, brinks) = (survived(&calls, &ends), all.len() - calls.len());
        let (title, all, sessions) = (sdk.title(), all.len(), sessions.len());
        rows.push(format!("| {title} | {all} | {failed} | {brinks} | {sessions} | {outlived} |"));
        if failed > 0 || outlived < ENDS {
            wrong.push(format!("{sdk:?}: {failed} failed, {outlived} ends: {}", first_error(&calls)));
        }
    }
    let table = rows.join("\n");
    told(&format!("\n{table}\n"));
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}

fn name(sdk: Sdk) -> String {
    format!("{sdk:?}").to_lowercase()
}

/// A pod as the template describes it, that runs this program of the host once.
fn pod(name: &str, template: &Value, mut program: Vec<String>) -> Value {
    program.push(SECONDS.to_string());
    let mut spec = template["spec"].clone();
    spec["restartPolicy"] = json!("Never");
    // the host's folders of programs may be root's alone
    spec["securityContext"] = json!({ "runAsUser": 0, "runAsGroup": 0 });
    let container = &mut spec["containers"][0];
    container["image"] = json!("docker.io/local/busybox:1");
    container["command"] = json!(program);
    container["securityContext"] = json!({ "runAsUser": 0, "allowPrivilegeEscalation": false });
    container["resources"] = json!({});
    let path = "/usr/local/sbin:/usr/local/bin:/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    push(&mut container["env"], json!({ "name": "PATH", "value": path }));
    let no_metadata = json!({ "name": "AWS_EC2_METADATA_DISABLED", "value": "true" });
    push(&mut container["env"], no_metadata);
    for folder in folders() {
        let volume =
            folder.trim_matches('/').replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_lowercase();
        let volume = format!("host-{volume}");
        let mount = json!({ "name": volume, "mountPath": folder, "readOnly": true });
        push(&mut spec["containers"][0]["volumeMounts"], mount);
        push(&mut spec["volumes"], json!({ "name": volume, "hostPath": { "path": folder } }));
    }
    let labels = json!({ "app.kubernetes.io/name": "sdk" });
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": labels }, "spec": spec })
}

/// The folders with the runtimes, and this workspace, which may be in a folder that is not mounted.
fn folders() -> BTreeSet<String> {
    let entries = fs::read_dir("/").expect("the host has a root");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut folders: BTreeSet<String> = names
        .filter(|name| !NOT_MOUNTED.contains(&name.as_str()) && Path::new("/").join(name).is_dir())
        .map(|name| format!("/{name}"))
        .collect();
    let workspace = binaries::workspace();
    if !folders.iter().any(|folder| workspace.starts_with(folder)) {
        folders.insert(workspace.to_str().expect("a folder's name is text").to_owned());
    }
    folders
}

/// The calls of a pod, once its program has ended.
async fn calls(team: &Team, pod: &str) -> Vec<Call> {
    eventually(&format!("the end of {pod}"), PATIENCE, async || {
        let get = ["get", "pod", pod, "--output=jsonpath={.status.phase}"];
        let phase = team.kubectl(&get).await.ok();
        assert_ne!(phase, "Failed", "{pod}: {}", team.logs(pod, "app").await);
        (phase == "Succeeded").then_some(())
    })
    .await;
    let log = team.kubectl(&["logs", pod, "--timestamps"]).await.ok();
    let read = log.lines().filter_map(|line| {
        let (at, said) = line.split_once(' ')?;
        Some(Call::read(OffsetDateTime::parse(at, &Rfc3339).ok()?, said))
    });
    read.filter(|call| call.said.as_ref().map_or(true, |said| said.starts_with("arn:"))).collect()
}

/// When each session of this AWS ends, by the ARN that STS gives its holder.
async fn ends(cluster: &Cluster) -> BTreeMap<String, OffsetDateTime> {
    let sessions = admin(cluster.aws(), "GET", "sessions", None).await;
    let text = |session: &Value, field: &str| session[field].as_str().map(str::to_owned);
    let ends = sessions.as_array().into_iter().flatten().filter_map(|session| {
        let end = OffsetDateTime::parse(&text(session, "expiration")?, &Rfc3339).ok()?;
        Some((text(session, "assumed_role_arn")?, end))
    });
    ends.collect()
}
