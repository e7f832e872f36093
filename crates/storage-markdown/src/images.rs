//! `ac:image` and its caption.

use crate::attrs::{attr, raw_attr};
use crate::convert::{Converter, Sink};
use crate::inline::Mark;
use crate::links::{Ri, resolve};
use crate::model::Images;
use crate::tag::Tag;
use crate::writer::Mode;

impl Converter<'_> {
    pub(crate) fn image_is_inline(&self, attrs: &str) -> bool {
        self.inline_parent()
            || matches!(self.parent(), Tag::Link | Tag::LinkBody | Tag::A)
            || raw_attr(attrs, "ac:inline") == Some("true")
    }

    pub(crate) fn write_image(&mut self, captioned: bool) {
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
            Ri::Url { value } => crate::place::clean_url(value, self.resolver.site_base()),
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

    pub(crate) fn start_caption(&mut self) {
        if self.sink == Sink::Buffer || self.images.last().is_none_or(|i| i.caption.is_some()) {
            return;
        }
        self.set_data(1);
        self.write_image(true);
        self.tables.begin_aside();
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
        // One line, whatever blocks the caption is made of.
        self.w.mode = Mode::Line;
        if let Some(image) = self.images.last_mut() {
            image.caption = Some((before, self.w.out.len(), mode));
        }
        self.w.push_mark(Mark::Em);
    }

    pub(crate) fn end_caption(&mut self) {
        let Some((before, start, mode)) = self.images.last_mut().and_then(|i| i.caption.take())
        else {
            return;
        };
        self.tables.end_aside();
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

    pub(crate) fn end_image(&mut self) {
        self.receivers.pop();
        if self.sink != Sink::Buffer {
            self.write_image(false);
            if self.images.last().is_some_and(|i| i.block) {
                self.w.end_leaf();
            }
        }
        self.images.pop();
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
