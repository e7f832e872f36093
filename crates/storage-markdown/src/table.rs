//! Tables: the only thing that is held back until its end is known.
//!
//! Cells are written one behind the other at the end of the output, in cell mode; at the end of the table they are
//! taken out again and laid out: as a GFM grid, as one item per row when the grid would be unreadable, as key and
//! value when they are page properties, or on one line when the table stands in a cell.

use crate::writer::{CellSave, Last, Mode, Writer};

/// Tables inside of more tables than this are unwrapped.
pub(crate) const MAX_NESTING: usize = 6;

#[derive(Clone, Copy, Debug)]
struct Cell {
    start: usize,
    end: usize,
    columns: u32,
    rows: u32,
    header: bool,
    /// Long, and of several blocks.
    heavy: bool,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    first: usize,
    header: bool,
}

/// A table being read.
#[derive(Debug)]
pub(crate) struct Table {
    start: usize,
    rows_from: usize,
    cells_from: usize,
    source_start: usize,
    in_head: bool,
    cell: Option<CellSave>,
    /// One column, or one cell: its contents are blocks of the page.
    pub(crate) layout: bool,
    simple: bool,
}

/// Limits and choices for laying out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_columns: usize,
    /// Inside a page properties macro.
    pub(crate) properties: bool,
}

/// All tables that are open, innermost last.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    open: Vec<Table>,
    rows: Vec<Row>,
    cells: Vec<Cell>,
    grid: Vec<u32>,
    /// Bytes of repeated cell text that may still be written; keeps the output in proportion to the page.
    budget: usize,
}

const BLANK: u32 = u32::MAX;

impl Tables {
    pub(crate) fn new(budget: usize) -> Self {
        Tables {
            budget,
            ..Tables::default()
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn top(&self) -> Option<&Table> {
        self.open.last()
    }

    pub(crate) fn layout_depth(&self) -> usize {
        self.open.iter().filter(|t| t.layout).count()
    }

    pub(crate) fn start(&mut self, w: &mut Writer, layout: bool, source_start: usize) {
        w.end_leaf();
        self.open.push(Table {
            start: w.out.len(),
            rows_from: self.rows.len(),
            cells_from: self.cells.len(),
            source_start,
            in_head: false,
            cell: None,
            layout,
            simple: true,
        });
    }

    pub(crate) fn head(&mut self, inside: bool) {
        if let Some(table) = self.open.last_mut() {
            table.in_head = inside;
        }
    }

    pub(crate) fn start_row(&mut self, w: &mut Writer) {
        let Some(table) = self.open.last() else {
            return w.end_leaf();
        };
        if table.layout {
            return w.end_leaf();
        }
        self.end_cell(w, 0, "");
        if let Some(table) = self.open.last() {
            self.rows.push(Row {
                first: self.cells.len(),
                header: table.in_head,
            });
        }
    }

    pub(crate) fn start_cell(&mut self, w: &mut Writer, header: bool, columns: u32, rows: u32) {
        let Some(table) = self.open.last() else {
            return w.end_leaf();
        };
        if table.layout {
            return w.end_leaf();
        }
        self.end_cell(w, 0, "");
        let Some(table) = self.open.last_mut() else {
            return;
        };
        if self.rows.len() == table.rows_from {
            self.rows.push(Row {
                first: self.cells.len(),
                header: table.in_head,
            });
        }
        table.simple &= columns == 1 && rows == 1;
        table.cell = Some(w.begin_cell());
        let at = w.out.len();
        self.cells.push(Cell {
            start: at,
            end: at,
            columns,
            rows,
            header,
            heavy: false,
        });
    }

    /// Ends the open cell; `empty` is what to write when nothing was.
    pub(crate) fn end_cell(&mut self, w: &mut Writer, max_chars: usize, empty: &str) {
        let Some(table) = self.open.last_mut() else {
            return w.end_leaf();
        };
        let Some(save) = table.cell.take() else {
            return w.end_leaf();
        };
        let breaks = w.cell_breaks;
        w.end_cell(save);
        let Some(cell) = self.cells.last_mut() else {
            return;
        };
        if w.out.len() == cell.start {
            w.push_raw(empty);
        }
        cell.end = w.out.len();
        let length = cell.end - cell.start;
        cell.heavy = max_chars > 0
            && breaks > 0
            && length > max_chars
            && w.out[cell.start..cell.end].chars().count() > max_chars;
    }

    /// Ends the table and writes it. Returns the pairs of a page properties table.
    pub(crate) fn end(
        &mut self,
        w: &mut Writer,
        rules: Rules,
        source_end: usize,
    ) -> Vec<(String, String)> {
        self.end_cell(w, 0, "");
        let Some(table) = self.open.pop() else {
            return Vec::new();
        };
        if table.layout {
            w.end_leaf();
            return Vec::new();
        }
        let rows: Vec<Row> = self.rows.drain(table.rows_from..).collect();
        let cells: Vec<Cell> = self.cells.drain(table.cells_from..).collect();
        let text = w.take_back(table.start);
        // Text between cells has no place in a grid; it comes first.
        if cells.iter().map(|c| c.end - c.start).sum::<usize>() < text.len() {
            write_stray(w, &cells, &text, table.start);
        }
        let source = source_end.saturating_sub(table.source_start);
        self.budget = self.budget.min(source * 4 + 65_536);
        let mut sheet = Sheet::lay_out(&table, &rows, &cells, &text, &mut self.grid);
        let mut pairs = Vec::new();
        if !sheet.rows.is_empty() {
            if w.mode != Mode::Blocks {
                sheet.write_line(w, &mut self.budget);
            } else if rules.properties && sheet.is_properties() {
                pairs = sheet.write_properties(w);
            } else if sheet.header
                && (sheet.width > rules.max_columns || (sheet.heavy && sheet.width > 1))
            {
                sheet.write_records(w, &mut self.budget);
            } else {
                sheet.write_grid(w, &mut self.budget);
            }
        }
        pairs
    }
}

/// A table with its cells in their places.
struct Sheet<'t> {
    text: &'t str,
    base: usize,
    cells: &'t [Cell],
    /// Cell of each place, row by row; `BLANK` where there is none.
    grid: &'t [u32],
    width: usize,
    /// Rows (index into the grid) that are not empty.
    rows: Vec<usize>,
    /// Columns that are not empty; empty when all are written.
    columns: Vec<usize>,
    header: bool,
    heavy: bool,
    /// Some cell stands in more than one place.
    merged: bool,
}

impl<'t> Sheet<'t> {
    fn lay_out(
        table: &Table,
        rows: &[Row],
        cells: &'t [Cell],
        text: &'t str,
        grid: &'t mut Vec<u32>,
    ) -> Sheet<'t> {
        grid.clear();
        let row_cells = |r: usize| {
            rows[r].first - table.cells_from
                ..rows
                    .get(r + 1)
                    .map_or(cells.len(), |n| n.first - table.cells_from)
        };
        let counts = || (0..rows.len()).map(|r| row_cells(r).len());
        let mut width = counts().max().unwrap_or(0);
        let regular = table.simple && counts().all(|n| n == width);
        if regular {
            grid.extend(0..cells.len() as u32);
        } else {
            // A span wider than anything else in the table says nothing about its width.
            let spanned = (0..rows.len()).map(|r| {
                row_cells(r)
                    .map(|c| {
                        if cells[c].columns > 64 {
                            1
                        } else {
                            cells[c].columns as usize
                        }
                    })
                    .sum()
            });
            width = width.max(spanned.max().unwrap_or(0));
            // Rowspans may push cells further out than any row's own sum.
            let limit = cells.len() * 8 + 4096;
            let mut placed = place(rows.len(), &row_cells, cells, width, limit, grid);
            if let Some(wider) = placed.filter(|&w| w > width) {
                width = wider;
                placed = place(rows.len(), &row_cells, cells, width, limit, grid);
            }
            if placed.is_none() {
                // Out of all proportion: spans are ignored and rows cut at a sane width.
                width = counts()
                    .max()
                    .unwrap_or(0)
                    .min((limit / rows.len().max(1)).max(1));
                grid.clear();
                for r in 0..rows.len() {
                    let range = row_cells(r);
                    let (first, n) = (range.start, range.len().min(width));
                    grid.extend(first as u32..(first + n) as u32);
                    grid.extend(std::iter::repeat_n(BLANK, width - n));
                    // What does not fit is kept in the last column's row of its own.
                    for extra in range.skip(n) {
                        grid.push(extra as u32);
                        grid.extend(std::iter::repeat_n(BLANK, width - 1));
                    }
                }
            }
        }
        let base = table.start;
        let full = |c: u32| c != BLANK && cells[c as usize].end > cells[c as usize].start;
        let height = grid.len().checked_div(width).unwrap_or(0);
        let mut used = vec![false; width];
        let mut kept = Vec::with_capacity(height);
        for r in 0..height {
            let row = &grid[r * width..(r + 1) * width];
            let mut any = false;
            for (column, &c) in row.iter().enumerate() {
                if full(c) {
                    used[column] = true;
                    any = true;
                }
            }
            if any {
                kept.push(r);
            }
        }
        let columns = if used.iter().all(|&u| u) {
            Vec::new()
        } else {
            (0..width).filter(|&c| used[c]).collect()
        };
        let first = kept
            .first()
            .map_or(&[][..], |&r| &grid[r * width..(r + 1) * width]);
        let same_layout = height == rows.len();
        let header = !first.is_empty()
            && (first
                .iter()
                .all(|&c| c == BLANK || cells[c as usize].header)
                || (same_layout && kept.first().is_some_and(|&r| rows[r].header)));
        // A lone row of header cells is data as well, but needs no blank header above it.
        let heavy = cells.iter().any(|c| c.heavy);
        Sheet {
            text,
            base,
            cells,
            grid,
            width,
            rows: kept,
            columns,
            header,
            heavy,
            merged: !table.simple,
        }
    }

    fn row(&self, r: usize) -> &[u32] {
        &self.grid[r * self.width..(r + 1) * self.width]
    }

    fn cell_text(&self, c: u32) -> &'t str {
        if c == BLANK {
            return "";
        }
        let cell = self.cells[c as usize];
        &self.text[cell.start - self.base..cell.end - self.base]
    }

    fn shown_columns(&self) -> Vec<usize> {
        if self.columns.is_empty() {
            (0..self.width).collect()
        } else {
            self.columns.clone()
        }
    }

    /// The text of a place; text of merged cells is repeated as long as the budget lasts.
    fn place_text(&self, r: usize, column: usize, budget: &mut usize) -> &'t str {
        let c = self.row(r)[column];
        let text = self.cell_text(c);
        if self.merged && c != BLANK && !text.is_empty() {
            let repeated = (column > 0 && self.row(r)[column - 1] == c)
                || (r > 0 && self.row(r - 1)[column] == c);
            if repeated {
                if *budget < text.len() {
                    return "";
                }
                *budget -= text.len();
            }
        }
        text
    }

    fn write_grid(&mut self, w: &mut Writer, budget: &mut usize) {
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
    fn write_records(&mut self, w: &mut Writer, budget: &mut usize) {
        let columns = self.shown_columns();
        let Some((&head, body)) = self.rows.split_first() else {
            return;
        };
        w.start_list(false, 1);
        for &r in body {
            w.push_item(crate::writer::Lead::None);
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
            w.push_item(crate::writer::Lead::None);
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
    fn write_line(&mut self, w: &mut Writer, budget: &mut usize) {
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
    fn is_properties(&self) -> bool {
        let columns = if self.columns.is_empty() {
            self.width
        } else {
            self.columns.len()
        };
        (columns <= 2 && self.width >= 2 && !self.header) || (self.header && self.rows.len() == 2)
    }

    fn write_properties(&mut self, w: &mut Writer) -> Vec<(String, String)> {
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
            w.push_item(crate::writer::Lead::None);
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

/// Writes what stands in a table but in none of its cells.
fn write_stray(w: &mut Writer, cells: &[Cell], text: &str, base: usize) {
    let mut at = base;
    let bounds = cells
        .iter()
        .map(|c| (c.start, c.end))
        .chain([(base + text.len(), 0)]);
    let mut stray = String::new();
    for (start, end) in bounds {
        stray.push_str(text.get(at - base..start - base).unwrap_or(""));
        at = end;
    }
    w.raw_block(&stray);
}

/// Places cells with spans. Returns the width that was needed, or nothing when it would be out of proportion.
fn place(
    height: usize,
    row_cells: &dyn Fn(usize) -> std::ops::Range<usize>,
    cells: &[Cell],
    width: usize,
    limit: usize,
    grid: &mut Vec<u32>,
) -> Option<usize> {
    grid.clear();
    if width.checked_mul(height)? > limit {
        return None;
    }
    grid.resize(width * height, BLANK);
    let mut needed = width;
    for r in 0..height {
        let mut column = 0;
        for c in row_cells(r) {
            while column < width && grid[r * width + column] != BLANK {
                column += 1;
            }
            let columns = (cells[c].columns as usize).clamp(1, width.max(1));
            if column + columns.min(if cells[c].columns > 64 { 1 } else { columns }) > width {
                needed = needed
                    .max(column + 1)
                    .max((column + columns).min(column + 64));
            }
            let rows = if cells[c].rows == 0 {
                height - r
            } else {
                (cells[c].rows as usize).min(height - r)
            };
            for y in r..r + rows.max(1) {
                for x in column..(column + columns).min(width) {
                    if grid[y * width + x] == BLANK {
                        grid[y * width + x] = c as u32;
                    }
                }
            }
            column += columns;
        }
    }
    (needed * height <= limit).then_some(needed)
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
