//! A Markdown document: the links it has and the anchors that lead into it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::attributes::attributes;

/// A link or a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// As it is written: a URL, or a path with or without an anchor.
    pub destination: String,
    /// The bytes of the whole link in the document.
    pub range: Range<usize>,
}

/// What links have to do with in one document.
#[derive(Debug, Default)]
pub struct Document {
    /// Its links in order, those of HTML among them.
    pub links: Vec<Link>,
    /// The anchors of its headings, as GitHub and mdBook make them, and the ids of its HTML.
    pub anchors: BTreeSet<String>,
}

impl Document {
    /// Reads Markdown as GitHub does.
    #[must_use]
    pub fn read(text: &str) -> Document {
        let mut document = Document::default();
        let mut slugs = Slugs::default();
        let mut heading: Option<String> = None;
        for (event, range) in
            Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).into_offset_iter()
        {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    document.anchors.extend(heading.take().map(|text| slugs.of(&text)));
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(Link { destination: dest_url.into_string(), range });
                }
                Event::Html(html) | Event::InlineHtml(html) => document.read_html(&html, &range),
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                _ => {}
            }
        }
        document
    }

    fn read_html(&mut self, html: &str, range: &Range<usize>) {
        for (name, value) in attributes(html, &["href", "src", "id", "name"]) {
            let value = value.to_owned();
            if ["href", "src"].contains(&name) {
                self.links.push(Link { destination: value, range: range.clone() });
            } else {
                self.anchors.insert(value);
            }
        }
    }
}

/// The anchors of headings: a repeated one gets a number.
#[derive(Default)]
struct Slugs(BTreeMap<String, usize>);

impl Slugs {
    fn of(&mut self, heading: &str) -> String {
        let letters = heading.trim().to_lowercase();
        let kept = letters.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let seen = self.0.entry(slug.clone()).or_default();
        *seen += 1;
        if *seen == 1 { slug } else { format!("{slug}-{}", *seen - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors(text: &str) -> Vec<String> {
        Document::read(text).anchors.into_iter().collect()
    }

    #[test]
    fn a_heading_makes_the_anchor_that_github_makes() {
        assert_eq!(anchors("## `roles/{name}`, and *why*?"), ["rolesname-and-why"]);
    }

    #[test]
    fn a_repeated_heading_gets_a_number() {
        assert_eq!(anchors("# A\n\n# A\n"), ["a", "a-1"]);
    }

    #[test]
    fn links_in_code_are_no_links() {
        let document = Document::read("`[a](b)` and [c](d#e)\n\n    [f](g)\n");

        let destinations: Vec<_> = document.links.iter().map(|link| link.destination.as_str()).collect();
        assert_eq!(destinations, ["d#e"]);
    }

    #[test]
    fn html_has_links_and_anchors_too() {
        let document = Document::read("<a id=\"x\"></a> <img src=\"y.svg\">");

        assert_eq!((document.links[0].destination.as_str(), document.anchors.len()), ("y.svg", 1));
    }
}
