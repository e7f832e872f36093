//! The ZIP file around the parts, unpacked within bounds.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::damaged;
use crate::{Limits, Refusal};

/// First bytes of the older container: a document of Word 97, or a new one behind a password.
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

pub(super) struct Package<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    max: usize,
}

impl<'a> Package<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Package<'a>, Refusal> {
        if bytes.starts_with(COMPOUND) {
            // In UTF-16, as the container writes its names.
            let name: Vec<u8> = "EncryptedPackage"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
            return Err(match memchr::memmem::find(bytes, &name) {
                Some(_) => Refusal::Encrypted,
                None => damaged("it is in the format of Word 97"),
            });
        }
        let zip =
            ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error.to_string()))?;
        Ok(Package {
            zip,
            max: limits.max_unpacked_bytes,
        })
    }

    /// The text of a part; `None` when there is no such part.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let file = match self.zip.by_name(name) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                return Err(Refusal::Encrypted);
            }
            Err(error) => return Err(damaged(&format!("its part {name:?}: {error}"))),
        };
        // What the file says of its own size is not believed.
        let mut bytes = Vec::new();
        file.take(self.max as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(&format!("its part {name:?}: {error}")))?;
        if bytes.len() > self.max {
            return Err(Refusal::UnpacksTooLarge { max: self.max });
        }
        Ok(Some(crate::plain::decode(&bytes)))
    }
}
