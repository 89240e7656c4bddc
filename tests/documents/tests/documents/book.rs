//! Laying the book out, and checking what mdBook made of it.

use std::fs;

use documents::{book, page};

#[test]
fn a_link_out_of_the_book_leads_to_a_copy_in_it() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("docs/operate")).unwrap();
    fs::write(root.path().join("LICENSE"), "free").unwrap();
    fs::write(root.path().join("NEWS.md"), "none").unwrap();
    fs::write(
        root.path().join("docs/operate/a.md"),
        "[l](../../LICENSE) [b](b.md) [d](../..) [n](../../NEWS.md#a)",
    )
    .unwrap();
    let target = root.path().join("target/book-source");

    book::lay_out(root.path(), &target).unwrap();

    let text = fs::read_to_string(target.join("operate/a.md")).unwrap();
    assert_eq!(
        text,
        "[l](../repository/LICENSE.txt) [b](b.md) [d](../repository/.txt) [n](../repository/NEWS.txt)"
    );
    assert_eq!(fs::read_to_string(target.join("repository/LICENSE.txt")).unwrap(), "free");
    assert_eq!(
        fs::read_to_string(target.join("repository/.txt")).unwrap(),
        "LICENSE\nNEWS.md\ndocs\ntarget\n"
    );
}

#[test]
fn links_of_a_finished_page_are_checked_with_their_anchors() {
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join("a.html"),
        r##"<a href="b.html#x"> <a href="b.html#y"> <img src="c.svg"> <a href="#z"> <p id="z">"##,
    )
    .unwrap();
    fs::write(root.path().join("b.html"), r#"<h1 id="x">"#).unwrap();

    let (looked_at, broken) = page::broken(root.path()).unwrap();

    assert_eq!(looked_at, 4);
    assert_eq!(broken, ["a.html: \"b.html#y\" leads nowhere", "a.html: \"c.svg\" leads nowhere"]);
}
