//! `docs/pictures`: each SVG is what its text makes. `make pictures` writes them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use documents::pictures::render;
use documents::repository;

/// What fits a telephone, so that a text of 16 px stays over 9 px there.
const MAX_WIDTH: f64 = 640.0;

fn files(extension: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(repository().join("docs/pictures")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension() == Some(OsStr::new(extension))).collect();
    files.sort();
    files
}

fn rendered(source: &Path) -> String {
    render(&fs::read_to_string(source).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", source.display()))
}

#[test]
fn every_picture_is_what_its_text_makes() {
    let sources = files("pikchr");
    for source in &sources {
        let (picture, made) = (source.with_extension("svg"), rendered(source));
        if is_to_be_written() {
            fs::write(picture, made).unwrap();
        } else {
            let committed = fs::read_to_string(&picture).unwrap_or_default();
            assert!(committed == made, "{} is out of date: `make pictures` writes it", picture.display());
        }
    }

    let made: Vec<_> = sources.iter().map(|source| source.with_extension("svg")).collect();
    assert_eq!(files("svg"), made);
    assert!(!sources.is_empty());
}

#[test]
fn every_picture_fits_a_narrow_page() {
    for source in files("pikchr") {
        let picture = rendered(&source);

        let width = picture.split("width=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();

        assert!(width.parse::<f64>().unwrap() <= MAX_WIDTH, "{} is {width} wide", source.display());
    }
}

#[test]
fn every_colour_of_a_picture_has_one_for_dark_pages() {
    for source in files("pikchr") {
        let picture = rendered(&source);
        let (sheet, drawing) = picture.split_once("</style>").unwrap();

        let colours = drawing.split("rgb(").skip(1).map(|rest| rest.split(')').next().unwrap());

        for colour in colours {
            let known = sheet.contains(&format!("[fill=\"rgb({colour})\"]"));
            assert!(known, "{}: rgb({colour}) is not of the palette", source.display());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how `make pictures` asks for it")]
fn is_to_be_written() -> bool {
    std::env::var_os("UPDATE_DOCUMENTS").is_some()
}
