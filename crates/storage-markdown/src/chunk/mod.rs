//! Chunks for retrieval, cut from any Markdown made here.
//!
//! A chunk begins at a heading, or where the section before it is full. Tables are cut between rows and repeat their
//! header; code fences are cut only when one alone is over the budget, and then each part is a fence again. Front
//! matter is no part of any chunk; every other piece of text is in at least one.

mod blocks;

use std::ops::Range;

use crate::outline::{Located, located};
use blocks::{Block, Kind, blocks};

/// How large chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkOptions {
    /// Upper bound for one chunk, in tokens as [`estimate_tokens`] counts them. A single word, table row or line of
    /// code over the bound stays whole up to four times as much; then it is cut too.
    pub max_tokens: usize,
    /// How much of the text before is repeated where a section had to be cut inside prose. Never across headings,
    /// never out of tables or code.
    pub overlap_tokens: usize,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        ChunkOptions {
            max_tokens: 400,
            overlap_tokens: 40,
        }
    }
}

/// A piece of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The Markdown: `markdown[start..end]`, with the table header or the code fence repeated where it was cut.
    pub text: String,
    /// Headings above, outermost first, without markup; the last is the one the chunk stands under.
    pub heading_path: Vec<String>,
    /// Anchor of the innermost of them; nothing before the first heading.
    pub anchor: Option<String>,
    /// Where the chunk begins in the Markdown, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Estimated tokens of `text`.
    pub tokens: usize,
}

impl Chunk {
    /// The text under its place: breadcrumb and heading path on a first line, as one path.
    pub fn with_context(&self, breadcrumb: &[&str]) -> String {
        let path: Vec<&str> = breadcrumb
            .iter()
            .copied()
            .chain(self.heading_path.iter().map(String::as_str))
            .collect();
        if path.is_empty() {
            self.text.clone()
        } else {
            format!("{}\n\n{}", path.join(" > "), self.text)
        }
    }
}

/// Tokens of a text, estimated from its bytes: four characters of ASCII a token, two of other alphabets, one of
/// Chinese, Japanese or Korean. Close to what common embedding models count, and a little above.
pub fn estimate_tokens(text: &str) -> usize {
    let quarters: usize = text
        .bytes()
        .map(|b| match b {
            0x00..=0x7f => 1,
            0x80..=0xbf => 0,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 4,
            _ => 6,
        })
        .sum();
    quarters.div_ceil(4)
}

/// Cuts `markdown` into chunks, in order.
pub fn chunks(markdown: &str, options: &ChunkOptions) -> Vec<Chunk> {
    let mut packer = Packer {
        markdown,
        max: options.max_tokens.max(8),
        overlap: options.overlap_tokens.min(options.max_tokens / 2),
        headings: located(markdown),
        next_heading: 0,
        path: Vec::new(),
        current: None,
        done: Vec::new(),
    };
    for block in blocks(markdown) {
        packer.block(&block);
    }
    packer.flush();
    packer.done
}

/// Something that is put into a chunk as a whole.
#[derive(Clone, Debug)]
struct Piece {
    range: Range<usize>,
    /// What must stand before it when a chunk begins with it.
    before: Option<Range<usize>>,
    /// What must stand behind it when a chunk ends with it.
    after: String,
    prose: bool,
}

struct Current {
    start: usize,
    end: usize,
    before: Option<Range<usize>>,
    after: String,
    tokens: usize,
    /// Tokens that are not headings.
    body: usize,
    level: u8,
    prose: bool,
    path: Vec<usize>,
}

struct Packer<'m> {
    markdown: &'m str,
    max: usize,
    overlap: usize,
    headings: Vec<Located>,
    next_heading: usize,
    /// Indexes of the headings above.
    path: Vec<usize>,
    current: Option<Current>,
    done: Vec<Chunk>,
}

impl Packer<'_> {
    fn tokens(&self, range: &Range<usize>) -> usize {
        estimate_tokens(&self.markdown[range.clone()])
    }

    fn block(&mut self, block: &Block) {
        if block.kind == Kind::Heading {
            return self.heading(block);
        }
        let tokens = self.tokens(&block.range);
        let room = self
            .current
            .as_ref()
            .map_or(self.max, |c| self.max.saturating_sub(c.tokens));
        let prose = matches!(block.kind, Kind::Text | Kind::Item);
        let whole = Piece {
            range: block.range.clone(),
            before: None,
            after: String::new(),
            prose,
        };
        if tokens <= room {
            return self.add(whole, tokens);
        }
        let heading_only = self.current.as_ref().is_some_and(|c| c.body == 0);
        if tokens <= self.max && !heading_only {
            return self.add(whole, tokens);
        }
        let budget = if heading_only {
            room.max(self.max / 2)
        } else {
            self.max
        };
        if tokens <= budget {
            return self.add(whole, tokens);
        }
        let budget = if prose {
            budget.saturating_sub(self.overlap).max(8)
        } else {
            budget
        };
        for piece in blocks::split(self.markdown, block, budget) {
            let tokens = self.tokens(&piece.range);
            self.add(piece, tokens);
        }
    }

    fn heading(&mut self, block: &Block) {
        while self
            .headings
            .get(self.next_heading)
            .is_some_and(|h| h.line.start < block.range.start)
        {
            self.next_heading += 1;
        }
        let index = self.next_heading;
        let Some(found) = self
            .headings
            .get(index)
            .filter(|h| h.line.start == block.range.start)
        else {
            let tokens = self.tokens(&block.range);
            return self.add(
                Piece {
                    range: block.range.clone(),
                    before: None,
                    after: String::new(),
                    prose: false,
                },
                tokens,
            );
        };
        self.next_heading += 1;
        let level = found.heading.level;
        // A heading ends the chunk, unless that has hardly anything in it yet and the heading belongs under it.
        let joins = self.current.as_ref().is_some_and(|c| {
            c.body == 0 && c.level != 0
                || (c.body < self.max / 8 && level > c.level && c.level != 0)
        });
        if !joins {
            self.flush();
        }
        while self
            .path
            .last()
            .is_some_and(|&i| self.headings[i].heading.level >= level)
        {
            self.path.pop();
        }
        self.path.push(index);
        let tokens = self.tokens(&block.range);
        match &mut self.current {
            Some(current) => {
                current.end = block.range.end;
                current.tokens += tokens;
                if current.body == 0 {
                    current.path.clone_from(&self.path);
                }
                current.after.clear();
                current.prose = false;
            }
            None => {
                self.current = Some(Current {
                    start: block.range.start,
                    end: block.range.end,
                    before: None,
                    after: String::new(),
                    tokens,
                    body: 0,
                    level,
                    prose: false,
                    path: self.path.clone(),
                });
            }
        }
    }

    fn add(&mut self, piece: Piece, tokens: usize) {
        if let Some(current) = &self.current
            && current.tokens + tokens > self.max
            && current.body > 0
        {
            let overlap = if current.prose && piece.prose {
                self.overlap_start(current)
            } else {
                None
            };
            self.flush();
            if let Some(start) = overlap {
                let repeated = self.tokens(&(start..piece.range.start));
                if repeated + tokens <= self.max {
                    self.begin(piece, tokens + repeated, Some(start));
                    return;
                }
            }
        }
        match &mut self.current {
            Some(current) => {
                current.end = piece.range.end;
                current.tokens += tokens;
                current.body += tokens;
                current.after = piece.after;
                current.prose = piece.prose;
            }
            None => self.begin(piece, tokens, None),
        }
    }

    fn begin(&mut self, piece: Piece, tokens: usize, overlap: Option<usize>) {
        let header = piece.before.as_ref().map_or(0, |r| self.tokens(r));
        self.current = Some(Current {
            start: overlap.unwrap_or(piece.range.start),
            end: piece.range.end,
            before: piece.before,
            after: piece.after,
            tokens: tokens + header,
            body: tokens,
            level: 0,
            prose: piece.prose,
            path: self.path.clone(),
        });
    }

    /// Where the repeated tail of a full chunk begins: at a sentence, within the overlap.
    fn overlap_start(&self, current: &Current) -> Option<usize> {
        if self.overlap == 0 {
            return None;
        }
        let text = &self.markdown[current.start..current.end];
        let mut quarters = 0;
        let mut best = None;
        let mut after = ' ';
        for (at, c) in text.char_indices().rev() {
            quarters += match c.len_utf8() {
                1 => 1,
                2 => 2,
                3 => 4,
                _ => 6,
            };
            if quarters > self.overlap * 4 {
                break;
            }
            let ends_sentence = matches!(c, '.' | '!' | '?') && after.is_whitespace()
                || matches!(c, '。' | '！' | '？');
            let start = at + c.len_utf8();
            let starts_line = c == '\n';
            if (ends_sentence || starts_line) && !text[start..].trim().is_empty() {
                best = Some(start);
            }
            after = c;
        }
        let start = best?;
        let skipped = text[start..].len() - text[start..].trim_start().len();
        Some(current.start + start + skipped)
    }

    fn flush(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let own = self.markdown[current.start..current.end].trim_end();
        let lead = own.len() - own.trim_start_matches(['\n', '\r']).len();
        let own = &own[lead..];
        if own.trim().is_empty() {
            return;
        }
        let mut text = String::with_capacity(own.len() + 64);
        if let Some(before) = current.before {
            text.push_str(self.markdown[before].trim_end());
            text.push('\n');
        }
        text.push_str(own);
        text.push_str(&current.after);
        let heading = current.path.last().map(|&i| &self.headings[i].heading);
        self.done.push(Chunk {
            heading_path: current
                .path
                .iter()
                .map(|&i| self.headings[i].heading.text.clone())
                .collect(),
            anchor: heading.map(|h| h.anchor.clone()),
            start: current.start + lead,
            end: current.start + lead + own.len(),
            tokens: estimate_tokens(&text),
            text,
        });
    }
}
