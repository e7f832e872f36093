//! An attempt that leads to another service and back, to sign in there or to connect Confluence: begun by one browser, which alone can
//! end it, once and within ten minutes.
//!
//! Nothing is kept for those that are begun, so that nobody fills the memory by beginning: the browser has a cookie that only this
//! process can have made, one for each tab. What the issuer is told in confidence follows from the key of this process and the
//! attempt's `state`; a restart ends what is under way. Kept is which have ended.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use crate::http::auth::random_text;
use crate::mcp::text::clean;
use crate::state::AppState;

/// How long somebody may take at the other service.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Attempts that one browser may have under way; the oldest goes first.
const MAX_UNDER_WAY: usize = 5;
/// Attempts that may be known to have ended; each took an answer of the issuer's or a browser of its own.
const MAX_ENDED: usize = 10_000;
/// Characters of a view's address that are kept: the cookie has to stay small.
const MAX_VIEW: usize = 1_000;

/// Makes attempts and knows them again.
pub(crate) struct Attempts {
    /// What they are for, in the names of their cookies.
    name: &'static str,
    key: hmac::Key,
    ended: Mutex<HashMap<[u8; 32], u64>>,
}

/// An attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Attempt {
    /// What the issuer sends back with the person.
    pub(crate) state: String,
    /// What the ID token must hold.
    pub(crate) nonce: String,
    /// What the code is exchanged with (PKCE).
    pub(crate) verifier: String,
    /// The view to which the person wanted to go: what stands behind the page's `#`.
    pub(crate) view: String,
    /// Who began it, where that was somebody known.
    pub(crate) by: String,
    /// When it is over, in seconds since 1970.
    until: u64,
}

/// How somebody is sent back.
#[derive(Default)]
pub(crate) struct Return {
    pub(crate) state: String,
    pub(crate) code: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) description: Option<String>,
}

impl Return {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let mut all = Self::default();
        for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "state" => all.state = value,
                "code" => all.code = Some(value),
                "iss" => all.issuer = Some(value),
                "error" => all.error = Some(value),
                "error_description" => all.description = Some(value),
                _ => {}
            }
        }
        all
    }

    /// Why nothing came of it, in the other service's own words, as far as they can be shown.
    pub(crate) fn refusal(&self) -> Option<String> {
        let error = plain(self.error.as_deref()?, 300);
        let description = self.description.as_deref();
        let description = description.map(|text| format!(": {}", plain(text, 300)));
        Some(format!("({error}){}", description.unwrap_or_default()))
    }
}

/// What another service wrote, as one line for people.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let plain: String = clean(text)
        .text
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    plain.trim().chars().take(most).collect()
}

impl Attempt {
    /// What the issuer is told of the verifier (S256).
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// By which its cookie is told from those of other tabs.
    fn label(&self) -> &str {
        label(&self.state).unwrap_or_default()
    }
}

fn is_secure(state: &AppState) -> bool {
    state.base_url.starts_with("https://")
}

fn cookie(state: &AppState, name: String, value: String, seconds: i64) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        // The other service sends the browser here from a site of its own.
        .same_site(SameSite::Lax)
        .secure(is_secure(state))
        .max_age(time::Duration::seconds(seconds))
        .finish()
}

/// The beginning of a `state`, if it is one.
fn label(state: &str) -> Option<&str> {
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

impl Attempts {
    /// Attempts at one thing.
    pub(crate) fn at(name: &'static str) -> Self {
        let random: [u8; 32] = rand::random();
        Self {
            name,
            key: hmac::Key::new(hmac::HMAC_SHA256, &random),
            ended: Mutex::default(),
        }
    }

    /// Begins one that leads to this view; `by`: who does, where that is somebody known.
    pub(crate) fn begin(&self, to: &str, by: &str) -> Attempt {
        self.attempt(random_text(), view(to), by, now() + LIFETIME.as_secs())
    }

    /// The cookie of an attempt, and those that end, of attempts of which this browser has too many.
    pub(crate) fn cookies(
        &self,
        state: &AppState,
        request: &HttpRequest,
        attempt: &Attempt,
    ) -> Vec<Cookie<'static>> {
        let seconds = i64::try_from(LIFETIME.as_secs()).unwrap_or(i64::MAX);
        let name = format!("{}{}", self.prefix(state), attempt.label());
        let mut cookies = self.too_many(state, request);
        cookies.push(cookie(state, name, self.cookie(attempt), seconds));
        cookies
    }

    /// The attempt that this browser began and is sent back from; ends it. With what ends its cookie.
    pub(crate) fn come_back(
        &self,
        state: &AppState,
        request: &HttpRequest,
        back: &Return,
    ) -> Option<(Attempt, Cookie<'static>)> {
        let name = format!("{}{}", self.prefix(state), label(&back.state)?);
        let known = request.cookie(&name)?;
        let attempt = self.take(&back.state, known.value())?;
        Some((attempt, cookie(state, name, String::new(), 0)))
    }

    /// The beginning of the names of its cookies. Over https no other host of the domain can set one of this name.
    fn prefix(&self, state: &AppState) -> String {
        let host = if is_secure(state) { "__Host-" } else { "" };
        format!("{host}mcp_confluence_{}_", self.name)
    }

    fn too_many(&self, state: &AppState, request: &HttpRequest) -> Vec<Cookie<'static>> {
        let Ok(cookies) = request.cookies() else {
            return Vec::new();
        };
        let prefix = self.prefix(state);
        let mut ours: Vec<(&str, &str)> = cookies
            .iter()
            .filter(|cookie| cookie.name().starts_with(&prefix))
            .map(|cookie| (cookie.value(), cookie.name()))
            .collect();
        // A value begins with its end.
        ours.sort_unstable();
        let more = (ours.len() + 1).saturating_sub(MAX_UNDER_WAY);
        let gone = ours.iter().take(more);
        gone.map(|(_, name)| cookie(state, (*name).to_owned(), String::new(), 0))
            .collect()
    }

    fn attempt(&self, state: String, view: &str, by: &str, until: u64) -> Attempt {
        Attempt {
            nonce: self.derived("nonce", &state),
            verifier: self.derived("verifier", &state),
            state,
            view: view.to_owned(),
            by: by.to_owned(),
            until,
        }
    }

    fn derived(&self, what: &str, state: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{what} {state}").as_bytes());
        URL_SAFE_NO_PAD.encode(tag)
    }

    /// What the cookie of an attempt holds.
    fn cookie(&self, attempt: &Attempt) -> String {
        let text = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let (view, by) = (text(&attempt.view), text(&attempt.by));
        let said = format!("{}.{view}.{by}", attempt.until);
        let tag = hmac::sign(&self.key, signed(&attempt.state, &said).as_bytes());
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The attempt that this browser began, of which the cookie is; ends it.
    fn take(&self, state: &str, cookie: &str) -> Option<Attempt> {
        label(state)?;
        let (said, tag) = cookie.rsplit_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.key, signed(state, said).as_bytes(), &tag).ok()?;
        let (until, rest) = said.split_once('.')?;
        let (to, by) = rest.split_once('.')?;
        let text = |text: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok();
        let (until, to, by): (u64, _, _) = (until.parse().ok()?, text(to)?, text(by)?);
        let is_first = until > now() && self.end(state, until);
        is_first.then(|| self.attempt(state.to_owned(), view(&to), &by, until))
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
        let attempts = Attempts::at("x");
        let (mine, other) = (
            attempts.begin("/index/1?tab=pages", "Ann"),
            attempts.begin("/", ""),
        );
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
            (&mine.state, &Attempts::at("x").cookie(&mine)),
        ] {
            assert_eq!(attempts.take(state, cookie), None);
        }
        assert_eq!(attempts.take(&mine.state, &cookie), Some(mine.clone()));
        assert_eq!(attempts.take(&mine.state, &cookie), None);

        let late = attempts.attempt(other.state, "/", "", now() - 1);
        assert_eq!(attempts.take(&late.state, &attempts.cookie(&late)), None);
    }

    #[test]
    fn only_a_view_of_the_page_is_gone_back_to() {
        let attempts = Attempts::at("x");
        for (to, view) in [
            ("/index/1?tab=pages&q=%20", "/index/1?tab=pages&q=%20"),
            ("", ""),
            ("https://evil.example", ""),
            ("/a b", ""),
            ("/a\r\nset-cookie: x", ""),
            (&format!("/{}", "x".repeat(MAX_VIEW)), ""),
        ] {
            assert_eq!(attempts.begin(to, "").view, view);
        }
    }
}
