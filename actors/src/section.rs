//! Where a passage stands on its page: the headings above it, found in the kept Markdown.

use storage_markdown::outline::{Heading, outline};

/// Headings above the passage, from the top, and the anchor of the nearest; `None` where the passage is not found or stands
/// above the first heading.
pub(crate) fn of_passage(markdown: &str, passage: &str) -> Option<(Vec<String>, String)> {
    let at = place_of(markdown, passage)?;
    let before = outline(&markdown[..at]);
    // Anchors depend on repeats, so the whole outline numbers them as the page does; a prefix of it is the same.
    let nearest = before.last()?;
    let mut path: Vec<&Heading> = Vec::new();
    for heading in &before {
        path.retain(|above| above.level < heading.level);
        path.push(heading);
    }
    let path = path.into_iter().map(|heading| heading.text.clone());
    Some((path.collect(), nearest.anchor.clone()))
}

/// The place of the first telling line of the passage; a heading line is passed over with its own end, so that a passage
/// that begins with a heading stands under it.
fn place_of(markdown: &str, passage: &str) -> Option<usize> {
    passage
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= 12)
        .find_map(|line| {
            let at = markdown.find(line)?;
            let is_heading = line.starts_with('#');
            Some(if is_heading { at + line.len() } else { at })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "Opening words of it.\n\n# First part\n\nWords of the first part.\n\n## Deeper down\n\nWords further down.\n\n# Second part\n\nWords of the second part.\n";

    #[test]
    fn a_passage_stands_under_its_headings() {
        let path = |passage| of_passage(PAGE, passage).map(|(path, _)| path.join(" / "));
        assert_eq!(
            path("Words further down."),
            Some("First part / Deeper down".into())
        );
        assert_eq!(
            path("Words of the second part."),
            Some("Second part".into())
        );
        assert_eq!(path("# Second part\n\nWords"), Some("Second part".into()));
        assert_eq!(path("Opening words of it."), None);
        assert_eq!(path("words that are nowhere here"), None);
    }
}
