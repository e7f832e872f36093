//! An attempt to sign in: begun by one browser, which alone can end it, once and within ten minutes.
//!
//! Nothing is kept for those that are begun, so that nobody fills the memory by beginning: the browser has a cookie that only this
//! process can have made, one for each tab. What the issuer is told in confidence follows from the key of this process and the
//! attempt's `state`; a restart ends what is under way. Kept is which have ended.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use sha2::{Digest, Sha256};

use crate::http::auth::random_text;

/// How long somebody may take at the issuer.
pub(super) const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Attempts that may be known to have ended; each took an answer of the issuer's or a browser of its own.
const MAX_ENDED: usize = 10_000;
/// Characters of a view's address that are kept: the cookie has to stay small.
const MAX_VIEW: usize = 1_000;

/// Makes attempts and knows them again.
pub(super) struct Attempts {
    key: hmac::Key,
    ended: Mutex<HashMap<[u8; 32], u64>>,
}

/// An attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attempt {
    /// What the issuer sends back with the person.
    pub(super) state: String,
    /// What the ID token must hold.
    pub(super) nonce: String,
    /// What the code is exchanged with (PKCE).
    pub(super) verifier: String,
    /// The view to which the person wanted to go: what stands behind the page's `#`.
    pub(super) view: String,
    /// When it is over, in seconds since 1970.
    until: u64,
}

impl Attempt {
    /// What the issuer is told of the verifier (S256).
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// By which its cookie is told from those of other tabs.
    pub(super) fn label(&self) -> &str {
        label(&self.state).unwrap_or_default()
    }
}

/// The beginning of a `state`, if it is one.
pub(super) fn label(state: &str) -> Option<&str> {
    let is_ours = state.len() == 43 && state.bytes().all(is_plain);
    state.get(..16).filter(|_| is_ours)
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The address of a view, or nothing: a path of the page's own, so that nobody is led elsewhere.
fn view(text: &str) -> &str {
    let is_view = text.starts_with('/')
        && text.len() <= MAX_VIEW
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_view { text } else { "" }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Default for Attempts {
    fn default() -> Self {
        let random: [u8; 32] = rand::random();
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &random),
            ended: Mutex::default(),
        }
    }
}

impl Attempts {
    /// Begins one that leads to this view.
    pub(super) fn begin(&self, to: &str) -> Attempt {
        self.attempt(random_text(), view(to), now() + LIFETIME.as_secs())
    }

    fn attempt(&self, state: String, view: &str, until: u64) -> Attempt {
        Attempt {
            nonce: self.derived("nonce", &state),
            verifier: self.derived("verifier", &state),
            state,
            view: view.to_owned(),
            until,
        }
    }

    fn derived(&self, what: &str, state: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{what} {state}").as_bytes());
        URL_SAFE_NO_PAD.encode(tag)
    }

    /// What the cookie of an attempt holds.
    pub(super) fn cookie(&self, attempt: &Attempt) -> String {
        let view = URL_SAFE_NO_PAD.encode(&attempt.view);
        let said = format!("{}.{view}", attempt.until);
        let tag = hmac::sign(&self.key, signed(&attempt.state, &said).as_bytes());
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The attempt that this browser began, of which the cookie is; ends it.
    pub(super) fn take(&self, state: &str, cookie: &str) -> Option<Attempt> {
        label(state)?;
        let (said, tag) = cookie.rsplit_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.key, signed(state, said).as_bytes(), &tag).ok()?;
        let (until, to) = said.split_once('.')?;
        let until: u64 = until.parse().ok()?;
        let to = String::from_utf8(URL_SAFE_NO_PAD.decode(to).ok()?).ok()?;
        let is_first = until > now() && self.end(state, until);
        is_first.then(|| self.attempt(state.to_owned(), view(&to), until))
    }

    /// Notes that an attempt has ended; `false`: it had already.
    fn end(&self, state: &str, until: u64) -> bool {
        let now = now();
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= MAX_ENDED {
            ended.retain(|_, until| *until > now);
            // The issuer takes a code once, too.
            if ended.len() >= MAX_ENDED {
                ended.clear();
            }
        }
        let state: [u8; 32] = Sha256::digest(state).into();
        ended.insert(state, until).is_none()
    }
}

fn signed(state: &str, said: &str) -> String {
    format!("{state} {said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_ends_once_and_by_its_own_browser() {
        let attempts = Attempts::default();
        let (mine, other) = (attempts.begin("/index/1?tab=pages"), attempts.begin("/"));
        assert_ne!(mine.state, other.state);
        assert!(mine.verifier.len() == 43 && mine.verifier != mine.nonce);
        let cookie = attempts.cookie(&mine);
        assert!(!cookie.contains(&mine.verifier) && cookie.len() < 200);
        for (state, cookie) in [
            (&other.state, &cookie),
            (&mine.state, &attempts.cookie(&other)),
            (&mine.state, &String::new()),
            (&mine.state, &format!("9{cookie}")),
            (&String::new(), &cookie),
            (&mine.state, &Attempts::default().cookie(&mine)),
        ] {
            assert_eq!(attempts.take(state, cookie), None);
        }
        assert_eq!(attempts.take(&mine.state, &cookie), Some(mine.clone()));
        assert_eq!(attempts.take(&mine.state, &cookie), None);

        let late = attempts.attempt(other.state, "/", now() - 1);
        assert_eq!(attempts.take(&late.state, &attempts.cookie(&late)), None);
    }

    #[test]
    fn only_a_view_of_the_page_is_gone_back_to() {
        let attempts = Attempts::default();
        for (to, view) in [
            ("/index/1?tab=pages&q=%20", "/index/1?tab=pages&q=%20"),
            ("", ""),
            ("https://evil.example", ""),
            ("/a b", ""),
            ("/a\r\nset-cookie: x", ""),
            (&format!("/{}", "x".repeat(MAX_VIEW)), ""),
        ] {
            assert_eq!(attempts.begin(to).view, view);
        }
    }
}
