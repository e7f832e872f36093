//! Tables: the only thing that is held back until its end is known.
//!
//! Cells are written one behind the other at the end of the output, in cell mode; at the end of the table they are
//! taken out again and laid out: as a GFM grid, as one item per row when the grid would be unreadable, as key and
//! value when they are page properties, or on one line when the table stands in a cell.

mod colour;
mod sheet;
mod write;

use crate::writer::{CellSave, Mode, Writer};
use colour::COLOURS;
pub(crate) use colour::colour_of;
use sheet::Sheet;

/// Tables inside of more tables than this are unwrapped.
pub(crate) const MAX_NESTING: usize = 6;

/// What the tags of a cell say about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CellKind {
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) header: bool,
    /// Colour to write when it has no words: what [`colour_of`] gives, or 0.
    pub(crate) colour: u8,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    start: usize,
    end: usize,
    columns: u32,
    rows: u32,
    header: bool,
    colour: u8,
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
    /// How many were open when each open footnote or caption began: rows and cells in it are none of theirs.
    fences: Vec<usize>,
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
        if w.leaf_open {
            // In a heading marks outlive a block, and closing one may take back what stands before the table.
            w.close_marks();
        }
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

    /// What is written from here on (a footnote, a caption) may be taken out of the output again: it can hold no cell of the
    /// tables that are open.
    pub(crate) fn begin_aside(&mut self) {
        self.fences.push(self.open.len());
    }

    pub(crate) fn end_aside(&mut self) {
        self.fences.pop();
    }

    /// The table that rows and cells belong to here.
    fn current(&mut self) -> Option<&mut Table> {
        let fence = self.fences.last().copied().unwrap_or(0);
        self.open.get_mut(fence..)?.last_mut()
    }

    pub(crate) fn head(&mut self, inside: bool) {
        if let Some(table) = self.current() {
            table.in_head = inside;
        }
    }

    pub(crate) fn start_row(&mut self, w: &mut Writer) {
        let Some(table) = self.current() else {
            return w.end_leaf();
        };
        if table.layout {
            return w.end_leaf();
        }
        self.end_cell(w, 0);
        let first = self.cells.len();
        if let Some(table) = self.current() {
            let header = table.in_head;
            self.rows.push(Row { first, header });
        }
    }

    pub(crate) fn start_cell(&mut self, w: &mut Writer, kind: CellKind) {
        let Some(table) = self.current() else {
            return w.end_leaf();
        };
        if table.layout {
            return w.end_leaf();
        }
        self.end_cell(w, 0);
        let Some(table) = self.open.last_mut() else {
            return;
        };
        if self.rows.len() == table.rows_from {
            self.rows.push(Row {
                first: self.cells.len(),
                header: table.in_head,
            });
        }
        table.simple &= kind.columns == 1 && kind.rows == 1;
        table.cell = Some(w.begin_cell());
        let at = w.out.len();
        self.cells.push(Cell {
            start: at,
            end: at,
            columns: kind.columns,
            rows: kind.rows,
            header: kind.header,
            colour: kind.colour,
            heavy: false,
        });
    }

    /// Ends the open cell.
    pub(crate) fn end_cell(&mut self, w: &mut Writer, max_chars: usize) {
        let Some(table) = self.current() else {
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
        cell.end = w.out.len();
        let length = cell.end - cell.start;
        cell.heavy = max_chars > 0
            && breaks > 0
            && length > max_chars
            && crate::open_links::with_nothing_told(&w.out[cell.start..cell.end])
                .chars()
                .count()
                > max_chars;
    }

    /// Ends the table and writes it. Returns the pairs of a page properties table.
    pub(crate) fn end(
        &mut self,
        w: &mut Writer,
        rules: Rules,
        source_end: usize,
    ) -> Vec<(String, String)> {
        self.end_cell(w, 0);
        let Some(table) = self.open.pop() else {
            return Vec::new();
        };
        if table.layout {
            w.end_leaf();
            return Vec::new();
        }
        let rows = &self.rows[table.rows_from..];
        let cells = &self.cells[table.cells_from..];
        let text = w.take_back(table.start);
        // Text between cells has no place in a grid; it comes first.
        if cells.iter().map(|c| c.end - c.start).sum::<usize>() < text.len() {
            write_stray(w, cells, &text, table.start);
        }
        let source = source_end.saturating_sub(table.source_start);
        self.budget = self.budget.min(source * 4 + 65_536);
        let mut sheet = Sheet::lay_out(&table, rows, cells, &text, &mut self.grid);
        let mut pairs = Vec::new();
        if !sheet.columns.is_empty() {
            let width = sheet.columns.len();
            if w.mode != Mode::Blocks {
                sheet.write_line(w, &mut self.budget);
            } else if rules.properties && sheet.is_properties() {
                pairs = sheet.write_properties(w, &mut self.budget);
            } else if !sheet.head.is_empty()
                && (width > rules.max_columns || (sheet.heavy && width > 1))
                && sheet.names_fit(self.budget)
            {
                sheet.write_records(w, &mut self.budget);
            } else {
                sheet.write_grid(w, &mut self.budget);
            }
        }
        self.rows.truncate(table.rows_from);
        self.cells.truncate(table.cells_from);
        pairs
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
