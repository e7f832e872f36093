//! Confluence's own elements: links, images, tasks, macros, parameters. The `ac:adf-*` ones are in [`crate::adf`].

use std::borrow::Cow;

use crate::attrs::raw_attr;
use crate::convert::{Converter, Frame, Sink};
use crate::inline::Mark;
use crate::links::Ri;
use crate::macros::{Kind, Macro, Param};
use crate::model::Task;
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
    pub(crate) attrs: &'a str,
    pub(crate) target: Option<Ri<'a>>,
    /// Its mark, once its body has begun.
    pub(crate) id: Option<u32>,
    /// Where the output stood when the body began.
    pub(crate) start: usize,
    /// Text for an empty body.
    pub(crate) text: Option<String>,
}

/// An `ac:image` being read.
#[derive(Debug)]
pub(crate) struct ImageFrame<'a> {
    pub(crate) attrs: &'a str,
    pub(crate) target: Option<Ri<'a>>,
    pub(crate) written: bool,
    /// Where the caption began, and the mode around it.
    pub(crate) caption: Option<(usize, usize, Mode)>,
    pub(crate) block: bool,
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
                let kind = Kind::of(name);
                let inline = self.inline_parent();
                self.macros.push(Macro {
                    kind,
                    name,
                    attrs,
                    offset: self.offset,
                    params_from: self.params.len(),
                    body: None,
                    opened: false,
                    inline,
                    quoted: false,
                    start: self.w.out.len(),
                });
                if kind == Kind::Footnote {
                    // With the macro, not with a body, so that it ends where it began whatever stands between them.
                    self.open_footnote();
                }
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
                if std::mem::replace(&mut task.item, true) {
                    return;
                }
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
            Tag::RichTextBody => {
                if self
                    .macros
                    .last()
                    .is_some_and(|m| m.inline && m.kind.flows())
                {
                    // The sentence goes on: what ended the last paragraph of the body is none of it.
                    self.w.space = false;
                    self.w.breaks = 0;
                }
            }
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
            Tag::ImageCaption if frame.data == 1 => self.end_caption(),
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
    pub(crate) fn receive(&mut self, ri: Ri<'a>) {
        let slot = match self.receivers.last() {
            Some(Receiver::Link) => self.link_frames.last_mut().map(|l| &mut l.target),
            Some(Receiver::Image) => self.images.last_mut().map(|i| &mut i.target),
            Some(Receiver::Parameter) => {
                let Some(param) = self.params.last_mut() else {
                    return;
                };
                match (param.targets.last_mut(), &ri) {
                    (
                        Some(Ri::Attachment { page, .. }),
                        Ri::Page { .. } | Ri::Content { .. } | Ri::Blog { .. },
                    ) => {
                        *page = owner_of_file(ri);
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
            (
                Some(Ri::Attachment { page, .. }),
                owner @ (Ri::Page { .. } | Ri::Content { .. } | Ri::Blog { .. }),
            ) => *page = owner_of_file(owner),
            (slot, ri) => *slot = Some(ri),
        }
    }

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

/// The page that a file is on. One that only its id names has no title here: then the file is known by its name alone.
fn owner_of_file(owner: Ri<'_>) -> Option<(Option<Cow<'_, str>>, Cow<'_, str>)> {
    match owner {
        Ri::Page { space, title } | Ri::Blog { space, title, .. } => Some((space, title)),
        _ => Some((None, Cow::Borrowed(""))),
    }
}
