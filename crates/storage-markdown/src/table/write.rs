//! A laid-out table as a grid, as records, on one line, or as properties.

use super::sheet::Sheet;
use crate::writer::{Last, Lead, Mode, Writer};

/// Stands for an empty place where places are told apart by their order or name alone.
const EMPTY: &str = "–";
/// Begins a row of a table in a cell, where some cell of it has several lines itself.
const ROW: &str = "▪ ";

impl Sheet<'_> {
    /// Rows of one cell that stand above the header, each a paragraph.
    fn write_titles(&self, w: &mut Writer) {
        for &r in &self.titles {
            w.begin_block(Last::Paragraph);
            let at = w.out.len();
            self.push_group(&mut w.out, r);
            w.escape_line_from(at);
        }
    }

    /// The text of a row of one cell; in bold when it is a header cell.
    fn push_group(&self, out: &mut String, r: usize) {
        let c = self.row(r)[self.columns[0]];
        let text = self.cell_text(c);
        if self.is_header(c) && !text.contains("**") {
            out.push_str("**");
            out.push_str(text);
            out.push_str("**");
        } else {
            out.push_str(text);
        }
    }

    pub(super) fn write_grid(&mut self, w: &mut Writer, budget: &mut usize) {
        self.write_titles(w);
        w.begin_block(Last::Other);
        w.out.push('|');
        for name in self.names(&self.head, budget) {
            push_cell(&mut w.out, &name);
        }
        w.newline();
        w.out.push('|');
        for _ in &self.columns {
            w.out.push_str(" --- |");
        }
        for &r in &self.body {
            w.newline();
            w.out.push('|');
            let group = self.is_group(r);
            for (n, &column) in self.columns.iter().enumerate() {
                let text = if group && n > 0 {
                    ""
                } else {
                    self.place_text(r, column, budget)
                };
                let header = self.is_header(self.row(r)[column]);
                if header && !text.is_empty() && !text.contains("**") {
                    push_bold_cell(&mut w.out, text);
                } else {
                    push_cell(&mut w.out, text);
                }
            }
        }
    }

    /// One item per row: `- **Name:** x; **Limits:** y`.
    pub(super) fn write_records(&mut self, w: &mut Writer, budget: &mut usize) {
        self.write_titles(w);
        let mut names = self.record_names(&self.head, budget);
        w.start_list(false, 1);
        for (n, &r) in self.body.iter().enumerate() {
            if self.is_header_row(r) && n + 1 < self.body.len() {
                // A header row between the others names what follows.
                names = self.record_names(&[r], budget);
                continue;
            }
            w.push_item(Lead::None);
            w.begin_block(Last::Paragraph);
            let at = w.out.len();
            if self.is_group(r) {
                self.push_group(&mut w.out, r);
            } else {
                self.push_record(&mut w.out, r, &names, budget);
            }
            w.escape_line_from(at);
            w.pop_container();
        }
        if self.body.is_empty() {
            w.push_item(Lead::None);
            w.begin_block(Last::Paragraph);
            let at = w.out.len();
            w.out.push_str(&names.join("; "));
            w.escape_line_from(at);
            w.pop_container();
        }
        w.end_list();
    }

    fn push_record(&self, out: &mut String, r: usize, names: &[String], budget: &mut usize) {
        let mut gap = "";
        for (&column, name) in self.columns.iter().zip(names) {
            let text = self.place_text(r, column, budget);
            out.push_str(gap);
            gap = "; ";
            if !name.is_empty() {
                push_key(out, name);
                out.push(' ');
            } else if self.is_header(self.row(r)[column]) && !text.is_empty() {
                push_key(out, text);
                gap = " ";
                continue;
            }
            out.push_str(if text.is_empty() { EMPTY } else { text });
        }
    }

    /// Rows on one line each, for a table inside a cell or a heading.
    pub(super) fn write_line(&mut self, w: &mut Writer, budget: &mut usize) {
        let mut names = self.record_names(&self.head, budget);
        if self.body.is_empty() {
            // A header alone is the row.
            self.body.append(&mut self.head);
            names.fill(String::new());
        }
        let named = names.iter().all(|name| !name.is_empty());
        let several = self.body.len() > 1 || (self.columns.len() > 1 && !named);
        let lead = if several && self.has_breaks() {
            ROW
        } else {
            ""
        };
        let begin = |w: &mut Writer| {
            w.begin_block(Last::Other);
            w.leaf_open = true;
            if w.mode == Mode::Line {
                w.ready(' ');
            }
            w.out.push_str(lead);
        };
        for &r in &self.titles {
            begin(w);
            self.push_group(&mut w.out, r);
            w.end_leaf();
        }
        for (n, &r) in self.body.iter().enumerate() {
            if n > 0 && self.is_header_row(r) && n + 1 < self.body.len() {
                names = self.record_names(&[r], budget);
                continue;
            }
            begin(w);
            if self.is_group(r) {
                self.push_group(&mut w.out, r);
            } else {
                self.push_line(&mut w.out, r, &names, budget);
            }
            w.end_leaf();
        }
    }

    fn push_line(&self, out: &mut String, r: usize, names: &[String], budget: &mut usize) {
        let mut gap = "";
        for (n, (&column, name)) in self.columns.iter().zip(names).enumerate() {
            let text = self.place_text(r, column, budget);
            out.push_str(gap);
            if !name.is_empty() {
                out.push_str(name);
                out.push_str(": ");
            }
            // A header cell is the name of what stands beside it.
            let next = self.columns.get(n + 1).map(|&next| self.row(r)[next]);
            let names_next = name.is_empty()
                && self.is_header(self.row(r)[column])
                && !text.is_empty()
                && next.is_some_and(|next| !self.is_header(next));
            if names_next {
                out.push_str(unbold(text).trim_end_matches(':'));
                gap = ": ";
            } else {
                out.push_str(if text.is_empty() { EMPTY } else { text });
                gap = "; ";
            }
        }
    }

    /// Key and value: two columns without a header row, or one row of values under a header.
    pub(super) fn is_properties(&self) -> bool {
        (self.columns.len() <= 2 && self.width >= 2 && self.head.is_empty())
            || (!self.head.is_empty() && self.body.len() == 1)
    }

    pub(super) fn write_properties(
        &mut self,
        w: &mut Writer,
        budget: &mut usize,
    ) -> Vec<(String, String)> {
        self.write_titles(w);
        // Key and value, or the row of a group.
        let mut items: Vec<Result<(String, &str), usize>> = Vec::new();
        if self.head.is_empty() {
            let (key, value) = match self.columns[..] {
                [only] if only > 0 => (None, Some(only)),
                [only] => (Some(only), None),
                [key, value, ..] => (Some(key), Some(value)),
                [] => (None, None),
            };
            for &r in &self.body {
                let text = |column: Option<usize>| {
                    column.map_or("", |column| self.cell_text(self.row(r)[column]))
                };
                items.push(if self.is_group(r) {
                    Err(r)
                } else {
                    Ok((unbold(text(key)).to_string(), text(value)))
                });
            }
        } else {
            let names = self.names(&self.head, budget);
            for (name, &column) in names.into_iter().zip(&self.columns) {
                items.push(Ok((name, self.cell_text(self.row(self.body[0])[column]))));
            }
        }
        w.start_list(false, 1);
        let mut found = Vec::new();
        for item in items {
            let (key, value) = match item {
                Ok((key, value)) if key.is_empty() && value.is_empty() => continue,
                Ok(pair) => pair,
                Err(group) => {
                    w.push_item(Lead::None);
                    w.begin_block(Last::Paragraph);
                    let at = w.out.len();
                    self.push_group(&mut w.out, group);
                    w.escape_line_from(at);
                    w.pop_container();
                    continue;
                }
            };
            let key = key.trim_end().trim_end_matches(':');
            w.push_item(Lead::None);
            w.begin_block(Last::Paragraph);
            let at = w.out.len();
            if !key.is_empty() {
                push_key(&mut w.out, key);
                w.out.push_str(if value.is_empty() { "" } else { " " });
            }
            w.out.push_str(value);
            w.escape_line_from(at);
            w.pop_container();
            let plain_key = crate::escape::plain(key);
            if !plain_key.is_empty() {
                found.push((plain_key, crate::escape::plain(value)));
            }
        }
        w.end_list();
        found
    }

    /// The names of the shown columns on one line.
    fn record_names(&self, head: &[usize], budget: &mut usize) -> Vec<String> {
        let names = self.names(head, budget).into_iter();
        names
            .map(|name| {
                let name = name.replace("<br>", " ");
                name.trim_end_matches(':').to_string()
            })
            .collect()
    }
}

/// `**name:**`, or `name:` when something in it is bold already.
fn push_key(out: &mut String, name: &str) {
    let bold = if name.contains("**") { "" } else { "**" };
    out.push_str(bold);
    out.push_str(name.trim_end_matches(':'));
    out.push(':');
    out.push_str(bold);
}

/// Takes away a `**` around the whole text: header cells are bold by themselves.
pub(super) fn unbold(text: &str) -> &str {
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
