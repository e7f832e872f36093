//! What must never be output: names of parameters that hold secrets, and secrets in addresses.

use std::borrow::Cow;

use crate::attrs::percent_decoded;

/// Parameters that must never be seen.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts = [
        "token",
        "secret",
        "password",
        "apikey",
        "api-key",
        "credential",
    ];
    parts.iter().any(|s| name.contains(s)) || name == "serverid" || name == "applink"
}

/// `text` with every address in it freed of user and password, and of query parameters that let somebody in.
pub(crate) fn without_secrets(text: &str) -> Cow<'_, str> {
    if !text.contains(['?', '#', '@']) {
        return Cow::Borrowed(text);
    }
    let words = text.split_inclusive(char::is_whitespace);
    Cow::Owned(words.map(clean_word).collect())
}

fn clean_word(word: &str) -> Cow<'_, str> {
    let address = word.trim_end();
    let without_user = match address.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            match rest[..end].rfind('@') {
                Some(at) => Cow::Owned(format!("{scheme}://{}", &rest[at + 1..])),
                None => Cow::Borrowed(address),
            }
        }
        None => Cow::Borrowed(address),
    };
    let (rest, fragment) = split(&without_user, '#');
    let (path, query) = split(rest, '?');
    let (query, fragment) = (clean_pairs('?', query), clean_pairs('#', fragment));
    let end = &word[address.len()..];
    Cow::Owned(format!("{path}{query}{fragment}{end}"))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// The `name=value` pairs that may be seen, with what stands before them.
fn clean_pairs(lead: char, pairs: Option<&str>) -> String {
    let Some(pairs) = pairs else {
        return String::new();
    };
    let shown = |pair: &&str| match pair.split_once('=') {
        // An address inside of the address has its own.
        Some((name, value)) => {
            !opens_doors(name) && {
                let value = percent_decoded(value, true);
                without_secrets(&value) == value
            }
        }
        None => true,
    };
    let kept: Vec<&str> = pairs.split('&').filter(shown).collect();
    if kept.is_empty() {
        String::new()
    } else {
        format!("{lead}{}", kept.join("&"))
    }
}

/// Whether a query parameter of this name is one that signs or authorises.
fn opens_doors(name: &str) -> bool {
    if is_secret(name) {
        return true;
    }
    // `spaceKey=OPS` and the like name a thing.
    let lower = name.to_ascii_lowercase();
    if ["space", "project", "issue", "page"]
        .iter()
        .any(|p| lower.starts_with(p))
    {
        return false;
    }
    let mut parts = Vec::new();
    let mut part = String::new();
    for c in name.chars() {
        if !c.is_ascii_alphanumeric()
            || (c.is_ascii_uppercase() && part.ends_with(|p: char| p.is_ascii_lowercase()))
        {
            parts.push(std::mem::take(&mut part));
        }
        if c.is_ascii_alphanumeric() {
            part.push(c);
        }
    }
    parts.push(part);
    let known = [
        "key",
        "sig",
        "signature",
        "hmac",
        "auth",
        "authkey",
        "authorization",
        "pass",
        "passwd",
        "pwd",
        "passphrase",
        "jwt",
        "sas",
        "session",
        "sessionid",
        "jsessionid",
        "sid",
    ];
    parts
        .iter()
        .any(|p| known.iter().any(|k| p.eq_ignore_ascii_case(k)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_what_lets_somebody_in_and_nothing_else() {
        for (text, expected) in [
            (
                "https://bob:pw@h.example/x?access_token=S&page=2",
                "https://h.example/x?page=2",
            ),
            ("https://tok@h.example", "https://h.example"),
            (
                "see https://h.example/a?sig=1 and https://h.example/b?key=2#top",
                "see https://h.example/a and https://h.example/b#top",
            ),
            (
                "https://h.example/?sharedKey=1&X-Amz-Signature=2&authkey=3&pwd=4",
                "https://h.example/",
            ),
            (
                "https://h.example/cb#access_token=1&state=2",
                "https://h.example/cb#state=2",
            ),
            ("/x?to=https%3A%2F%2Fh.example%2F%3Ftoken%3D1&n=2", "/x?n=2"),
            (
                "https://h.example/@ann/page?spaceKey=OPS&author=ann#Key=s",
                "https://h.example/@ann/page?spaceKey=OPS&author=ann",
            ),
            ("ann@example.com, what?", "ann@example.com, what?"),
            (
                "https://h.example/maps?q=a+b%20c",
                "https://h.example/maps?q=a+b%20c",
            ),
            ("no address", "no address"),
        ] {
            assert_eq!(without_secrets(text), expected, "{text}");
        }
    }
}
