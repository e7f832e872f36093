//! Streams that unpack to more than anyone needs, found before a reader meets them.

use std::io::Read;

use flate2::read::ZlibDecoder;
use memchr::memmem;

use crate::{Limits, Refusal};

/// Streams may be packed more than once; no program does it more often than this.
const LAYERS: usize = 4;

/// Refuses a file with a deflated stream over [`Limits::max_unpacked_bytes`], or with streams that together unpack to
/// more than four times that.
///
/// The bytes are searched for the keyword `stream` (PDF 32000-1, 7.3.8), not for objects: a broken table of objects, which
/// readers mend by searching as well, cannot hide one. Encrypted streams look like noise here; they are bounded by time.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let max = limits.max_unpacked_bytes as u64;
    let mut all = 0;
    for at in memmem::find_iter(bytes, b"stream") {
        if bytes[..at].ends_with(b"end") {
            continue;
        }
        let data = &bytes[at + b"stream".len()..];
        let data = data
            .strip_prefix(b"\r\n")
            .or_else(|| data.strip_prefix(b"\n"))
            .unwrap_or(data);
        let size = unpacked(Box::new(data), data.first().copied(), max + 1, LAYERS);
        all += size;
        if size > max || all > max.saturating_mul(4) {
            return Err(Refusal::UnpacksTooLarge {
                max: limits.max_unpacked_bytes,
            });
        }
    }
    Ok(())
}

/// The larger of the sizes to which `data` unpacks, layer by layer; at most `most`.
fn unpacked<'a>(data: Box<dyn Read + 'a>, first: Option<u8>, most: u64, layers: usize) -> u64 {
    if layers == 0 || first.is_none_or(|byte| byte & 0x0f != 8) {
        return 0;
    }
    let mut counted = Counted {
        inner: ZlibDecoder::new(data),
        count: 0,
        most,
    };
    let mut head = [0; 1];
    if !matches!(counted.read(&mut head), Ok(1)) {
        return 0;
    }
    if layers > 1 && head[0] & 0x0f == 8 {
        let both = (&head[..]).chain(&mut counted);
        let deeper = unpacked(Box::new(both), Some(head[0]), most, layers - 1);
        if deeper > 0 {
            let _ = std::io::copy(&mut counted, &mut std::io::sink());
            return deeper.max(counted.count);
        }
    }
    let _ = std::io::copy(&mut counted, &mut std::io::sink());
    counted.count
}

/// Counts what is read through it, and ends early.
struct Counted<R> {
    inner: R,
    count: u64,
    most: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.count >= self.most {
            return Ok(0);
        }
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}
