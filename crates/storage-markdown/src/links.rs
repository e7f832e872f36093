//! Where links lead: resource identifiers (`ri:*`), web addresses, and the one form each address is brought into.

use std::borrow::Cow;

use crate::anchors;
use crate::attrs::{attr, percent_decoded};
use crate::inline::LinkOut;
use crate::model::{Link, LinkTarget, Resolver};
use crate::place::{PageRef, Place, absolute, internal_path};
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

    /// The same, an address freed of what lets somebody in.
    pub(crate) fn without_secrets(self) -> Self {
        match self {
            Ri::Url { value } => Ri::Url {
                value: Cow::Owned(crate::secrets::without_secrets(&value).into_owned()),
            },
            other => other,
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
            let text = match &known {
                Some(target) => target.title.clone(),
                None => format!("page {id}"),
            };
            (
                Some(LinkTarget::PageId { id: id.to_string() }),
                known.map(|t| with_anchor(t.url)),
                Some(text),
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
        // What Jira's macro adds to the addresses of issues.
        let url = ["?src=confmacro", "&src=confmacro"]
            .into_iter()
            .find_map(|added| href.strip_suffix(added));
        return Resolved::new(
            Some(Link {
                target: LinkTarget::Url,
                url: Some(url.unwrap_or(href).to_string()),
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
