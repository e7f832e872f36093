//! The Markdown writer: one output string, the containers it is inside of, and the blocks written into them.
//!
//! Callers say what begins and ends (a list item, a quote, a paragraph); nothing is written before the first visible
//! text arrives. So an empty item, quote or heading leaves no trace, and a separator is only ever written between two
//! things that exist. Inline marks live in [`crate::inline`], escaping in [`crate::escape`].
//!
//! The writer knows Markdown, not Confluence.

mod cells;
mod containers;
mod verbatim;

use crate::inline::{LinkOut, Open, Wanted};
pub(crate) use verbatim::{longest_run, push_code_span};

/// Containers deeper than this are written at this level: deeper indentation carries nothing for a reader.
pub(crate) const MAX_DEPTH: usize = 10;

/// What a line break and a block boundary mean at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Ordinary blocks, one after another.
    Blocks,
    /// Everything on one line: inside a heading.
    Line,
    /// Everything in one table cell: blocks are joined with `<br>`.
    Cell,
}

/// What kind of block a container's latest child is; decides how the next one is separated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Last {
    Nothing,
    Paragraph,
    Other,
    /// A list with this marker: a list that follows must use another one, or the two would merge.
    List(char),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Alert {
    None,
    Note,
    Tip,
    Important,
    Warning,
    Caution,
}

impl Alert {
    fn tag(self) -> Option<&'static str> {
        Some(match self {
            Alert::None => return None,
            Alert::Note => "[!NOTE]",
            Alert::Tip => "[!TIP]",
            Alert::Important => "[!IMPORTANT]",
            Alert::Warning => "[!WARNING]",
            Alert::Caution => "[!CAUTION]",
        })
    }

    /// The word used where a quote cannot be written (inside a table cell).
    fn word(self) -> Option<&'static str> {
        Some(match self {
            Alert::None => return None,
            Alert::Note => "Note",
            Alert::Tip => "Tip",
            Alert::Important => "Important",
            Alert::Warning => "Warning",
            Alert::Caution => "Caution",
        })
    }
}

/// What stands between the list marker and the text of an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lead {
    None,
    Done,
    ToDo,
    Decision,
    OpenDecision,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Quote(Alert),
    /// An item of the list at this index of `lists`.
    Item(usize, Lead),
    /// An item that is open already: a list that stands directly inside a list continues it.
    Reopened,
}

#[derive(Clone, Copy, Debug)]
struct Container {
    kind: Kind,
    /// Number of an item among those of its list.
    number: u64,
    /// Length of the line prefix outside of this container.
    prefix_len: usize,
    /// Too deep: written at the level of the deepest real item.
    flat: bool,
    /// Spaces to put back into the prefix when a flat item ends.
    restore: usize,
    /// The deepest container around this one that is not flat, and how many those are.
    real: Option<usize>,
    depth: usize,
    last: Last,
}

#[derive(Clone, Copy, Debug)]
struct List {
    ordered: bool,
    /// Number of the item that comes next.
    next: u64,
    written: bool,
    marker: char,
    /// Container level (number of containers) the list stands at.
    level: usize,
    /// Where the text before the prefix and width of the latest item are kept, for lists directly inside lists.
    item_prefix: usize,
    item_width: usize,
}

/// State put aside while a table cell is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CellSave {
    mode: Mode,
    base: usize,
    opened: usize,
    floor: usize,
    lists: usize,
    list_floor: usize,
}

/// A paragraph put aside by [`Writer::begin_aside`].
#[derive(Debug)]
pub(crate) struct Aside {
    start: usize,
    leaf_open: bool,
    space: bool,
    breaks: u8,
    line_start: bool,
    in_link: bool,
    in_code: bool,
    wanted: Vec<Wanted>,
    repeated: [u32; 7],
    open: Vec<Open>,
    dirty: bool,
    cell_breaks: u32,
    save: Option<CellSave>,
}

pub(crate) struct Writer {
    pub(crate) out: String,
    pub(crate) mode: Mode,
    /// Offset in `out` where the present context (document or cell) begins.
    pub(crate) base: usize,
    pub(crate) leaf_open: bool,
    /// A space is due before the next text.
    pub(crate) space: bool,
    /// Line breaks due before the next text.
    pub(crate) breaks: u8,
    /// The next character stands first on its line, where block markers act.
    pub(crate) line_start: bool,
    /// `<br>`s and hard breaks written in the present cell.
    pub(crate) cell_breaks: u32,
    pub(crate) dirty: bool,
    pub(crate) wanted: Vec<Wanted>,
    /// How often each kind of mark is wanted beyond the once that is written.
    pub(crate) repeated: [u32; 7],
    pub(crate) open: Vec<Open>,
    pub(crate) links: Vec<LinkOut>,
    /// Inside a link whose text is being written.
    pub(crate) in_link: bool,
    pub(crate) in_code: bool,
    /// A code span is wanted that is not the one that is open.
    pub(crate) code_anew: bool,
    prefix: String,
    containers: Vec<Container>,
    opened: usize,
    /// Containers below this belong to the context around the present cell.
    floor: usize,
    lists: Vec<List>,
    list_floor: usize,
    root_last: Last,
    heading: u8,
    /// Where the text of the present heading begins, once it has begun.
    heading_start: Option<usize>,
}

impl Writer {
    pub(crate) fn new(capacity: usize) -> Self {
        Writer {
            out: String::with_capacity(capacity),
            mode: Mode::Blocks,
            base: 0,
            leaf_open: false,
            space: false,
            breaks: 0,
            line_start: true,
            cell_breaks: 0,
            dirty: false,
            wanted: Vec::new(),
            repeated: [0; 7],
            open: Vec::new(),
            links: Vec::new(),
            in_link: false,
            in_code: false,
            code_anew: false,
            prefix: String::new(),
            containers: Vec::new(),
            opened: 0,
            floor: 0,
            lists: Vec::new(),
            list_floor: 0,
            root_last: Last::Nothing,
            heading: 0,
            heading_start: None,
        }
    }

    /// Nothing has been written in this context yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.out.len() <= self.base
    }

    /// What was written so far of the present cell, or of the page outside of cells: the cells of a row stand one behind the
    /// other, and what one ends with is no neighbour of the next.
    pub(crate) fn written(&self) -> &str {
        self.out.get(self.base..).unwrap_or_default()
    }

    /// Whether any container is open: what is written now is not at the top level of the page.
    pub(crate) fn nested(&self) -> bool {
        !self.containers.is_empty() || self.mode != Mode::Blocks
    }

    /// Starts a block: separator, line prefix and the markers of the containers that begin with it.
    pub(crate) fn begin_block(&mut self, what: Last) {
        match self.mode {
            Mode::Line => {
                if self.heading != 0 && self.heading_start.is_none() {
                    self.open_heading();
                } else if !self.is_empty() {
                    self.space = true;
                }
            }
            Mode::Cell => self.begin_cell_block(),
            Mode::Blocks => self.begin_document_block(what),
        }
    }

    fn open_heading(&mut self) {
        self.mode = Mode::Blocks;
        self.begin_document_block(Last::Other);
        self.mode = Mode::Line;
        for _ in 0..self.heading {
            self.out.push('#');
        }
        self.out.push(' ');
        self.heading_start = Some(self.out.len());
        self.line_start = false;
    }

    /// A newline inside the present block, with the prefix of the containers around it.
    pub(crate) fn newline(&mut self) {
        self.out.push('\n');
        self.out.push_str(&self.prefix);
    }

    fn blank_newline(&mut self) {
        self.out.push('\n');
        let trimmed = self.prefix.trim_end().len();
        self.out.push_str(&self.prefix[..trimmed]);
    }

    /// Ends the present paragraph, heading text or cell block, if one is open.
    pub(crate) fn end_leaf(&mut self) {
        if self.leaf_open {
            if self.mode == Mode::Line {
                self.space = true;
                self.breaks = 0;
                return;
            }
            self.close_marks();
            self.leaf_open = false;
        }
        self.space = false;
        self.breaks = 0;
    }

    pub(crate) fn start_heading(&mut self, level: u8) {
        self.end_leaf();
        self.heading = level;
        self.heading_start = None;
        self.mode = Mode::Line;
    }

    /// Ends the heading; returns where its text stands in the output, or nothing for an empty heading.
    pub(crate) fn end_heading(&mut self) -> Option<usize> {
        if self.leaf_open {
            self.close_marks();
        }
        self.leaf_open = false;
        self.space = false;
        self.breaks = 0;
        self.mode = Mode::Blocks;
        self.heading = 0;
        let start = self.heading_start.take()?;
        // A run of `#` at the end would be read as a closing sequence.
        if self.out.ends_with('#') {
            let hashes = self.out.len() - self.out.trim_end_matches('#').len();
            let at = self.out.len() - hashes;
            if self.out[..at].ends_with(' ') || at == start {
                self.out.insert(at, '\\');
            }
        }
        Some(start)
    }
}

fn push_decision(out: &mut String, lead: Lead) {
    match lead {
        Lead::Decision => out.push_str("**Decision:** "),
        Lead::OpenDecision => out.push_str("**Open decision:** "),
        _ => {}
    }
}

pub(crate) fn push_number(out: &mut String, n: u64) {
    use std::fmt::Write as _;
    let _ = write!(out, "{n}");
}
