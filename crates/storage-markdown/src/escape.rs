//! Text into Markdown: white space collapsed, and a backslash only where CommonMark would act.
//!
//! `snake_case`, `a*b` in code, `5 * 3`, `#4` in a sentence stay as they are: a search for them must find them.

use crate::writer::{Mode, Writer};

const PLAIN: u8 = 0;
const SPACE: u8 = 1;
const SPECIAL: u8 = 2;

static CLASS: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut i = 0;
    while i < 0x20 {
        table[i] = SPECIAL;
        i += 1;
    }
    table[b' ' as usize] = SPACE;
    table[b'\t' as usize] = SPACE;
    table[b'\n' as usize] = SPACE;
    table[b'\r' as usize] = SPACE;
    table[0x0c] = SPACE;
    table[0x7f] = SPECIAL;
    table[b'*' as usize] = SPECIAL;
    table[b'_' as usize] = SPECIAL;
    table[b'`' as usize] = SPECIAL;
    table[b'[' as usize] = SPECIAL;
    table[b']' as usize] = SPECIAL;
    table[b'<' as usize] = SPECIAL;
    table[b'&' as usize] = SPECIAL;
    table[b'~' as usize] = SPECIAL;
    table[b'\\' as usize] = SPECIAL;
    // First byte of U+00A0 and U+00AD.
    table[0xc2] = SPECIAL;
    table
};

impl Writer {
    /// Visible text of the page.
    pub(crate) fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let (mut at, mut gap) = (0, false);
        while at < bytes.len() {
            match bytes[at] {
                b if CLASS[b as usize] == SPACE => (at, gap) = (at + 1, true),
                // Nothing is written for these, so nothing is made ready for them.
                b if b < 0x20 => at += 1,
                0x7f if !self.in_code => at += 1,
                0xc2 if !self.in_code && bytes.get(at + 1) == Some(&0xad) => at += 2,
                0xc2 if !self.in_code && bytes.get(at + 1) == Some(&0xa0) => {
                    (at, gap) = (at + 2, true);
                }
                _ => break,
            }
        }
        if gap {
            self.space |= self.leaf_open;
        }
        let Some(first) = text[at..].chars().next() else {
            return;
        };
        self.ready(first);
        if self.in_code {
            self.code_text(&text[at..]);
            return;
        }
        if matches!(first, '(' | '[' | ':') && self.written().ends_with(']') {
            self.guard_bracket();
        } else if first == '*' && self.written().ends_with('*') {
            // Never touch a delimiter of ours.
            self.out.push('\\');
            self.out.push('*');
            at += 1;
            self.line_start = false;
        }
        if self.line_start {
            self.line_start = false;
            if self.mode == Mode::Blocks {
                at += self.escape_line_start(&text[at..]);
            }
        }
        self.escape_from(text, at);
    }

    fn escape_from(&mut self, text: &str, start: usize) {
        let bytes = text.as_bytes();
        let mut from = start;
        let mut at = start;
        loop {
            at += words(&bytes[at..]);
            if at == bytes.len() {
                break;
            }
            if CLASS[bytes[at] as usize] == SPACE {
                self.out.push_str(&text[from..at]);
                at += 1;
                while at < bytes.len() && CLASS[bytes[at] as usize] == SPACE {
                    at += 1;
                }
                if at == bytes.len() {
                    self.space = true;
                    return;
                }
                self.push_gap();
                from = at;
                continue;
            }
            let next = bytes.get(at + 1).copied();
            let escape = match bytes[at] {
                b'_' => {
                    self.out.push_str(&text[from..at]);
                    from = at;
                    self.underscore_opens(next)
                }
                b'*' => match next {
                    Some(b' ' | b'\n' | b'\t') => !self.open.is_empty(),
                    _ => true,
                },
                b'`' => true,
                b'[' => self.in_link || next == Some(b'^'),
                b']' => self.in_link || matches!(next, Some(b'(' | b'[' | b':')),
                b'<' => {
                    next.is_none_or(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'!' | b'?'))
                }
                b'&' => looks_like_reference(&text[at..]),
                b'~' => {
                    let word_follows = next.is_some_and(|b| b.is_ascii_alphanumeric() || b >= 0x80);
                    next == Some(b'~')
                        || match prev_byte(bytes, at, from, self.written()) {
                            None | Some(b' ' | b'\n') => false,
                            Some(b'(') => !word_follows,
                            Some(_) => true,
                        }
                }
                b'\\' => next.is_none_or(|b| b.is_ascii_punctuation()),
                0xc2 => {
                    let drop = matches!(next, Some(0xa0 | 0xad));
                    if !drop {
                        at += 1;
                        continue;
                    }
                    self.out.push_str(&text[from..at]);
                    let nbsp = next == Some(0xa0);
                    at += 2;
                    if nbsp {
                        loop {
                            if at < bytes.len() && CLASS[bytes[at] as usize] == SPACE {
                                at += 1;
                            } else if bytes[at..].starts_with(&[0xc2, 0xa0]) {
                                at += 2;
                            } else {
                                break;
                            }
                        }
                        if at == bytes.len() {
                            self.space = true;
                            return;
                        }
                        self.push_gap();
                    }
                    from = at;
                    continue;
                }
                _ => {
                    // A control character: no page needs it, and ours must not be forged.
                    self.out.push_str(&text[from..at]);
                    at += 1;
                    from = at;
                    continue;
                }
            };
            if escape {
                self.out.push_str(&text[from..at]);
                self.out.push('\\');
                from = at;
            }
            at += 1;
        }
        self.out.push_str(&text[from..]);
    }

    fn push_gap(&mut self) {
        if !self.out.ends_with(' ') {
            self.out.push(' ');
        }
    }

    /// Whether a `_` about to be written could open emphasis. Inside a word it cannot.
    fn underscore_opens(&self, next: Option<u8>) -> bool {
        if matches!(next, Some(b' ' | b'\n' | b'\t')) && !self.written().ends_with("\\_") {
            return false;
        }
        match self.written().chars().next_back() {
            None => true,
            Some('_') => self.written().ends_with("\\_"),
            Some(c) => !c.is_alphanumeric(),
        }
    }

    /// Escapes what begins a line at `at` after all, because the mark before it was taken back.
    pub(crate) fn escape_line_from(&mut self, at: usize) {
        let line = self.out.split_off(at);
        if !line.is_empty() {
            let written = self.escape_line_start(&line);
            self.out.push_str(&line[written..]);
        }
    }

    /// Markers that act only at the start of a line. Returns how much of `text` has been written.
    fn escape_line_start(&mut self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let blank = |at: usize| {
            bytes
                .get(at)
                .is_none_or(|b| CLASS[*b as usize] == SPACE || *b == 0xc2)
        };
        let run = |b: u8| bytes.iter().take_while(|&&x| x == b).count();
        let escape = match bytes[0] {
            b'#' => {
                let n = run(b'#');
                n <= 6 && blank(n)
            }
            b'-' | b'+' => blank(1) || bytes.iter().all(|b| matches!(b, b'-' | b' ' | b'|' | b':')),
            b'*' => blank(1),
            b'=' => bytes.iter().all(|b| matches!(b, b'=' | b' ')),
            b'>' | b'|' => true,
            b'~' => run(b'~') > 1,
            b':' => matches!(bytes.get(1), Some(b'-')),
            b'[' => bytes
                .get(1)
                .is_none_or(|b| matches!(b, b' ' | b'x' | b'X' | b'!')),
            b'0'..=b'9' => {
                let n = bytes
                    .iter()
                    .take(10)
                    .take_while(|b| b.is_ascii_digit())
                    .count();
                if n <= 9 && matches!(bytes.get(n), Some(b'.' | b')')) && blank(n + 1) {
                    self.out.push_str(&text[..n]);
                    self.out.push('\\');
                    self.out.push(bytes[n] as char);
                    return n + 1;
                }
                return 0;
            }
            _ => return 0,
        };
        if escape {
            self.out.push('\\');
            self.out.push(bytes[0] as char);
            return 1;
        }
        0
    }

    /// Text inside a code span: as it is, on one line.
    fn code_text(&mut self, text: &str) {
        self.line_start = false;
        let bytes = text.as_bytes();
        let mut from = 0;
        for at in 0..bytes.len() {
            let b = bytes[at];
            if b < 0x20 {
                self.out.push_str(&text[from..at]);
                if CLASS[b as usize] == SPACE {
                    self.out.push(' ');
                }
                from = at + 1;
            }
        }
        self.out.push_str(&text[from..]);
        // Space at the end belongs outside of the span, if anywhere.
        let trimmed = self.out.trim_end_matches(' ').len();
        if trimmed < self.out.len() {
            self.out.truncate(trimmed);
            self.space = true;
        }
    }

    /// A character that came as a reference: `source` is what follows it in the page.
    pub(crate) fn reference(&mut self, decoded: &str, source: &str) {
        match decoded {
            "\u{a0}" => {
                if self.in_code && !self.dirty {
                    self.ready('\u{a0}');
                    self.out.push('\u{a0}');
                } else {
                    self.space |= self.leaf_open;
                }
            }
            "<" | "&" if !self.in_code || self.dirty => {
                let c = if decoded == "<" { '<' } else { '&' };
                self.ready(c);
                if self.in_code {
                    self.out.push(c);
                    return;
                }
                let next = source.as_bytes().first().copied().unwrap_or(b' ');
                let act = if c == '<' {
                    next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?' | b'<' | b'&')
                } else {
                    reference_tail(source)
                };
                if act {
                    self.out.push('\\');
                }
                self.out.push(c);
                self.line_start = false;
            }
            other => self.text(other),
        }
    }
}

/// So many bytes are looked at together.
const STRIDE: usize = 16;

/// How much of the text is words with one space between two, which is copied as it is.
fn words(text: &[u8]) -> usize {
    let mut at = 0;
    while text[at..].first_chunk().is_some_and(are_words) {
        at += STRIDE;
    }
    loop {
        let class = |at: usize| text.get(at).map(|b| CLASS[*b as usize]);
        match class(at) {
            Some(PLAIN) => at += 1,
            Some(SPACE) if text[at] == b' ' && class(at + 1) == Some(PLAIN) => at += 2,
            _ => return at,
        }
    }
}

/// Whether nothing of [`CLASS`] acts in these bytes but for the last, and no space stands before another. Written so that the
/// compiler can do all of them at once.
fn are_words(bytes: &[u8; STRIDE + 1]) -> bool {
    let pairs = bytes.iter().zip(&bytes[1..]);
    let acting = pairs.map(|(b, next)| {
        let acts = (*b < b' ')
            | (b'['..=b']').contains(b)
            | (b'_'..=b'`').contains(b)
            | (b'~'..=0x7f).contains(b)
            | (*b == b'*')
            | (*b == b'<')
            | (*b == b'&')
            | (*b == 0xc2)
            | ((*b == b' ') & (*next <= b' '));
        u8::from(acts)
    });
    acting.fold(0, |any, acts| any | acts) == 0
}

fn prev_byte(bytes: &[u8], at: usize, from: usize, out: &str) -> Option<u8> {
    if at > from {
        Some(bytes[at - 1])
    } else {
        out.as_bytes().last().copied()
    }
}

/// `&name;` or `&#1;` at the start of `text`.
pub(crate) fn looks_like_reference(text: &str) -> bool {
    reference_tail(&text[1..])
}

/// What follows an `&` makes it a character reference.
fn reference_tail(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    if bytes.first() == Some(&b'#') {
        return true;
    }
    let name = bytes
        .iter()
        .take(33)
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    name > 0 && matches!(bytes.get(name), Some(b';'))
}

/// `text` as Markdown on one line between brackets, as in the text of a link or an image.
pub(crate) fn escaped_in_brackets(text: &str) -> String {
    let mut w = Writer::new(text.len() + 8);
    w.mode = Mode::Line;
    w.leaf_open = true;
    w.line_start = false;
    w.in_link = true;
    w.text(text);
    w.out
}

/// The words of a piece of inline Markdown: marks, escapes, link targets and tags taken away.
pub(crate) fn plain(markdown: &str) -> String {
    use pulldown_cmark::{Event, Options, Parser};
    let markdown = &*crate::open_links::with_nothing_told(markdown);
    let bytes = markdown.as_bytes();
    let marked = bytes
        .iter()
        .any(|b| *b < b' ' || matches!(b, b'*' | b'`' | b'<' | b'~'))
        || markdown.contains("](");
    if !marked {
        return unescaped(markdown.trim());
    }
    let cleaned: String = markdown
        .chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect();
    let mut out = String::with_capacity(cleaned.len());
    // As a heading, so that nothing in it is taken for the start of a block.
    let line = format!("# {}", cleaned.replace('\n', " ").trim());
    for event in Parser::new_ext(&line, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) | Event::Code(text) => out.push_str(&text),
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            Event::InlineHtml(html) if html.starts_with("<br") => out.push(' '),
            _ => {}
        }
    }
    out.trim().to_string()
}

/// `text` without the backslashes that escape something.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escapes = rest
            .as_bytes()
            .get(at + 1)
            .is_some_and(u8::is_ascii_punctuation);
        let from = if escapes { at + 1 } else { at };
        let end = (from + 1).min(rest.len());
        out.push_str(&rest[from..end]);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bytes_at_once_are_read_as_one_by_one() {
        for b in 0..=u8::MAX {
            let plain = CLASS[b as usize] == PLAIN;
            for at in 0..STRIDE {
                let mut bytes = [b'x'; STRIDE + 1];
                bytes[at] = b;
                assert_eq!(are_words(&bytes), plain || b == b' ', "{b} at {at}");
                bytes[at + 1] = b' ';
                assert_eq!(are_words(&bytes), plain, "{b} before a space at {at}");
            }
        }
    }
}
