//! Path templates such as `roles/{name}`.

use std::collections::BTreeMap;

use crate::request::Operation;

/// The values of a path's named segments.
pub(crate) type Parameters = BTreeMap<&'static str, String>;

/// The characters besides `\w` that a name may hold inside.
const INSIDE: &[u8] = b"-.";
const INSIDE_WITH_AT_SIGNS: &[u8] = b"-.@";

/// A path of literal and named segments.
///
/// A named segment takes the names of Vault's own engines (`framework.GenericNameRegex`): letters, digits and `_`, and
/// inside also `.` and `-`; with [`Pattern::with_at_signs`] also `@` there (`framework.GenericNameWithAtRegex`).
#[derive(Debug)]
pub(crate) struct Pattern {
    template: &'static str,
    segments: Vec<Segment>,
    inside: &'static [u8],
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Name(&'static str),
}

impl Pattern {
    pub(crate) fn new(template: &'static str) -> Pattern {
        let template = template.trim_matches('/');
        Pattern { template, segments: template.split('/').map(segment).collect(), inside: INSIDE }
    }

    /// Also allows `@` inside names.
    pub(crate) fn with_at_signs(self) -> Pattern {
        Pattern { inside: INSIDE_WITH_AT_SIGNS, ..self }
    }

    /// The template without slashes at its ends.
    pub(crate) fn template(&self) -> &'static str {
        self.template
    }

    /// The names of the named segments, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Name(name) => Some(*name),
            Segment::Literal(_) => None,
        })
    }

    /// Returns the parameters in `path` if it matches.
    ///
    /// Paths that Vault's policies distinguish stay distinct here, so that each resource has one path: only a LIST has
    /// a final slash, and always has one, because Vault adds it before it evaluates policies.
    pub(crate) fn matches(&self, operation: Operation, path: &str) -> Option<Parameters> {
        let path = if operation == Operation::List { path.strip_suffix('/')? } else { path };
        let mut parameters = BTreeMap::new();
        let mut parts = path.split('/');
        for segment in &self.segments {
            match (segment, parts.next()?) {
                (Segment::Literal(literal), part) if *literal == part => {}
                (Segment::Name(name), part) if is_name(part, self.inside) => {
                    drop(parameters.insert(*name, part.to_owned()));
                }
                _ => return None,
            }
        }
        parts.next().is_none().then_some(parameters)
    }
}

impl Pattern {
    /// Whether some path matches both patterns.
    pub(crate) fn overlaps(&self, other: &Pattern) -> bool {
        let pairs = self.segments.iter().zip(&other.segments);
        self.segments.len() == other.segments.len()
            && pairs.into_iter().all(|pair| match pair {
                (Segment::Literal(one), Segment::Literal(two)) => one == two,
                (Segment::Literal(literal), Segment::Name(_)) => is_name(literal, other.inside),
                (Segment::Name(_), Segment::Literal(literal)) => is_name(literal, self.inside),
                (Segment::Name(_), Segment::Name(_)) => true,
            })
    }
}

fn segment(text: &'static str) -> Segment {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(name) => Segment::Name(name),
        None => Segment::Literal(text),
    }
}

/// Whether a named segment of a route with [`crate::Route::with_at_signs`] takes `text`, for a name in a field.
#[must_use]
pub fn is_name_with_at_signs(text: &str) -> bool {
    is_name(text, INSIDE_WITH_AT_SIGNS)
}

/// Go's `\w(([\w-.]+)?\w)?`: ASCII only. `inside` has the characters that stand beside `\w` there.
fn is_name(text: &str, inside: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bytes = text.as_bytes();
    bytes.first().is_some_and(word)
        && bytes.last().is_some_and(word)
        && bytes.iter().all(|byte| word(byte) || inside.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &Pattern, path: &str) -> bool {
        pattern.matches(Operation::Read, path).is_some()
    }

    #[test]
    fn a_named_segment_takes_what_vaults_generic_name_takes() {
        let pattern = Pattern::new("roles/{name}");

        for name in ["a", "a-b", "a.b", "A_1", "0"] {
            let parameters = pattern.matches(Operation::Read, &format!("roles/{name}")).unwrap();
            assert_eq!(parameters["name"], name);
        }
        for name in ["", "-a", "a-", ".a", ".", "..", "a b", "ä", "a/b", "a%2f", "a\n"] {
            assert!(!fits(&pattern, &format!("roles/{name}")), "{name:?} matched");
        }
    }

    #[test]
    fn two_patterns_overlap_where_one_path_matches_both() {
        let overlap = |one, two| Pattern::new(one).overlaps(&Pattern::new(two));

        for (one, two) in [("roles/{name}", "roles/{role}"), ("issuer/{ref}", "issuer/default"), ("a", "a")] {
            assert!(overlap(one, two) && overlap(two, one), "{one} and {two}");
        }
        for (one, two) in [("roles/{name}", "roles"), ("roles/{name}", "creds/{name}"), ("a/{b}", "a/-")] {
            assert!(!overlap(one, two) && !overlap(two, one), "{one} and {two}");
        }
    }

    #[test]
    fn an_at_sign_is_part_of_a_name_where_the_route_says_so_and_never_its_end() {
        let with = Pattern::new("roles/{name}").with_at_signs();
        let without = Pattern::new("roles/{name}");

        for name in ["a@b", "a@@b", "a@b.c-d"] {
            assert!(
                fits(&with, &format!("roles/{name}")) && !fits(&without, &format!("roles/{name}")),
                "{name}"
            );
            assert!(is_name_with_at_signs(name), "{name}");
        }
        for name in ["@", "@a", "a@", "a@/b"] {
            assert!(
                !fits(&with, &format!("roles/{name}")) && !is_name_with_at_signs(name),
                "{name:?} matched"
            );
        }
    }

    #[test]
    fn a_slash_at_the_end_is_vaults_way_to_say_list() {
        let pattern = Pattern::new("roles/");

        assert!(pattern.matches(Operation::List, "roles/").is_some());
        for other in ["roles", "roles//", "/roles/", ""] {
            assert!(pattern.matches(Operation::List, other).is_none(), "{other:?} matched");
        }
    }

    #[test]
    fn a_slash_at_the_end_is_no_second_path() {
        let pattern = Pattern::new("roles/{name}");
        let others =
            [Operation::Create, Operation::Read, Operation::Update, Operation::Patch, Operation::Delete];

        for operation in others {
            assert!(pattern.matches(operation, "roles/a").is_some(), "{operation:?}");
            for path in ["roles/a/", "roles/a//", "/roles/a", "roles//a", "roles/./a", "roles/b/../a"] {
                assert!(pattern.matches(operation, path).is_none(), "{operation:?} {path:?} matched");
            }
        }
    }

    #[test]
    fn every_segment_has_to_fit() {
        let pattern = Pattern::new("issuer/{ref}/revoke");

        assert_eq!(pattern.names().collect::<Vec<_>>(), ["ref"]);
        assert!(fits(&pattern, "issuer/x/revoke"));
        assert!(!fits(&pattern, "issuer/x"));
        assert!(!fits(&pattern, "issuer/x/revoke/y"));
        assert!(!fits(&pattern, "issuer/x/other"));
        assert!(!fits(&pattern, "Issuer/x/revoke"));
    }
}
