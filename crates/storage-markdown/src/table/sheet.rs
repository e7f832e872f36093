//! A table laid out: which cell stands where, which rows and columns say anything.

use super::{BLANK, Cell, Row, Table};

/// A table with its cells in their places.
pub(super) struct Sheet<'t> {
    pub(super) text: &'t str,
    pub(super) base: usize,
    pub(super) cells: &'t [Cell],
    /// Cell of each place, row by row; `BLANK` where there is none.
    pub(super) grid: &'t [u32],
    pub(super) width: usize,
    /// Rows (index into the grid) that are not empty.
    pub(super) rows: Vec<usize>,
    /// Columns that are not empty; empty when all are written.
    pub(super) columns: Vec<usize>,
    pub(super) header: bool,
    pub(super) heavy: bool,
    /// Some cell stands in more than one place.
    pub(super) merged: bool,
}

impl<'t> Sheet<'t> {
    pub(super) fn lay_out(
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

    pub(super) fn row(&self, r: usize) -> &[u32] {
        &self.grid[r * self.width..(r + 1) * self.width]
    }

    pub(super) fn cell_text(&self, c: u32) -> &'t str {
        if c == BLANK {
            return "";
        }
        let cell = self.cells[c as usize];
        &self.text[cell.start - self.base..cell.end - self.base]
    }

    pub(super) fn shown_columns(&self) -> Vec<usize> {
        if self.columns.is_empty() {
            (0..self.width).collect()
        } else {
            self.columns.clone()
        }
    }

    /// The text of a place; text of merged cells is repeated as long as the budget lasts.
    pub(super) fn place_text(&self, r: usize, column: usize, budget: &mut usize) -> &'t str {
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
