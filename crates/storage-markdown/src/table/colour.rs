//! Colours of table cells as words: in a matrix of empty cells they are the data.

use crate::attrs::attr;

/// The words; the first stands for a colour that says nothing.
pub(super) const COLOURS: [&str; 9] = [
    "", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink",
];

/// Index into [`COLOURS`] for the background that the attributes of a cell give it.
pub(crate) fn colour_of(attrs: &str) -> u8 {
    let named = attr(attrs, "data-highlight-colour").filter(|v| !v.is_empty());
    let value = named.or_else(|| {
        let style = attr(attrs, "style")?;
        let (_, after) = style.split_once("background-color:")?;
        Some(after.split(';').next()?.to_string().into())
    });
    value.map_or(0, |value| word(value.trim()))
}

/// `#ffebe6`, `rgb(255,235,230)` or `red`; greys, whites and what is no colour say nothing.
fn word(value: &str) -> u8 {
    let rgb = value.strip_prefix("rgb(").and_then(|v| v.strip_suffix(')'));
    let parts: Vec<i32> = match (value.strip_prefix('#'), rgb) {
        (Some(hex), _) if hex.len() == 6 && hex.is_ascii() => [0, 2, 4]
            .iter()
            .filter_map(|&n| i32::from_str_radix(&hex[n..n + 2], 16).ok())
            .collect(),
        (_, Some(rgb)) => rgb
            .split(',')
            .filter_map(|p| p.trim().parse().ok())
            .collect(),
        _ => {
            let known = |c: &str| !c.is_empty() && value.eq_ignore_ascii_case(c);
            return COLOURS.iter().position(|c| known(c)).unwrap_or(0) as u8;
        }
    };
    let [r, g, b] = parts[..] else { return 0 };
    let (low, high) = (r.min(g).min(b), r.max(g).max(b));
    let spread = high - low;
    // Greys, the bluish ones of the palette too.
    if spread < 12 || (high < 200 && spread * 4 < high) {
        return 0;
    }
    let hue = if high == r {
        60 * (g - b) / spread
    } else if high == g {
        120 + 60 * (b - r) / spread
    } else {
        240 + 60 * (r - g) / spread
    };
    match hue.rem_euclid(360) {
        18..=44 => 2,
        45..=69 => 3,
        70..=164 => 4,
        165..=199 => 5,
        200..=244 => 6,
        245..=299 => 7,
        300..=344 => 8,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_of_the_editor_has_its_words() {
        for (values, expected) in [
            ("#ffebe6 #ffbdad #ff5630 #ffeceb #ff0000 red", "red"),
            ("#fedec8 #fff3eb #ff8b00", "orange"),
            ("#fffae6 #fff0b3 #ffc400 #fff7d6 Yellow", "yellow"),
            ("#e3fcef #abf5d1 #36b37e #57d9a3 #dcfff1 green", "green"),
            ("#e6fcff #b3f5ff #00b8d9 #e7f9ff", "teal"),
            ("#deebff #b3d4ff #0065ff #e9f2ff blue", "blue"),
            ("#eae6ff #c0b6f2 #6554c0 #f3f0ff", "purple"),
            ("#ffecf8 #fdd0ec", "pink"),
            (
                "#ffffff #f4f5f7 #b3bac5 #8590a2 #000000 grey transparent none #12 #zzzzzz é",
                "",
            ),
        ] {
            for value in values.split(' ') {
                let attrs = format!("data-highlight-colour=\"{value}\"");
                assert_eq!(COLOURS[usize::from(colour_of(&attrs))], expected, "{value}");
            }
        }
        let style = |s: &str| COLOURS[usize::from(colour_of(&format!("style=\"{s}\"")))];
        assert_eq!(
            style("width: 1px;background-color: rgb(255, 86, 48);"),
            "red"
        );
        assert_eq!(style("color: rgb(255, 86, 48)"), "");
        assert_eq!(colour_of(""), 0);
    }
}
