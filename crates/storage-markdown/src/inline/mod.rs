//! Inline marks: emphasis, code spans, links.
//!
//! Elements say which marks are wanted; marks are written only when text arrives, in the order that nests. So spaces
//! move outside of marks, equal neighbours merge, and an empty mark leaves nothing. A delimiter that CommonMark would
//! not read as one (`**"x"**y`) is not written: the words stay, the emphasis goes.

mod close;

use crate::model::{Link, LinkTarget};
use crate::open_links::{CLOSE, NEXT, OPEN};
use crate::writer::{Last, Mode, Writer};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    Strong,
    Em,
    Strike,
    Sub,
    Sup,
    /// Index into [`Writer::links`].
    Link(u32),
    Code,
}

impl Mark {
    fn kind(self) -> usize {
        match self {
            Mark::Strong => 0,
            Mark::Em => 1,
            Mark::Strike => 2,
            Mark::Sub => 3,
            Mark::Sup => 4,
            Mark::Link(_) => 5,
            Mark::Code => 6,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    mark: Mark,
    /// Not written: the same mark is wanted already, or the delimiter would not work here.
    mute: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    mark: Mark,
    /// Where the opening delimiter stands in the output.
    at: usize,
    /// It stands first on its line, where block markers act.
    leads: bool,
}

/// Where a link goes, and what was written of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkOut {
    /// What is told about it beside the Markdown.
    pub(crate) link: Option<Link>,
    /// Text was written inside.
    pub(crate) used: bool,
    /// To an anchor in this page, still to be found: written between control characters, settled at the end.
    pub(crate) local: bool,
    /// Title to put in place of a text that merely repeats the URL.
    pub(crate) instead: Option<String>,
    /// What the text is compared with: the address as the page's author saw it.
    pub(crate) raw: Option<String>,
    /// The page that it leads to, where that is known: then it is left open (see [`crate::open_links`]).
    pub(crate) page: Option<Box<PageLink>>,
    /// What the author's link names, told behind a text that does not show it where there is no address.
    pub(crate) title: Option<String>,
}

/// The page that a link leads to.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageLink {
    pub(crate) id: String,
    /// The place in it, as a fragment; empty without one.
    pub(crate) anchor: String,
    /// The text that stands for the page's title where the author wrote none.
    pub(crate) words: Option<String>,
}

impl LinkOut {
    /// A link that stands in the Markdown already.
    pub(crate) fn told(link: Link) -> Self {
        LinkOut {
            link: Some(link),
            used: true,
            ..LinkOut::default()
        }
    }

    /// Destination as it stands between the parentheses; without one the text has no link.
    pub(crate) fn url(&self) -> Option<&str> {
        let link = self.link.as_ref()?;
        match &link.target {
            LinkTarget::Anchor { name } if self.local => Some(name),
            _ => link.url.as_deref(),
        }
    }

    /// Whether the (escaped) text says nothing but the address.
    fn shows_address(&self, text: &str) -> bool {
        let web = self.instead.is_some()
            && (text.starts_with("https://") || text.starts_with("http://"))
            && !text.contains(' ');
        let is = |address: Option<&str>| address.is_some_and(|a| same_address(text, a));
        web || is(self.raw.as_deref()) || is(self.url())
    }
}

/// Stands before the `[` of a link whose anchor is looked up when the whole page is known.
pub(crate) const LOCAL_OPEN: char = '\u{1}';
/// Stands around the anchor of such a link.
pub(crate) const LOCAL_ANCHOR: char = '\u{2}';

/// Text without the control characters that mark links whose end is still to come; no page can hold them legally.
pub(crate) fn legal(text: &str) -> std::borrow::Cow<'_, str> {
    const OURS: [char; 5] = [LOCAL_OPEN, LOCAL_ANCHOR, OPEN, NEXT, CLOSE];
    let [a, b, c, d, e] = OURS.map(|ours| ours as u8);
    let bytes = text.as_bytes();
    if memchr::memchr3(a, b, c, bytes).is_none() && memchr::memchr2(d, e, bytes).is_none() {
        return std::borrow::Cow::Borrowed(text);
    }
    std::borrow::Cow::Owned(text.replace(OURS, ""))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Punctuation,
    Word,
}

fn class(c: char) -> Class {
    // What pages hold much of, and is dear to look up, comes first.
    match c {
        c if c.is_ascii_alphanumeric() => Class::Word,
        // Dashes and quotes, arrows, emoji.
        '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{23ff}' | '\u{1f300}'..='\u{1faff}' => {
            Class::Punctuation
        }
        // Cyrillic, Han, Hangul.
        '\u{410}'..='\u{44f}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => Class::Word,
        c if c.is_whitespace() => Class::Space,
        c if c.is_alphanumeric() => Class::Word,
        _ => Class::Punctuation,
    }
}

/// A letter or a digit.
pub(crate) fn is_word(c: char) -> bool {
    class(c) == Class::Word
}

/// Like [`class`], for what follows: a character that is neither letter nor certainly punctuation counts as a letter.
fn class_after(c: char) -> Class {
    match class(c) {
        Class::Punctuation
            if !c.is_ascii()
                && !matches!(c, '\u{2010}'..='\u{2027}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{FF01}'..='\u{FF0F}') =>
        {
            Class::Word
        }
        other => other,
    }
}

impl Writer {
    pub(crate) fn push_mark(&mut self, mark: Mark) {
        let kind = mark.kind();
        if self.wanted.iter().any(|w| w.mark.kind() == kind) {
            self.repeated[kind] += 1;
            return;
        }
        self.code_anew |= mark == Mark::Code;
        // Nothing but a link goes around a code span that has begun.
        let in_code = self.wanted.iter().any(|w| w.mark == Mark::Code);
        let mute = in_code && !matches!(mark, Mark::Link(_));
        self.wanted.push(Wanted { mark, mute });
        self.dirty = true;
    }

    /// Ends the latest of the wanted marks of this kind.
    pub(crate) fn pop_mark(&mut self, mark: Mark) {
        let kind = mark.kind();
        if self.repeated[kind] > 0 {
            self.repeated[kind] -= 1;
        } else if self.wanted.pop_if(|w| w.mark.kind() == kind).is_some() {
            self.dirty = true;
        } else if let Some(at) = self.wanted.iter().rposition(|w| w.mark.kind() == kind) {
            self.wanted.remove(at);
            self.dirty = true;
        }
    }

    /// Everything due before a character is written: the block it stands in, marks, breaks, the space.
    pub(crate) fn ready(&mut self, next: char) {
        if !self.leaf_open {
            self.begin_leaf();
        }
        if self.dirty {
            self.sync(next);
        } else {
            self.gap();
        }
    }

    fn begin_leaf(&mut self) {
        self.begin_block(Last::Paragraph);
        self.leaf_open = true;
        if self.mode != Mode::Line {
            self.space = false;
        }
        self.breaks = 0;
        self.dirty |= !self.wanted.is_empty();
    }

    /// Writes the breaks that are due.
    fn write_breaks(&mut self) {
        let breaks = std::mem::take(&mut self.breaks);
        self.space = false;
        match self.mode {
            Mode::Line => self.out.push(' '),
            Mode::Cell => {
                self.out.push_str("<br>");
                self.cell_breaks += 1;
            }
            Mode::Blocks if breaks > 1 => {
                // Two breaks are how people make a paragraph.
                self.end_leaf();
                self.begin_block(Last::Paragraph);
                self.leaf_open = true;
                self.dirty = !self.wanted.is_empty();
            }
            Mode::Blocks => {
                self.out.push('\\');
                self.newline();
                self.line_start = true;
            }
        }
    }

    /// Writes the breaks or the space that are due.
    fn gap(&mut self) {
        if self.breaks > 0 {
            self.write_breaks();
        } else if self.space {
            self.space = false;
            let apart = self.is_empty()
                || match self.out.as_bytes() {
                    [.., b' ' | b'\n'] => true,
                    [.., b'>'] => self.out.ends_with("<br>"),
                    _ => false,
                };
            if !apart {
                self.out.push(' ');
            }
        }
    }

    fn sync(&mut self, next: char) {
        self.dirty = false;
        let keep = self
            .open
            .iter()
            .position(|o| !self.wanted.iter().any(|w| w.mark == o.mark && !w.mute))
            .unwrap_or(self.open.len());
        // A code span is always innermost: what opens now must open outside of it.
        let keep =
            if keep > 0 && self.open[keep - 1].mark == Mark::Code && keep < self.wanted_count() {
                keep - 1
            } else {
                keep
            };
        // Two code spans with a space between them are two; that they touch is the doing of what splits a word.
        let apart = std::mem::take(&mut self.code_anew) && (self.space || self.breaks > 0);
        let code = self.open.iter().position(|o| o.mark == Mark::Code);
        let keep = match code {
            Some(at) if apart => keep.min(at),
            _ => keep,
        };
        let closed_before = self.out.len();
        if self.open.len() > keep {
            self.close_to(keep, next);
        }
        let closed = self.out.len() - closed_before.min(self.out.len());
        let had_gap = self.breaks > 0 || self.space;
        self.gap();
        if self.dirty {
            // The gap ended the paragraph and with it all marks.
            self.dirty = false;
        }
        self.open_wanted(next, if had_gap { 0 } else { closed });
    }

    fn wanted_count(&self) -> usize {
        self.wanted.iter().filter(|w| !w.mute).count()
    }

    fn open_wanted(&mut self, next: char, closed: usize) {
        let mut code = false;
        for index in 0..self.wanted.len() {
            let Wanted { mark, mute } = self.wanted[index];
            if mute || self.open.iter().any(|o| o.mark == mark) {
                continue;
            }
            match mark {
                Mark::Code => code = true,
                Mark::Strong | Mark::Em | Mark::Strike => {
                    if !self.open_delimiter(mark, next, closed) {
                        self.wanted[index].mute = true;
                    }
                }
                Mark::Sub => self.open_with(mark, "<sub>"),
                Mark::Sup => self.open_with(mark, "<sup>"),
                Mark::Link(id) => {
                    self.links[id as usize].used = true;
                    let link = &self.links[id as usize];
                    // What leads nowhere is written like the rest, so that it reads the same to whoever may not know of the page.
                    if link.url().is_some() || link.page.is_some() || link.title.is_some() {
                        self.guard_bracket();
                        let at = self.out.len();
                        let leads = self.line_start && self.mode == Mode::Blocks;
                        if self.links[id as usize].local {
                            self.out.push(LOCAL_OPEN);
                        }
                        self.out.push('[');
                        self.open.push(Open { mark, at, leads });
                        self.in_link = true;
                        self.line_start = false;
                    } else {
                        self.wanted[index].mute = true;
                    }
                }
            }
        }
        if code {
            let at = self.out.len();
            // Two code spans that touch would read as one fence; the last may be that of an open link without its address.
            if self.written().trim_end_matches(CLOSE).ends_with('`') {
                self.out.push(' ');
            }
            let at = at.max(self.out.len());
            self.out.push('`');
            self.open.push(Open {
                mark: Mark::Code,
                at,
                leads: false,
            });
            self.in_code = true;
            self.line_start = false;
        }
    }

    /// Before a `[` of ours: a `]` or `!` of the text must not take part in it.
    pub(crate) fn guard_bracket(&mut self) {
        let note = self.written().strip_suffix(']');
        let note = note.map(|text| text.trim_end_matches(|c: char| c.is_ascii_digit()));
        if note.is_some_and(|text| text.ends_with("[^") && !text.ends_with("\\[^")) {
            // A footnote of ours: with what follows it would be a link, or the note itself.
            self.out.push(' ');
            return;
        }
        if self.written().ends_with([']', '!']) && !self.out[..self.out.len() - 1].ends_with('\\') {
            let at = self.out.len() - 1;
            self.out.insert(at, '\\');
        }
    }

    fn open_with(&mut self, mark: Mark, text: &str) {
        let at = self.out.len();
        let leads = self.line_start && self.mode == Mode::Blocks;
        self.out.push_str(text);
        self.open.push(Open { mark, at, leads });
        self.line_start = false;
    }

    fn open_delimiter(&mut self, mark: Mark, next: char, closed: usize) -> bool {
        let text = delimiter(mark);
        let run = self.out.trim_end_matches('*').chars().next_back();
        let before = if self.line_start || self.is_empty() {
            ' '
        } else {
            run.unwrap_or(' ')
        };
        let after = class_after_punct(next);
        let opens = after != Class::Space && (after == Class::Word || class(before) != Class::Word);
        let star = text.as_bytes()[0] == b'*';
        if !opens
            || (star && closed > 0 && self.written().ends_with('*') && closed + text.len() > 3)
        {
            return false;
        }
        if mark == Mark::Strike && self.written().ends_with('~') {
            return false;
        }
        self.open_with(mark, text);
        true
    }

    /// An image; the address has been made ready by the caller.
    pub(crate) fn image(&mut self, alt: &str, url: &str) {
        self.ready('!');
        self.guard_bracket();
        self.out.push_str("![");
        self.out.push_str(&crate::escape::escaped_in_brackets(alt));
        self.out.push_str("](");
        push_destination(&mut self.out, url);
        self.out.push(')');
        self.line_start = false;
    }

    /// Writes inline Markdown that needs no escaping, such as `$x$`.
    pub(crate) fn verbatim(&mut self, text: &str) {
        let text = &legal(text);
        if let Some(first) = text.chars().next() {
            self.ready(first);
            self.out.push_str(text);
            self.line_start = false;
        }
    }
}

fn class_after_punct(c: char) -> Class {
    // For an opener the doubtful case is the other way round: what might be punctuation is taken for it.
    class(c)
}

fn delimiter(mark: Mark) -> &'static str {
    match mark {
        Mark::Strong => "**",
        Mark::Strike => "~~",
        _ => "*",
    }
}

/// Whether the (escaped) link text is nothing but the address.
fn same_address(text: &str, url: &str) -> bool {
    if text.len() < url.len().min(4) {
        return false;
    }
    let mut bytes = text.bytes().filter(|&b| b != b'\\');
    let url = url.strip_prefix("mailto:").unwrap_or(url);
    url.bytes()
        .filter(|&b| b != b'\\')
        .all(|b| bytes.next() == Some(b))
        && bytes.next().is_none()
}

fn is_autolink(url: &str) -> bool {
    let scheme = url.find(':').is_some_and(|n| {
        (2..=32).contains(&n) && url.as_bytes()[..n].iter().all(u8::is_ascii_alphanumeric)
    });
    scheme && !url.bytes().any(|b| b <= b' ' || matches!(b, b'<' | b'>'))
}

/// Writes a link destination so that CommonMark reads back exactly this address.
pub(crate) fn push_destination(out: &mut String, url: &str) {
    let angle = url.is_empty()
        || url.bytes().any(|b| matches!(b, b' ' | b'(' | b')'))
        || url.starts_with('<');
    if angle {
        out.push('<');
    }
    let acts = |b: u8| matches!(b, b'<' | b'>' | b'\\' | b'&') || b.is_ascii_control();
    let mut rest = url;
    while let Some(at) = rest.bytes().position(acts) {
        out.push_str(&rest[..at]);
        let c = rest.as_bytes()[at];
        match c {
            b'<' => out.push_str("%3C"),
            b'>' => out.push_str("%3E"),
            b'\\' => out.push_str("%5C"),
            b'&' if crate::escape::looks_like_reference(&rest[at..]) => out.push_str("&amp;"),
            b'&' => out.push('&'),
            _ => out.push_str("%20"),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    if angle {
        out.push('>');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_looked_up_is_of_the_class_that_it_has() {
        for c in '\0'..=char::MAX {
            assert_eq!(class(c) == Class::Space, c.is_whitespace(), "{c:?}");
            assert_eq!(class(c) == Class::Word, c.is_alphanumeric(), "{c:?}");
        }
    }
}
