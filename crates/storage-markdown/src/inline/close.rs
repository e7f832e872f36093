//! Closing marks: what was written as a delimiter must be one, or it is taken back.

use super::{
    Class, LOCAL_ANCHOR, LOCAL_OPEN, Mark, Open, class, class_after, delimiter, is_autolink,
    push_destination, same_address,
};
use crate::open_links::{CLOSE, NEXT, OPEN};
use crate::writer::{Writer, longest_run, push_code_span};

impl Writer {
    /// Closes every open mark; the wanted ones open again with the next text.
    pub(crate) fn close_marks(&mut self) {
        if !self.open.is_empty() {
            self.close_to(0, ' ');
        }
        self.dirty = !self.wanted.is_empty();
    }

    /// Closes the marks that are no longer wanted, so that what follows cannot merge with them.
    pub(crate) fn settle_marks(&mut self) {
        if self.dirty && self.leaf_open && !self.open.is_empty() {
            let keep = self
                .open
                .iter()
                .position(|o| !self.wanted.iter().any(|w| w.mark == o.mark && !w.mute))
                .unwrap_or(self.open.len());
            if keep < self.open.len() {
                self.close_to(keep, ' ');
            }
        }
    }

    /// Ends an open code span before a line break; it opens again after it.
    pub(crate) fn interrupt_code(&mut self) {
        if self.in_code
            && let Some(at) = self.open.iter().position(|o| o.mark == Mark::Code)
        {
            self.close_to(at, ' ');
            self.dirty = true;
        }
    }

    pub(super) fn close_to(&mut self, keep: usize, next: char) {
        let next = if self.space || self.breaks > 0 {
            ' '
        } else {
            next
        };
        // `**a:**b` does not close: the punctuation moves out.
        let mut moved = String::new();
        if class_after(next) == Class::Word {
            let floor = self.open[keep..]
                .iter()
                .map(|o| o.at + 3)
                .max()
                .unwrap_or(0);
            let emphasis = self.open[keep..]
                .iter()
                .any(|o| matches!(o.mark, Mark::Strong | Mark::Em | Mark::Strike));
            let only = self.open[keep..]
                .iter()
                .all(|o| matches!(o.mark, Mark::Strong | Mark::Em | Mark::Strike));
            if emphasis && only {
                while self.out.len() > floor
                    && (self.out.ends_with([':', ';', ',', '.', '!', '?'])
                        || (!moved.is_empty() && self.out.ends_with(' ')))
                {
                    moved.extend(self.out.pop());
                }
                if self.out.ends_with('\\') {
                    self.out.extend(moved.pop());
                }
            }
        }
        let next = moved.chars().next_back().unwrap_or(next);
        while self.open.len() > keep {
            let Some(open) = self.open.pop() else { break };
            match open.mark {
                Mark::Strong | Mark::Em | Mark::Strike => self.close_delimiter(open, next),
                Mark::Sub => self.close_with(open, "<sub>", "</sub>"),
                Mark::Sup => self.close_with(open, "<sup>", "</sup>"),
                Mark::Code => {
                    self.in_code = false;
                    self.close_code(open.at);
                }
                Mark::Link(id) => {
                    self.in_link = false;
                    self.close_link(open, id);
                }
            }
        }
        self.out.extend(moved.chars().rev());
    }

    fn close_delimiter(&mut self, open: Open, next: char) {
        let text = delimiter(open.mark);
        let inner = open.at + text.len();
        let before = self
            .out
            .trim_end_matches('*')
            .chars()
            .next_back()
            .unwrap_or(' ');
        let empty = self.out.len() <= inner;
        let closes = class(before) != Class::Space
            && (class(before) == Class::Word || class_after(next) != Class::Word);
        if empty || !closes {
            self.out
                .replace_range(open.at..inner.min(self.out.len()), "");
            for o in &mut self.open {
                debug_assert!(o.at <= open.at);
                o.at = o.at.min(open.at);
            }
            if open.leads {
                self.escape_line_from(open.at);
            }
        } else {
            self.out.push_str(text);
        }
    }

    fn close_with(&mut self, open: Open, start: &str, end: &str) {
        if self.out.len() <= open.at + start.len() {
            self.out.truncate(open.at);
        } else {
            self.out.push_str(end);
        }
    }

    fn close_code(&mut self, at: usize) {
        let code = &self.out[at + 1..];
        if code.is_empty() {
            self.out.truncate(at);
            return;
        }
        if longest_run(code, b'`') > 0 {
            let code = code.to_string();
            self.out.truncate(at);
            push_code_span(&mut self.out, &code);
        } else {
            self.out.push('`');
        }
    }

    fn close_link(&mut self, open: Open, id: u32) {
        let link = &mut self.links[id as usize];
        // Told once, however many pieces the text has.
        let title = link.title.take();
        let page = link.page.clone();
        if page.is_none() && title.is_none() {
            return self.close_with_address(open.at, id);
        }
        let text = self.out[open.at + 1..].to_string();
        self.close_with_address(open.at, id);
        if page.is_some() && text.contains(OPEN) {
            // The text of a table in a link has links of its own: no link can stand in another.
            self.out.truncate(open.at);
            self.out.push_str(&text);
            return;
        }
        if self.links[id as usize].url().is_none() {
            if open.leads {
                self.escape_line_from(open.at);
            }
            let (before, written) = self.out.split_at(open.at);
            let before = before.get(self.base..).unwrap_or_default();
            if written.starts_with('`') && before.ends_with('`') {
                // Two code spans that touch would read as one fence.
                self.out.insert(open.at, ' ');
            }
            if let Some(title) = title {
                let shown = crate::escape::plain(&text).to_lowercase();
                if !shown.contains(&title.to_lowercase()) {
                    let title = crate::escape::escaped_in_brackets(&title);
                    self.out.push_str(&format!(" ({title})"));
                }
            }
        }
        let Some(page) = page else { return };
        let link = &self.links[id as usize];
        let words = |words: &String| same_address(&text, words);
        let own = !link.shows_address(&text) && !page.words.as_ref().is_some_and(words);
        let otherwise = self.out.split_off(open.at);
        let text = if own { &text } else { "" };
        for part in [&page.id, &page.anchor, text] {
            self.out.push(if self.out.len() == open.at {
                OPEN
            } else {
                NEXT
            });
            self.out.push_str(part);
        }
        self.out.push(NEXT);
        self.out.push_str(&otherwise);
        self.out.push(CLOSE);
    }

    /// The link as it is where nothing is told of its page.
    fn close_with_address(&mut self, at: usize, id: u32) {
        let link = &self.links[id as usize];
        let out = &mut self.out;
        let bracket = if link.local {
            at + LOCAL_OPEN.len_utf8()
        } else {
            at
        };
        let Some(url) = link.url() else {
            out.replace_range(at..bracket + 1, "");
            return;
        };
        if link.shows_address(&out[bracket + 1..]) {
            if let Some(title) = &link.instead {
                out.truncate(bracket + 1);
                out.push_str(&crate::escape::escaped_in_brackets(title));
            } else if is_autolink(url) {
                out.truncate(at);
                out.push('<');
                out.push_str(url.strip_prefix("mailto:").unwrap_or(url));
                out.push('>');
                return;
            }
        }
        out.push_str("](");
        if link.local {
            out.push(LOCAL_ANCHOR);
            out.push_str(url);
            out.push(LOCAL_ANCHOR);
        } else {
            push_destination(out, url);
        }
        out.push(')');
    }
}
