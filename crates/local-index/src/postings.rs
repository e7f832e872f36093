//! Which chunks hold a term, and how much each says with it: numbers of chunks as differences, and a byte of impact.
//!
//! The impact is what BM25 makes of a term's count in title, headings, breadcrumb and text and of the chunk's length. It is
//! settled when the chunk is written, so that a question only adds up bytes.

/// Weights of title, headings, breadcrumb, text.
const FIELDS: [f32; 4] = [4.0, 2.0, 0.5, 1.0];
/// Saturation of a count.
const K1: f32 = 1.2;
/// How much the length of a chunk matters.
const B: f32 = 0.75;
/// Words of a usual chunk, with its title and headings. Chunks are cut to a size, so this is a property of the cutting.
const USUAL: f32 = 160.0;

/// How often a term stands in title, headings, breadcrumb and text of a chunk.
pub(crate) type Counts = [u16; 4];

/// The share of its idf that a term gives a chunk, in 255ths; at least 1.
pub(crate) fn impact(counts: Counts, length: u32) -> u8 {
    let count: f32 = counts
        .iter()
        .zip(FIELDS)
        .map(|(count, weight)| f32::from(*count) * weight)
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "words of a chunk")]
    let norm = 1.0 - B + B * length as f32 / USUAL;
    let share = count / (count + K1 * norm);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 255"
    )]
    let byte = (share * 255.0).round().clamp(1.0, 255.0) as u8;
    byte
}

/// The chunks of one term in one segment, written in ascending order.
#[derive(Default, Debug)]
pub(crate) struct List {
    pub(crate) bytes: Vec<u8>,
    pub(crate) chunks: u32,
    last: i64,
}

impl List {
    /// An empty list of a segment whose chunks begin at `first`.
    pub(crate) fn new(first: i64) -> Self {
        Self {
            bytes: Vec::new(),
            chunks: 0,
            last: first,
        }
    }

    /// Adds a chunk behind all others.
    pub(crate) fn push(&mut self, chunk: i64, impact: u8) {
        let mut step = chunk.abs_diff(self.last);
        self.last = chunk;
        while step >= 0x80 {
            self.bytes.push((step & 0x7f) as u8 | 0x80);
            step >>= 7;
        }
        #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
        self.bytes.push(step as u8);
        self.bytes.push(impact);
        self.chunks += 1;
    }
}

/// Reads a list.
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    last: i64,
}

impl<'b> Reader<'b> {
    /// Of a list of a segment whose chunks begin at `first`.
    pub(crate) fn new(bytes: &'b [u8], first: i64) -> Self {
        Self { bytes, last: first }
    }
}

impl Iterator for Reader<'_> {
    type Item = (i64, u8);

    #[inline]
    fn next(&mut self) -> Option<(i64, u8)> {
        let mut step = 0_i64;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            step |= i64::from(byte & 0x7f) << shift;
            if *byte < 0x80 || shift >= 56 {
                break;
            }
            shift += 7;
        }
        let (impact, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        self.last += step;
        Some((self.last, *impact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_were_written() {
        let all = [(7, 1), (8, 255), (200, 3), (70_000, 9), (1 << 40, 2)];
        let mut list = List::new(7);
        for (chunk, impact) in all {
            list.push(chunk, impact);
        }
        assert_eq!(list.chunks, 5);
        assert_eq!(Reader::new(&list.bytes, 7).collect::<Vec<_>>(), all);
        // A cut list ends; nothing panics.
        assert_eq!(Reader::new(&list.bytes[..3], 7).count(), 1);
    }

    #[test]
    fn titles_count_more_and_long_chunks_less() {
        let text = |count, length| impact([0, 0, 0, count], length);
        assert!(impact([1, 0, 0, 0], 160) > impact([0, 1, 0, 0], 160));
        assert!(impact([0, 1, 0, 0], 160) > text(1, 160));
        assert!(text(1, 160) > impact([0, 0, 1, 0], 160));
        assert!(text(2, 160) > text(1, 160) && text(1, 80) > text(1, 160));
        assert_eq!(text(0, 160), 1);
    }
}
