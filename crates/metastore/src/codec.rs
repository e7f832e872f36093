//! Bodies on disk: one byte that names the form, then the bytes. Deflate at its fastest: bodies are written in the hot path
//! of a first sync and are mostly markup, which shrinks well at any level.

use std::io::Read;

use flate2::read::DeflateDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};

use crate::error::{Done, failed};

const PLAIN: u8 = 0;
const DEFLATE: u8 = 1;
/// Below this many bytes compression gains nothing.
const SMALL: usize = 64;

/// Packs many texts with one compressor, whose tables cost more to make than a small body takes to pack.
pub(crate) struct Packer(Compress);

impl Packer {
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::fast(), false))
    }

    pub(crate) fn pack(&mut self, text: &str) -> Vec<u8> {
        let plain = || {
            let mut bytes = Vec::with_capacity(text.len() + 1);
            bytes.push(PLAIN);
            bytes.extend_from_slice(text.as_bytes());
            bytes
        };
        if text.len() < SMALL {
            return plain();
        }
        // Room for what is worth keeping compressed; what does not fit is kept plain.
        let mut bytes = Vec::with_capacity(text.len());
        bytes.push(DEFLATE);
        self.0.reset();
        let packed = self
            .0
            .compress_vec(text.as_bytes(), &mut bytes, FlushCompress::Finish);
        match packed {
            Ok(Status::StreamEnd) => {
                bytes.shrink_to_fit();
                bytes
            }
            _ => plain(),
        }
    }
}

pub(crate) fn unpack(bytes: &[u8]) -> Done<String> {
    let text = match bytes.split_first() {
        Some((&PLAIN, rest)) => std::str::from_utf8(rest).map(str::to_owned).ok(),
        Some((&DEFLATE, rest)) => {
            let mut text = String::with_capacity(rest.len() * 4);
            DeflateDecoder::new(rest)
                .read_to_string(&mut text)
                .ok()
                .map(|_| text)
        }
        _ => None,
    };
    text.ok_or_else(|| failed("a cached body cannot be unpacked").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let mut packer = Packer::new();
        let markup = "<p>Grüße aus der <strong>Küche</strong></p>".repeat(200);
        for text in ["", "x", "ein kurzer Satz", markup.as_str()] {
            assert_eq!(unpack(&packer.pack(text)).unwrap(), text);
        }
        // What does not shrink is kept plain, at one byte more.
        let noise: String = (0..4_000_u32)
            .map(|n| char::from_u32(0x4e00 + n.wrapping_mul(2_654_435_761) % 20_000).unwrap_or('?'))
            .collect();
        let kept = packer.pack(&noise);
        assert!(kept.len() <= noise.len() + 1);
        assert_eq!(unpack(&kept).unwrap(), noise);
        assert!(packer.pack(&markup).len() * 10 < markup.len());
    }

    #[test]
    fn rubbish_is_an_error() {
        for bytes in [&b""[..], &[7, 1, 2], &[0, 0xff], &[1, 0xff, 0xff, 0xff]] {
            assert!(unpack(bytes).is_err(), "{bytes:?}");
        }
    }
}
