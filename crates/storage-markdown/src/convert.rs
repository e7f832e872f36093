//! The converter: from elements and text to calls on the writer.
//!
//! One pass, one explicit stack of open elements, no recursion. What an element means is decided here for HTML and in
//! [`crate::storage`] for Confluence's own elements.

use std::borrow::Cow;

use crate::anchors::{Slugs, settle};
use crate::attrs::attr;
use crate::escape::plain;
use crate::inline::{LinkOut, Mark};
use crate::links::{Resolved, Ri, resolve, resolve_href};
use crate::macros::{Macro, Param};
use crate::model::{Conversion, Heading, Images, Options, Resolver};
use crate::splice::Rendered;
use crate::storage::{AdfNode, ImageFrame, LinkFrame, Receiver, TaskFrame};
use crate::table::{MAX_NESTING, Rules, Tables};
use crate::tag::{Tag, name_id};
use crate::writer::{Alert, Aside, Lead, Mode, Writer};

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

/// An element that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) tag: Tag,
    id: u32,
    sink: Sink,
    /// What its end needs to know; differs by element.
    pub(crate) data: u32,
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
    footnotes: Vec<(usize, String)>,
    footnote_count: usize,
    slugs: Slugs,
    /// Names of anchors, with the number of the heading they belong to.
    named: Vec<(String, usize)>,
    local_links: bool,
    /// Open page properties macros.
    pub(crate) details: usize,
    pub(crate) last_lozenge: usize,
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
            offset: 0,
        }
    }

    // ---- events -----------------------------------------------------------------------------------------------

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
            if tag as u8 >= Tag::Parameter as u8 && tag != Tag::Other {
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
        let links = std::mem::take(&mut self.w.links)
            .into_iter()
            .filter_map(|l| l.link);
        self.result.links.extend(links);
        self.result.words = crate::document::count_words(&markdown);
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
                if !text.trim().is_empty() {
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
        matches!(
            self.parent(),
            Tag::P
                | Tag::H1
                | Tag::H2
                | Tag::H3
                | Tag::H4
                | Tag::H5
                | Tag::H6
                | Tag::Strong
                | Tag::Em
                | Tag::A
                | Tag::Span
                | Tag::Code
                | Tag::Strike
                | Tag::Sub
                | Tag::Sup
                | Tag::LinkBody
                | Tag::Other
                | Tag::Td
                | Tag::Th
                | Tag::Li
                | Tag::Summary
                | Tag::Dt
                | Tag::TaskBody
        ) && (self.w.leaf_open
            || matches!(
                self.parent(),
                Tag::P
                    | Tag::H1
                    | Tag::H2
                    | Tag::H3
                    | Tag::H4
                    | Tag::H5
                    | Tag::H6
                    | Tag::A
                    | Tag::LinkBody
            ))
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
        if frame.tag as u8 >= Tag::Parameter as u8 && frame.tag != Tag::Other {
            self.end_storage(frame);
        } else {
            self.end_html(frame);
        }
        self.frames.pop();
        self.sink = frame.sink;
    }

    // ---- HTML -------------------------------------------------------------------------------------------------

    pub(crate) fn start_html(&mut self, tag: Tag, attrs: &str) {
        match tag {
            Tag::P | Tag::Div | Tag::Dl | Tag::Dd | Tag::Details => self.w.end_leaf(),
            Tag::Strong => self.w.push_mark(Mark::Strong),
            Tag::Em => self.w.push_mark(Mark::Em),
            Tag::Strike => self.w.push_mark(Mark::Strike),
            Tag::Sub => self.w.push_mark(Mark::Sub),
            Tag::Sup => self.w.push_mark(Mark::Sup),
            Tag::Code => self.w.push_mark(Mark::Code),
            Tag::Span => {
                if !attrs.is_empty()
                    && attr(attrs, "style").is_some_and(|s| s.contains("line-through"))
                {
                    self.w.push_mark(Mark::Strike);
                    self.set_data(1);
                }
            }
            Tag::Br => self.line_break(),
            Tag::Hr => self.w.rule(),
            Tag::H1 | Tag::H2 | Tag::H3 | Tag::H4 | Tag::H5 | Tag::H6 => self.start_heading(tag),
            Tag::Blockquote => self.w.push_quote(Alert::None),
            Tag::Pre => {
                self.w.end_leaf();
                self.buffer();
            }
            Tag::Ul | Tag::Ol => {
                if matches!(self.parent(), Tag::Ul | Tag::Ol) && self.w.reopen_item() {
                    self.set_data(1);
                }
                let start = attr(attrs, "start")
                    .and_then(|s| s.trim().parse().ok())
                    .unwrap_or(1);
                self.w.start_list(tag == Tag::Ol, start);
            }
            Tag::Li => self.w.push_item(Lead::None),
            Tag::Dt | Tag::Summary => {
                self.w.end_leaf();
                self.w.push_mark(Mark::Strong);
            }
            Tag::Caption => {
                self.w.end_leaf();
                self.w.push_mark(Mark::Em);
            }
            Tag::Table => self.start_table(),
            Tag::Thead => self.tables.head(true),
            Tag::Tbody => self.tables.head(false),
            Tag::Tr => self.tables.start_row(&mut self.w),
            Tag::Td | Tag::Th => self.start_cell(tag == Tag::Th, attrs),
            Tag::A => self.start_anchor(attrs),
            Tag::Img => self.html_image(attrs),
            Tag::Time => {
                if let Some(date) = attr(attrs, "datetime").filter(|d| !d.trim().is_empty()) {
                    self.w.text(date.trim());
                    self.skip_element();
                }
            }
            Tag::Noise => self.skip_element(),
            _ => {}
        }
    }

    fn end_html(&mut self, frame: Frame) {
        match frame.tag {
            Tag::P | Tag::Div | Tag::Dl | Tag::Dd | Tag::Details => self.w.end_leaf(),
            Tag::Strong => self.w.pop_mark(Mark::Strong),
            Tag::Em => self.w.pop_mark(Mark::Em),
            Tag::Strike => self.w.pop_mark(Mark::Strike),
            Tag::Sub => self.w.pop_mark(Mark::Sub),
            Tag::Sup => self.w.pop_mark(Mark::Sup),
            Tag::Code => self.w.pop_mark(Mark::Code),
            Tag::Span => {
                if frame.data == 1 {
                    self.w.pop_mark(Mark::Strike);
                }
            }
            Tag::H1 | Tag::H2 | Tag::H3 | Tag::H4 | Tag::H5 | Tag::H6 => self.end_heading(frame),
            Tag::Blockquote | Tag::Li => self.w.pop_container(),
            Tag::Pre => {
                let body = self.take_buffer();
                self.w
                    .code_block("", body.strip_suffix('\n').unwrap_or(&body));
            }
            Tag::Ul | Tag::Ol => {
                self.w.end_list();
                if frame.data == 1 {
                    self.w.pop_container();
                }
            }
            Tag::Dt | Tag::Summary => {
                self.w.end_leaf();
                self.w.pop_mark(Mark::Strong);
            }
            Tag::Caption => {
                self.w.end_leaf();
                self.w.pop_mark(Mark::Em);
            }
            Tag::Table => self.end_table(frame),
            Tag::Thead => self.tables.head(false),
            Tag::Td | Tag::Th => {
                if frame.data & 1 == 1 {
                    let empty = COLOURS
                        .get((frame.data >> 1) as usize)
                        .copied()
                        .unwrap_or("");
                    self.tables
                        .end_cell(&mut self.w, self.options.table_max_cell_chars, empty);
                } else {
                    self.w.end_leaf();
                }
            }
            Tag::A => self.end_anchor(frame),
            _ => {}
        }
    }

    fn line_break(&mut self) {
        if self.sink == Sink::Buffer {
            if let Some(buffer) = self.buffers.last_mut() {
                buffer.to_mut().push('\n');
            }
        } else if self.w.leaf_open {
            self.w.interrupt_code();
            self.w.breaks = self.w.breaks.saturating_add(1);
        }
    }

    fn start_heading(&mut self, tag: Tag) {
        match self.w.mode {
            Mode::Blocks => {
                if !self.w.nested() {
                    self.flush_footnotes();
                }
                self.w.start_heading(tag.heading_level().unwrap_or(6));
            }
            Mode::Cell => {
                self.w.end_leaf();
                self.w.push_mark(Mark::Strong);
                self.set_data(1);
            }
            Mode::Line => {
                self.w.end_leaf();
                self.set_data(2);
            }
        }
    }

    fn end_heading(&mut self, frame: Frame) {
        match frame.data {
            1 => {
                self.w.end_leaf();
                self.w.pop_mark(Mark::Strong);
            }
            2 => self.w.end_leaf(),
            _ => {
                let level = frame.tag.heading_level().unwrap_or(6);
                let Some(start) = self.w.end_heading() else {
                    return;
                };
                let text = self.w.out.get(start..).unwrap_or("");
                // Emphasis that spans the whole heading says nothing.
                if let Some(inner) = text.strip_prefix("**").and_then(|t| t.strip_suffix("**")) {
                    if !inner.is_empty()
                        && !inner.contains("**")
                        && !inner.starts_with('*')
                        && !inner.ends_with(['*', '\\'])
                    {
                        let inner = inner.to_string();
                        self.w.out.truncate(start);
                        self.w.out.push_str(&inner);
                    }
                }
                let text = plain(self.w.out.get(start..).unwrap_or(""));
                let anchor = self.slugs.next(&text);
                self.result.outline.push(Heading {
                    level,
                    text,
                    anchor,
                });
            }
        }
    }

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

    // ---- tables -----------------------------------------------------------------------------------------------

    fn start_table(&mut self) {
        if self.tables.depth() >= MAX_NESTING || self.sink == Sink::Buffer {
            self.w.end_leaf();
            self.set_data(1);
            return;
        }
        let nested_real = self.w.mode != Mode::Blocks;
        let layout = !nested_real
            && (self.tables.layout_depth() > 3
                || crate::shape::is_layout(&self.body[self.offset.min(self.body.len())..]));
        self.tables.start(&mut self.w, layout, self.offset);
    }

    fn end_table(&mut self, frame: Frame) {
        if frame.data == 1 {
            return self.w.end_leaf();
        }
        let rules = Rules {
            max_columns: self.options.table_max_columns,
            properties: self.details > 0,
        };
        let pairs = self.tables.end(&mut self.w, rules, self.offset);
        self.result.properties.extend(pairs);
    }

    fn start_cell(&mut self, header: bool, attrs: &str) {
        // Cells of an unwrapped table are blocks.
        let unwrapped = self
            .frames
            .iter()
            .rev()
            .take(8)
            .find(|f| f.tag == Tag::Table)
            .is_none_or(|f| f.data == 1);
        if unwrapped || self.tables.top().is_none_or(|t| t.layout) {
            return self.w.end_leaf();
        }
        let (mut columns, mut rows, mut colour) = (1, 1, 0);
        if !attrs.is_empty() {
            for (name, value) in crate::attrs::Attrs::new(attrs) {
                match name {
                    "colspan" => columns = value.trim().parse().unwrap_or(1).max(1),
                    "rowspan" => rows = value.trim().parse().unwrap_or(1),
                    "data-highlight-colour" if self.options.cell_colours => {
                        colour = colour_word(value)
                    }
                    _ => {}
                }
            }
        }
        self.set_data(1 | colour << 1);
        self.tables.start_cell(&mut self.w, header, columns, rows);
    }

    // ---- links and images -------------------------------------------------------------------------------------

    fn start_anchor(&mut self, attrs: &str) {
        let Some(href) = attr(attrs, "href") else {
            if let Some(name) = attr(attrs, "name").or_else(|| attr(attrs, "id")) {
                self.name_anchor(&name);
            }
            return;
        };
        let mut resolved = resolve_href(&href, self.resolver);
        if let Some(json) = attr(attrs, "data-datasource") {
            if let Some(text) = datasource_text(&json) {
                resolved.text = Some(text);
                resolved.out.raw = None;
                resolved.out.instead = None;
                self.write_link(resolved);
                return self.skip_element();
            }
        }
        self.start_link(resolved);
    }

    /// The element that has just begun is this link.
    pub(crate) fn start_link(&mut self, resolved: Resolved) {
        let id = self.add_link(resolved);
        self.w.push_mark(Mark::Link(id));
        self.set_data(id + 1);
    }

    fn end_anchor(&mut self, frame: Frame) {
        let Some(id) = frame.data.checked_sub(1) else {
            return;
        };
        let link = &self.w.links[id as usize];
        if !link.used {
            let text = link.instead.as_deref().or_else(|| link.url());
            if let Some(text) = text.map(str::to_string) {
                self.w.text(&text);
            }
        }
        self.w.pop_mark(Mark::Link(id));
    }

    /// Registers a link; its text is what is written while its mark is wanted.
    pub(crate) fn add_link(&mut self, resolved: Resolved) -> u32 {
        self.local_links |= resolved.out.local;
        if resolved.out.link.is_some() && resolved.out.url().is_none() {
            self.result.diagnostics.unresolved_links += 1;
        }
        let id = self.w.links.len() as u32;
        self.w.links.push(resolved.out);
        id
    }

    /// Writes a link that has its whole text already.
    pub(crate) fn write_link(&mut self, resolved: Resolved) {
        let Some(text) = resolved.text().map(str::to_string) else {
            return;
        };
        let id = self.add_link(resolved);
        self.w.push_mark(Mark::Link(id));
        self.w.text(&text);
        self.w.pop_mark(Mark::Link(id));
    }

    /// Writes a reference to a resource by its own name.
    pub(crate) fn reference_to(&mut self, ri: &Ri<'_>) {
        match ri {
            Ri::User { id } => self.mention(id),
            other => {
                if let Ri::Attachment { file, .. } = other {
                    self.note_attachment(file);
                }
                let resolved = resolve(other, None, self.resolver);
                self.write_link(resolved);
            }
        }
    }

    pub(crate) fn mention(&mut self, id: &str) {
        self.note_user(id);
        let name = self.resolver.user(id);
        self.w.text(&format!("@{}", name.as_deref().unwrap_or(id)));
    }

    pub(crate) fn note_user(&mut self, id: &str) {
        if !self.result.users.iter().any(|u| u == id) {
            self.result.users.push(id.to_string());
        }
    }

    pub(crate) fn note_attachment(&mut self, file: &str) {
        if !self.result.attachments.iter().any(|f| f == file) {
            self.result.attachments.push(file.to_string());
        }
    }

    fn html_image(&mut self, attrs: &str) {
        if attrs.contains("emoticon") {
            let text =
                attr(attrs, "data-emoji-fallback").filter(|f| !f.is_empty() && !f.starts_with(':'));
            let text = text
                .or_else(|| attr(attrs, "data-emoji-shortname"))
                .or_else(|| attr(attrs, "alt"));
            if let Some(text) = text {
                self.w.text(
                    crate::emoji::by_name(text.trim_matches([':', '(', ')'])).unwrap_or(&text),
                );
            }
            return;
        }
        let file = attr(attrs, "data-linked-resource-default-alias");
        let alt = attr(attrs, "alt").filter(|a| !a.trim().is_empty());
        if let Some(file) = &file {
            self.note_attachment(file);
        }
        let source = attr(attrs, "data-image-src").or_else(|| attr(attrs, "src"));
        let told = alt
            .as_deref()
            .or(file.as_deref())
            .filter(|t| crate::storage::is_telling(t));
        let shown = match self.options.images {
            Images::All => true,
            Images::None => false,
            Images::Informative => told.is_some(),
        };
        if !shown {
            return;
        }
        let resolved = file
            .as_deref()
            .and_then(|f| self.resolver.attachment(None, f))
            .or_else(|| {
                let source = source.as_deref()?;
                crate::view::clean_url(source, self.resolver.site_base())
            });
        let alt = alt.as_deref().or(file.as_deref()).unwrap_or("");
        match resolved {
            Some(url) => self.w.image(alt, &url),
            None => self.w.text(&format!("[Image: {alt}]")),
        }
    }

    // ---- beside the text --------------------------------------------------------------------------------------

    pub(crate) fn close_footnote(&mut self) {
        let Some(aside) = self.asides.pop() else {
            return;
        };
        let text = self.w.end_aside(aside);
        if text.trim().is_empty() {
            return;
        }
        self.footnote_count += 1;
        let n = self.footnote_count;
        self.w.verbatim(&format!("[^{n}]"));
        self.footnotes.push((n, text));
    }

    fn flush_footnotes(&mut self) {
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

const COLOURS: [&str; 7] = ["", "red", "yellow", "green", "blue", "purple", "teal"];

/// Index into [`COLOURS`] for a cell's background; greys and whites say nothing.
fn colour_word(value: &str) -> u32 {
    let hex = value.trim().trim_start_matches('#');
    if hex.len() == 6 && hex.is_ascii() {
        let part = |n: usize| i32::from_str_radix(&hex[n..n + 2], 16).unwrap_or(0);
        let (r, g, b) = (part(0), part(2), part(4));
        let (low, high) = (r.min(g).min(b), r.max(g).max(b));
        if high - low < 12 {
            return 0;
        }
        let near = |x: i32| (high - x) * 3 < high - low;
        return match (near(r), near(g), near(b)) {
            (true, true, _) => 2,
            (true, _, true) | (false, false, true) if r > g => 5,
            (_, true, true) => 6,
            (true, ..) => 1,
            (_, true, _) => 3,
            _ => 4,
        };
    }
    COLOURS
        .iter()
        .position(|c| !c.is_empty() && value.eq_ignore_ascii_case(c))
        .unwrap_or(0) as u32
}

/// What a live table is about.
fn datasource_text(json: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let parameters = value.get("parameters")?;
    let of = |names: &[&str]| {
        names
            .iter()
            .find_map(|n| parameters.get(n)?.as_str())
            .filter(|s| !s.trim().is_empty())
            .map(str::to_string)
    };
    let (what, query) = match value.get("id").and_then(|id| id.as_str()).unwrap_or("") {
        "d8b75300-dfda-4519-b6cd-e49abbd50401" => ("Jira issues", of(&["jql", "filter"])),
        "768fc736-3af4-4a8f-b27e-203602bff8ca" => {
            ("Confluence search", of(&["searchString", "cql"]))
        }
        "361d618a-3c04-40ad-9b27-3c8ea6927020" => ("Assets", of(&["aql"])),
        _ => return None,
    };
    Some(match query {
        Some(query) => format!("{what}: {query}"),
        None => what.to_string(),
    })
}
