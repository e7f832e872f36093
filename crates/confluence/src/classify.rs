//! What an answer means: good, passing trouble, or an error for good, in words that name cause and remedy.
//!
//! Error bodies are read leniently: JSON of two generations, XML, HTML, text or nothing come under any content type.

use domain::ports::source::SourceError;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::config::Site;
use crate::endpoint::{Endpoint, USER_CURRENT};

/// What was asked, as far as the answer's meaning depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub endpoint: &'static Endpoint,
    pub what: &'a str,
    /// The site that was asked.
    pub site: &'a Site,
    /// Whether it carried a cursor.
    pub cursor: bool,
    /// Whether the site refused requests for their rate a moment ago.
    pub recently_limited: bool,
}

/// Kinds of passing trouble; they differ in who has to slow down, and in how often to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// 429.
    Limited,
    /// 503, or no connection.
    Down,
    /// 500, 502, 504, or no answer in time: a smaller request may help.
    Heavy,
    /// Not what was asked for: HTML, nothing, cut JSON, an error of the network in front of the site.
    Strange,
}

/// What an answer means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Its body is what was asked for.
    Good,
    /// An error that no further try changes.
    Final(SourceError),
    /// May be different in a while.
    Passing(Trouble, SourceError),
    /// A 403 or 404 that cannot be about an item: the credentials may be bad, or the site is out of sorts.
    Doubtful(u16, SourceError),
}

/// The meaning of one answer.
pub(crate) fn classify(asked: Asked<'_>, status: u16, headers: &HeaderMap, body: &[u8]) -> Verdict {
    if (200..=299).contains(&status) {
        // Nothing of a good answer is read here: it may be megabytes.
        return Verdict::Good;
    }
    let what = asked.what.to_owned();
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_lowercase()
    };
    let said = message(body);
    let detail = if said.is_empty() {
        format!("status {status}")
    } else {
        format!("status {status}: {said}")
    };
    let from_network = header("x-cache").contains("error from cloudfront");
    let again = |trouble| {
        Verdict::Passing(
            trouble,
            SourceError::Unavailable {
                what: what.clone(),
                detail: detail.clone(),
            },
        )
    };
    match status {
        300..=399 => Verdict::Final(redirected(what, asked.site, headers)),
        // The same request was good without its cursor, or there would be none.
        400 if asked.cursor => Verdict::Final(SourceError::BadCursor { what, detail }),
        401 if asked.recently_limited && said.to_lowercase().contains("login required") => {
            again(Trouble::Strange)
        }
        401 => {
            let lacks_scope = said.to_lowercase().contains("scope")
                || header("x-failure-category").contains("scope");
            Verdict::Final(if lacks_scope {
                let scope = asked.endpoint.scope;
                SourceError::LacksScope { what, scope }
            } else {
                let detail = unknown_account(asked.site, &detail);
                SourceError::Unauthorized { what, detail }
            })
        }
        403 | 404 if from_network => again(Trouble::Strange),
        // A wrong or expired token of a site is answered with the first, or as if the path were not there.
        403 | 404
            if said.contains("not permitted to use Confluence")
                || asked.endpoint == &USER_CURRENT =>
        {
            let detail = unknown_account(asked.site, &detail);
            Verdict::Final(SourceError::Unauthorized { what, detail })
        }
        403 | 404 if asked.endpoint.collection => {
            Verdict::Doubtful(status, SourceError::Unavailable { what, detail })
        }
        403 => Verdict::Final(SourceError::Forbidden { what, detail }),
        404 => Verdict::Final(SourceError::NotFound { what }),
        410 => Verdict::Final(SourceError::Withdrawn { what }),
        413 | 414 => Verdict::Final(SourceError::TooLarge { what, detail }),
        408 | 425 => again(Trouble::Down),
        429 => again(Trouble::Limited),
        501 => Verdict::Final(SourceError::Rejected { what, detail }),
        503 => again(Trouble::Down),
        500.. => again(Trouble::Heavy),
        _ => Verdict::Final(SourceError::Rejected { what, detail }),
    }
}

/// Why the site may know no account by these credentials, the likeliest cause first, each with its remedy. The answers do not
/// tell the causes apart: a wrong token, an expired one and an account without the product are all a 403 with the same words.
pub(crate) fn unknown_account(site: &Site, seen: &str) -> String {
    if site.by_oauth {
        return format!(
            "{seen}. What it can be, the likeliest first: (1) the connection was withdrawn at Atlassian, or who consented may no \
             longer use Confluence on the site: connect again, on the page under Checks or at /api/confluence/oauth/authorize; (2) \
             the app of CONFLUENCE_OAUTH_CLIENT_ID is no longer allowed on the site: an administrator of the site allows it"
        );
    }
    let id = site.tenant_info();
    let place = if site.gateway {
        format!(
            "CONFLUENCE_CLOUD_ID is not the id of the token's site: set it to the cloudId that {id} shows"
        )
    } else {
        format!(
            "the token was made with scopes, and such a token works through the gateway only: set CONFLUENCE_CLOUD_ID to the \
             cloudId that {id} shows"
        )
    };
    format!(
        "{seen}. What it can be, the likeliest first: (1) CONFLUENCE_EMAIL and CONFLUENCE_API_TOKEN do not belong together, or \
         the token has expired or was revoked: make a new token; (2) {place}; (3) the account has no access to Confluence on \
         the site of CONFLUENCE_BASE_URL: give it the product"
    )
}

fn redirected(what: String, site: &Site, headers: &HeaderMap) -> SourceError {
    let location = headers
        .get("location")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let lower = location.to_lowercase();
    if lower.contains("login") || lower.contains("id.atlassian.com") {
        return SourceError::Unauthorized {
            what,
            detail: unknown_account(site, "the site asks to log in"),
        };
    }
    let host = url::Url::parse(location)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    let detail = match host {
        Some(host) => format!("the site sends elsewhere, to {host}; check CONFLUENCE_BASE_URL"),
        None => "the site sends elsewhere; check CONFLUENCE_BASE_URL".to_owned(),
    };
    SourceError::Rejected { what, detail }
}

/// The longest message kept, in characters.
const MAX_MESSAGE: usize = 300;

/// What an error body says, in one line; empty when it says nothing.
pub(crate) fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(16 << 10)]);
    let found = match serde_json::from_slice::<Value>(body) {
        Ok(json) => json_message(&json),
        Err(_) => None,
    };
    let found = found.unwrap_or_else(|| {
        let trimmed = text.trim();
        if trimmed.starts_with('<') {
            between(trimmed, "message")
                .or_else(|| between(trimmed, "title"))
                .unwrap_or_else(|| "a page of HTML".to_owned())
        } else if trimmed.starts_with('{') || trimmed.starts_with('[') {
            String::new()
        } else {
            trimmed.to_owned()
        }
    });
    let line = found
        .split(char::is_whitespace)
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    line.chars()
        .filter(|c| !c.is_control())
        .take(MAX_MESSAGE)
        .collect()
}

fn json_message(json: &Value) -> Option<String> {
    let text = |value: &Value| {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    if let Some(first) = json.pointer("/errors/0") {
        let title = text(&first["title"])
            .or_else(|| text(&first["message"]))
            .or_else(|| text(first));
        let detail = text(&first["detail"]);
        return match (title, detail) {
            (Some(title), Some(detail)) => Some(format!("{title} {detail}")),
            (title, detail) => title.or(detail).or_else(|| text(&first["code"])),
        };
    }
    [
        "/message",
        "/errorMessage",
        "/error_description",
        "/error",
        "/data/errors/0/message/translation",
        "/reason",
    ]
    .iter()
    .find_map(|pointer| json.pointer(pointer).and_then(text))
}

fn between(text: &str, tag: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find(&format!("<{tag}>"))? + tag.len() + 2;
    let end = start + lower[start..].find(&format!("</{tag}>"))?;
    Some(text[start..end].trim().to_owned()).filter(|inner| !inner.is_empty())
}

#[cfg(test)]
mod tests;
