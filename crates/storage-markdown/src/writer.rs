//! The Markdown writer: one output string, the containers it is inside of, and the blocks written into them.
//!
//! Callers say what begins and ends (a list item, a quote, a paragraph); nothing is written before the first visible
//! text arrives. So an empty item, quote or heading leaves no trace, and a separator is only ever written between two
//! things that exist. Inline marks live in [`crate::inline`], escaping in [`crate::escape`].
//!
//! The writer knows Markdown, not Confluence.

use crate::inline::{LOCAL_ANCHOR, LOCAL_OPEN, LinkOut, Open, Wanted};

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

    // ---- containers -------------------------------------------------------------------------------------------

    pub(crate) fn push_quote(&mut self, alert: Alert) {
        self.end_leaf();
        self.push(Kind::Quote(alert));
    }

    pub(crate) fn push_item(&mut self, lead: Lead) {
        self.end_leaf();
        if self.lists.len() <= self.list_floor {
            // An item without a list (broken input): a bullet list of its own.
            self.start_list(false, 1);
        }
        self.push(Kind::Item(self.lists.len() - 1, lead));
    }

    fn push(&mut self, kind: Kind) {
        self.containers.push(Container {
            kind,
            prefix_len: self.prefix.len(),
            flat: false,
            restore: 0,
            real: None,
            depth: 0,
            last: Last::Nothing,
        });
    }

    /// Ends the innermost quote or item.
    pub(crate) fn pop_container(&mut self) {
        self.end_leaf();
        if self.containers.len() <= self.floor {
            return;
        }
        let Some(c) = self.containers.pop() else {
            return;
        };
        if self.opened > self.containers.len() {
            self.opened = self.containers.len();
            if self.mode == Mode::Blocks {
                self.prefix.truncate(c.prefix_len);
                self.push_spaces(c.restore);
            }
        }
    }

    pub(crate) fn start_list(&mut self, ordered: bool, start: u64) {
        self.end_leaf();
        self.lists.push(List {
            ordered,
            next: start,
            written: false,
            marker: '-',
            level: self.containers.len(),
            item_prefix: 0,
            item_width: 0,
        });
    }

    /// A list directly inside a list belongs to the item before it. Returns whether there was one, in which case
    /// [`Writer::pop_container`] must follow at the end of the inner list.
    pub(crate) fn reopen_item(&mut self) -> bool {
        self.end_leaf();
        let Some(list) = self.lists.last().copied() else {
            return false;
        };
        let here = self.lists.len() > self.list_floor && list.level == self.containers.len();
        if !here
            || !list.written
            || self.opened != self.containers.len()
            || self.mode != Mode::Blocks
        {
            return false;
        }
        if self.depth() >= MAX_DEPTH {
            return false;
        }
        let prefix_len = self.prefix.len();
        if prefix_len != list.item_prefix {
            return false;
        }
        let (real, depth) = (self.real(), self.depth());
        self.containers.push(Container {
            kind: Kind::Reopened,
            prefix_len,
            flat: false,
            restore: 0,
            real,
            depth,
            last: Last::Paragraph,
        });
        self.push_spaces(list.item_width);
        self.opened = self.containers.len();
        true
    }

    pub(crate) fn end_list(&mut self) {
        self.end_leaf();
        if self.lists.len() > self.list_floor {
            self.lists.pop();
        }
    }

    /// How many containers deep the output is.
    fn depth(&self) -> usize {
        self.opened
            .checked_sub(1)
            .map_or(0, |n| self.containers[n].depth)
    }

    /// The innermost open container that is written as one.
    fn real(&self) -> Option<usize> {
        let n = self.opened.checked_sub(1)?;
        if self.containers[n].flat {
            self.containers[n].real
        } else {
            Some(n)
        }
    }

    fn push_spaces(&mut self, n: usize) {
        for _ in 0..n {
            self.prefix.push(' ');
        }
    }

    // ---- blocks -----------------------------------------------------------------------------------------------

    /// Nothing has been written in this context yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.out.len() <= self.base
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

    fn begin_cell_block(&mut self) {
        if !self.is_empty() {
            self.out.push_str("<br>");
            self.cell_breaks += 1;
        }
        self.line_start = false;
        while self.opened < self.containers.len() {
            let kind = self.containers[self.opened].kind;
            self.opened += 1;
            match kind {
                Kind::Item(list, lead) => {
                    let depth = (list + 1).saturating_sub(self.list_floor).min(MAX_DEPTH);
                    if self.opened == self.containers.len() {
                        for _ in 1..depth {
                            self.out.push_str("  ");
                        }
                        let list = &mut self.lists[list];
                        match lead {
                            Lead::Done => self.out.push_str("☑ "),
                            Lead::ToDo => self.out.push_str("☐ "),
                            _ if list.ordered => {
                                push_number(&mut self.out, list.next);
                                self.out.push_str(". ");
                                list.next = list.next.saturating_add(1);
                            }
                            _ => self.out.push_str("• "),
                        }
                        push_decision(&mut self.out, lead);
                    }
                }
                Kind::Quote(alert) => {
                    if let Some(word) = alert.word() {
                        self.out.push_str("**");
                        self.out.push_str(word);
                        self.out.push_str(":** ");
                    }
                }
                Kind::Reopened => {}
            }
        }
    }

    fn begin_document_block(&mut self, what: Last) {
        let first_new = self.opened;
        let total = self.containers.len();
        // A list that follows a list at the same level takes another marker.
        if first_new < total {
            self.choose_marker(first_new);
        }
        if !self.out.is_empty() {
            self.out.push('\n');
            let tight = first_new < total && self.is_tight(first_new);
            if !tight {
                let trimmed = self.prefix.trim_end().len();
                self.out.push_str(&self.prefix[..trimmed]);
                self.out.push('\n');
            }
        }
        let mut wrote_flat = false;
        let mut prefix_written = false;
        for index in first_new..total {
            let Container { kind, .. } = self.containers[index];
            self.set_last(
                index,
                if let Kind::Item(list, _) = kind {
                    Last::List(self.lists[list].marker)
                } else {
                    Last::Other
                },
            );
            let (real, depth) = (self.real(), self.depth());
            self.opened = index + 1;
            self.containers[index].real = real;
            self.containers[index].depth = depth;
            self.containers[index].prefix_len = self.prefix.len();
            match kind {
                Kind::Quote(alert) => {
                    if depth >= MAX_DEPTH {
                        self.containers[index].flat = true;
                        continue;
                    }
                    if !prefix_written {
                        self.out.push_str(&self.prefix);
                        prefix_written = true;
                    }
                    self.containers[index].depth = depth + 1;
                    self.prefix.push_str("> ");
                    self.out.push_str("> ");
                    if let Some(tag) = alert.tag() {
                        self.out.push_str(tag);
                        self.out.push('\n');
                        self.out.push_str(&self.prefix);
                    }
                }
                Kind::Item(list, Lead::None)
                    if !self.lists[list].ordered && self.holds_task(index) =>
                {
                    // `- - [ ] x` says no more than `- [ ] x`.
                    self.lists[list].written = true;
                }
                Kind::Item(list, lead) => {
                    let flat_base = real.map(|n| &self.containers[n]).and_then(|c| {
                        (depth >= MAX_DEPTH && matches!(c.kind, Kind::Item(..)))
                            .then_some(c.prefix_len)
                    });
                    if let Some(base) = flat_base {
                        self.containers[index].restore = self.prefix.len() - base;
                        self.containers[index].prefix_len = base;
                        self.containers[index].flat = true;
                        if wrote_flat {
                            self.lists[list].written = true;
                            continue;
                        }
                        wrote_flat = true;
                        self.prefix.truncate(base);
                        if prefix_written {
                            self.out.push('\n');
                        }
                    } else {
                        self.containers[index].depth = depth + 1;
                    }
                    if !prefix_written || flat_base.is_some() {
                        self.out.push_str(&self.prefix);
                        prefix_written = true;
                    }
                    let state = &mut self.lists[list];
                    state.written = true;
                    state.item_prefix = self.prefix.len();
                    let before = self.out.len();
                    if state.ordered {
                        push_number(&mut self.out, state.next.min(999_999_999));
                        state.next = state.next.saturating_add(1);
                        self.out.push(state.marker);
                    } else {
                        self.out.push(state.marker);
                    }
                    self.out.push(' ');
                    let width = self.out.len() - before;
                    state.item_width = width;
                    self.push_spaces(width);
                    match lead {
                        Lead::Done => self.out.push_str("[x] "),
                        Lead::ToDo => self.out.push_str("[ ] "),
                        _ => push_decision(&mut self.out, lead),
                    }
                }
                Kind::Reopened => {}
            }
        }
        if !prefix_written {
            self.out.push_str(&self.prefix);
        }
        self.set_last(total, what);
        self.line_start = true;
    }

    fn holds_task(&self, index: usize) -> bool {
        self.containers
            .get(index + 1)
            .is_some_and(|c| matches!(c.kind, Kind::Item(_, Lead::Done | Lead::ToDo)))
    }

    fn set_last(&mut self, level: usize, last: Last) {
        if level == 0 {
            self.root_last = last;
        } else {
            self.containers[level - 1].last = last;
        }
    }

    fn last_at(&self, level: usize) -> Last {
        if level == 0 {
            self.root_last
        } else {
            self.containers[level - 1].last
        }
    }

    fn choose_marker(&mut self, level: usize) {
        let Kind::Item(list, _) = self.containers[level].kind else {
            return;
        };
        let last = self.last_at(level);
        for index in level..self.containers.len() {
            if let Kind::Item(l, _) = self.containers[index].kind {
                if !self.lists[l].written {
                    self.lists[l].marker = if self.lists[l].ordered { '.' } else { '-' };
                }
            }
        }
        let state = &mut self.lists[list];
        if state.written {
            return;
        }
        state.marker = match (state.ordered, last) {
            (false, Last::List('-')) => '*',
            (true, Last::List('.')) => ')',
            (false, _) => '-',
            (true, _) => '.',
        };
    }

    fn is_tight(&self, level: usize) -> bool {
        let Kind::Item(list, _) = self.containers[level].kind else {
            return false;
        };
        let list = &self.lists[list];
        if list.written {
            return true;
        }
        // The first item of a list inside an item follows its paragraph closely. Only a list that starts at 1 may
        // interrupt a paragraph.
        let in_item = level > 0
            && matches!(
                self.containers[level - 1].kind,
                Kind::Item(..) | Kind::Reopened
            );
        in_item && self.last_at(level) == Last::Paragraph && (!list.ordered || list.next == 1)
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

    pub(crate) fn rule(&mut self) {
        self.end_leaf();
        if self.mode != Mode::Blocks {
            return;
        }
        self.begin_block(Last::Other);
        // `- ---` would be a rule itself.
        self.out.push_str(if self.containers.is_empty() {
            "---"
        } else {
            "___"
        });
    }

    /// A fenced block; `info` is the language and what else stands after the fence.
    pub(crate) fn code_block(&mut self, info: &str, body: &str) {
        if body.trim().is_empty() {
            return;
        }
        let body = &*legal(body);
        self.end_leaf();
        match self.mode {
            Mode::Blocks => {
                self.begin_block(Last::Other);
                let fence = longest_run(body, b'`').max(2) + 1;
                push_repeated(&mut self.out, '`', fence);
                self.out.push_str(info);
                self.write_lines(body);
                self.newline();
                push_repeated(&mut self.out, '`', fence);
            }
            Mode::Cell | Mode::Line => {
                let joint = self.mode == Mode::Cell;
                for line in body
                    .lines()
                    .map(str::trim_end)
                    .filter(|l| !l.trim().is_empty())
                {
                    if joint {
                        self.begin_block(Last::Other);
                    } else {
                        self.ready(' ');
                    }
                    push_code_span(&mut self.out, line.trim_start());
                    self.space = !joint;
                }
            }
        }
    }

    /// Writes a newline and `text`, each line with the prefix.
    fn write_lines(&mut self, text: &str) {
        if self.prefix.is_empty() && memchr::memchr(b'\r', text.as_bytes()).is_none() {
            self.out.push('\n');
            self.out.push_str(text);
            return;
        }
        for line in text.split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            for part in line.split('\r') {
                if part.is_empty() {
                    self.blank_newline();
                } else {
                    self.newline();
                    self.out.push_str(part);
                }
            }
        }
    }

    /// Markdown that is finished already (a Markdown macro, a rendered fragment), as a block of its own.
    pub(crate) fn raw_block(&mut self, markdown: &str) {
        let markdown = markdown.trim_matches(['\n', '\r']).trim_end();
        if markdown.trim().is_empty() {
            return;
        }
        let markdown = &*legal(markdown);
        self.end_leaf();
        self.begin_block(Last::Other);
        match self.mode {
            Mode::Blocks => {
                let mut first = true;
                for line in markdown.split('\n') {
                    let line = line.strip_suffix('\r').unwrap_or(line);
                    if !first {
                        if line.is_empty() {
                            self.blank_newline()
                        } else {
                            self.newline()
                        }
                    }
                    first = false;
                    self.out.push_str(line);
                }
            }
            Mode::Cell | Mode::Line => {
                let joint = if self.mode == Mode::Cell { "<br>" } else { " " };
                self.ready(' ');
                let mut first = true;
                for line in markdown.lines().map(str::trim).filter(|l| !l.is_empty()) {
                    if !first {
                        self.out.push_str(joint);
                    }
                    first = false;
                    self.out.push_str(line);
                }
                self.cell_breaks += 1;
                self.end_leaf();
            }
        }
    }

    // ---- tables -----------------------------------------------------------------------------------------------

    pub(crate) fn begin_cell(&mut self) -> CellSave {
        if self.leaf_open {
            // In a heading marks outlive a block; not this one.
            self.close_marks();
        }
        self.end_leaf();
        let save = CellSave {
            mode: self.mode,
            base: self.base,
            opened: self.opened,
            floor: self.floor,
            lists: self.lists.len(),
            list_floor: self.list_floor,
        };
        self.mode = Mode::Cell;
        self.base = self.out.len();
        self.opened = self.containers.len();
        self.floor = self.containers.len();
        self.list_floor = self.lists.len();
        self.leaf_open = false;
        self.cell_breaks = 0;
        save
    }

    pub(crate) fn end_cell(&mut self, save: CellSave) {
        self.mode = Mode::Cell;
        self.end_leaf();
        self.containers.truncate(self.floor);
        self.lists.truncate(save.lists);
        self.mode = save.mode;
        self.base = save.base;
        self.opened = save.opened.min(self.containers.len());
        self.floor = save.floor;
        self.list_floor = save.list_floor;
        self.leaf_open = false;
    }

    /// Takes back everything written from `at` on.
    pub(crate) fn take_back(&mut self, at: usize) -> String {
        self.close_marks();
        self.leaf_open = false;
        if self.heading_start.is_some_and(|start| start > at) {
            self.heading_start = None;
        }
        self.out.split_off(at.min(self.out.len()))
    }

    /// Puts the present paragraph aside, to write something (a footnote) that goes elsewhere.
    pub(crate) fn begin_aside(&mut self) -> Aside {
        let aside = Aside {
            start: self.out.len(),
            leaf_open: std::mem::take(&mut self.leaf_open),
            space: std::mem::take(&mut self.space),
            breaks: std::mem::take(&mut self.breaks),
            line_start: self.line_start,
            in_link: std::mem::take(&mut self.in_link),
            in_code: std::mem::take(&mut self.in_code),
            wanted: std::mem::take(&mut self.wanted),
            repeated: std::mem::take(&mut self.repeated),
            open: std::mem::take(&mut self.open),
            dirty: std::mem::take(&mut self.dirty),
            cell_breaks: self.cell_breaks,
            save: None,
        };
        let save = self.begin_cell();
        Aside {
            save: Some(save),
            ..aside
        }
    }

    /// Takes out what was written since [`Writer::begin_aside`].
    pub(crate) fn end_aside(&mut self, aside: Aside) -> String {
        if let Some(save) = aside.save {
            self.end_cell(save);
        }
        let text = self.out.split_off(aside.start.min(self.out.len()));
        self.leaf_open = aside.leaf_open;
        self.space = aside.space;
        self.breaks = aside.breaks;
        self.line_start = aside.line_start;
        self.in_link = aside.in_link;
        self.in_code = aside.in_code;
        self.wanted = aside.wanted;
        self.repeated = aside.repeated;
        self.open = aside.open;
        self.dirty = aside.dirty;
        self.cell_breaks = aside.cell_breaks;
        text
    }

    /// Writes `text` as the start of a block's line; used for table rows, which bring their own markup.
    pub(crate) fn push_raw(&mut self, text: &str) {
        self.out.push_str(text);
    }
}

/// Text without the two control characters that mark unsettled links; no page can hold them legally.
fn legal(text: &str) -> std::borrow::Cow<'_, str> {
    if memchr::memchr2(1, 2, text.as_bytes()).is_none() {
        return std::borrow::Cow::Borrowed(text);
    }
    std::borrow::Cow::Owned(text.replace([LOCAL_OPEN, LOCAL_ANCHOR], ""))
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

pub(crate) fn push_repeated(out: &mut String, c: char, n: usize) {
    for _ in 0..n {
        out.push(c);
    }
}

/// Length of the longest run of `byte` in `text`.
pub(crate) fn longest_run(text: &str, byte: u8) -> usize {
    let bytes = text.as_bytes();
    let (mut longest, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(byte, &bytes[at..]) {
        let start = at + found;
        let end = bytes[start..]
            .iter()
            .position(|&b| b != byte)
            .map_or(bytes.len(), |n| start + n);
        longest = longest.max(end - start);
        at = end;
    }
    longest
}

/// Writes a code span whose fence is longer than any run of backticks inside.
pub(crate) fn push_code_span(out: &mut String, code: &str) {
    let run = longest_run(code, b'`');
    push_repeated(out, '`', run + 1);
    let pad = code.starts_with('`')
        || code.ends_with('`')
        || (code.starts_with(' ') && code.ends_with(' ') && !code.trim().is_empty());
    if pad {
        out.push(' ');
    }
    out.push_str(code);
    if pad {
        out.push(' ');
    }
    push_repeated(out, '`', run + 1);
}
