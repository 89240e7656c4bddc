//! The users' own manifests, for a namespace of a story's own, with a story's changes.

use harness::binaries::workspace;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// The objects of one of the ways in, as `kubectl apply -k` would send them, but for the namespace.
#[derive(Clone, Debug)]
pub struct Manifests(Vec<Value>);

impl Manifests {
    /// The output of kustomize for a folder of this repository, with every `payments` replaced, in namespace, roles and
    /// paths alike.
    ///
    /// # Panics
    /// When kustomize refuses the folder.
    pub async fn of(cluster: &Cluster, folder: &str, namespace: &str) -> Manifests {
        let folder = workspace().join(folder);
        let yaml = cluster.kubectl(&["kustomize", &folder.display().to_string()]).await.ok();
        let yaml = yaml.replace("payments", namespace);
        let json = ["create", "--dry-run=client", "--output=json", "--filename=-"];
        let json = cluster.kubectl_with(&json, Some(yaml)).await.ok();
        let objects = serde_json::Deserializer::from_str(&json).into_iter::<Value>();
        Manifests(objects.map(|object| object.expect("kubectl prints JSON")).collect())
    }

    /// Runs the long-running application in place of the AWS CLI.
    #[must_use]
    pub fn watching(mut self) -> Manifests {
        let container = &mut self.template()["spec"]["containers"][0];
        container["image"] = json!("docker.io/local/watch:1");
        container["command"] = json!(["/watch"]);
        self
    }

    /// Runs a command of the long-running application's image.
    #[must_use]
    pub fn running(self, command: &[&str]) -> Manifests {
        let mut manifests = self.watching();
        manifests.template()["spec"]["containers"][0]["command"] = json!(command);
        manifests
    }

    /// Has the Deployment run this many pods.
    #[must_use]
    pub fn replicas(mut self, pods: usize) -> Manifests {
        self.workload()["spec"]["replicas"] = json!(pods);
        self
    }

    /// Runs nothing in place of the AWS CLI's loop until it is asked to end, because the story itself calls AWS.
    #[must_use]
    pub fn idle(mut self) -> Manifests {
        // the first process of a container ignores a signal that it does not handle
        let command = json!(["/bin/sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]);
        self.template()["spec"]["containers"][0]["command"] = command;
        self
    }

    /// Sets an annotation `vault.hashicorp.com/<name>` of the pod.
    #[must_use]
    pub fn annotated(mut self, name: &str, value: &str) -> Manifests {
        self.template()["metadata"]["annotations"][format!("vault.hashicorp.com/{name}")] = json!(value);
        self
    }

    /// Removes the annotation `vault.hashicorp.com/<name>` of the pod.
    ///
    /// # Panics
    /// When there is none: the story would show nothing.
    #[must_use]
    pub fn without(mut self, name: &str) -> Manifests {
        let annotations = self.template()["metadata"]["annotations"].as_object_mut();
        let removed = annotations.and_then(|all| all.remove(&format!("vault.hashicorp.com/{name}")));
        assert!(removed.is_some(), "the manifest has no annotation {name}");
        self
    }

    /// Replaces every occurrence of a text.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn replacing(self, old: &str, new: &str) -> Manifests {
        let text = Value::from(self.0).to_string();
        assert!(text.contains(old), "the manifests have no {old}");
        let objects = serde_json::from_str(&text.replace(old, new)).expect("a plain text was replaced");
        Manifests(objects)
    }

    /// Changes the pod's `spec`.
    #[must_use]
    pub fn with_pod(mut self, change: impl FnOnce(&mut Value)) -> Manifests {
        change(&mut self.template()["spec"]);
        self
    }

    /// Changes the object of a kind.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn with(mut self, kind: &str, change: impl FnOnce(&mut Value)) -> Manifests {
        let object = self.0.iter_mut().find(|object| object["kind"] == kind);
        change(object.unwrap_or_else(|| panic!("the manifests have no {kind}")));
        self
    }

    /// The pod that the workload makes.
    pub fn pod_template(mut self) -> Value {
        self.template().clone()
    }

    /// The objects as one for `kubectl apply`.
    pub fn list(&self) -> String {
        json!({ "apiVersion": "v1", "kind": "List", "items": self.0 }).to_string()
    }

    fn template(&mut self) -> &mut Value {
        &mut self.workload()["spec"]["template"]
    }

    fn workload(&mut self) -> &mut Value {
        let workload = self.0.iter_mut().find(|object| !object["spec"]["template"].is_null());
        workload.expect("each way has a Deployment or a Job")
    }
}
