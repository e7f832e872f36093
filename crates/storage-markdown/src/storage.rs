//! Confluence's own elements: links, images, tasks, macros, parameters. The `ac:adf-*` ones are in [`crate::adf`].

use std::borrow::Cow;

use crate::attrs::{attr, raw_attr};
use crate::convert::{Converter, Frame, Sink};
use crate::inline::Mark;
use crate::links::{Ri, resolve, resolve_local};
use crate::macros::{Kind, Macro, Param};
use crate::model::{Images, Task};
use crate::tag::Tag;
use crate::writer::{Lead, Mode};

/// Which open element a resource identifier belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Receiver {
    Link,
    Image,
    Parameter,
}

/// An `ac:link` being read.
#[derive(Debug)]
pub(crate) struct LinkFrame<'a> {
    attrs: &'a str,
    target: Option<Ri<'a>>,
    /// Its mark, once its body has begun.
    id: Option<u32>,
    /// Where the output stood when the body began.
    start: usize,
    /// Text for an empty body.
    text: Option<String>,
}

/// An `ac:image` being read.
#[derive(Debug)]
pub(crate) struct ImageFrame<'a> {
    attrs: &'a str,
    target: Option<Ri<'a>>,
    written: bool,
    /// Where the caption began, and the mode around it.
    caption: Option<(usize, usize, Mode)>,
    block: bool,
}

/// An `ac:task` being read.
#[derive(Debug, Default)]
pub(crate) struct TaskFrame {
    id: Option<String>,
    done: bool,
    item: bool,
    start: Option<usize>,
}

/// An `ac:adf-node` or `ac:adf-extension` being read.
#[derive(Debug, Default)]
pub(crate) struct AdfNode<'a> {
    pub(crate) kind: Cow<'a, str>,
    pub(crate) attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(crate) opened: bool,
    pub(crate) start: usize,
}

impl<'a> Converter<'a> {
    pub(crate) fn start_storage(&mut self, tag: Tag, attrs: &'a str) {
        match tag {
            Tag::StructuredMacro => {
                let name = raw_attr(attrs, "ac:name").unwrap_or("");
                self.macros.push(Macro {
                    kind: Kind::of(name),
                    name,
                    attrs,
                    params_from: self.params.len(),
                    body: None,
                    opened: false,
                    quoted: false,
                    start: self.w.out.len(),
                });
                self.sink = Sink::Meta;
            }
            Tag::Parameter => {
                self.params.push(Param {
                    name: raw_attr(attrs, "ac:name").unwrap_or(""),
                    value: Cow::Borrowed(""),
                    targets: Vec::new(),
                });
                self.receivers.push(Receiver::Parameter);
                self.buffer();
            }
            Tag::RichTextBody => {
                self.sink = Sink::Flow;
                self.open_macro_body();
            }
            Tag::PlainTextBody => self.buffer(),
            Tag::Link => {
                self.link_frames.push(LinkFrame {
                    attrs,
                    target: None,
                    id: None,
                    start: 0,
                    text: None,
                });
                self.receivers.push(Receiver::Link);
                if self.sink == Sink::Flow {
                    self.sink = Sink::Meta;
                }
            }
            Tag::LinkBody => self.start_link_body(),
            Tag::Image => {
                let block = !self.image_is_inline(attrs);
                if block && self.sink != Sink::Buffer {
                    self.w.end_leaf();
                }
                self.images.push(ImageFrame {
                    attrs,
                    target: None,
                    written: false,
                    caption: None,
                    block,
                });
                self.receivers.push(Receiver::Image);
                if self.sink == Sink::Flow {
                    self.sink = Sink::Meta;
                }
            }
            Tag::ImageCaption => self.start_caption(),
            Tag::Emoticon => {
                if let Some(text) = crate::emoji::emoticon(attrs) {
                    if self.sink == Sink::Buffer {
                        if let Some(buffer) = self.buffers.last_mut() {
                            buffer.to_mut().push_str(&text);
                        }
                    } else {
                        self.w.text(&text);
                    }
                }
            }
            Tag::TaskList => {
                self.end_task_text();
                self.w.start_list(false, 1);
                self.sink = Sink::Meta;
            }
            Tag::Task => {
                self.tasks.push(TaskFrame::default());
                self.sink = Sink::Meta;
            }
            Tag::TaskId | Tag::TaskStatus => self.buffer(),
            Tag::TaskBody => {
                self.sink = Sink::Flow;
                let Some(task) = self.tasks.last_mut() else {
                    return;
                };
                task.item = true;
                task.start = Some(self.w.out.len());
                let lead = if task.done { Lead::Done } else { Lead::ToDo };
                self.w.push_item(lead);
            }
            Tag::RiPage
            | Tag::RiContent
            | Tag::RiBlog
            | Tag::RiAttachment
            | Tag::RiUser
            | Tag::RiSpace
            | Tag::RiShortcut
            | Tag::RiUrl => {
                if let Some(ri) = Ri::parse(tag, attrs) {
                    self.receive(ri);
                }
            }
            _ => self.start_adf(tag, attrs),
        }
    }

    pub(crate) fn end_storage(&mut self, frame: Frame) {
        match frame.tag {
            Tag::StructuredMacro => self.close_macro(),
            Tag::Parameter => {
                let value = self.take_buffer();
                self.receivers.pop();
                if let Some(param) = self.params.last_mut() {
                    param.value = match value {
                        Cow::Borrowed(v) => Cow::Borrowed(v.trim()),
                        Cow::Owned(v) => Cow::Owned(v.trim().to_string()),
                    };
                }
            }
            Tag::RichTextBody => {}
            Tag::PlainTextBody => {
                let body = self.take_buffer();
                match self.macros.last_mut() {
                    Some(current) => current.body = Some(body),
                    None => self.w.code_block("", &body),
                }
            }
            Tag::Link => self.end_link(),
            Tag::LinkBody => {
                if let Some(id) = self.link_frames.last().and_then(|l| l.id) {
                    self.w.pop_mark(Mark::Link(id));
                }
            }
            Tag::Image => self.end_image(),
            Tag::ImageCaption => self.end_caption(),
            Tag::TaskList => self.w.end_list(),
            Tag::Task => {
                self.end_task_text();
                if self.tasks.pop().is_some_and(|t| t.item) {
                    self.w.pop_container();
                }
            }
            Tag::TaskId => {
                let id = self.take_buffer();
                if let Some(task) = self.tasks.last_mut() {
                    task.id = Some(id.trim().to_string());
                }
            }
            Tag::TaskStatus => {
                let status = self.take_buffer();
                if let Some(task) = self.tasks.last_mut() {
                    task.done = status.trim() == "complete";
                }
            }
            Tag::TaskBody => self.end_task_text(),
            _ => self.end_adf(frame),
        }
    }

    /// A resource identifier belongs to the element it stands in.
    fn receive(&mut self, ri: Ri<'a>) {
        let slot = match self.receivers.last() {
            Some(Receiver::Link) => self.link_frames.last_mut().map(|l| &mut l.target),
            Some(Receiver::Image) => self.images.last_mut().map(|i| &mut i.target),
            Some(Receiver::Parameter) => {
                let Some(param) = self.params.last_mut() else {
                    return;
                };
                match (param.targets.last_mut(), &ri) {
                    (Some(Ri::Attachment { page, .. }), Ri::Page { space, title }) => {
                        *page = Some((space.clone(), title.clone()))
                    }
                    _ => param.targets.push(ri),
                }
                return;
            }
            // Outside of anything, in a page that was made by hand.
            None => return self.reference_to(&ri),
        };
        let Some(slot) = slot else { return };
        match (slot, ri) {
            (Some(Ri::Attachment { page, .. }), Ri::Page { space, title }) => {
                *page = Some((space, title))
            }
            (slot, ri) => *slot = Some(ri),
        }
    }

    // ---- links ------------------------------------------------------------------------------------------------

    fn start_link_body(&mut self) {
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
    fn settle_link(&mut self, index: usize) -> u32 {
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

    fn end_link(&mut self) {
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
        // A link that leads nowhere we know of: what it was meant for stays readable.
        let unresolved = id != u32::MAX && self.w.links[id as usize].url().is_none();
        if let (
            true,
            Some(
                Ri::Page { title, .. }
                | Ri::Blog { title, .. }
                | Ri::Attachment { file: title, .. },
            ),
        ) = (unresolved, &frame.target)
        {
            let shown = crate::escape::plain(&self.w.out[frame.start..]).to_lowercase();
            if !shown.contains(&title.to_lowercase()) {
                let title = title.to_string();
                self.w.text(&format!(" ({title})"));
            }
        }
    }

    // ---- images -----------------------------------------------------------------------------------------------

    fn image_is_inline(&self, attrs: &str) -> bool {
        self.inline_parent()
            || matches!(self.parent(), Tag::Link | Tag::LinkBody | Tag::A)
            || raw_attr(attrs, "ac:inline") == Some("true")
    }

    fn write_image(&mut self, captioned: bool) {
        let Some(image) = self.images.last_mut() else {
            return;
        };
        if std::mem::replace(&mut image.written, true) {
            return;
        }
        let attrs = image.attrs;
        let target = image.target.take();
        let alt = attr(attrs, "ac:alt").filter(|a| !a.trim().is_empty());
        let file = match &target {
            Some(Ri::Attachment { file, .. }) => Some(file.to_string()),
            _ => None,
        };
        if let Some(file) = &file {
            self.note_attachment(file);
        }
        let external = matches!(target, Some(Ri::Url { .. }));
        let told = alt.as_deref().or(file.as_deref()).is_some_and(is_telling);
        let shown = match self.options.images {
            Images::All => true,
            Images::None => false,
            Images::Informative => told || captioned || external,
        };
        let Some(target) = target.filter(|_| shown) else {
            return;
        };
        let url = match &target {
            Ri::Attachment { file, page } => self
                .resolver
                .attachment(page.as_ref().map(|(s, t)| (s.as_deref(), t.as_ref())), file),
            Ri::Url { value } => crate::view::clean_url(value, self.resolver.site_base()),
            other => resolve(other, None, self.resolver)
                .out
                .url()
                .map(str::to_string),
        };
        // A name that says nothing is left out where the caption speaks.
        let alt = alt
            .as_deref()
            .or(file.as_deref())
            .filter(|_| told || !captioned)
            .unwrap_or("");
        match url {
            Some(url) => self.w.image(alt, &url),
            None if alt.is_empty() => {}
            None => self.w.text(&format!("[Image: {alt}]")),
        }
    }

    fn start_caption(&mut self) {
        if self.images.is_empty() || self.sink == Sink::Buffer {
            return;
        }
        self.write_image(true);
        self.sink = Sink::Flow;
        let mode = self.w.mode;
        let before = self.w.out.len();
        if self.w.leaf_open {
            match mode {
                Mode::Blocks => {
                    self.w.settle_marks();
                    self.w.out.push('\\');
                    self.w.newline();
                }
                Mode::Cell => self.w.out.push_str("<br>"),
                Mode::Line => self.w.space = true,
            }
        } else {
            self.w.begin_block(crate::writer::Last::Paragraph);
            self.w.leaf_open = true;
        }
        self.w.space = false;
        if mode == Mode::Blocks {
            self.w.mode = Mode::Line;
        }
        if let Some(image) = self.images.last_mut() {
            image.caption = Some((before, self.w.out.len(), mode));
        }
        self.w.push_mark(Mark::Em);
    }

    fn end_caption(&mut self) {
        let Some((before, start, mode)) = self.images.last_mut().and_then(|i| i.caption.take())
        else {
            return;
        };
        self.w.pop_mark(Mark::Em);
        self.w.settle_marks();
        self.w.mode = mode;
        self.w.space = false;
        self.w.breaks = 0;
        if self.w.out.len() == start {
            self.w.out.truncate(before);
        } else if mode == Mode::Blocks {
            // Whatever follows in the same paragraph begins on a line of its own.
            self.w.breaks = 1;
        }
    }

    fn end_image(&mut self) {
        self.receivers.pop();
        if self.sink != Sink::Buffer {
            self.write_image(false);
            if self.images.last().is_some_and(|i| i.block) {
                self.w.end_leaf();
            }
        }
        self.images.pop();
    }

    // ---- tasks ------------------------------------------------------------------------------------------------

    /// The text of the innermost task is complete: what follows in it are nested tasks.
    fn end_task_text(&mut self) {
        let Some(task) = self.tasks.last_mut() else {
            return;
        };
        let Some(start) = task.start.take() else {
            return;
        };
        self.w.end_leaf();
        let written = self.w.out.get(start..).unwrap_or("");
        let text = ["[x] ", "[ ] ", "☑ ", "☐ "]
            .iter()
            .filter_map(|lead| written.split_once(lead))
            .map(|(_, t)| t)
            .max_by_key(|t| t.len());
        let text = crate::escape::plain(text.unwrap_or("").trim());
        if !text.is_empty() {
            self.result.tasks.push(Task {
                id: task.id.take(),
                done: task.done,
                decision: false,
                text,
            });
        }
    }
}

/// Whether a name or alternative text says more than that there is a picture.
pub(crate) fn is_telling(text: &str) -> bool {
    let text = text.trim();
    let stem = text
        .rsplit_once('.')
        .filter(|(_, ext)| ext.len() <= 4)
        .map_or(text, |(stem, _)| stem);
    let lower = stem.to_lowercase();
    let generic = [
        "image",
        "img",
        "screenshot",
        "screen shot",
        "screen recording",
        "bildschirmfoto",
        "스크린샷",
        "capture",
        "unnamed",
        "picture",
        "clipboard",
        "photo",
        "paste",
        "grafik",
        "bild",
    ];
    if let Some(rest) = generic.iter().find_map(|g| lower.strip_prefix(g)) {
        // Only a number, a date or a time behind it.
        return rest.chars().filter(|c| c.is_alphabetic()).count() > 8
            && !rest.starts_with([' ', '-', '_', '2']);
    }
    stem.chars().any(char::is_alphabetic) && !is_hex_id(stem) && !is_dated(stem)
}

/// Named by a camera or a screenshot tool: a word or two and a date.
fn is_dated(stem: &str) -> bool {
    let bytes = stem.as_bytes();
    bytes.windows(10).any(|w| {
        w.iter().enumerate().all(|(i, b)| {
            if i == 4 || i == 7 {
                matches!(b, b'-' | b'.' | b'_')
            } else {
                b.is_ascii_digit()
            }
        })
    })
}

fn is_hex_id(stem: &str) -> bool {
    stem.len() >= 16 && stem.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
