//! Which page an agent means: an id, any form of a Confluence address, or a title with its space.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::PageId;
use url::Url;

/// What an address or id leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A page by id; with the place on it, where the address names one.
    Id {
        /// The page.
        id: PageId,
        /// What follows `#`.
        anchor: Option<String>,
        /// The host, if it was an address.
        host: Option<String>,
    },
    /// A page by title.
    Title {
        /// Key of the space.
        space: String,
        /// The title.
        title: String,
        /// What follows `#`.
        anchor: Option<String>,
        /// The host.
        host: Option<String>,
    },
}

/// The forms that [`read`] takes, for messages.
pub const FORMS: &str = "…/wiki/spaces/KEY/pages/123456/Title, …/wiki/x/AbCd, …/wiki/display/KEY/Title, \
                         …/pages/viewpage.action?pageId=123456";

/// Reads an id or an address.
///
/// # Errors
/// Says what is wrong, in words that fit behind the address.
pub fn read(text: &str) -> Result<Target, String> {
    let text = text.trim().trim_matches(|c| matches!(c, '<' | '>' | '"'));
    if is_id(text) {
        return Ok(Target::Id {
            id: PageId::from(text),
            anchor: None,
            host: None,
        });
    }
    if let Some(id) = text.strip_prefix("confluence://page/") {
        return by_id(id, None, None);
    }
    let absolute = if text.starts_with('/') {
        format!("https://relative.invalid{text}")
    } else if text.contains("://") {
        text.to_owned()
    } else if text.contains('/') {
        format!("https://{text}")
    } else {
        return Err("is neither a numeric page id nor an address".into());
    };
    let url = Url::parse(&absolute).map_err(|e| format!("is no valid address ({e})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is not an http or https address".into());
    }
    let host = url
        .host_str()
        .filter(|h| *h != "relative.invalid")
        .map(str::to_owned);
    let anchor = url.fragment().map(decode).filter(|a| !a.is_empty());
    let query = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
            .filter(|value| !value.is_empty())
    };
    if let Some(id) = query("pageId") {
        return by_id(&id, anchor, host);
    }
    if let (Some(space), Some(title)) = (query("spaceKey"), query("title")) {
        return Ok(Target::Title {
            space,
            title,
            anchor,
            host,
        });
    }
    let parts: Vec<&str> = url
        .path_segments()
        .map(|segments| segments.filter(|s| !s.is_empty()).collect())
        .unwrap_or_default();
    by_path(&parts, anchor, host)
}

fn by_path(parts: &[&str], anchor: Option<String>, host: Option<String>) -> Result<Target, String> {
    let after = |name: &str| {
        parts
            .iter()
            .position(|part| *part == name)
            .map(|at| &parts[at + 1..])
    };
    if let Some([code, ..]) = after("x").filter(|rest| rest.len() == 1) {
        return tiny(code)
            .map(|id| Target::Id { id, anchor, host })
            .ok_or_else(|| "is no valid short link".into());
    }
    if let Some(rest) = after("display").or_else(|| after("d")) {
        return match rest {
            [space, .., title] => Ok(Target::Title {
                space: decode(space),
                title: decode_plus(title),
                anchor,
                host,
            }),
            _ => Err("leads to a space, not to a page".into()),
        };
    }
    // `…/pages/123`, `…/pages/edit-v2/123`, `…/blog/2024/01/31/123/Title`, `…/content/123`, `…/blogposts/123`.
    for name in ["pages", "blog", "content", "blogposts", "folder"] {
        let Some(rest) = after(name) else { continue };
        let dated = name == "blog" && rest.len() >= 4 && rest[..3].iter().all(|p| number(p));
        let id = if dated {
            rest.get(3).copied()
        } else {
            rest.iter().copied().find(|part| is_id(part))
        };
        if let Some(id) = id.filter(|id| is_id(id)) {
            return by_id(id, anchor, host);
        }
    }
    if after("spaces").is_some() {
        return Err("leads to a space, not to a page".into());
    }
    Err(format!("is not one of the known forms ({FORMS})"))
}

fn by_id(id: &str, anchor: Option<String>, host: Option<String>) -> Result<Target, String> {
    if is_id(id) {
        Ok(Target::Id {
            id: PageId::from(id),
            anchor,
            host,
        })
    } else {
        Err("has no numeric page id".into())
    }
}

/// `98312`, and `att98400` for a file.
pub(super) fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix("att").unwrap_or(text);
    number(digits) && digits.len() <= 20
}

fn number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A short link's code: the id as little-endian bytes in base64 with `-` for `/` and `_` for `+`, trailing `A` left out.
fn tiny(code: &str) -> Option<PageId> {
    if code.is_empty() || code.len() > 11 {
        return None;
    }
    let mut text: String = code
        .chars()
        .map(|c| match c {
            '-' => '/',
            '_' => '+',
            c => c,
        })
        .collect();
    while text.len() < 11 {
        text.push('A');
    }
    text.push('=');
    let bytes: [u8; 8] = STANDARD.decode(text).ok()?.try_into().ok()?;
    let id = u64::from_le_bytes(bytes);
    (id != 0).then(|| PageId::new(id.to_string()))
}

fn decode(text: &str) -> String {
    // form_urlencoded also turns '+' into a space, so it is kept out of its sight here.
    decode_plus(&text.replace('+', "%2B"))
}

fn decode_plus(text: &str) -> String {
    let pair = format!("x={}", text.replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> String {
        match read(text) {
            Ok(Target::Id { id, anchor, .. }) => match anchor {
                Some(anchor) => format!("{id}#{anchor}"),
                None => id.to_string(),
            },
            Ok(Target::Title { space, title, .. }) => format!("{space}:{title}"),
            Err(why) => format!("({why})"),
        }
    }

    #[test]
    fn every_form_of_an_address_leads_to_its_page() {
        let site = "https://example.atlassian.net/wiki";
        let table: Vec<(String, &str)> = vec![
            ("98312".into(), "98312"),
            (" att98400 ".into(), "att98400"),
            ("confluence://page/98312".into(), "98312"),
            (format!("{site}/spaces/ENG/pages/98312/VPN+setup"), "98312"),
            (
                format!("{site}/spaces/ENG/pages/98312/VPN+setup#Install-it"),
                "98312#Install-it",
            ),
            (format!("{site}/spaces/ENG/pages/98312"), "98312"),
            (
                format!("{site}/spaces/~712020a/pages/edit-v2/98312?draft=1"),
                "98312",
            ),
            (
                format!("{site}/spaces/ENG/blog/2024/01/31/98313/News"),
                "98313",
            ),
            (
                format!("{site}/spaces/ENG/pages/98312/2024+Plan?focusedCommentId=5"),
                "98312",
            ),
            (
                format!("{site}/pages/viewpage.action?pageId=98312"),
                "98312",
            ),
            (
                format!("{site}/pages/viewpage.action?spaceKey=ENG&title=VPN+setup"),
                "ENG:VPN setup",
            ),
            (format!("{site}/display/ENG/VPN+setup%3F"), "ENG:VPN setup?"),
            (format!("{site}/display/ENG/C%2B%2B"), "ENG:C++"),
            (
                format!("{site}/api/v2/pages/98312?body-format=storage"),
                "98312",
            ),
            (format!("{site}/rest/api/content/98312"), "98312"),
            ("/wiki/spaces/ENG/pages/98312/x".into(), "98312"),
            (
                "example.atlassian.net/wiki/spaces/ENG/pages/98312".into(),
                "98312",
            ),
            (format!("<{site}/spaces/ENG/pages/98312>"), "98312"),
            // 98312 = 0x018008, bytes 08 80 01 → "CIAB"; 131073 = 01 00 02 → "AQAC".
            (format!("{site}/x/CIAB"), "98312"),
            (format!("{site}/x/AQAC"), "131073"),
        ];
        for (text, expected) in table {
            assert_eq!(id(&text), expected, "{text}");
        }
    }

    #[test]
    fn short_links_hold_every_id() {
        for number in [
            1_u64,
            255,
            98_312,
            4_294_967_296,
            9_007_199_254_740_993,
            u64::MAX,
        ] {
            let code = STANDARD
                .encode(number.to_le_bytes())
                .trim_end_matches('=')
                .trim_end_matches('A')
                .replace('/', "-")
                .replace('+', "_");
            assert_eq!(tiny(&code), Some(PageId::new(number.to_string())), "{code}");
        }
    }

    #[test]
    fn what_leads_to_no_page_says_why() {
        for (text, why) in [
            ("https://x/wiki/spaces/ENG/overview", "a space"),
            ("https://x/wiki/display/ENG", "a space"),
            ("https://x/wiki/x/!!!!", "short link"),
            ("https://x/browse/ABC-1", "known forms"),
            ("VPN setup", "neither"),
            ("ftp://x/wiki/spaces/A/pages/1", "http"),
            ("https://x/pages/viewpage.action?pageId=abc", "numeric"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
