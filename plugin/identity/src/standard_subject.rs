//! Standard texts of a subject, which are the same for every role of a kind, so that no role has to write them.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::subject_field::SubjectField;
use crate::template::Template;

/// The standard texts that a role takes for the subject fields that it does not write. The names are those of the API and of storage.
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
pub enum StandardSubject {
    /// Those of a pod: `<cluster>.<namespace>.<service account>`, with cluster and namespace also as O and OU, and the SPIFFE id.
    Kubernetes,
}

/// The fields of [`StandardSubject::Kubernetes`], each with its one text. The trust policies of `vault-config/aws` compare CN, O and OU.
const KUBERNETES: [(SubjectField, &str); 4] = [
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

/// [`KUBERNETES`], parsed once.
#[expect(clippy::expect_used, reason = "the texts are constants")]
static KUBERNETES_TEXTS: LazyLock<[(SubjectField, [Template; 1]); 4]> = LazyLock::new(|| {
    KUBERNETES.map(|(field, text)| (field, [Template::parse(field, text).expect("the text is a constant")]))
});

impl StandardSubject {
    /// Returns the standard texts of `field`; none for a field that has no standard.
    pub(crate) fn texts(self, field: SubjectField) -> &'static [Template] {
        match self {
            Self::Kubernetes => {
                KUBERNETES_TEXTS.iter().find(|(own, _)| *own == field).map_or(&[], |(_, texts)| texts)
            }
        }
    }
}
