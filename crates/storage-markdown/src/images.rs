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
        let (alt, title) = (attr(attrs, "ac:alt"), attr(attrs, "ac:title"));
        let file = match &target {
            Some(Ri::Attachment { file, .. }) => Some(file.to_string()),
            _ => None,
        };
        if let Some(file) = &file {
            self.note_attachment(file);
        }
        let external = matches!(target, Some(Ri::Url { .. }));
        let described = description(alt.as_deref(), title.as_deref(), file.as_deref());
        let shown = match self.options.images {
            Images::All => true,
            Images::None => false,
            Images::Informative => described.is_some() || captioned || external,
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
        let unnamed = || {
            let alt = alt.as_deref().filter(|a| !a.trim().is_empty());
            let name = alt.or(file.as_deref()).filter(|_| !captioned);
            name.unwrap_or_default().to_string()
        };
        let alt = described.unwrap_or_else(unnamed);
        match url {
            Some(url) => self.w.image(&alt, &url),
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
        if self.w.leaf_open {
            // What ended before is written before the place is noted.
            self.w.settle_marks();
        }
        let before = self.w.out.len();
        if self.w.leaf_open {
            match mode {
                Mode::Blocks => {
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

/// What a picture shows, as far as its alternative text, its title or else the name of its file say it.
pub(crate) fn description(
    alt: Option<&str>,
    title: Option<&str>,
    file: Option<&str>,
) -> Option<String> {
    let telling = |text: &&str| is_telling(text);
    let own = |text: &&str| is_telling(text) && !file.is_some_and(|f| f.eq_ignore_ascii_case(text));
    let (alt, title) = (alt.map(str::trim), title.map(str::trim));
    match (alt.filter(own), title.filter(own)) {
        (Some(alt), Some(title)) if !alt.to_lowercase().contains(&title.to_lowercase()) => {
            Some(format!("{alt} ({title})"))
        }
        (Some(text), _) | (None, Some(text)) => Some(text.to_string()),
        (None, None) => file.filter(telling).map(str::to_string),
    }
}

/// Whether a name or alternative text says more than that there is a picture: three letters in a row are left without
/// generic words, dates, times, numbers, ids and the extension. A name as short as `UI.png` counts when it is all there is.
fn is_telling(text: &str) -> bool {
    let text = text.trim();
    let stem = match text.rsplit_once('.') {
        Some((stem, extension)) if is_extension(extension) => stem,
        _ => text,
    };
    if is_hex_id(stem) {
        return false;
    }
    let mut short = false;
    let mut left_out = false;
    for word in stem.split(|c: char| !is_letter(c) && !c.is_ascii_digit()) {
        if is_number_like(word) {
            left_out |= !word.is_empty();
            continue;
        }
        for letters in word.split(|c: char| !is_letter(c)) {
            left_out |= letters.len() < word.len();
            if letters.is_empty() {
                continue;
            }
            if is_generic(letters) {
                left_out = true;
            } else if letters.chars().count() > 2 || letters.chars().any(is_whole_word) {
                return true;
            } else {
                short = true;
            }
        }
    }
    short && !left_out
}

fn is_extension(text: &str) -> bool {
    let known = [
        "png", "jpg", "jpeg", "gif", "svg", "webp", "bmp", "tif", "tiff", "heic", "heif", "avif",
        "ico", "jfif", "pdf", "mp4", "mov", "webm",
    ];
    known.iter().any(|k| k.eq_ignore_ascii_case(text))
}

/// A number, or an id of digits and the letters of hexadecimal numbers.
fn is_number_like(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    digits == word.len()
        || (word.len() >= 8 && digits >= 3 && word.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Words that screenshot tools, cameras and editors put into names: what kind of thing it is, and when it was made.
fn is_generic(word: &str) -> bool {
    static KNOWN: &[&str] = &[
        // what it is
        "image",
        "images",
        "img",
        "imgs",
        "picture",
        "pic",
        "photo",
        "photos",
        "foto",
        "bild",
        "grafik",
        "graphic",
        "imagen",
        "imagem",
        "immagine",
        "afbeelding",
        "изображение",
        "画像",
        "图片",
        "图像",
        "이미지",
        // how it was made
        "screenshot",
        "screenshots",
        "screen",
        "shot",
        "screencap",
        "screengrab",
        "snapshot",
        "recording",
        "capture",
        "écran",
        "captura",
        "pantalla",
        "tela",
        "bildschirmfoto",
        "schermata",
        "schermafbeelding",
        "skjermbilde",
        "skärmavbild",
        "снимок",
        "экрана",
        "スクリーンショット",
        "截图",
        "截屏",
        "屏幕截图",
        "屏幕快照",
        "스크린샷",
        "clipboard",
        "paste",
        "pasted",
        "unnamed",
        "untitled",
        "unbenannt",
        "whatsapp",
        "dsc",
        "dscn",
        "dcim",
        "pxl",
        "mvimg",
        // when it was made
        "from",
        "alle",
        "오전",
        "오후",
        "上午",
        "下午",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    // As file names of macOS spell Korean: letter by letter.
    static APART: &[&str] = &[
        "\u{1109}\u{1173}\u{110f}\u{1173}\u{1105}\u{1175}\u{11ab}\u{1109}\u{1163}\u{11ba}", // 스크린샷
        "\u{110b}\u{1169}\u{110c}\u{1165}\u{11ab}",                                         // 오전
        "\u{110b}\u{1169}\u{1112}\u{116e}",                                                 // 오후
    ];
    let word = word.to_lowercase();
    KNOWN.contains(&word.as_str()) || APART.contains(&word.as_str())
}

/// Asked in this order because it is asked of every letter of every name.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
        || is_whole_word(c)
        || matches!(c, '\u{1100}'..='\u{11ff}')
        || (!c.is_ascii() && c.is_alphabetic())
}

/// A letter of a script in which one or two of them are a word.
fn is_whole_word(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{3ffff}')
}

fn is_hex_id(stem: &str) -> bool {
    stem.len() >= 16 && stem.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
