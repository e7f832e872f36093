//! Addresses inside the wiki: what they say, and the one form they are brought into.

use crate::anchors;
use crate::attrs::percent_decoded;

/// The part of an address behind the context path `/wiki`, when it is one of a wiki page.
pub(crate) fn internal_path<'h>(href: &'h str, base: Option<&str>) -> Option<&'h str> {
    if let Some(rest) = base.and_then(|base| href.strip_prefix(base)) {
        return rest
            .starts_with(['/', '?', '#'])
            .then_some(rest)
            .or_else(|| rest.is_empty().then_some("/"));
    }
    if let Some(rest) = href.strip_prefix("/wiki/") {
        return Some(&href[href.len() - rest.len() - 1..]);
    }
    if (base.is_none() || href.starts_with('/'))
        && ["/spaces/", "/display/", "/pages/", "/x/"]
            .iter()
            .any(|p| href.starts_with(p))
    {
        return Some(href);
    }
    // Without a base, an Atlassian host is recognised by its name.
    let after = href.strip_prefix("https://")?;
    let (host, path) = after.split_at(after.find('/')?);
    let same = match base
        .and_then(|b| b.split("://").nth(1))
        .and_then(|b| b.split('/').next())
    {
        Some(own) => own.eq_ignore_ascii_case(host),
        None => host.ends_with(".atlassian.net"),
    };
    path.strip_prefix("/wiki/")
        .filter(|_| same)
        .map(|rest| &path[path.len() - rest.len() - 1..])
}

pub(crate) enum PageRef {
    Id(String),
    Title { space: String, title: String },
}

/// What an internal address says.
pub(crate) struct Place {
    pub(crate) page: Option<PageRef>,
    pub(crate) space: Option<String>,
    /// The address is that of the space itself.
    pub(crate) is_space: bool,
    /// Title as far as the path tells it.
    pub(crate) title: Option<String>,
    pub(crate) anchor: Option<String>,
}

impl Place {
    /// The page of an id, wherever it stands.
    pub(crate) fn of_page(id: &str, anchor: Option<&str>) -> Place {
        Place {
            page: Some(PageRef::Id(id.to_string())),
            space: None,
            is_space: false,
            title: None,
            anchor: anchor.map(str::to_string),
        }
    }

    pub(crate) fn parse(path: &str) -> Place {
        let (path, anchor) = match path.split_once('#') {
            Some((path, anchor)) => (
                path,
                Some(percent_decoded(anchor, false)).filter(|a| !a.is_empty()),
            ),
            None => (path, None),
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut place = Place {
            page: None,
            space: None,
            is_space: false,
            title: None,
            anchor,
        };
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let digits =
            |s: &str| !s.is_empty() && s.len() < 20 && s.bytes().all(|b| b.is_ascii_digit());
        let param = |name: &str| {
            query
                .split('&')
                .find_map(|p| p.strip_prefix(name)?.strip_prefix('='))
        };
        match parts.as_slice() {
            ["spaces", key, "pages", "edit-v2", id, ..]
            | ["spaces", key, "pages", id, ..]
            | ["spaces", key, "blog", _, _, _, id, ..]
                if digits(id) =>
            {
                place.space = Some(percent_decoded(key, false));
                let after = parts
                    .iter()
                    .position(|p| p == id)
                    .map_or(parts.len(), |n| n + 1);
                place.title = parts
                    .get(after)
                    .map(|t| percent_decoded(t, true))
                    .filter(|t| !t.is_empty());
                place.page = Some(PageRef::Id((*id).to_string()));
            }
            ["spaces", key] | ["spaces", key, "overview"] | ["display", key] => {
                place.space = Some(percent_decoded(key, false));
                place.is_space = true;
            }
            ["display", key, title, ..] if !title.is_empty() => {
                let title = percent_decoded(title, true);
                place.space = Some(percent_decoded(key, false));
                place.title = Some(title.clone());
                place.page = Some(PageRef::Title {
                    space: percent_decoded(key, false),
                    title,
                });
            }
            ["pages", "viewpage.action"] => {
                if let Some(id) = param("pageId").filter(|id| digits(id)) {
                    place.page = Some(PageRef::Id(id.to_string()));
                } else if let (Some(space), Some(title)) = (param("spaceKey"), param("title")) {
                    let title = percent_decoded(title, true);
                    place.title = Some(title.clone());
                    place.page = Some(PageRef::Title {
                        space: percent_decoded(space, true),
                        title,
                    });
                }
            }
            ["x", tiny] => {
                place.page = tiny_id(tiny).map(|id| PageRef::Id(id.to_string()));
            }
            _ => {}
        }
        place
    }
}

/// The content id behind a tiny link: its bytes, little end first, in base64 with `-` for `/`, `_` for `+`.
fn tiny_id(tiny: &str) -> Option<u64> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    if tiny.is_empty() || tiny.len() > 11 {
        return None;
    }
    let mut text: String = tiny
        .chars()
        .map(|c| {
            if c == '-' {
                '/'
            } else if c == '_' {
                '+'
            } else {
                c
            }
        })
        .collect();
    while text.len() < 11 {
        text.push('A');
    }
    let bytes = STANDARD_NO_PAD.decode(text).ok()?;
    let mut id = [0u8; 8];
    id.copy_from_slice(bytes.get(..8)?);
    Some(u64::from_le_bytes(id)).filter(|&id| id > 0)
}

pub(crate) fn absolute(place: &Place, path: &str, href: &str, base: Option<&str>) -> String {
    let Some(base) = base else {
        return href.to_string();
    };
    match &place.page {
        Some(PageRef::Id(id)) => {
            let anchor = place
                .anchor
                .as_deref()
                .map(|a| format!("#{}", anchors::slug(a)))
                .unwrap_or_default();
            match &place.space {
                Some(space) => format!("{base}/spaces/{space}/pages/{id}{anchor}"),
                None => format!("{base}/pages/viewpage.action?pageId={id}{anchor}"),
            }
        }
        _ => format!("{base}{path}"),
    }
}

/// The address of an image or file without what changes from call to call.
pub(crate) fn clean_url(url: &str, base: Option<&str>) -> Option<String> {
    let url = url.trim();
    let lower = url.get(..11).unwrap_or(url).to_ascii_lowercase();
    if url.is_empty()
        || lower.starts_with("data:")
        || lower.starts_with("javascript:")
        || lower.starts_with("blob:")
    {
        return None;
    }
    let absolute = match (base, url.strip_prefix("/wiki/")) {
        (Some(base), Some(path)) => format!("{base}/{path}"),
        _ => url.to_string(),
    };
    let Some((path, query)) = absolute.split_once('?') else {
        return Some(absolute);
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|p| !is_transient(p.split('=').next().unwrap_or("")))
        .collect();
    Some(if kept.is_empty() {
        path.to_string()
    } else {
        format!("{path}?{}", kept.join("&"))
    })
}

/// Query parameters that sign, size or date a download.
fn is_transient(name: &str) -> bool {
    let known = [
        "version",
        "modificationDate",
        "cacheVersion",
        "api",
        "client",
        "Signature",
        "Expires",
        "Key-Pair-Id",
        "Policy",
        "width",
        "height",
    ];
    known.contains(&name) || crate::secrets::is_secret(name) || name.starts_with("X-Amz-")
}
