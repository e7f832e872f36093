//! `ac:link`: a target and a body, in either order.

use crate::attrs::attr;
use crate::convert::{Converter, Sink};
use crate::inline::Mark;
use crate::links::{Ri, resolve, resolve_local};
use crate::storage::Receiver;

impl Converter<'_> {
    pub(crate) fn start_link_body(&mut self) {
        if self.sink == Sink::Buffer {
            return;
        }
        self.sink = Sink::Flow;
        let Some(index) = self.link_frames.len().checked_sub(1) else {
            return;
        };
        let id = match self.link_frames[index].id {
            Some(id) => id,
            None => self.settle_link(index),
        };
        self.link_frames[index].start = self.w.out.len();
        if id != u32::MAX {
            self.w.push_mark(Mark::Link(id));
        }
    }

    /// Resolves the target of an `ac:link`; returns its mark.
    pub(crate) fn settle_link(&mut self, index: usize) -> u32 {
        let frame = &self.link_frames[index];
        let anchor = attr(frame.attrs, "ac:anchor").filter(|a| !a.is_empty());
        let resolved = match (&frame.target, anchor) {
            (Some(Ri::User { .. }), _) => None,
            (Some(ri), anchor) => {
                let resolved = resolve(ri, anchor.as_deref(), self.resolver);
                if let Ri::Attachment { file, .. } = ri {
                    let file = file.to_string();
                    self.note_attachment(&file);
                }
                Some(resolved)
            }
            (None, Some(anchor)) => Some(resolve_local(&anchor)),
            (None, None) => None,
        };
        let id = match resolved {
            Some(resolved) => {
                self.link_frames[index].text = resolved.text().map(str::to_string);
                self.add_link(resolved)
            }
            None => u32::MAX,
        };
        self.link_frames[index].id = Some(id);
        id
    }

    pub(crate) fn end_link(&mut self) {
        self.receivers.pop();
        let Some(index) = self.link_frames.len().checked_sub(1) else {
            return;
        };
        if self.sink == Sink::Buffer {
            // Inside a parameter the target is what counts.
            let target = self.link_frames.pop().and_then(|l| l.target);
            if let (Some(Receiver::Parameter), Some(target)) = (self.receivers.last(), target) {
                self.receive(target);
            }
            return;
        }
        let had_body = self.link_frames[index].id.is_some();
        let written = had_body && self.w.out.len() > self.link_frames[index].start;
        if let Some(Ri::User { id }) = &self.link_frames[index].target {
            let id = id.to_string();
            if written {
                self.note_user(&id)
            } else {
                self.mention(&id)
            }
            self.link_frames.pop();
            return;
        }
        let id = if had_body {
            self.link_frames[index].id.unwrap_or(u32::MAX)
        } else {
            self.settle_link(index)
        };
        let Some(frame) = self.link_frames.pop() else {
            return;
        };
        if !written {
            if let Some(text) = frame.text.filter(|_| id != u32::MAX) {
                self.w.push_mark(Mark::Link(id));
                self.w.text(&text);
                self.w.pop_mark(Mark::Link(id));
            }
            return;
        }
        // Nothing in it could be a link's text, as in a block of code: what it was meant for stays readable.
        let unsaid = self.w.links.get_mut(id as usize);
        let unsaid = unsaid.filter(|link| link.url().is_none() && !link.used);
        if let Some(title) = unsaid.and_then(|link| link.title.take()) {
            // Marks that were taken back may have moved what was written: then nothing is known to be shown.
            let written = self.w.out.get(frame.start..).unwrap_or_default();
            let shown = crate::escape::plain(written).to_lowercase();
            if !shown.contains(&title.to_lowercase()) {
                self.w.text(&format!(" ({title})"));
            }
        }
    }
}
