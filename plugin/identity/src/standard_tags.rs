//! Standard session tags of a hop, which are the same for every role of a kind.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::subject_field::SubjectField;
use crate::template::Template;

/// The standard session tags that a role takes beside its own. The names are those of the API and of storage.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum StandardTags {
    /// Those of the six tags of EKS Pod Identity that Vault can vouch for. A pod's name and UID are not in its login.
    /// <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html>
    Kubernetes,
}

/// The tags of [`StandardTags::Kubernetes`], under the names of EKS.
const KUBERNETES: [(&str, &str); 3] = [
    ("eks-cluster-name", "{{kubernetes.cluster}}"),
    ("kubernetes-namespace", "{{kubernetes.namespace}}"),
    ("kubernetes-service-account", "{{kubernetes.service_account}}"),
];

/// [`KUBERNETES`], parsed once.
#[expect(clippy::expect_used, reason = "the texts are constants")]
static KUBERNETES_TAGS: LazyLock<BTreeMap<String, Template>> = LazyLock::new(|| {
    let parsed = |text| Template::parse(SubjectField::SessionTag, text).expect("the text is a constant");
    KUBERNETES.into_iter().map(|(key, text)| (key.to_owned(), parsed(text))).collect()
});

impl StandardTags {
    /// Returns the tags: each key with the template of its value.
    pub fn tags(self) -> &'static BTreeMap<String, Template> {
        match self {
            Self::Kubernetes => &KUBERNETES_TAGS,
        }
    }
}
