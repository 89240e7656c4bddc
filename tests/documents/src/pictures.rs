//! Pictures from their text: Pikchr's language (<https://pikchr.org>), in colours that follow the reader's theme.
//!
//! A picture is `docs/pictures/<name>.pikchr`, and begins with the palette that every picture shares. Pikchr writes each colour as a number
//! into the SVG; the palette's numbers are then found again by a style sheet, which replaces them for readers of a dark page. A program that
//! knows no style sheets shows the colours of a light page.

use std::fmt::Write as _;

use pikchr::{Pikchr, PikchrFlags};

/// A colour by its name in pictures: on a light page, and on a dark one.
struct Colour {
    name: &'static str,
    light: u32,
    dark: u32,
}

const PALETTE: [Colour; 9] = [
    Colour { name: "$ink", light: 0x1f_2933, dark: 0xe4_e9ee },
    Colour { name: "$quiet", light: 0x5a_6875, dark: 0xa9_b5c0 },
    Colour { name: "$paper", light: 0xfd_fdfe, dark: 0x1b_2027 },
    Colour { name: "$blue", light: 0xdc_e9fb, dark: 0x1f_3a5f },
    Colour { name: "$green", light: 0xdc_f3e3, dark: 0x1d_4630 },
    Colour { name: "$amber", light: 0xfc_efd2, dark: 0x55_4012 },
    Colour { name: "$red", light: 0xfb_d5d2, dark: 0x84_302c },
    Colour { name: "$grey", light: 0xed_f0f3, dark: 0x31_3943 },
    Colour { name: "$alarm", light: 0xb3_2d26, dark: 0xff_8f86 },
];

/// The frame around a picture, in its units: a page's background may be any.
const MARGIN: f64 = 12.0;

/// The SVG of a picture.
///
/// # Errors
/// Pikchr's own, which names the line; lines are counted from the palette's first.
pub fn render(text: &str) -> Result<String, String> {
    let mut source = String::new();
    for colour in &PALETTE {
        let _ = writeln!(source, "{} = {:#08x}", colour.name, colour.light);
    }
    source.push_str("color = $ink\nfontscale = 1.0\n");
    source.push_str(text);
    let mut flags = PikchrFlags::default();
    flags.generate_plain_errors();
    let picture = Pikchr::render(&source, None, flags).map_err(|error| error.clone())?;
    let title = text.lines().next().and_then(|line| line.strip_prefix("// "));
    let title = title.ok_or_else(|| "the first line is no comment that says what is shown".to_owned())?;
    dressed(&picture, title).ok_or_else(|| "the picture has no size".to_owned())
}

/// The picture with a title, a background, a margin and the style sheet.
fn dressed(picture: &str, title: &str) -> Option<String> {
    let (_, after) = picture.split_once("viewBox=\"")?;
    let (size, drawing) = after.split_once('"')?;
    let mut numbers = size.split(' ').filter_map(|number| number.parse::<f64>().ok());
    let (_, _, width, height) = (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?);
    let (_, drawing) = drawing.split_once('>')?;
    let (wide, high) = ((width + 2.0 * MARGIN).ceil(), (height + 2.0 * MARGIN).ceil());
    let paper = rgb(PALETTE.iter().find(|colour| colour.name == "$paper")?.light);
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" viewBox=\"-{MARGIN} -{MARGIN} {wide} {high}\" \
         role=\"img\">\n<title>{}</title>\n{}\
         <rect x=\"-{MARGIN}\" y=\"-{MARGIN}\" width=\"{wide}\" height=\"{high}\" rx=\"8\" fill=\"{paper}\"/>\n{}\n",
        title.replace('&', "&amp;").replace('<', "&lt;"),
        style_sheet(),
        drawing
            .replace("<path", "\n<path")
            .replace("<text", "\n<text")
            .replace("<polygon", "\n<polygon")
            .trim()
    ))
}

/// Pikchr writes colours of lines and areas into `style`, those of texts into `fill`.
fn style_sheet() -> String {
    let mut sheet = String::from(
        "<style>\ntext { font-family: system-ui, sans-serif; }\n@media (prefers-color-scheme: dark) {\n",
    );
    for colour in &PALETTE {
        let (light, dark) = (rgb(colour.light), rgb(colour.dark));
        let _ =
            writeln!(sheet, "[style*=\"fill:{light}\"], [fill=\"{light}\"] {{ fill: {dark} !important; }}");
        let _ = writeln!(sheet, "[style*=\"stroke:{light}\"] {{ stroke: {dark} !important; }}");
    }
    sheet.push_str("}\n</style>\n");
    sheet
}

fn rgb(colour: u32) -> String {
    let [_, red, green, blue] = colour.to_be_bytes();
    format!("rgb({red},{green},{blue})")
}
