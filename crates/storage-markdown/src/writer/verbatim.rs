//! Blocks that bring their own text: code, rules, finished Markdown.

use super::{Last, Mode, Writer};
use crate::inline::legal;
use crate::outline::fence_of;

impl Writer {
    pub(crate) fn rule(&mut self) {
        self.end_leaf();
        if self.mode != Mode::Blocks {
            return;
        }
        self.begin_block(Last::Other);
        // `- ---` would be a rule itself.
        self.out.push_str(if self.containers.is_empty() {
            "---"
        } else {
            "___"
        });
    }

    /// A fenced block; `info` is the language and what else stands after the fence.
    pub(crate) fn code_block(&mut self, info: &str, body: &str) {
        if body.trim().is_empty() {
            return;
        }
        let body = &*legal(body);
        self.end_leaf();
        match self.mode {
            Mode::Blocks => {
                self.begin_block(Last::Other);
                let fence = longest_run(body, b'`').max(2) + 1;
                push_repeated(&mut self.out, '`', fence);
                self.out.push_str(info);
                self.write_lines(body);
                self.newline();
                push_repeated(&mut self.out, '`', fence);
            }
            Mode::Cell | Mode::Line => self.code_spans(body),
        }
    }

    /// Code where no block can stand: a span per line, with its indentation; a blank line is a break of its own.
    fn code_spans(&mut self, body: &str) {
        // Blank lines since the last line of code.
        let mut blank: Option<usize> = None;
        for line in body.lines().map(str::trim_end) {
            if line.is_empty() {
                blank = blank.map(|n| n + 1);
                continue;
            }
            self.inline_block();
            if self.mode == Mode::Cell {
                for _ in 0..blank.unwrap_or(0) {
                    self.out.push_str("<br>");
                }
            }
            blank = Some(0);
            push_code_span(&mut self.out, line);
            self.space = self.mode == Mode::Line;
        }
    }

    /// Makes ready for a block in a cell or on a line, which brings its own markup.
    fn inline_block(&mut self) {
        if self.mode == Mode::Cell {
            self.begin_block(Last::Other);
        } else {
            self.ready(' ');
        }
    }

    /// Writes a newline and `text`, each line with the prefix.
    fn write_lines(&mut self, text: &str) {
        if self.prefix.is_empty() && memchr::memchr(b'\r', text.as_bytes()).is_none() {
            self.out.push('\n');
            self.out.push_str(text);
            return;
        }
        for line in text.split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            for part in line.split('\r') {
                if part.is_empty() {
                    self.blank_newline();
                } else {
                    self.newline();
                    self.out.push_str(part);
                }
            }
        }
    }

    /// Markdown that is finished already (a Markdown macro, a rendered fragment, a footnote), as a block of its own. It may hold
    /// links of ours whose end is still to come, and no control characters else.
    pub(crate) fn raw_block(&mut self, markdown: &str) {
        let markdown = markdown.trim_matches(['\n', '\r']).trim_end();
        if markdown.trim().is_empty() {
            return;
        }
        self.end_leaf();
        match self.mode {
            Mode::Blocks => {
                self.begin_block(Last::Other);
                let mut first = true;
                for line in markdown.split('\n') {
                    let line = line.strip_suffix('\r').unwrap_or(line);
                    if !first {
                        if line.is_empty() {
                            self.blank_newline()
                        } else {
                            self.newline()
                        }
                    }
                    first = false;
                    self.out.push_str(line);
                }
            }
            Mode::Cell | Mode::Line => self.raw_lines(markdown),
        }
    }

    /// Finished Markdown where no block can stand: line by line, its code blocks as [`Writer::code_spans`].
    fn raw_lines(&mut self, markdown: &str) {
        let mut lines = markdown.lines();
        while let Some(line) = lines.next() {
            if let Some((mark, length)) = fence_of(line) {
                let indent = line.len() - line.trim_start().len();
                let closes = |l: &str| fence_of(l).is_some_and(|(m, n)| m == mark && n >= length);
                let code: Vec<&str> = lines
                    .by_ref()
                    .take_while(|l| !closes(l))
                    .map(|l| l.get(indent..).unwrap_or_else(|| l.trim_start()))
                    .collect();
                self.code_spans(&code.join("\n"));
            } else if !line.trim().is_empty() {
                self.inline_block();
                self.out.push_str(line.trim_end());
                self.space = self.mode == Mode::Line;
            }
        }
    }
}

pub(crate) fn push_repeated(out: &mut String, c: char, n: usize) {
    for _ in 0..n {
        out.push(c);
    }
}

/// Length of the longest run of `byte` in `text`.
pub(crate) fn longest_run(text: &str, byte: u8) -> usize {
    let bytes = text.as_bytes();
    let (mut longest, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(byte, &bytes[at..]) {
        let start = at + found;
        let end = bytes[start..]
            .iter()
            .position(|&b| b != byte)
            .map_or(bytes.len(), |n| start + n);
        longest = longest.max(end - start);
        at = end;
    }
    longest
}

/// Writes a code span whose fence is longer than any run of backticks inside.
pub(crate) fn push_code_span(out: &mut String, code: &str) {
    let run = longest_run(code, b'`');
    push_repeated(out, '`', run + 1);
    let pad = code.starts_with('`')
        || code.ends_with('`')
        || (code.starts_with(' ') && code.ends_with(' ') && !code.trim().is_empty());
    if pad {
        out.push(' ');
    }
    out.push_str(code);
    if pad {
        out.push(' ');
    }
    push_repeated(out, '`', run + 1);
}
