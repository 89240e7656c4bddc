//! The attributes of HTML that links have to do with.

use std::iter::from_fn;

/// `name="value"` for each of `names` in `html`, in order. Values are as they are written.
pub(crate) fn attributes<'a>(html: &'a str, names: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut rest = html;
    from_fn(move || {
        loop {
            let (before, value) = rest.split_once("=\"")?;
            let (value, after) = value.split_once('"')?;
            rest = after;
            let name = before.rsplit(|c: char| c.is_whitespace() || c == '"').next().unwrap_or_default();
            if names.contains(&name) {
                return Some((name, value));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_by_their_whole_name() {
        let html = "<a class=\"x\" href=\"y\"><p data-id=\"no\" id=\"z\">a=b</p>";

        assert_eq!(attributes(html, &["href", "id"]).collect::<Vec<_>>(), [("href", "y"), ("id", "z")]);
    }
}
