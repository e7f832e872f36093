//! Bodies on disk: one byte that names the form, then the bytes. Deflate at its fastest: bodies are written in the hot path
//! of a first sync and are mostly markup, which shrinks well at any level.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::error::{Done, failed};

const PLAIN: u8 = 0;
const DEFLATE: u8 = 1;
/// Below this many bytes compression gains nothing.
const SMALL: usize = 64;

pub(crate) fn pack(text: &str) -> Vec<u8> {
    let plain = || {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.push(PLAIN);
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    if text.len() < SMALL {
        return plain();
    }
    let mut target = Vec::with_capacity(text.len() / 3 + 16);
    target.push(DEFLATE);
    let mut encoder = DeflateEncoder::new(target, Compression::fast());
    match encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
    {
        Ok(bytes) if bytes.len() <= text.len() => bytes,
        _ => plain(),
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
        let markup = "<p>Grüße aus der <strong>Küche</strong></p>".repeat(200);
        for text in ["", "x", "ein kurzer Satz", markup.as_str()] {
            assert_eq!(unpack(&pack(text)).unwrap(), text);
        }
        assert!(pack(&markup).len() * 10 < markup.len());
    }

    #[test]
    fn rubbish_is_an_error() {
        for bytes in [&b""[..], &[7, 1, 2], &[0, 0xff], &[1, 0xff, 0xff, 0xff]] {
            assert!(unpack(bytes).is_err(), "{bytes:?}");
        }
    }
}
