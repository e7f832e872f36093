//! Lines into paragraphs, headings and lists: pure geometry.

use std::collections::HashMap;

use hayro_interpret::kurbo::{Point, Vec2};

use crate::markup::escape;
use crate::plain::clean;

/// Glyphs beside one another.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub text: String,
    /// Where it begins and where its last glyph ends, in points, y downwards.
    start: Point,
    end: Point,
    /// Direction of its glyphs; their size in points.
    across: Vec2,
    size: f64,
}

impl Line {
    pub(super) fn new(text: &str, start: Point, end: Point, across: Vec2, size: f64) -> Line {
        let length = across.hypot();
        let across = if length > 0.0 {
            across / length
        } else {
            Vec2::new(1.0, 0.0)
        };
        Line {
            text: text.to_owned(),
            start,
            end,
            across,
            size,
        }
    }

    /// Whether a glyph at `at` goes on with this line: the same direction, near the same base line, not far behind the end.
    pub(super) fn takes(&self, at: Point, across: Vec2, size: f64) -> bool {
        let length = across.hypot();
        let (along, off) = self.offset(at);
        let larger = self.size.max(size);
        length > 0.0
            && self.across.dot(across / length) > 0.9
            && off.abs() < 0.4 * larger
            && along > -0.6 * larger
            // A wide gap on one base line is a column of a table; it stays one line up to here.
            && along < 20.0 * larger
    }

    pub(super) fn push(&mut self, text: &str, at: Point, end: Point, size: f64) {
        let (gap, _) = self.offset(at);
        let space =
            text.starts_with(char::is_whitespace) || self.text.ends_with(char::is_whitespace);
        if gap > 0.16 * self.size.max(size) && !space {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.end = end;
        // Raised and lowered marks do not make a line smaller.
        self.size = self.size.max(size);
    }

    /// From the end of this line to a point: along it, and off it.
    fn offset(&self, at: Point) -> (f64, f64) {
        let from_end = at - self.end;
        let from_start = at - self.start;
        (from_end.dot(self.across), from_start.cross(self.across))
    }
}

/// A paragraph, heading or list item before it is written.
struct Block {
    text: String,
    size: f64,
}

/// HTML of all pages.
pub(super) fn html(pages: &[Vec<Line>]) -> String {
    let body = body_size(pages);
    let mut out = String::new();
    let mut in_list = false;
    for block in pages.iter().flat_map(|page| blocks(page)) {
        let item = item(&block.text);
        if in_list && item.is_none() {
            out.push_str("</ul>");
        }
        if !in_list && item.is_some() {
            out.push_str("<ul>");
        }
        in_list = item.is_some();
        let text = escape(item.unwrap_or(&block.text));
        match (item, heading(&block, body)) {
            (Some(_), _) => out.push_str(&format!("<li>{text}</li>")),
            (None, Some(level)) => out.push_str(&format!("<h{level}>{text}</h{level}>")),
            (None, None) => out.push_str(&format!("<p>{text}</p>")),
        }
    }
    if in_list {
        out.push_str("</ul>");
    }
    out
}

/// The size in which most of the text is set.
fn body_size(pages: &[Vec<Line>]) -> f64 {
    let mut letters: HashMap<i64, usize> = HashMap::new();
    for line in pages.iter().flatten() {
        *letters.entry((line.size * 2.0) as i64).or_default() += line.text.len();
    }
    letters
        .into_iter()
        .max_by_key(|(half_points, letters)| (*letters, std::cmp::Reverse(*half_points)))
        .map_or(0.0, |(half_points, _)| half_points as f64 / 2.0)
}

fn heading(block: &Block, body: f64) -> Option<u8> {
    let letters = block.text.chars().filter(|c| c.is_alphabetic()).count();
    if body <= 0.0 || letters == 0 || block.text.len() > 160 {
        return None;
    }
    match block.size / body {
        r if r >= 1.7 => Some(1),
        r if r >= 1.35 => Some(2),
        r if r >= 1.14 => Some(3),
        _ => None,
    }
}

/// The text of a list item, without its bullet.
fn item(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(['•', '◦', '▪', '‣', '●', '○', '■', '\u{f0b7}', '·'])?;
    Some(rest.trim_start()).filter(|rest| !rest.is_empty())
}

fn blocks(lines: &[Line]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut last: Option<&Line> = None;
    for line in lines {
        let text = clean(&line.text)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if text.is_empty() {
            continue;
        }
        match (last, blocks.last_mut()) {
            (Some(before), Some(block)) if goes_on(before, line) && item(&text).is_none() => {
                join(&mut block.text, &text);
            }
            _ => blocks.push(Block {
                text,
                size: line.size,
            }),
        }
        last = Some(line);
    }
    blocks
}

/// Whether `line` belongs to the paragraph of the line before it: of one size, and a line's height below it.
fn goes_on(before: &Line, line: &Line) -> bool {
    let larger = before.size.max(line.size);
    let down = (line.start - before.start).cross(before.across).abs();
    (before.size - line.size).abs() < 0.06 * larger
        && before.across.dot(line.across) > 0.9
        && down < 1.55 * larger
}

/// A word that was divided at the end of a line is put together.
fn join(text: &mut String, next: &str) {
    let divided = text
        .strip_suffix(['-', '\u{2010}'])
        .is_some_and(|head| head.ends_with(char::is_alphabetic))
        && next.starts_with(char::is_lowercase);
    if divided {
        text.pop();
    } else {
        text.push(' ');
    }
    text.push_str(next);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of glyphs half as wide as they are high.
    fn line(text: &str, x: f64, y: f64, size: f64) -> Line {
        let end = Point::new(x + size * 0.5 * text.len() as f64, y);
        Line::new(text, Point::new(x, y), end, Vec2::new(size, 0.0), size)
    }

    #[test]
    fn words_stand_apart_where_glyphs_do() {
        let mut one = line("No", 0.0, 0.0, 10.0);
        for (at, takes) in [(10.0, true), (14.0, true), (-7.0, false), (300.0, false)] {
            assert_eq!(
                one.takes(Point::new(at, 0.0), Vec2::new(1.0, 0.0), 10.0),
                takes,
                "{at}"
            );
        }
        assert!(
            !one.takes(Point::new(10.0, 12.0), Vec2::new(1.0, 0.0), 10.0),
            "the next line"
        );
        assert!(
            !one.takes(Point::new(10.0, 0.0), Vec2::new(0.0, 1.0), 10.0),
            "turned"
        );
        one.push("t", Point::new(10.5, 0.0), Point::new(15.0, 0.0), 10.0);
        one.push("x", Point::new(18.0, 0.0), Point::new(23.0, 0.0), 10.0);
        assert_eq!(one.text, "Not x");
    }

    #[test]
    fn size_makes_headings_and_distance_makes_paragraphs() {
        let page = vec![
            line("Report", 0.0, 20.0, 20.0),
            line("A first para-", 0.0, 60.0, 10.0),
            line("graph in two lines", 0.0, 72.0, 10.0),
            line("and a second with A-", 0.0, 100.0, 10.0),
            line("Z", 0.0, 112.0, 10.0),
            line("Part", 0.0, 140.0, 14.0),
            line("• one", 0.0, 160.0, 10.0),
            line("• two", 0.0, 172.0, 10.0),
        ];
        assert_eq!(
            html(&[page]),
            "<h1>Report</h1><p>A first paragraph in two lines</p><p>and a second with A- Z</p><h2>Part</h2>\
             <ul><li>one</li><li>two</li></ul>"
        );
    }
}
