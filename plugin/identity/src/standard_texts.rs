//! Standard texts for callers of one kind, which are the same for every role, so that no role has to write them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::subject_field::SubjectField;
use crate::template::Template;

/// The kind of caller whose standard texts a role takes: for the subject fields that it does not write, or as session tags of its
/// hop. The names are those of the API and of storage.
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
pub enum StandardTexts {
    /// A pod. Its subject is `<cluster>.<namespace>.<service account>`, with cluster and namespace also as O and OU, and the SPIFFE
    /// id. Its tags are those of the six of EKS Pod Identity that Vault can vouch for: a pod's name and UID are not in its login.
    /// <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html>
    Kubernetes,
}

/// The subject fields of [`StandardTexts::Kubernetes`], each with its one text. The trust policies of `vault-config/aws` compare
/// CN, O and OU.
const KUBERNETES_SUBJECT: [(SubjectField, &str); 4] = [
    (
        SubjectField::CommonName,
        "{{kubernetes.cluster}}.{{kubernetes.namespace | short}}.{{kubernetes.service_account | short}}",
    ),
    (SubjectField::Organization, "{{kubernetes.cluster}}"),
    (SubjectField::OrganizationalUnit, "{{kubernetes.namespace}}"),
    (
        SubjectField::UriSan,
        "spiffe://{{kubernetes.cluster}}/ns/{{kubernetes.namespace}}/sa/{{kubernetes.service_account}}",
    ),
];

/// The tags of [`StandardTexts::Kubernetes`], under the names of EKS.
const KUBERNETES_TAGS: [(&str, &str); 3] = [
    ("eks-cluster-name", "{{kubernetes.cluster}}"),
    ("kubernetes-namespace", "{{kubernetes.namespace}}"),
    ("kubernetes-service-account", "{{kubernetes.service_account}}"),
];

/// [`KUBERNETES_SUBJECT`], parsed once.
static SUBJECT: LazyLock<[(SubjectField, [Template; 1]); 4]> =
    LazyLock::new(|| KUBERNETES_SUBJECT.map(|(field, text)| (field, [parsed(field, text)])));

/// [`KUBERNETES_TAGS`], parsed once.
static TAGS: LazyLock<BTreeMap<String, Template>> = LazyLock::new(|| {
    KUBERNETES_TAGS.map(|(key, text)| (key.to_owned(), parsed(SubjectField::SessionTag, text))).into()
});

#[expect(clippy::expect_used, reason = "the texts are constants")]
fn parsed(field: SubjectField, text: &str) -> Template {
    Template::parse(field, text).expect("the text is a constant")
}

impl StandardTexts {
    /// Returns the standard texts of `field`; none for a field that has no standard.
    pub(crate) fn texts(self, field: SubjectField) -> &'static [Template] {
        match self {
            Self::Kubernetes => SUBJECT.iter().find(|(own, _)| *own == field).map_or(&[], |(_, texts)| texts),
        }
    }

    /// Returns the standard session tags: each key with the template of its value.
    pub fn tags(self) -> &'static BTreeMap<String, Template> {
        match self {
            Self::Kubernetes => &TAGS,
        }
    }
}
