//! Blocks that bring their own text: code, rules, finished Markdown.

use super::{Last, Mode, Writer};
use crate::inline::legal;

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
            Mode::Cell | Mode::Line => {
                let joint = self.mode == Mode::Cell;
                for line in body
                    .lines()
                    .map(str::trim_end)
                    .filter(|l| !l.trim().is_empty())
                {
                    if joint {
                        self.begin_block(Last::Other);
                    } else {
                        self.ready(' ');
                    }
                    push_code_span(&mut self.out, line.trim_start());
                    self.space = !joint;
                }
            }
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
        self.begin_block(Last::Other);
        match self.mode {
            Mode::Blocks => {
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
            Mode::Cell | Mode::Line => {
                let joint = if self.mode == Mode::Cell { "<br>" } else { " " };
                self.ready(' ');
                let mut first = true;
                for line in markdown.lines().map(str::trim).filter(|l| !l.is_empty()) {
                    if !first {
                        self.out.push_str(joint);
                    }
                    first = false;
                    self.out.push_str(line);
                }
                self.cell_breaks += 1;
                self.end_leaf();
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
