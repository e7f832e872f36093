//! What the elements of HTML mean, in storage and in rendered bodies alike.

use crate::attrs::attr;
use crate::convert::{Converter, Frame, Sink};
use crate::escape::plain;
use crate::inline::Mark;
use crate::links::resolve_href;
use crate::model::{Heading, Images};
use crate::table::{CellKind, MAX_NESTING, Rules, colour_of};
use crate::tag::Tag;
use crate::writer::{Alert, Lead, Mode};

impl Converter<'_> {
    pub(crate) fn start_html(&mut self, tag: Tag, attrs: &str) {
        match tag {
            Tag::P if self.continues_sentence() => self.set_data(1),
            Tag::P | Tag::Div | Tag::Dl | Tag::Dd | Tag::Details => self.w.end_leaf(),
            Tag::AtVar => {
                // A variable of a template, or what was taken for one: `$HOME`.
                if let Some(name) = attr(attrs, "at:name") {
                    self.owned_text(&format!("${name}"));
                }
            }
            Tag::Strong => self.w.push_mark(Mark::Strong),
            Tag::Em => self.w.push_mark(Mark::Em),
            Tag::Strike => self.w.push_mark(Mark::Strike),
            Tag::Sub => self.w.push_mark(Mark::Sub),
            Tag::Sup => self.w.push_mark(Mark::Sup),
            Tag::Code if keeps_lines(attrs) => self.start_lines_of_code(),
            Tag::Code => self.w.push_mark(Mark::Code),
            Tag::Span
                if !attrs.is_empty()
                    && attr(attrs, "style").is_some_and(|s| s.contains("line-through")) =>
            {
                self.w.push_mark(Mark::Strike);
                self.set_data(1);
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
            Tag::Li => {
                self.w.push_item(Lead::None);
                if let Some(number) = attr(attrs, "value").and_then(|v| v.trim().parse().ok()) {
                    self.w.number_item(number);
                }
            }
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
                    // Two dates side by side are two words.
                    self.w.space |=
                        self.w.leaf_open && self.w.out.ends_with(|c: char| c.is_ascii_digit());
                    self.w.text(date.trim());
                    self.skip_element();
                }
            }
            Tag::Iframe => self.embedded(attrs),
            Tag::Noise => self.skip_element(),
            _ => {}
        }
    }

    pub(crate) fn end_html(&mut self, frame: Frame) {
        match frame.tag {
            // The sentence goes on behind the macro; another block of its body ends it.
            Tag::P if frame.data == 1 => self.w.space |= self.w.leaf_open,
            Tag::P | Tag::Div | Tag::Dl | Tag::Dd | Tag::Details => self.w.end_leaf(),
            Tag::Strong => self.w.pop_mark(Mark::Strong),
            Tag::Em => self.w.pop_mark(Mark::Em),
            Tag::Strike => self.w.pop_mark(Mark::Strike),
            Tag::Sub => self.w.pop_mark(Mark::Sub),
            Tag::Sup => self.w.pop_mark(Mark::Sup),
            Tag::Code if frame.data == 1 => {
                let code = self.take_buffer();
                let lines = code.trim_matches('\n');
                if lines.contains('\n') {
                    self.w.code_block("", lines);
                } else {
                    self.w.push_mark(Mark::Code);
                    self.w.text(lines);
                    self.w.pop_mark(Mark::Code);
                }
            }
            Tag::Code => self.w.pop_mark(Mark::Code),
            Tag::Span if frame.data == 1 => {
                self.w.pop_mark(Mark::Strike);
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
                if frame.data == 1 {
                    self.tables
                        .end_cell(&mut self.w, self.options.table_max_cell_chars);
                } else {
                    self.w.end_leaf();
                }
            }
            Tag::A => self.end_anchor(frame),
            _ => {}
        }
    }

    /// Whether the paragraph that begins is the first of a macro that stands in a sentence.
    fn continues_sentence(&self) -> bool {
        self.parent() == Tag::RichTextBody
            && self
                .macros
                .last()
                .is_some_and(|m| m.inline && m.kind.flows() && m.start == self.w.out.len())
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
                if let Some(inner) = text.strip_prefix("**").and_then(|t| t.strip_suffix("**"))
                    && !inner.is_empty()
                    && !inner.contains("**")
                    && !inner.starts_with('*')
                    && !inner.ends_with(['*', '\\'])
                {
                    let inner = inner.to_string();
                    self.w.out.truncate(start);
                    self.w.out.push_str(&inner);
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

    /// A table that only sets its cells side by side.
    pub(crate) fn start_frame(&mut self) {
        if self.tables.depth() >= MAX_NESTING || self.sink == Sink::Buffer {
            self.w.end_leaf();
            return self.set_data(1);
        }
        self.tables.start(&mut self.w, true, self.offset);
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
        let mut kind = CellKind {
            columns: 1,
            rows: 1,
            header,
            colour: 0,
        };
        if !attrs.is_empty() {
            for (name, value) in crate::attrs::Attrs::new(attrs) {
                match name {
                    "colspan" => kind.columns = value.trim().parse().unwrap_or(1).max(1),
                    "rowspan" => kind.rows = value.trim().parse().unwrap_or(1),
                    "data-highlight-colour" | "style" if self.options.cell_colours && !header => {
                        kind.colour = colour_of(attrs);
                    }
                    _ => {}
                }
            }
        }
        self.set_data(1);
        self.tables.start_cell(&mut self.w, kind);
    }

    /// The code that has just begun keeps its line breaks.
    pub(crate) fn start_lines_of_code(&mut self) {
        self.buffer();
        self.set_data(1);
    }

    /// What is shown from another address becomes a link to it.
    fn embedded(&mut self, attrs: &str) {
        let address = attr(attrs, "src").or_else(|| attr(attrs, "data-src"));
        if let Some(address) = address.filter(|a| !a.trim().is_empty()) {
            let mut address = crate::secrets::without_secrets(address.trim());
            if address.starts_with("//") {
                address.to_mut().insert_str(0, "https:");
            }
            let mut resolved = resolve_href(&address, self.resolver);
            let title = attr(attrs, "title").filter(|t| !t.trim().is_empty());
            if resolved.out.url().is_some() {
                resolved.text = title.map(|t| t.trim().to_string()).or(resolved.text);
                self.write_link(resolved);
            }
        }
        self.skip_element();
    }

    fn html_image(&mut self, attrs: &str) {
        if attrs.contains("emoticon") {
            if let Some(text) = crate::emoji::rendered(attrs) {
                self.w.text(&text);
            }
            return;
        }
        let file = attr(attrs, "data-linked-resource-default-alias");
        let (alt, title) = (attr(attrs, "alt"), attr(attrs, "title"));
        if let Some(file) = &file {
            self.note_attachment(file);
        }
        let source = attr(attrs, "data-image-src").or_else(|| attr(attrs, "src"));
        let described =
            crate::images::description(alt.as_deref(), title.as_deref(), file.as_deref());
        let shown = match self.options.images {
            Images::All => true,
            Images::None => false,
            Images::Informative => described.is_some(),
        };
        if !shown {
            return;
        }
        let resolved = file
            .as_deref()
            .and_then(|f| self.resolver.attachment(None, f))
            .or_else(|| {
                let source = source.as_deref()?;
                crate::place::clean_url(source, self.resolver.site_base())
            });
        let unnamed = || {
            let alt = alt.as_deref().filter(|a| !a.trim().is_empty());
            alt.or(file.as_deref()).unwrap_or_default().to_string()
        };
        let alt = described.unwrap_or_else(unnamed);
        match resolved {
            Some(url) => self.w.image(&alt, &url),
            None => self.w.text(&format!("[Image: {alt}]")),
        }
    }
}

/// Whether line breaks in the text of this element are line breaks of the page.
fn keeps_lines(attrs: &str) -> bool {
    !attrs.is_empty()
        && attr(attrs, "style").is_some_and(|style| {
            let style = style.split_once("white-space:");
            style.is_some_and(|(_, value)| value.trim_start().starts_with("pre"))
        })
}
