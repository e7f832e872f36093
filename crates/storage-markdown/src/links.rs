//! Where links lead: resource identifiers (`ri:*`), web addresses, and the one form each address is brought into.

use std::borrow::Cow;

use crate::anchors;
use crate::attrs::{attr, percent_decoded};
use crate::inline::{LinkOut, PageLink};
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
    let anchor = anchor.filter(|anchor| !anchor.is_empty());
    let text = ri.title().map(str::to_string);
    let mut page = None;
    let (target, url) = match ri {
        Ri::Page { space, title } => {
            page = resolver.page_by_title(space.as_deref(), title);
            let target = LinkTarget::Page {
                space_key: space.as_deref().map(str::to_string),
                title: title.to_string(),
            };
            (target, None)
        }
        Ri::Content { id } => {
            page = known_id(id, resolver);
            let address = resolver.site_base().filter(|_| is_id(id)).map(|base| {
                let place = Place::of_page(id, anchor);
                absolute(&place, "", "", Some(base))
            });
            (LinkTarget::PageId { id: id.to_string() }, address)
        }
        Ri::Blog { space, title, day } => {
            page = resolver.blog_post(space.as_deref(), title, day.as_deref());
            let target = LinkTarget::BlogPost {
                space_key: space.as_deref().map(str::to_string),
                title: title.to_string(),
                posting_day: day.as_deref().map(str::to_string),
            };
            (target, None)
        }
        Ri::Attachment { file, page } => {
            let of = page
                .as_ref()
                .map(|(space, title)| (space.as_deref(), title.as_ref()));
            let target = LinkTarget::Attachment {
                file_name: file.to_string(),
                page_title: page.as_ref().map(|(_, title)| title.to_string()),
            };
            (target, resolver.attachment(of, file))
        }
        Ri::Space { key } => {
            let url = resolver
                .site_base()
                .map(|base| format!("{base}/spaces/{key}"));
            (
                LinkTarget::Space {
                    key: key.to_string(),
                },
                url,
            )
        }
        Ri::Shortcut { .. } | Ri::User { .. } => return Resolved::new(None, text),
        Ri::Url { value } => return resolve_href(value, resolver),
    };
    // Where there is neither a text nor an address, the id is all that the author wrote.
    let bare = || match ri {
        Ri::Content { id } if url.is_none() => Some(format!("page {id}")),
        _ => None,
    };
    let text = text.or_else(bare);
    let title = match ri {
        Ri::Page { title, .. } | Ri::Blog { title, .. } | Ri::Attachment { file: title, .. }
            if url.is_none() =>
        {
            Some(title.to_string())
        }
        _ => None,
    };
    let mut resolved = Resolved::new(Some(Link { target, url }), text.clone());
    resolved.out.title = title;
    resolved.out.page = page.filter(|id| is_id(id)).map(|id| {
        Box::new(PageLink {
            id,
            anchor: anchor.map(anchors::slug).unwrap_or_default(),
            words: text.map(|text| one_line(&text)),
        })
    });
    resolved
}

/// As it stands in Markdown.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() < 20 && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn known_id(id: &str, resolver: &dyn Resolver) -> Option<String> {
    (is_id(id) && resolver.knows_page(id)).then(|| id.to_string())
}

/// Resolves an address as it stands in an `href`.
pub(crate) fn resolve_href(href: &str, resolver: &dyn Resolver) -> Resolved {
    let href = href.trim();
    if let Some(name) = href.strip_prefix('#') {
        return resolve_local(&percent_decoded(name, false));
    }
    let scheme = href.split_once(':').map_or("", |(scheme, _)| scheme);
    let no_link = |known: &str| known.eq_ignore_ascii_case(scheme);
    if href.is_empty()
        || ["javascript", "data", "vbscript", "blob"]
            .into_iter()
            .any(no_link)
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
    let page = match &place.page {
        Some(PageRef::Id(id)) => known_id(id, resolver),
        Some(PageRef::Title { space, title }) => resolver.page_by_title(Some(space), title),
        None => None,
    };
    let url = absolute(&place, path, href, resolver.site_base());
    let instead = place.title.clone();
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
    resolved.out.page = page.map(|id| {
        Box::new(PageLink {
            id,
            anchor: place
                .anchor
                .as_deref()
                .map(anchors::slug)
                .unwrap_or_default(),
            words: instead.as_deref().map(one_line),
        })
    });
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
    resolved.out.local = true;
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NoResolver;

    struct Site;

    impl Resolver for Site {
        fn knows_page(&self, id: &str) -> bool {
            id == "42"
        }
        fn site_base(&self) -> Option<&str> {
            Some("https://x.atlassian.net/wiki")
        }
    }

    #[test]
    fn internal_addresses_are_of_one_page_in_every_form() {
        for href in [
            "https://x.atlassian.net/wiki/spaces/K/pages/42/Old+title?src=search",
            "/wiki/spaces/K/pages/42",
            "/wiki/pages/viewpage.action?pageId=42",
            "https://x.atlassian.net/wiki/x/Kg",
            "/spaces/K/pages/42/Old",
        ] {
            let page = resolve_href(href, &Site).out.page.map(|page| page.id);
            assert_eq!(page.as_deref(), Some("42"), "{href}");
        }
        let other = resolve_href("/wiki/spaces/K/pages/7/Some%20Page#A-b", &Site);
        assert_eq!(
            other.out.url(),
            Some("https://x.atlassian.net/wiki/spaces/K/pages/7#A-b")
        );
        assert_eq!(other.out.instead.as_deref(), Some("Some Page"));
        assert!(other.out.page.is_none());
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
