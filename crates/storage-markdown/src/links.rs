//! Where links lead: resource identifiers (`ri:*`), web addresses, and the one form each address is brought into.

use std::borrow::Cow;

use crate::anchors;
use crate::attrs::{attr, percent_decoded};
use crate::inline::LinkOut;
use crate::model::{Link, LinkTarget, Resolver};
use crate::tag::Tag;

/// A resource identifier as storage writes it.
#[derive(Clone, Debug)]
pub(crate) enum Ri<'a> {
    Page {
        space: Option<Cow<'a, str>>,
        title: Cow<'a, str>,
    },
    Content {
        id: Cow<'a, str>,
    },
    Blog {
        space: Option<Cow<'a, str>>,
        title: Cow<'a, str>,
        day: Option<Cow<'a, str>>,
    },
    Attachment {
        file: Cow<'a, str>,
        page: Option<(Option<Cow<'a, str>>, Cow<'a, str>)>,
    },
    User {
        id: Cow<'a, str>,
    },
    Space {
        key: Cow<'a, str>,
    },
    Shortcut {
        parameter: Cow<'a, str>,
    },
    Url {
        value: Cow<'a, str>,
    },
}

impl<'a> Ri<'a> {
    pub(crate) fn parse(tag: Tag, attrs: &'a str) -> Option<Ri<'a>> {
        let get = |name| attr(attrs, name).filter(|v| !v.is_empty());
        Some(match tag {
            Tag::RiPage => match (get("ri:content-title"), get("ri:content-id")) {
                (_, Some(id)) => Ri::Content { id },
                (Some(title), None) => Ri::Page {
                    space: get("ri:space-key"),
                    title,
                },
                _ => return None,
            },
            Tag::RiContent => Ri::Content {
                id: get("ri:content-id")?,
            },
            Tag::RiBlog => match (get("ri:content-title"), get("ri:content-id")) {
                (_, Some(id)) => Ri::Content { id },
                (Some(title), None) => Ri::Blog {
                    space: get("ri:space-key"),
                    title,
                    day: get("ri:posting-day"),
                },
                _ => return None,
            },
            Tag::RiAttachment => Ri::Attachment {
                file: get("ri:filename")?,
                page: None,
            },
            Tag::RiUser => Ri::User {
                id: get("ri:account-id")
                    .or_else(|| get("ri:userkey"))
                    .or_else(|| get("ri:username"))?,
            },
            Tag::RiSpace => Ri::Space {
                key: get("ri:space-key")?,
            },
            Tag::RiShortcut => Ri::Shortcut {
                parameter: get("ri:parameter")?,
            },
            Tag::RiUrl => Ri::Url {
                value: get("ri:value")?,
            },
            _ => return None,
        })
    }

    /// The text of a link to it that has none of its own.
    pub(crate) fn title(&self) -> Option<&str> {
        match self {
            Ri::Page { title, .. } | Ri::Blog { title, .. } => Some(title),
            Ri::Attachment { file, .. } => Some(file),
            Ri::Space { key } => Some(key),
            Ri::Shortcut { parameter } => Some(parameter),
            Ri::Url { value } => Some(value),
            Ri::Content { .. } | Ri::User { .. } => None,
        }
    }
}

/// A link ready to be written.
pub(crate) struct Resolved {
    pub(crate) out: LinkOut,
    /// Text to use when the link has none; its address if there is none here either.
    pub(crate) text: Option<String>,
}

impl Resolved {
    /// The text of a link that brings none of its own.
    pub(crate) fn text(&self) -> Option<&str> {
        self.text.as_deref().or_else(|| self.out.url())
    }

    fn new(link: Option<Link>, text: Option<String>) -> Self {
        Resolved {
            out: LinkOut {
                link,
                ..LinkOut::default()
            },
            text,
        }
    }
}

/// Resolves a resource identifier, with the anchor of the link around it.
pub(crate) fn resolve(ri: &Ri<'_>, anchor: Option<&str>, resolver: &dyn Resolver) -> Resolved {
    let with_anchor = |url: String| match anchor.filter(|a| !a.is_empty()) {
        Some(anchor) => format!("{url}#{}", anchors::slug(anchor)),
        None => url,
    };
    let (target, known, text) = match ri {
        Ri::Page { space, title } => {
            let known = resolver.page_by_title(space.as_deref(), title);
            let text = known
                .as_ref()
                .map_or_else(|| title.to_string(), |t| t.title.clone());
            let target = LinkTarget::Page {
                space_key: space.as_deref().map(str::to_string),
                title: title.to_string(),
            };
            (Some(target), known.map(|t| with_anchor(t.url)), Some(text))
        }
        Ri::Content { id } => {
            let known = resolver.page_by_id(id);
            let text = known.as_ref().map(|t| t.title.clone());
            (
                Some(LinkTarget::PageId { id: id.to_string() }),
                known.map(|t| with_anchor(t.url)),
                text,
            )
        }
        Ri::Blog { space, title, day } => {
            let known = resolver.blog_post(space.as_deref(), title, day.as_deref());
            let target = LinkTarget::BlogPost {
                space_key: space.as_deref().map(str::to_string),
                title: title.to_string(),
                posting_day: day.as_deref().map(str::to_string),
            };
            (
                Some(target),
                known.map(|t| with_anchor(t.url)),
                Some(title.to_string()),
            )
        }
        Ri::Attachment { file, page } => {
            let of = page
                .as_ref()
                .map(|(space, title)| (space.as_deref(), title.as_ref()));
            let target = LinkTarget::Attachment {
                file_name: file.to_string(),
                page_title: page.as_ref().map(|(_, title)| title.to_string()),
            };
            (
                Some(target),
                resolver.attachment(of, file),
                Some(file.to_string()),
            )
        }
        Ri::Space { key } => {
            let known = resolver.space(key);
            let text = known
                .as_ref()
                .map_or_else(|| key.to_string(), |t| t.title.clone());
            (
                Some(LinkTarget::Space {
                    key: key.to_string(),
                }),
                known.map(|t| t.url),
                Some(text),
            )
        }
        Ri::Shortcut { parameter } => (None, None, Some(parameter.to_string())),
        Ri::User { .. } => (None, None, None),
        Ri::Url { value } => return resolve_href(value, resolver),
    };
    Resolved::new(target.map(|target| Link { target, url: known }), text)
}

/// Resolves an address as it stands in an `href`.
pub(crate) fn resolve_href(href: &str, resolver: &dyn Resolver) -> Resolved {
    let href = href.trim();
    if let Some(name) = href.strip_prefix('#') {
        return resolve_local(&percent_decoded(name, false));
    }
    let scheme_end = href.find(':').filter(|&n| {
        href.as_bytes()[..n]
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    });
    let scheme = scheme_end.map(|n| href[..n].to_ascii_lowercase());
    if href.is_empty()
        || matches!(
            scheme.as_deref(),
            Some("javascript" | "data" | "vbscript" | "blob")
        )
    {
        return Resolved::new(None, None);
    }
    let internal = internal_path(href, resolver.site_base());
    let Some(path) = internal else {
        return Resolved::new(
            Some(Link {
                target: LinkTarget::Url,
                url: Some(href.to_string()),
            }),
            None,
        );
    };
    let place = Place::parse(path);
    let known = match &place.page {
        Some(PageRef::Id(id)) => resolver.page_by_id(id),
        Some(PageRef::Title { space, title }) => resolver.page_by_title(Some(space), title),
        None => place
            .space
            .as_deref()
            .filter(|_| place.is_space)
            .and_then(|key| resolver.space(key)),
    };
    let url = match &known {
        Some(target) => match &place.anchor {
            Some(anchor) => format!("{}#{}", target.url, anchors::slug(anchor)),
            None => target.url.clone(),
        },
        None => absolute(&place, path, href, resolver.site_base()),
    };
    let instead = known
        .as_ref()
        .map(|t| t.title.clone())
        .or_else(|| place.title.clone());
    let target = match &place.page {
        Some(PageRef::Id(id)) => LinkTarget::PageId { id: id.clone() },
        Some(PageRef::Title { space, title }) => LinkTarget::Page {
            space_key: Some(space.clone()),
            title: title.clone(),
        },
        None => match &place.space {
            Some(key) if place.is_space => LinkTarget::Space { key: key.clone() },
            _ => LinkTarget::Url,
        },
    };
    let mut resolved = Resolved::new(
        Some(Link {
            target,
            url: Some(url),
        }),
        instead.clone(),
    );
    resolved.out.raw = Some(href.to_string());
    resolved.out.instead = instead;
    resolved
}

/// A link to a place in this page; settled when all headings are known.
pub(crate) fn resolve_local(name: &str) -> Resolved {
    let link = Link {
        target: LinkTarget::Anchor {
            name: name.to_string(),
        },
        url: None,
    };
    let mut resolved = Resolved::new(Some(link), Some(name.to_string()));
    resolved.out.own_url = Some(name.to_string());
    resolved.out.local = true;
    resolved
}

/// The part of an address behind the context path `/wiki`, when it is one of a wiki page.
fn internal_path<'h>(href: &'h str, base: Option<&str>) -> Option<&'h str> {
    if let Some(rest) = base.and_then(|base| href.strip_prefix(base)) {
        return rest
            .starts_with(['/', '?', '#'])
            .then_some(rest)
            .or_else(|| rest.is_empty().then_some("/"));
    }
    if let Some(rest) = href.strip_prefix("/wiki/") {
        return Some(&href[href.len() - rest.len() - 1..]);
    }
    if base.is_none() || href.starts_with('/') {
        if ["/spaces/", "/display/", "/pages/", "/x/"]
            .iter()
            .any(|p| href.starts_with(p))
        {
            return Some(href);
        }
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

enum PageRef {
    Id(String),
    Title { space: String, title: String },
}

/// What an internal address says.
struct Place {
    page: Option<PageRef>,
    space: Option<String>,
    /// The address is that of the space itself.
    is_space: bool,
    /// Title as far as the path tells it.
    title: Option<String>,
    anchor: Option<String>,
}

impl Place {
    fn parse(path: &str) -> Place {
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

fn absolute(place: &Place, path: &str, href: &str, base: Option<&str>) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NoResolver, Target};

    struct Site;

    impl Resolver for Site {
        fn page_by_id(&self, id: &str) -> Option<Target> {
            (id == "42").then(|| Target {
                url: "https://x.atlassian.net/wiki/spaces/K/pages/42".into(),
                title: "Answer".into(),
            })
        }
        fn site_base(&self) -> Option<&str> {
            Some("https://x.atlassian.net/wiki")
        }
    }

    #[test]
    fn internal_addresses_become_one_form() {
        let one = "https://x.atlassian.net/wiki/spaces/K/pages/42";
        for href in [
            "https://x.atlassian.net/wiki/spaces/K/pages/42/Old+title?src=search",
            "/wiki/spaces/K/pages/42",
            "/wiki/pages/viewpage.action?pageId=42",
            "https://x.atlassian.net/wiki/x/Kg",
            "/spaces/K/pages/42/Old",
        ] {
            assert_eq!(resolve_href(href, &Site).out.url(), Some(one), "{href}");
        }
        let other = resolve_href("/wiki/spaces/K/pages/7/Some%20Page#A-b", &Site);
        assert_eq!(
            other.out.url(),
            Some("https://x.atlassian.net/wiki/spaces/K/pages/7#A-b")
        );
        assert_eq!(other.out.instead.as_deref(), Some("Some Page"));
    }

    #[test]
    fn scripts_are_no_links_and_foreign_addresses_stay() {
        assert!(
            resolve_href("javascript:alert(1)", &NoResolver)
                .out
                .url()
                .is_none()
        );
        assert_eq!(
            resolve_href("https://example.com/wiki/x", &Site).out.url(),
            Some("https://example.com/wiki/x")
        );
    }
}
