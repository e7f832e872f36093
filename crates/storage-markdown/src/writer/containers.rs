//! Quotes and list items: opening them with the first block they hold, and how blocks in them are separated.

use super::{
    Alert, Container, Kind, Last, Lead, List, MAX_DEPTH, Mode, Writer, push_decision, push_number,
};

impl Writer {
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

    /// The item that has just begun has this number; those after it go on from there.
    pub(crate) fn number_item(&mut self, number: u64) {
        if let Some(item) = self.containers.last_mut()
            && let Kind::Item(list, _) = item.kind
        {
            item.number = number;
            self.lists[list].next = number.saturating_add(1);
        }
    }

    fn push(&mut self, kind: Kind) {
        // An item counts whether or not anything of it shows: what follows keeps its number.
        let number = match kind {
            Kind::Item(list, _) => {
                let next = &mut self.lists[list].next;
                std::mem::replace(next, next.saturating_add(1))
            }
            _ => 0,
        };
        self.containers.push(Container {
            kind,
            number,
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
            number: 0,
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
            // Nothing that began in a list outlives it; in broken input ends may be missing, or stand further out.
            let level = self.lists.last().map_or(0, |list| list.level);
            while self.containers.len() > level.max(self.floor) {
                self.pop_container();
            }
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

    pub(super) fn begin_document_block(&mut self, what: Last) {
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
            let Container { kind, number, .. } = self.containers[index];
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
                        push_number(&mut self.out, number.min(999_999_999));
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
            if let Kind::Item(l, _) = self.containers[index].kind
                && !self.lists[l].written
            {
                self.lists[l].marker = if self.lists[l].ordered { '.' } else { '-' };
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
        in_item
            && self.last_at(level) == Last::Paragraph
            && (!list.ordered || self.containers[level].number == 1)
    }
}
