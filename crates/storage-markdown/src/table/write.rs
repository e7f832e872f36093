//! A laid-out table as a grid, as records, on one line, or as properties.

use super::BLANK;
use super::sheet::Sheet;
use crate::writer::{Last, Lead, Mode, Writer};

impl Sheet<'_> {
    pub(super) fn write_grid(&mut self, w: &mut Writer, budget: &mut usize) {
        w.begin_block(Last::Other);
        let columns = self.shown_columns();
        let (head, body) = match self.rows.split_first() {
            Some((first, rest)) if self.header => (Some(*first), rest),
            _ => (None, &self.rows[..]),
        };
        w.out.push('|');
        for &column in &columns {
            let text = head.map_or("", |r| self.place_text(r, column, budget));
            push_cell(&mut w.out, unbold(text));
        }
        w.newline();
        w.out.push('|');
        for _ in &columns {
            w.out.push_str(" --- |");
        }
        for &r in body {
            w.newline();
            w.out.push('|');
            for &column in &columns {
                let text = self.place_text(r, column, budget);
                let c = self.row(r)[column];
                if c != BLANK
                    && self.cells[c as usize].header
                    && !text.is_empty()
                    && !text.contains("**")
                {
                    push_bold_cell(&mut w.out, text);
                } else {
                    push_cell(&mut w.out, text);
                }
            }
        }
    }

    /// One item per row: `- **Name:** x; **Limits:** y`.
    pub(super) fn write_records(&mut self, w: &mut Writer, budget: &mut usize) {
        let columns = self.shown_columns();
        let Some((&head, body)) = self.rows.split_first() else {
            return;
        };
        w.start_list(false, 1);
        for &r in body {
            w.push_item(Lead::None);
            let mut first = true;
            for &column in &columns {
                let text = self.place_text(r, column, budget);
                if text.is_empty() {
                    continue;
                }
                if first {
                    w.begin_block(Last::Paragraph);
                } else {
                    w.out.push_str("; ");
                }
                first = false;
                let name = unbold(self.place_text(head, column, budget)).trim_end_matches(':');
                if !name.is_empty() {
                    if name.contains("**") {
                        w.out.push_str(name);
                        w.out.push_str(": ");
                    } else {
                        w.out.push_str("**");
                        w.out.push_str(name);
                        w.out.push_str(":** ");
                    }
                }
                w.out.push_str(text);
            }
            w.pop_container();
        }
        if body.is_empty() {
            w.push_item(Lead::None);
            w.begin_block(Last::Paragraph);
            let names: Vec<&str> = columns
                .iter()
                .map(|&c| self.place_text(head, c, budget))
                .filter(|t| !t.is_empty())
                .collect();
            w.out.push_str(&names.join("; "));
            w.pop_container();
        }
        w.end_list();
    }

    /// Rows on one line each, for a table inside a cell or a heading.
    pub(super) fn write_line(&mut self, w: &mut Writer, budget: &mut usize) {
        let columns = self.shown_columns();
        let (head, body) = match self.rows.split_first() {
            Some((first, rest)) if self.header && !rest.is_empty() => (Some(*first), rest),
            _ => (None, &self.rows[..]),
        };
        for &r in body {
            w.begin_block(Last::Other);
            w.leaf_open = true;
            if w.mode == Mode::Line {
                w.ready(' ');
            }
            let mut first = true;
            for &column in &columns {
                let text = self.place_text(r, column, budget);
                if text.is_empty() {
                    continue;
                }
                if !first {
                    w.out.push_str("; ");
                }
                first = false;
                if let Some(head) = head {
                    let name = unbold(self.place_text(head, column, budget));
                    if !name.is_empty() {
                        w.out.push_str(name.trim_end_matches(':'));
                        w.out.push_str(": ");
                    }
                }
                w.out.push_str(text);
            }
            w.end_leaf();
        }
    }

    /// Key and value: two columns without a header row, or one row of values under a header.
    pub(super) fn is_properties(&self) -> bool {
        let columns = if self.columns.is_empty() {
            self.width
        } else {
            self.columns.len()
        };
        (columns <= 2 && self.width >= 2 && !self.header) || (self.header && self.rows.len() == 2)
    }

    pub(super) fn write_properties(&mut self, w: &mut Writer) -> Vec<(String, String)> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        if self.header {
            let (keys, values) = (self.rows[0], self.rows[1]);
            for column in 0..self.width {
                pairs.push((
                    self.cell_text(self.row(keys)[column]),
                    self.cell_text(self.row(values)[column]),
                ));
            }
        } else {
            for &r in &self.rows {
                let row = self.row(r);
                pairs.push((self.cell_text(row[0]), self.cell_text(row[1])));
            }
        }
        w.start_list(false, 1);
        let mut found = Vec::new();
        for (key, value) in pairs {
            let key = unbold(key).trim_end().trim_end_matches(':');
            if key.is_empty() && value.is_empty() {
                continue;
            }
            w.push_item(Lead::None);
            w.begin_block(Last::Paragraph);
            if !key.is_empty() {
                let bold = !key.contains("**");
                w.out.push_str(if bold { "**" } else { "" });
                w.out.push_str(key);
                w.out.push_str(if bold { ":** " } else { ": " });
            }
            if value.is_empty() {
                w.out.truncate(w.out.trim_end().len());
            }
            w.out.push_str(value);
            w.pop_container();
            let plain_key = crate::escape::plain(key);
            if !plain_key.is_empty() {
                found.push((plain_key, crate::escape::plain(value)));
            }
        }
        w.end_list();
        found
    }
}

/// Takes away a `**` around the whole text: header cells are bold by themselves.
fn unbold(text: &str) -> &str {
    text.strip_prefix("**")
        .and_then(|t| t.strip_suffix("**"))
        .filter(|t| !t.is_empty() && !t.contains("**") && !t.ends_with('\\'))
        .unwrap_or(text)
}

fn push_cell(out: &mut String, text: &str) {
    if text.is_empty() {
        out.push_str("  |");
    } else {
        out.push(' ');
        push_piped(out, text);
        out.push_str(" |");
    }
}

fn push_bold_cell(out: &mut String, text: &str) {
    out.push_str(" **");
    push_piped(out, text);
    out.push_str("** |");
}

/// A `|` would end the cell, in code spans too.
fn push_piped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'|', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        out.push_str("\\|");
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}
