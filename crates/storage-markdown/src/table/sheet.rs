//! A table laid out: which cell stands where, which rows and columns say anything.

use super::write::unbold;
use super::{BLANK, COLOURS, Cell, Row, Table};

/// A table with its cells in their places.
pub(super) struct Sheet<'t> {
    pub(super) text: &'t str,
    pub(super) base: usize,
    pub(super) cells: &'t [Cell],
    /// Cell of each place, row by row; `BLANK` where there is none.
    grid: &'t mut [u32],
    pub(super) width: usize,
    /// Rows (index into the grid) of one cell, before the header: what the table is about.
    pub(super) titles: Vec<usize>,
    /// Rows of header cells, which together name the columns.
    pub(super) head: Vec<usize>,
    /// The other rows that are not empty.
    pub(super) body: Vec<usize>,
    /// Columns with anything in them, a header that nothing stands under included; one at least when there are rows.
    pub(super) columns: Vec<usize>,
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
        let height = grid.len().checked_div(width).unwrap_or(0);
        let mut sheet = Sheet {
            text,
            base,
            cells,
            grid,
            width,
            titles: Vec::new(),
            head: Vec::new(),
            body: Vec::new(),
            columns: Vec::new(),
            heavy: cells.iter().any(|c| c.heavy),
            merged: !table.simple,
        };
        let full = |&r: &usize| sheet.row(r).iter().any(|&c| !sheet.words(c).is_empty());
        let kept: Vec<usize> = (0..height).filter(full).collect();
        sheet.columns = sheet.used_columns(&kept);
        // Rows that were cut to a sane width stand elsewhere than in the source.
        let in_head = |r: usize| height == rows.len() && rows[r].header;
        sheet.divide(&kept, &in_head);
        sheet
    }

    /// Columns with a word in them, or a colour that stands for one. What spans all columns fills none of them.
    fn used_columns(&self, kept: &[usize]) -> Vec<usize> {
        let spans_all = |row: &[u32]| self.merged && row.iter().all(|c| *c == row[0]);
        let mut used = vec![false; self.width];
        for row in kept.iter().map(|&r| self.row(r)) {
            if !spans_all(row) {
                for (used, &c) in used.iter_mut().zip(row) {
                    *used = *used || !self.cell_text(c).is_empty();
                }
            }
        }
        let columns: Vec<usize> = (0..self.width).filter(|&c| used[c]).collect();
        if columns.is_empty() && !kept.is_empty() {
            return vec![0];
        }
        columns
    }

    /// Tells titles, header rows and the others apart.
    fn divide(&mut self, kept: &[usize], in_head: &dyn Fn(usize) -> bool) {
        let titles = kept.iter().take_while(|&&r| self.is_group(r)).count();
        let rest = &kept[titles..];
        let mut head = rest
            .iter()
            .take_while(|&&r| !self.is_group(r) && (in_head(r) || self.names_columns(r)))
            .count();
        if head == rest.len() {
            // All of them: the first is the header of the others.
            head = head.min(1);
        } else if head > 0 && head + 1 < rest.len() && self.is_divided(rest[head - 1], rest[head]) {
            head += 1;
        }
        // Without a header under them only header cells are titles.
        let titles = if head > 0 {
            titles
        } else {
            let first = |r: usize| self.is_header(self.row(r)[self.columns[0]]);
            kept[..titles].iter().take_while(|&&r| first(r)).count()
        };
        self.titles = kept[..titles].to_vec();
        let rest = &kept[titles..];
        self.head = rest[..head].to_vec();
        self.body = rest[head..].to_vec();
        if let (Some(&last), true) = (self.head.last(), self.merged) {
            self.end_headers_at(last);
        }
    }

    /// A header that reaches down into the other rows is no value of theirs.
    fn end_headers_at(&mut self, last: usize) {
        for column in 0..self.width {
            let c = self.row(last)[column];
            for r in last + 1..self.grid.len() / self.width {
                let at = r * self.width + column;
                if !self.is_header(c) || self.grid[at] != c {
                    break;
                }
                self.grid[at] = BLANK;
            }
        }
    }

    /// Whether a row consists of header cells; the corner above a header column may be an empty cell of any kind.
    fn names_columns(&self, r: usize) -> bool {
        let row = self.row(r);
        let names = |(n, &column): (usize, &usize)| {
            let c = row[column];
            c == BLANK || self.is_header(c) || (n == 0 && self.words(c).is_empty())
        };
        self.columns.iter().enumerate().all(names)
            && self
                .columns
                .iter()
                .any(|&column| self.is_header(row[column]))
    }

    /// Whether the row under a header row divides what that row names: some header reaches down beside it, and another
    /// spans several columns.
    fn is_divided(&self, head: usize, under: usize) -> bool {
        let pairs = || {
            self.columns
                .iter()
                .map(|&column| (self.row(head)[column], self.row(under)[column]))
        };
        self.merged
            && under == head + 1
            && pairs().any(|(above, below)| above == below && self.is_header(above))
            && pairs().any(|(above, below)| {
                above != below && above != BLANK && self.cells[above as usize].columns > 1
            })
    }

    /// Whether a row between the others names the columns anew.
    pub(super) fn is_header_row(&self, r: usize) -> bool {
        let row = self.row(r);
        self.columns.len() > 1
            && !self.is_group(r)
            && self
                .columns
                .iter()
                .all(|&column| self.is_header(row[column]))
    }

    /// Whether one cell is the whole row, or all of it but for one empty place of several.
    pub(super) fn is_group(&self, r: usize) -> bool {
        let row = self.row(r);
        let Some((&first, rest)) = self.columns.split_first().filter(|_| self.merged) else {
            return false;
        };
        let c = row[first];
        let beyond = rest.iter().filter(|&&column| row[column] != c);
        let spare = usize::from(rest.len() > 2);
        c != BLANK
            && !rest.is_empty()
            && beyond.clone().count() <= spare
            && beyond
                .clone()
                .all(|&column| self.words(row[column]).is_empty())
    }

    pub(super) fn is_header(&self, c: u32) -> bool {
        c != BLANK && self.cells[c as usize].header
    }

    /// Whether any cell has several lines.
    pub(super) fn has_breaks(&self) -> bool {
        self.cells
            .iter()
            .any(|c| self.text[c.start - self.base..c.end - self.base].contains("<br>"))
    }

    /// Whether the names of all columns can be repeated in every row.
    pub(super) fn names_fit(&self, budget: usize) -> bool {
        let head = self.head.iter().flat_map(|&r| self.row(r));
        let length: usize = head.map(|&c| self.words(c).len()).sum();
        length.saturating_mul(self.body.len()) <= budget
    }

    /// The names of the shown columns: what stands above them in the header rows, from top to bottom.
    pub(super) fn names(&self, head: &[usize], budget: &mut usize) -> Vec<String> {
        let name = |&column: &usize| {
            let mut name = String::new();
            let mut above: Option<u32> = None;
            let mut last = "";
            for &r in head {
                let c = self.row(r)[column];
                let reaches_down = above.replace(c) == Some(c);
                if reaches_down || self.words(c).is_empty() {
                    continue;
                }
                let text = unbold(self.place_text(r, column, budget));
                if text == last {
                    continue;
                }
                if !name.is_empty() {
                    name.push(' ');
                }
                name.push_str(text);
                last = text;
            }
            name
        };
        self.columns.iter().map(name).collect()
    }

    pub(super) fn row(&self, r: usize) -> &[u32] {
        &self.grid[r * self.width..(r + 1) * self.width]
    }

    /// What was written in a cell.
    fn words(&self, c: u32) -> &'t str {
        if c == BLANK {
            return "";
        }
        let cell = self.cells[c as usize];
        // Elements out of order may have taken back what a cell wrote.
        let (start, end) = (
            cell.start.saturating_sub(self.base),
            cell.end.saturating_sub(self.base),
        );
        self.text.get(start..end).unwrap_or_default()
    }

    /// What a cell says: its words, or the colour of a cell without any.
    pub(super) fn cell_text(&self, c: u32) -> &'t str {
        match self.words(c) {
            "" if c != BLANK => COLOURS[usize::from(self.cells[c as usize].colour)],
            words => words,
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
