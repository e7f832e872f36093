//! What the service must be able to read again, and nobody else: sealed with the key of the settings before it is kept anywhere.
//!
//! ChaCha20-Poly1305 with a random nonce for each text. What a text is for is part of what is sealed, so that none can be put in the
//! place of another.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use domain::grant::Sealed;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::SecretString;

/// Of what bytes a key is made.
const KEY_BYTES: usize = 32;
/// The first byte of everything that is sealed in this way.
const FORM: u8 = 1;

/// What a key has to look like, as a setting says it.
pub const KEY_FORM: &str =
    "must be 32 bytes, in base64 or as 64 hex digits; `openssl rand -base64 32` makes one";

/// The key.
#[derive(Clone)]
pub struct SecretsKey(LessSafeKey);

impl fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretsKey([REDACTED])")
    }
}

/// Sealed with another key, for another use, or damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotOpened;

impl SecretsKey {
    /// Reads a key as people write one; `None` for what is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = if text.len() == 2 * KEY_BYTES {
            from_hex(text)?
        } else {
            let bare = text.trim_end_matches('=');
            let decoded = STANDARD_NO_PAD.decode(bare);
            decoded.or_else(|_| URL_SAFE_NO_PAD.decode(bare)).ok()?
        };
        if bytes.len() != KEY_BYTES {
            return None;
        }
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Seals a text for this use.
    #[must_use]
    pub fn seal(&self, what: &str, text: &str) -> Sealed {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = text.as_bytes().to_vec();
        let done = self.0.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(what.as_bytes()),
            &mut sealed,
        );
        // It fails for texts of many gigabytes only; an empty one opens nothing.
        if done.is_err() {
            return Sealed(Vec::new());
        }
        let head = [FORM].into_iter().chain(nonce);
        Sealed(head.chain(sealed).collect())
    }

    /// Opens what was sealed for this use.
    ///
    /// # Errors
    /// [`NotOpened`]: with another key, for another use, or damaged.
    pub fn open(&self, what: &str, sealed: &Sealed) -> Result<SecretString, NotOpened> {
        let (&form, rest) = sealed.0.split_first().ok_or(NotOpened)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(NotOpened)?;
        if form != FORM {
            return Err(NotOpened);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOpened)?;
        let mut text = text.to_vec();
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(what.as_bytes()), &mut text)
            .map_err(|_| NotOpened)?;
        let opened = String::from_utf8(opened.to_vec()).map_err(|_| NotOpened)?;
        Ok(SecretString::from(opened))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_key_is_read_as_people_write_it() {
        let hex = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
        let standard = "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=";
        let url_safe = "ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8";
        let sealed = SecretsKey::parse(hex).unwrap().seal("a", "hush");
        for text in [hex, standard, url_safe, &format!(" {standard}\n")] {
            let key = SecretsKey::parse(text).unwrap();
            let opened = key.open("a", &sealed).unwrap();
            assert_eq!(opened.expose_secret(), "hush", "{text}");
        }
        for bad in [
            "",
            "short",
            &hex[2..],
            &format!("{hex}00"),
            &hex.replace('0', "g"),
            &standard[4..],
            "ü",
        ] {
            assert!(SecretsKey::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_the_same_key_opens_it_and_only_for_the_same_use() {
        let key = |byte: u8| SecretsKey::parse(&format!("{byte:02x}").repeat(32)).unwrap();
        let sealed = key(1).seal("refresh", "hush-hush");
        assert_ne!(sealed, key(1).seal("refresh", "hush-hush"));
        assert!(!String::from_utf8_lossy(&sealed.0).contains("hush"));
        assert!(key(1).open("refresh", &sealed).is_ok());
        assert!(key(2).open("refresh", &sealed).is_err());
        assert!(key(1).open("access", &sealed).is_err());
        for at in 0..sealed.0.len() {
            let mut other = sealed.clone();
            other.0[at] ^= 1;
            assert!(key(1).open("refresh", &other).is_err(), "{at}");
            assert!(
                key(1)
                    .open("refresh", &Sealed(sealed.0[..at].to_vec()))
                    .is_err()
            );
        }
        assert!(!format!("{:?} {sealed:?}", key(1)).contains("hush"));
    }
}
