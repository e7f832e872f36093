//! Where reading of a page goes on: opaque to clients, bound to a page and its version. It stands in every hit of an answer, so it is
//! short: headings are marked by a hash.

use std::fmt::Write as _;

use domain::PageId;
use sha2::{Digest, Sha256};

use super::target::is_id;

/// A place in a page's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageCursor {
    /// The page.
    pub page: PageId,
    /// The version whose text was being read.
    pub version: i32,
    /// The section that was asked for.
    pub section: Option<Mark>,
    /// The heading from which on the page is read; what stands before it is passed over.
    pub from: Option<Mark>,
    /// Bytes of that text that were given already.
    pub offset: usize,
}

/// A heading of a page, by its anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark(u32);

impl Mark {
    /// The mark of the heading with this anchor.
    #[must_use]
    pub fn of(anchor: &str) -> Self {
        let hash = Sha256::digest(anchor);
        Self(u32::from_be_bytes([0, hash[0], hash[1], hash[2]]))
    }
}

impl PageCursor {
    /// The cursor as clients carry it.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = format!("{}-{}", self.page, self.version);
        for (name, mark) in [('s', self.section), ('f', self.from)] {
            if let Some(Mark(mark)) = mark {
                _ = write!(out, "-{name}{mark:x}");
            }
        }
        if self.offset > 0 {
            _ = write!(out, "-o{}", self.offset);
        }
        out
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let page = parts.next().filter(|id| is_id(id))?;
        let mut cursor = Self {
            page: PageId::from(page),
            version: parts.next()?.parse().ok()?,
            section: None,
            from: None,
            offset: 0,
        };
        for part in parts {
            let mark = || u32::from_str_radix(&part[1..], 16).ok().map(Mark);
            match part.as_bytes().first()? {
                b's' => cursor.section = Some(mark()?),
                b'f' => cursor.from = Some(mark()?),
                b'o' => cursor.offset = part[1..].parse().ok()?,
                _ => return None,
            }
        }
        Some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_short() {
        let cursor = PageCursor {
            page: PageId::from("att983121"),
            version: 14,
            section: None,
            from: Some(Mark::of(&"A very long heading of a page. ".repeat(40))),
            offset: 0,
        };
        assert_eq!(PageCursor::decode(&cursor.encode()), Some(cursor.clone()));
        assert!(cursor.encode().len() <= 20, "{}", cursor.encode());
    }

    #[test]
    fn cursors_come_back_as_they_were() {
        let cursor = PageCursor {
            page: PageId::from("98312"),
            version: 7,
            section: Some(Mark::of("Größe-1")),
            from: None,
            offset: 12_000,
        };
        assert_eq!(PageCursor::decode(&cursor.encode()), Some(cursor));
        for bad in [
            "", "x", "e30", "12", "12-", "12-3-", "12-3-sé", "12-3-o-1", "a-1", "🦀", "1-1-🦀",
        ] {
            assert_eq!(PageCursor::decode(bad), None, "{bad}");
        }
    }
}
