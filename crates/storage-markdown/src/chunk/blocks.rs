//! Markdown as a sequence of top-level blocks, and large blocks in parts.

use std::ops::Range;

use super::{Piece, estimate_tokens};
use crate::outline::fence_of;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Heading,
    Text,
    /// A list item at the top level, with all that is in it.
    Item,
    Quote,
    Table,
    Fence,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// The top-level blocks of `markdown`, front matter left out. Blank lines belong to the block before them.
pub(super) fn blocks(markdown: &str) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::new();
    let mut fence: Option<(u8, usize)> = None;
    let mut blank = true;
    let mut at = front_matter(markdown);
    for line in markdown[at..].split_inclusive('\n') {
        let start = at;
        at += line.len();
        let text = line.trim_end();
        if let Some((mark, length)) = fence {
            extend(&mut out, at);
            if fence_of(text).is_some_and(|(m, n)| {
                m == mark && n >= length && text.trim().bytes().all(|b| b == mark)
            }) {
                fence = None;
                blank = true;
            }
            continue;
        }
        if text.is_empty() {
            extend(&mut out, at);
            blank = true;
            continue;
        }
        let last = out.last().map(|b| b.kind);
        let inside_item = last == Some(Kind::Item) && line.starts_with(' ');
        let opened = if inside_item { None } else { fence_of(text) };
        let kind = if inside_item {
            None
        } else if opened.is_some() {
            fence = opened;
            Some(Kind::Fence)
        } else if is_heading(text) {
            Some(Kind::Heading)
        } else if text.starts_with('|') {
            if last == Some(Kind::Table) && !blank {
                None
            } else {
                Some(Kind::Table)
            }
        } else if text.starts_with('>') {
            if last == Some(Kind::Quote) && !blank {
                None
            } else {
                Some(Kind::Quote)
            }
        } else if is_item(text) {
            Some(Kind::Item)
        } else if blank || matches!(last, None | Some(Kind::Heading | Kind::Fence | Kind::Table)) {
            Some(Kind::Text)
        } else {
            None
        };
        match kind {
            Some(kind) => out.push(Block {
                kind,
                range: start..at,
            }),
            None => extend(&mut out, at),
        }
        blank = false;
    }
    out
}

fn extend(out: &mut [Block], end: usize) {
    if let Some(block) = out.last_mut() {
        block.range.end = end;
    }
}

/// Length of the YAML front matter at the start, if there is one.
fn front_matter(markdown: &str) -> usize {
    let Some(rest) = markdown.strip_prefix("---\n") else {
        return 0;
    };
    // A rule at the start of a page is not front matter: that has keys.
    if !rest
        .lines()
        .next()
        .is_some_and(|l| l.contains(':') && !l.starts_with(' '))
    {
        return 0;
    }
    match rest.find("\n---\n") {
        Some(end) => 4 + end + 5,
        None => 0,
    }
}

/// The same test as in the outline, which numbers the headings.
fn is_heading(text: &str) -> bool {
    let level = text.bytes().take_while(|&b| b == b'#').count();
    (1..=6).contains(&level)
        && text.as_bytes().get(level).is_none_or(|b| *b == b' ')
        && !crate::escape::plain(text[level..].trim()).is_empty()
}

fn is_item(text: &str) -> bool {
    let bytes = text.as_bytes();
    let after = match bytes[0] {
        b'-' | b'*' | b'+' => 1,
        b'0'..=b'9' => {
            let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
            if !matches!(bytes.get(digits), Some(b'.' | b')')) {
                return false;
            }
            digits + 1
        }
        _ => return false,
    };
    bytes.get(after) == Some(&b' ')
}

/// A block that is over the budget, in pieces.
pub(super) fn split(markdown: &str, block: &Block, budget: usize) -> Vec<Piece> {
    let mut out = Vec::new();
    let prose = matches!(block.kind, Kind::Text | Kind::Item);
    let mut fence: Option<Fence> = None;
    let mut header: Option<Range<usize>> = None;
    let mut table_line = 0;
    let mut at = block.range.start;
    for line in markdown[block.range.clone()].split_inclusive('\n') {
        let range = at..at + line.len();
        at = range.end;
        let inner = inside(line).trim_end();
        if let Some(open) = &mut fence {
            if fence_of(inner).is_some_and(|(m, n)| {
                m == open.mark && n >= open.length && inner.bytes().all(|b| b == m)
            }) {
                let whole = open.line.start..range.end;
                push_fence(markdown, open, whole, budget, &mut out);
                fence = None;
            }
            continue;
        }
        if let Some((mark, length)) = fence_of(inner) {
            fence = Some(Fence {
                line: range,
                mark,
                length,
            });
            continue;
        }
        if inner.starts_with('|') {
            table_line += 1;
            match table_line {
                1 => header = Some(range.clone()),
                2 => header = header.map(|h| h.start..range.end),
                _ => {
                    push_long(
                        markdown,
                        Piece {
                            range,
                            before: header.clone(),
                            after: String::new(),
                            prose: false,
                        },
                        budget,
                        &mut out,
                    );
                    continue;
                }
            }
            push_joined(&mut out, range);
            continue;
        }
        table_line = 0;
        header = None;
        push_long(
            markdown,
            Piece {
                range,
                before: None,
                after: String::new(),
                prose,
            },
            budget,
            &mut out,
        );
    }
    if let Some(open) = fence {
        let whole = open.line.start..block.range.end;
        push_fence(markdown, &open, whole, budget, &mut out);
    }
    out
}

/// A line without the quote marks, list markers and spaces it begins with.
fn inside(line: &str) -> &str {
    let mut rest = line.trim_start_matches([' ', '>']);
    loop {
        let after = match rest.as_bytes() {
            [b'-' | b'*' | b'+', b' ', ..] => 2,
            [b'0'..=b'9', ..] if is_item(rest) => rest.find(' ').map_or(0, |n| n + 1),
            _ => 0,
        };
        if after == 0 {
            return rest;
        }
        rest = rest[after..].trim_start_matches([' ', '>']);
    }
}

struct Fence {
    line: Range<usize>,
    mark: u8,
    length: usize,
}

/// The two lines of a table header stay together.
fn push_joined(out: &mut Vec<Piece>, range: Range<usize>) {
    match out.last_mut() {
        Some(last)
            if last.range.end == range.start
                && last.before.is_none()
                && !last.prose
                && last.after.is_empty() =>
        {
            last.range.end = range.end
        }
        _ => out.push(Piece {
            range,
            before: None,
            after: String::new(),
            prose: false,
        }),
    }
}

/// A fence: whole when it fits, else cut between lines.
fn push_fence(
    markdown: &str,
    fence: &Fence,
    whole: Range<usize>,
    budget: usize,
    out: &mut Vec<Piece>,
) {
    if estimate_tokens(&markdown[whole.clone()]) <= budget {
        out.push(Piece {
            range: whole,
            before: None,
            after: String::new(),
            prose: false,
        });
        return;
    }
    // The closing of each part but the last, which has its own; with what stands before the fence, markers as spaces.
    let line = &markdown[fence.line.clone()];
    let prefix = &line[..line.len() - inside(line).len()];
    let mut close = String::from("\n");
    close.extend(prefix.chars().map(|c| if c == '>' { '>' } else { ' ' }));
    close.extend(std::iter::repeat_n(char::from(fence.mark), fence.length));
    let body_start = fence.line.end;
    let mut part = whole.start..body_start;
    let mut tokens = 0;
    let last_line = markdown[whole.clone()]
        .trim_end()
        .rfind('\n')
        .map_or(whole.end, |n| whole.start + n + 1);
    let mut at = body_start;
    let mut first = true;
    for line in markdown[body_start..whole.end].split_inclusive('\n') {
        let range = at..at + line.len();
        at = range.end;
        let cost = estimate_tokens(line);
        if tokens > 0 && tokens + cost > budget.saturating_sub(12).max(8) && range.start < last_line
        {
            out.push(Piece {
                range: part,
                before: (!first).then(|| fence.line.clone()),
                after: close.clone(),
                prose: false,
            });
            first = false;
            part = range.clone();
            tokens = 0;
        }
        part.end = range.end;
        tokens += cost;
    }
    out.push(Piece {
        range: part,
        before: (!first).then(|| fence.line.clone()),
        after: String::new(),
        prose: false,
    });
}

/// A line over the budget is cut after sentences, then between words, then wherever a character ends.
fn push_long(markdown: &str, piece: Piece, budget: usize, out: &mut Vec<Piece>) {
    let limit = if piece.prose {
        budget
    } else {
        budget.saturating_mul(4)
    };
    let text = &markdown[piece.range.clone()];
    if estimate_tokens(text) <= limit {
        out.push(piece);
        return;
    }
    let mut start = 0;
    while start < text.len() {
        let end = start + cut(&text[start..], budget);
        let range = piece.range.start + start..piece.range.start + end;
        out.push(Piece {
            range,
            before: None,
            after: String::new(),
            prose: piece.prose,
        });
        start = end;
    }
}

/// Where to cut `text` so that the first part is within the budget.
fn cut(text: &str, budget: usize) -> usize {
    let (mut quarters, mut sentence, mut word, mut hard) = (0, 0, 0, text.len());
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        quarters += match c.len_utf8() {
            1 => 1,
            2 => 2,
            3 => 4,
            _ => 6,
        };
        if quarters > budget * 4 {
            hard = at;
            break;
        }
        if c.is_whitespace() {
            word = at + c.len_utf8();
            if matches!(before, '.' | '!' | '?' | ';' | '>') {
                sentence = word;
            }
        } else if matches!(c, '。' | '！' | '？') {
            sentence = at + c.len_utf8();
        }
        before = c;
    }
    if hard == text.len() {
        return hard;
    }
    let found = if sentence > hard / 2 {
        sentence
    } else {
        sentence.max(word)
    };
    if found > 0 {
        found
    } else {
        // One enormous word. Never nothing, or there would be no end.
        if hard > 0 {
            hard
        } else {
            text.chars().next().map_or(text.len(), char::len_utf8)
        }
    }
}
