//! The converter: from elements and text to calls on the writer.
//!
//! One pass, one explicit stack of open elements, no recursion. What an element means is
//! decided in [`crate::html`], and in [`crate::storage`] for Confluence's own elements.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::anchors::{Slugs, settle};
use crate::macros::{Macro, Param};
use crate::model::{Conversion, Options, Resolver};
use crate::splice::Rendered;
use crate::storage::{AdfNode, ImageFrame, LinkFrame, Receiver, TaskFrame};
use crate::table::Tables;
use crate::tag::{Tag, name_id};
use crate::writer::{Aside, Writer};

/// What happens to text at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sink {
    /// It is text of the page.
    Flow,
    /// Only elements belong here: white space is formatting.
    Meta,
    /// It is kept for the element that asked for it.
    Buffer,
}

/// What [`Frame::data`] holds for an element of storage that was met in HTML, where it means nothing.
pub(crate) const UNREAD: u32 = u32::MAX;

/// An element that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) tag: Tag,
    id: u32,
    sink: Sink,
    /// What its end needs to know; differs by element.
    pub(crate) data: u32,
}

/// What a page names, so that each is listed once.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    pub(crate) users: HashSet<String>,
    pub(crate) files: HashSet<String>,
}

pub(crate) struct Converter<'a> {
    pub(crate) w: Writer,
    pub(crate) body: &'a str,
    pub(crate) options: &'a Options,
    pub(crate) resolver: &'a dyn Resolver,
    pub(crate) rendered: Option<&'a Rendered>,
    pub(crate) result: Conversion,
    pub(crate) frames: Vec<Frame>,
    pub(crate) sink: Sink,
    /// Frames from this one on are left out; 0 when nothing is.
    skip: usize,
    /// Text kept for elements, innermost last.
    pub(crate) buffers: Vec<Cow<'a, str>>,
    pub(crate) macros: Vec<Macro<'a>>,
    pub(crate) params: Vec<Param<'a>>,
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) link_frames: Vec<LinkFrame<'a>>,
    pub(crate) images: Vec<ImageFrame<'a>>,
    pub(crate) tasks: Vec<TaskFrame>,
    pub(crate) nodes: Vec<AdfNode<'a>>,
    pub(crate) tables: Tables,
    pub(crate) asides: Vec<Aside>,
    pub(crate) footnotes: Vec<(usize, String)>,
    pub(crate) footnote_count: usize,
    pub(crate) slugs: Slugs,
    /// Names of anchors, with the number of the heading they belong to.
    pub(crate) named: Vec<(String, usize)>,
    pub(crate) local_links: bool,
    /// Open page properties macros.
    pub(crate) details: usize,
    pub(crate) last_lozenge: usize,
    /// Where each unknown macro is counted.
    pub(crate) unknown: HashMap<String, usize>,
    /// The latest number of each dynamic macro among those of its name.
    pub(crate) ordinals: HashMap<&'a str, usize>,
    /// People and files that are listed already.
    pub(crate) noted: Noted,
    /// Byte offset in the source, for measuring tables.
    pub(crate) offset: usize,
}

impl<'a> Converter<'a> {
    pub(crate) fn new(body: &'a str, options: &'a Options, resolver: &'a dyn Resolver) -> Self {
        Converter {
            w: Writer::new(body.len() / 2 + 64),
            body,
            options,
            resolver,
            rendered: None,
            result: Conversion::default(),
            frames: Vec::with_capacity(32),
            sink: Sink::Flow,
            skip: 0,
            buffers: Vec::new(),
            macros: Vec::new(),
            params: Vec::new(),
            receivers: Vec::new(),
            link_frames: Vec::new(),
            images: Vec::new(),
            tasks: Vec::new(),
            nodes: Vec::new(),
            tables: Tables::new(body.len() * 2 + 65_536),
            asides: Vec::new(),
            footnotes: Vec::new(),
            footnote_count: 0,
            slugs: Slugs::default(),
            named: Vec::new(),
            local_links: false,
            details: 0,
            last_lozenge: usize::MAX,
            unknown: HashMap::new(),
            ordinals: HashMap::new(),
            noted: Noted::default(),
            offset: 0,
        }
    }

    pub(crate) fn start(&mut self, name: &str, attrs: &'a str) {
        let tag = Tag::from_name(name);
        let id = if tag == Tag::Other { name_id(name) } else { 0 };
        self.imply_end(tag);
        self.frames.push(Frame {
            tag,
            id,
            sink: self.sink,
            data: 0,
        });
        if self.skip == 0 {
            if tag.is_confluence() {
                self.start_storage(tag, attrs);
            } else {
                self.start_html(tag, attrs);
            }
        }
    }

    /// Pushes an element without a rule applied yet; false when it is being left out.
    pub(crate) fn open_element(&mut self, name: &str) -> (Tag, bool) {
        let tag = Tag::from_name(name);
        let id = if tag == Tag::Other { name_id(name) } else { 0 };
        self.imply_end(tag);
        self.frames.push(Frame {
            tag,
            id,
            sink: self.sink,
            data: 0,
        });
        (tag, self.skip == 0)
    }

    /// Whether the innermost element has this name.
    pub(crate) fn top_is(&self, name: &str) -> bool {
        let tag = Tag::from_name(name);
        let id = if tag == Tag::Other { name_id(name) } else { 0 };
        self.frames
            .last()
            .is_some_and(|f| f.tag == tag && f.id == id)
    }

    pub(crate) fn end(&mut self, name: &str) {
        let tag = Tag::from_name(name);
        let id = if tag == Tag::Other { name_id(name) } else { 0 };
        let same = |f: &Frame| f.tag == tag && f.id == id;
        if self.frames.last().is_some_and(same) {
            return self.pop_frame();
        }
        // An end tag that does not match closes what is inside of its start tag, but an inline one never closes a
        // macro or a cell around it.
        let barrier = |f: &Frame| {
            matches!(
                f.tag,
                Tag::RichTextBody | Tag::Td | Tag::Th | Tag::TaskBody | Tag::AdfContent
            )
        };
        let structural = matches!(
            tag,
            Tag::RichTextBody
                | Tag::StructuredMacro
                | Tag::Td
                | Tag::Th
                | Tag::Tr
                | Tag::Tbody
                | Tag::Thead
                | Tag::Table
                | Tag::Task
                | Tag::TaskList
                | Tag::TaskBody
                | Tag::AdfContent
                | Tag::AdfNode
                | Tag::AdfExtension
        );
        for (depth, frame) in self.frames.iter().rev().take(64).enumerate() {
            if same(frame) {
                for _ in 0..=depth {
                    self.pop_frame();
                }
                return;
            }
            if !structural && barrier(frame) {
                return;
            }
        }
    }

    pub(crate) fn finish(mut self) -> Conversion {
        while !self.frames.is_empty() {
            self.pop_frame();
        }
        self.w.end_leaf();
        self.flush_footnotes();
        let mut markdown = std::mem::take(&mut self.w.out);
        if self.local_links {
            markdown = settle(&markdown, &self.result.outline, &self.named);
        }
        markdown.truncate(markdown.trim_end().len());
        if !markdown.is_empty() {
            markdown.push('\n');
        }
        let links = std::mem::take(&mut self.w.links).into_iter();
        self.result.links = links.filter_map(|l| l.link).collect();
        let read = crate::open_links::with_nothing_told(&markdown);
        self.result.words = crate::document::count_words(&read);
        self.result.markdown = markdown;
        self.result
    }

    /// Text between tags; `Cow` so that kept text stays borrowed when it comes in one piece.
    pub(crate) fn text(&mut self, text: &'a str) {
        if self.skip != 0 {
            return;
        }
        match self.sink {
            Sink::Flow => self.w.text(text),
            Sink::Buffer => self.keep(text),
            Sink::Meta => {
                if !text.trim().is_empty() && !is_internal_id(text.trim()) {
                    self.w.text(text);
                }
            }
        }
    }

    /// A character that came as a reference; `source` is what follows it.
    pub(crate) fn reference(&mut self, decoded: &str, source: &str) {
        if self.skip != 0 {
            return;
        }
        if self.sink == Sink::Buffer {
            if let Some(buffer) = self.buffers.last_mut() {
                buffer.to_mut().push_str(decoded);
            }
        } else {
            self.w.reference(decoded, source);
        }
    }

    /// The same for text that does not live as long as the body.
    pub(crate) fn owned_text(&mut self, text: &str) {
        if self.skip != 0 {
            return;
        }
        match (self.sink, self.buffers.last_mut()) {
            (Sink::Buffer, Some(buffer)) => buffer.to_mut().push_str(text),
            _ => self.w.text(text),
        }
    }

    fn keep(&mut self, text: &'a str) {
        if let Some(buffer) = self.buffers.last_mut() {
            if buffer.is_empty() {
                *buffer = Cow::Borrowed(text);
            } else {
                buffer.to_mut().push_str(text);
            }
        }
    }

    /// Leaves out the element that has just begun.
    pub(crate) fn skip_element(&mut self) {
        self.skip = self.frames.len();
    }

    pub(crate) fn buffer(&mut self) {
        self.sink = Sink::Buffer;
        self.buffers.push(Cow::Borrowed(""));
    }

    pub(crate) fn take_buffer(&mut self) -> Cow<'a, str> {
        self.buffers.pop().unwrap_or_default()
    }

    pub(crate) fn set_data(&mut self, data: u32) {
        if let Some(frame) = self.frames.last_mut() {
            frame.data = data;
        }
    }

    /// The element around the one that has just begun (or, at its end, around the one that ends).
    pub(crate) fn parent(&self) -> Tag {
        self.frames
            .len()
            .checked_sub(2)
            .map_or(Tag::Div, |n| self.frames[n].tag)
    }

    /// Whether the element at hand stands in a line of text.
    pub(crate) fn inline_parent(&self) -> bool {
        // What the new editor wraps around an app is no element of the page.
        let wraps = |f: &&Frame| matches!(f.tag, Tag::AdfExtension | Tag::AdfNode);
        let around = self.frames.len().saturating_sub(1);
        let around = self.frames[..around].iter().rev().find(|f| !wraps(f));
        match around.map_or(Tag::Div, |f| f.tag) {
            // Elements that are a line of text.
            Tag::P
            | Tag::H1
            | Tag::H2
            | Tag::H3
            | Tag::H4
            | Tag::H5
            | Tag::H6
            | Tag::A
            | Tag::LinkBody => true,
            // Elements that may hold text and blocks: here it is text.
            Tag::Strong
            | Tag::Em
            | Tag::Span
            | Tag::Code
            | Tag::Strike
            | Tag::Sub
            | Tag::Sup
            | Tag::Other
            | Tag::Td
            | Tag::Th
            | Tag::Li
            | Tag::Summary
            | Tag::Dt
            | Tag::Dd
            | Tag::Div
            | Tag::Blockquote
            | Tag::Details
            | Tag::RichTextBody
            | Tag::AdfContent
            | Tag::TaskBody => self.w.leaf_open,
            _ => false,
        }
    }

    /// HTML leaves out some end tags.
    fn imply_end(&mut self, tag: Tag) {
        let Some(top) = self.frames.last().map(|f| f.tag) else {
            return;
        };
        match (tag, top) {
            (Tag::Li, Tag::Li)
            | (Tag::Tr, Tag::Tr)
            | (Tag::Td | Tag::Th, Tag::Td | Tag::Th)
            | (Tag::Dt | Tag::Dd, Tag::Dt | Tag::Dd) => self.pop_frame(),
            (Tag::Tr, Tag::Td | Tag::Th) => {
                self.pop_frame();
                if self.frames.last().is_some_and(|f| f.tag == Tag::Tr) {
                    self.pop_frame();
                }
            }
            _ => {}
        }
    }

    fn pop_frame(&mut self) {
        let Some(frame) = self.frames.last().copied() else {
            return;
        };
        if self.skip != 0 {
            self.frames.pop();
            if self.frames.len() < self.skip {
                self.skip = 0;
                self.sink = frame.sink;
            }
            return;
        }
        if frame.tag.is_confluence() && frame.data != UNREAD {
            self.end_storage(frame);
        } else {
            self.end_html(frame);
        }
        self.frames.pop();
        self.sink = frame.sink;
    }
}

/// An id of the site's own, as stands between elements where no text belongs.
pub(crate) fn is_internal_id(text: &str) -> bool {
    let is_uuid = text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
    is_uuid || text.starts_with("ari:")
}
