//! What belongs to the page but not to the run of its text: footnotes, anchors, fragments converted by themselves.

use crate::convert::Converter;
use crate::inline::LinkOut;
use crate::model::{Conversion, Heading};
use crate::writer::Mode;

impl Converter<'_> {
    pub(crate) fn name_anchor(&mut self, name: &str) {
        if name.is_empty() {
            return;
        }
        // Inside a heading the anchor is that heading's, elsewhere it belongs to the section it stands in.
        let inside = self.w.mode == Mode::Line;
        let heading = if inside {
            self.result.outline.len()
        } else {
            self.result.outline.len().saturating_sub(1)
        };
        self.named.push((name.to_string(), heading));
    }

    pub(crate) fn open_footnote(&mut self) {
        self.tables.begin_aside();
        let aside = self.w.begin_aside();
        self.asides.push(aside);
    }

    pub(crate) fn close_footnote(&mut self) {
        let Some(aside) = self.asides.pop() else {
            return;
        };
        self.tables.end_aside();
        let text = self.w.end_aside(aside);
        if text.trim().is_empty() {
            return;
        }
        self.footnote_count += 1;
        let n = self.footnote_count;
        self.w.verbatim(&format!("[^{n}]"));
        self.footnotes.push((n, text));
    }

    pub(crate) fn flush_footnotes(&mut self) {
        for (n, text) in std::mem::take(&mut self.footnotes) {
            self.w.raw_block(&format!("[^{n}]: {}", text.trim()));
        }
    }

    /// Markdown that a page author wrote, as it is; its headings count.
    pub(crate) fn markdown_block(&mut self, source: &str) {
        let fences = source
            .lines()
            .filter(|l| l.trim_start().starts_with("```"))
            .count();
        let mut source: String = source
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
            .collect();
        if fences % 2 == 1 {
            source.push_str("\n```");
        }
        if !self.w.nested() {
            for heading in crate::outline::outline(&source) {
                let anchor = self.slugs.next(&heading.text);
                self.result.outline.push(Heading { anchor, ..heading });
            }
        }
        self.w.raw_block(&source);
    }

    /// Takes in a fragment that was converted by itself.
    pub(crate) fn absorb(&mut self, inner: Conversion) {
        if !self.w.nested() {
            for heading in inner.outline {
                let anchor = self.slugs.next(&heading.text);
                self.result.outline.push(Heading { anchor, ..heading });
            }
        }
        self.w.raw_block(&inner.markdown);
        self.w
            .links
            .extend(inner.links.into_iter().map(LinkOut::told));
        for file in inner.attachments {
            self.note_attachment(&file);
        }
        for user in inner.users {
            self.note_user(&user);
        }
        self.result.tasks.extend(inner.tasks);
        self.result.diagnostics.repairs += inner.diagnostics.repairs;
    }
}
