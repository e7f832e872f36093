//! Writing into table cells, and putting a paragraph aside for a footnote.

use super::{
    Aside, CellSave, Container, Kind, Lead, MAX_DEPTH, Mode, Writer, push_decision, push_number,
};

impl Writer {
    pub(super) fn begin_cell_block(&mut self) {
        if !self.is_empty() {
            self.out.push_str("<br>");
            self.cell_breaks += 1;
        }
        self.line_start = false;
        let mut first = true;
        while self.opened < self.containers.len() {
            let Container { kind, number, .. } = self.containers[self.opened];
            self.opened += 1;
            match kind {
                Kind::Item(list, lead) => {
                    // Of items that begin with one another the last has its marker, and each its number.
                    let ordered = self.lists[list].ordered && lead == Lead::None;
                    if !ordered && self.opened < self.containers.len() {
                        continue;
                    }
                    if std::mem::take(&mut first) {
                        let depth = (list + 1).saturating_sub(self.list_floor).min(MAX_DEPTH);
                        for _ in 1..depth {
                            self.out.push_str("  ");
                        }
                    }
                    match lead {
                        Lead::Done => self.out.push_str("☑ "),
                        Lead::ToDo => self.out.push_str("☐ "),
                        _ if ordered => {
                            push_number(&mut self.out, number);
                            self.out.push_str(". ");
                        }
                        _ => self.out.push_str("• "),
                    }
                    push_decision(&mut self.out, lead);
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
}
