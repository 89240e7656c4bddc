//! A value of a role for the certificate or the session: plain, or a template with references to the caller.
//!
//! ```text
//! {{kubernetes.cluster}}.{{kubernetes.namespace | short}}
//!   └ reference            └ reference            └ may be shortened when the value is too long
//! ```
//! A template is parsed when the role is written or loaded. The value of a reference is never parsed as a template, so no caller
//! can insert references of its own.

#[cfg(any(test, fuzzing))]
pub mod claims;

use serde::{Deserialize, Serialize};
use vault_backend::{Fault, quote};

use crate::caller::{Caller, Resolved};
use crate::reference::{Pod, Reference, Slot};
use crate::shorten::{self, Part};
use crate::subject_field::{SubjectField, TENANT_IN_CN};

/// A template or a plain value. It is stored, and shown, as it was written.
///
/// Deserialization checks the syntax alone, because a stored value does not say its field. [`Template::resolve`] checks each
/// result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    /// The value as it was written, with all its spaces.
    source: String,
    /// The parsed `source`: no two plain pieces follow each other, and none is empty.
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Characters outside of braces, the same for every caller.
    Plain(String),
    /// A reference in braces.
    Value(Slot),
}

/// Why a value is no template.
#[derive(Debug, thiserror::Error)]
#[error("at character {at}: {reason}")]
pub struct Malformed {
    /// The position of the fault in characters, counted from one.
    at: usize,
    reason: String,
}

/// A reference and its value for one caller.
pub struct ResolvedReference {
    /// The reference as it is written between the braces, without spaces and function.
    pub reference: String,
    /// Its value before any shortening, and the value's origin.
    pub resolved: Resolved,
}

impl Template {
    /// Parses the value `text` that a role write gives for `field`.
    ///
    /// # Errors
    /// The caller's: `text` is malformed, its plain characters do not fit the field, two references stand side by side, or a
    /// common name holds metadata that a tenant writes.
    pub fn parse(field: SubjectField, text: &str) -> Result<Self, Fault> {
        let template = Self::read(text).map_err(|error| field.refuse(text, &error.to_string()))?;
        if template.slots().next().is_none() {
            field.check(text)?;
        }
        template.check_plain(field)?;
        template.check_slots(field)?;
        Ok(template)
    }

    /// Returns whether the result depends on the caller.
    pub fn asks_who(&self) -> bool {
        self.slots().any(|slot| slot.reference.asks_who())
    }

    /// Returns the references of the template, in order; one that is written twice comes twice.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.slots().map(|slot| &slot.reference)
    }

    /// Returns whether a reference is to the caller's pod.
    pub fn asks_pod(&self) -> bool {
        self.slots().any(|slot| matches!(slot.reference, Reference::Kubernetes(_)))
    }

    /// Returns whether two namespaces or service accounts of one name in two clusters would get the same result, because the
    /// cluster is not part of the template. A UID needs no cluster: it is never given twice.
    pub fn confuses_clusters(&self) -> bool {
        let asks = |pod: Pod| self.slots().any(|slot| slot.reference == Reference::Kubernetes(pod));
        (asks(Pod::Namespace) || asks(Pod::ServiceAccount)) && !asks(Pod::Cluster)
    }

    /// Returns whether the template holds metadata that a tenant is known to write, as far as that is known without a caller.
    pub fn asks_tenant(&self) -> bool {
        self.slots().any(|slot| slot.reference.is_known_tenant_metadata())
    }

    /// Returns the value for `caller`: resolved, shortened where `short` allows it, and checked against the field.
    ///
    /// # Errors
    /// A reference has no value for this caller, a value holds the character that follows it in the template, or the result does
    /// not fit the field. The last two are the caller's, and name the template.
    pub fn resolve(&self, field: SubjectField, caller: &Caller<'_>) -> Result<String, Fault> {
        let mut parts: Vec<Part<'_>> =
            self.pieces.iter().map(|piece| part(piece, field, caller)).collect::<Result<_, _>>()?;
        shorten::fit(field, &mut parts);
        // after the shortening: a value that was shortened may have lost the character that its border has
        self.check_borders(field, &parts)?;
        let whole: String = parts.iter().map(|part| part.text.as_str()).collect();
        match (self.asks_who(), field.check(&whole)) {
            (true, Err(fault)) => Err(Fault::caller(format!(
                "{fault}; it is the value of {} for this caller",
                quote(&self.source)
            ))),
            (_, checked) => checked.map(|()| whole),
        }
    }

    /// Returns each reference with its value for `caller`.
    ///
    /// # Errors
    /// A reference has no value for this caller.
    pub fn uses(&self, field: SubjectField, caller: &Caller<'_>) -> Result<Vec<ResolvedReference>, Fault> {
        let resolved = |slot: &Slot| {
            let resolved = resolve(slot, field, caller)?;
            Ok(ResolvedReference { reference: slot.reference.to_string(), resolved })
        };
        self.slots().map(resolved).collect()
    }

    /// Returns the template with `a` in place of every reference, for checks of its form without a caller; `None` where it begins
    /// with a reference, because its form, such as the scheme of a URI, is then the caller's.
    pub fn sample(&self) -> Option<String> {
        if matches!(self.pieces.first(), Some(Piece::Value(_))) {
            return None;
        }
        let sample = self.pieces.iter().map(|piece| match piece {
            Piece::Plain(text) => text.as_str(),
            Piece::Value(_) => "a",
        });
        Some(sample.collect())
    }

    /// The references with their functions, in order.
    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Plain(_) => None,
            Piece::Value(slot) => Some(slot),
        })
    }

    /// Parses `text` without the rules of a field. Any text is parsed or refused, and a parsed one keeps its `source` unchanged.
    fn read(text: &str) -> Result<Self, Malformed> {
        let at = |rest: &str| text[..text.len() - rest.len()].chars().count() + 1;
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (plain, inside) =
                rest.split_once("{{").map_or((rest, None), |(plain, inside)| (plain, Some(inside)));
            if let Some(end) = plain.find("}}") {
                return Err(Malformed { at: at(&rest[end..]), reason: "}} closes no {{".to_owned() });
            }
            if !plain.is_empty() {
                pieces.push(Piece::Plain(plain.to_owned()));
            }
            let Some(inside) = inside else { break };
            let closed = inside.split_once("}}").filter(|(slot, _)| !slot.contains("{{"));
            let Some((slot, after)) = closed else {
                return Err(Malformed { at: at(inside) - 2, reason: "{{ is not closed by }}".to_owned() });
            };
            pieces
                .push(Piece::Value(Slot::read(slot).map_err(|reason| Malformed { at: at(inside), reason })?));
            rest = after;
        }
        Ok(Self { source: text.to_owned(), pieces })
    }

    /// Checks that the plain parts fit the field, whatever the values are. Each reference counts as one character, because no
    /// value is empty.
    fn check_plain(&self, field: SubjectField) -> Result<(), Fault> {
        let mut length = 0;
        for piece in &self.pieces {
            match piece {
                Piece::Plain(text) => {
                    field.check_characters(text)?;
                    length += text.chars().count();
                }
                Piece::Value(_) => length += 1,
            }
        }
        if length > field.longest() {
            let most = field.longest();
            return Err(field.refuse(
                &self.source,
                &format!("is never shorter than {length} characters, {most} are allowed"),
            ));
        }
        Ok(())
    }

    /// Checks the references without their values. Two side by side are refused, because `ab` and `c` would give the result of
    /// `a` and `bc`.
    fn check_slots(&self, field: SubjectField) -> Result<(), Fault> {
        let together = self.pieces.windows(2).any(|pair| matches!(pair, [Piece::Value(_), Piece::Value(_)]));
        if together {
            let why = "has two references with nothing between them: two callers could get the same value; put a character between them";
            return Err(field.refuse(&self.source, why));
        }
        if field == SubjectField::CommonName && self.asks_tenant() {
            return Err(field.refuse(&self.source, TENANT_IN_CN));
        }
        Ok(())
    }

    /// Checks that no caller's value holds the character that ends it: `a.b` and `c` would otherwise give the result of `a` and
    /// `b.c`. The last value has no such border, because the end of the result ends it.
    fn check_borders(&self, field: SubjectField, parts: &[Part<'_>]) -> Result<(), Fault> {
        let is_caller = |part: &Part<'_>| part.slot.is_some_and(|slot| slot.reference.asks_who());
        let Some(last) = parts.iter().rposition(is_caller) else { return Ok(()) };
        for pair in parts[..=last].windows(2) {
            let [value, border] = pair else { continue };
            let Some(character) = border.text.chars().next().filter(|_| is_caller(value)) else { continue };
            if value.text.contains(character) {
                let reference = value.slot.map(|slot| slot.reference.to_string()).unwrap_or_default();
                return Err(Fault::caller(format!(
                    "{}: {{{{{reference}}}}} is {}, and its {character:?} could be taken for the one after it in {}: put this reference last, or separate it by another character",
                    field.name(),
                    quote(&value.text),
                    quote(&self.source),
                )));
            }
        }
        Ok(())
    }
}

/// One piece as a part of the result for `caller`, not yet shortened.
fn part<'a>(piece: &'a Piece, field: SubjectField, caller: &Caller<'_>) -> Result<Part<'a>, Fault> {
    match piece {
        Piece::Plain(text) => Ok(Part { text: text.clone(), value: text.clone(), slot: None }),
        Piece::Value(slot) => {
            let value = resolve(slot, field, caller)?.value;
            Ok(Part { text: value.clone(), value, slot: Some(slot) })
        }
    }
}

/// The value of one reference for `caller`, with the field's name in the error.
fn resolve(slot: &Slot, field: SubjectField, caller: &Caller<'_>) -> Result<Resolved, Fault> {
    caller.resolve(&slot.reference, field).map_err(|unknown| unknown.fault(field, &slot.reference))
}

impl TryFrom<String> for Template {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        Self::read(&text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.source
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use vault_backend::Entity;

    use super::*;
    use crate::caller::{Audience, Known};
    use crate::clusters::Clusters;

    fn refusal(field: SubjectField, text: &str) -> String {
        Template::parse(field, text).unwrap_err().to_string()
    }

    #[test]
    fn a_malformed_template_is_refused_with_field_and_position() {
        for (text, at, words) in [
            ("a}}b", 2, "}} closes no {{"),
            ("äb{{role.name", 3, "{{ is not closed"),
            ("{{role.name}", 1, "{{ is not closed"),
            ("{{ {{role.name}} }}", 1, "{{ is not closed"),
            ("{{role.name}} }}", 15, "}} closes no {{"),
            ("x-{{kubernetes.pod}}", 5, "no reference of this name"),
            ("{{}}", 3, "no reference of this name"),
            ("{{role.name | long}}", 3, "no function \"long\""),
            ("{{role.name | short | short}}", 3, "no function"),
        ] {
            let error = refusal(SubjectField::Organization, text);

            assert!(error.starts_with("organization: "), "{error}");
            assert!(
                error.contains(&format!("at character {at}: ")) && error.contains(words),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_template_is_stored_as_it_was_written() {
        let text = "{{ kubernetes.cluster }}.{{kubernetes.namespace|short}}";

        let template = Template::parse(SubjectField::CommonName, text).unwrap();

        let stored = serde_json::to_string(&template).unwrap();
        assert_eq!(stored, format!("{text:?}"));
        assert_eq!(serde_json::from_str::<Template>(&stored).unwrap(), template);
    }

    #[test]
    fn the_plain_part_of_a_template_must_fit_its_field() {
        assert!(refusal(SubjectField::CommonName, "a,{{role.name}}").contains("may hold only"));
        assert!(refusal(SubjectField::CommonName, "{a}{{role.name}}").contains("may hold only"));
        let long = format!("{}{{{{role.name}}}}", "a".repeat(61));
        assert!(refusal(SubjectField::CommonName, &long).contains("never shorter than 62 characters, 61"));
    }

    #[test]
    fn two_references_in_a_row_are_refused() {
        let error =
            refusal(SubjectField::CommonName, "{{kubernetes.namespace}}{{kubernetes.service_account}}");

        assert!(error.contains("nothing between them"), "{error}");
    }

    #[test]
    fn annotations_never_become_a_common_name() {
        let text = "{{identity.entity.aliases.auth_kubernetes_1a.metadata.team}}";

        assert!(refusal(SubjectField::CommonName, text).contains("never becomes a common name"));
        Template::parse(SubjectField::OrganizationalUnit, text).unwrap();
    }

    /// The common name that `template` gives a caller whose entity has this metadata.
    pub(crate) fn resolved(template: &str, metadata: &[(&str, &str)]) -> Result<String, Fault> {
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let known = Known::Entity(Entity { name: "e".to_owned(), metadata, ..Entity::default() });
        let clusters = Clusters::default();
        let caller = Caller::of(known, Audience::everybody("app"), "iamra/", &clusters).unwrap();
        Template::parse(SubjectField::CommonName, template)
            .unwrap()
            .resolve(SubjectField::CommonName, &caller)
    }

    pub(crate) const TWO: &str =
        "x.{{identity.entity.metadata.a | short}}.{{identity.entity.metadata.b | short}}";

    #[test]
    fn a_value_is_never_read_as_a_template() {
        for value in ["{{role.name}}", "{{", "}}", "{{identity.entity.name | short}}"] {
            let error = resolved("{{identity.entity.metadata.a}}", &[("a", value)]).unwrap_err().to_string();

            assert!(error.contains("may hold only") && error.contains(value), "{error}");
        }
    }

    proptest! {
        #[test]
        fn the_halves_of_one_text_give_it_to_one_caller_alone(text in "[ab.]{3,9}") {
            let halves = text.match_indices('.').map(|(at, _)| (&text[..at], &text[at + 1..]));
            let given = halves.filter_map(|(a, b)| resolved(TWO, &[("a", a), ("b", b)]).ok());

            prop_assert!(given.filter(|whole| *whole == format!("x.{text}")).count() <= 1, "{text}");
        }

        #[test]
        fn nobody_is_named_as_another_is_shortened(a in "[ab:]{1,60}", b in "[ab/]{1,60}") {
            let victim = resolved(TWO, &[("a", &a), ("b", &b)]).unwrap();
            let (first, second) = victim["x.".len()..].split_once('.').unwrap();

            let thief = resolved(TWO, &[("a", first), ("b", second)]).unwrap();

            prop_assert!(victim.len() <= 61);
            prop_assert!(thief != victim || (first, second) == (a.as_str(), b.as_str()), "{victim}");
        }

        #[test]
        fn any_text_is_a_template_or_refused_and_never_changed(text in "[{}a.|k]{0,12}|.{0,40}") {
            if let Ok(template) = Template::read(&text) {
                prop_assert_eq!(String::from(template), text);
            }
        }
    }
}
