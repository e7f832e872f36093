//! The JSON of Confluence's answers, as far as it is used.
//!
//! Lenient on purpose: unknown fields and words are passed over, ids may be numbers or text, anything but the identity may
//! be null or missing. `results` must be there: an answer without it is no empty list.

use std::fmt;

use chrono::DateTime;
use domain::content::{ContentKind, ContentStatus, SourcePage, Space};
use domain::ports::source::SourceError;
use domain::{AccountId, PageId, SpaceId, SpaceKey, Timestamp};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// Text that may come as a number: ids differ between the two generations of the API.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl Visitor<'_> for TextVisitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a number")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
                Ok(Text(text))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// Null as the default.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Clone, Deserialize, Debug, Default)]
pub(crate) struct Links {
    pub next: Option<String>,
    pub base: Option<String>,
    pub webui: Option<String>,
}

/// A list of either generation.
#[derive(Deserialize, Debug)]
pub(crate) struct List<T> {
    pub results: Vec<Option<T>>,
    #[serde(rename = "_links", default, deserialize_with = "lenient")]
    pub links: Links,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CurrentUser {
    #[serde(rename = "type")]
    kind: Option<String>,
    account_id: Option<String>,
    display_name: Option<String>,
    public_name: Option<String>,
}

impl CurrentUser {
    /// Id and name, if the site knows who asks.
    pub fn known(self) -> Option<(AccountId, String)> {
        let id = self.account_id.filter(|id| !id.is_empty())?;
        if self.kind.as_deref() != Some("known") {
            return None;
        }
        Some((
            AccountId::new(id.as_str()),
            name(self.display_name, self.public_name).unwrap_or(id),
        ))
    }
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub account_id: Option<String>,
    display_name: Option<String>,
    public_name: Option<String>,
}

impl User {
    pub fn name(self) -> Option<String> {
        name(self.display_name, self.public_name)
    }
}

fn name(display: Option<String>, public: Option<String>) -> Option<String> {
    [display, public]
        .into_iter()
        .flatten()
        .find(|name| !name.trim().is_empty())
}

#[derive(Deserialize, Debug)]
pub(crate) struct SpaceItem {
    id: Text,
    key: Option<String>,
    #[serde(rename = "currentActiveAlias")]
    alias: Option<String>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    #[serde(rename = "_links", default, deserialize_with = "lenient")]
    links: Links,
}

impl SpaceItem {
    /// `None` without a key, by which alone people could name it.
    pub fn into_space(self, base: &str) -> Option<Space> {
        let key = self.key.filter(|key| !key.is_empty())?;
        let path = self.links.webui.unwrap_or_else(|| format!("/spaces/{key}"));
        Some(Space {
            id: SpaceId::new(self.id.0),
            name: self
                .name
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| key.clone()),
            kind: self.kind.unwrap_or_default(),
            archived: self.status.as_deref() == Some("archived"),
            url: absolute(base, &path),
            alias: self
                .alias
                .filter(|alias| !alias.is_empty() && *alias != key)
                .map(SpaceKey::new),
            key: SpaceKey::new(key),
        })
    }
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Version {
    pub number: Option<i32>,
    pub created_at: Option<String>,
    pub author_id: Option<String>,
    /// v1's name of the time.
    pub when: Option<String>,
}

#[derive(Deserialize, Debug, Default)]
pub(crate) struct Body {
    pub storage: Option<Representation>,
    pub view: Option<Representation>,
    pub export_view: Option<Representation>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Representation {
    pub value: Option<String>,
}

/// A page or blog post of v2.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageItem {
    pub id: Text,
    status: Option<String>,
    title: Option<String>,
    space_id: Option<Text>,
    parent_id: Option<Text>,
    parent_type: Option<String>,
    created_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    version: Version,
    #[serde(default, deserialize_with = "lenient")]
    pub body: Body,
    #[serde(rename = "_links", default, deserialize_with = "lenient")]
    pub links: Links,
}

impl PageItem {
    /// The page; `space` is where it was looked for, in case the answer leaves that out.
    pub fn into_page(
        self,
        kind: ContentKind,
        base: &str,
        space: Option<&SpaceId>,
    ) -> Result<SourcePage, SourceError> {
        let id = PageId::new(self.id.0);
        let Some(space_id) = self
            .space_id
            .map(|id| SpaceId::new(id.0))
            .or_else(|| space.cloned())
        else {
            // Without its space nobody can say whether it belongs; taking it as gone would be worse.
            return Err(SourceError::Unavailable {
                what: format!("{} {id}", kind.as_str()),
                detail: "the answer does not say in which space it stands".to_owned(),
            });
        };
        let parent_id = self
            .parent_id
            .filter(|id| !id.0.is_empty())
            .map(|id| PageId::new(id.0));
        let parent_kind = parent_id
            .is_some()
            .then(|| kind_of(self.parent_type.as_deref().unwrap_or("page")));
        let base = self.links.base.as_deref().unwrap_or(base);
        let url = address(base, self.links.webui.as_deref(), id.as_str());
        let modified = self.version.created_at.as_deref().and_then(moment);
        Ok(SourcePage {
            kind,
            status: self
                .status
                .as_deref()
                .map_or(ContentStatus::Unknown, ContentStatus::parse),
            title: self.title.unwrap_or_default(),
            space_id,
            parent_id,
            parent_kind,
            version: self.version.number.unwrap_or(0),
            modified: modified
                .or_else(|| self.created_at.as_deref().and_then(moment))
                .unwrap_or(Timestamp::UNIX_EPOCH),
            author: self
                .version
                .author_id
                .filter(|id| !id.is_empty())
                .map(AccountId::from),
            url,
            body: self.body.storage.and_then(|storage| storage.value),
            id,
        })
    }
}

/// What a word for a type means; anything that has no text of its own is a container.
pub(crate) fn kind_of(word: &str) -> ContentKind {
    ContentKind::parse(word).unwrap_or(ContentKind::Container)
}

/// The address of an item for people; without a hint of the site's, the one that any id leads to.
pub(crate) fn address(base: &str, webui: Option<&str>, id: &str) -> String {
    match webui.filter(|path| !path.is_empty()) {
        Some(path) => absolute(base, path),
        None => absolute(base, &format!("/pages/viewpage.action?pageId={id}")),
    }
}

/// A path of an answer below its base.
pub(crate) fn absolute(base: &str, path: &str) -> String {
    if path.starts_with("https://") || path.starts_with("http://") {
        return path.to_owned();
    }
    format!(
        "{}/{}",
        base.trim_end_matches('/'),
        path.trim_start_matches('/')
    )
}

/// A time as either generation writes it.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(json: &str) -> SourcePage {
        serde_json::from_str::<PageItem>(json)
            .unwrap()
            .into_page(ContentKind::Page, "https://x/wiki", None)
            .unwrap()
    }

    #[test]
    fn odd_pages_are_tolerated() {
        let bare = page(r#"{"id": 98312, "spaceId": 65540}"#);
        assert_eq!(
            (bare.id.as_str(), bare.space_id.as_str()),
            ("98312", "65540")
        );
        assert_eq!(bare.status, ContentStatus::Unknown);
        assert_eq!(
            bare.url,
            "https://x/wiki/pages/viewpage.action?pageId=98312"
        );
        assert_eq!(
            (bare.parent_id, bare.parent_kind, bare.body),
            (None, None, None)
        );

        let odd = page(
            r#"{"id":"1","status":"frozen","title":null,"spaceId":"2","parentId":"3","parentType":"smartlink","position":null,
                "subtype":"live","version":null,"body":null,"_links":null,"news":[1,{"a":2}]}"#,
        );
        assert_eq!(
            (odd.status, odd.parent_kind),
            (ContentStatus::Unknown, Some(ContentKind::Container))
        );

        let full = page(
            r#"{"id":"1","status":"trashed","title":"T","spaceId":"2","parentId":null,"parentType":null,
                "version":{"number":7,"createdAt":"2026-09-16T08:30:00.000Z","authorId":"557058:bb"},
                "body":{"storage":{"representation":"storage","value":""}},
                "_links":{"webui":"/spaces/ENG/pages/1/T","base":"https://y.atlassian.net/wiki"}}"#,
        );
        assert_eq!(
            (full.status, full.version, full.body.as_deref()),
            (ContentStatus::Trashed, 7, Some(""))
        );
        assert_eq!(
            full.url,
            "https://y.atlassian.net/wiki/spaces/ENG/pages/1/T"
        );
        assert_eq!(full.modified.to_rfc3339(), "2026-09-16T08:30:00+00:00");
    }

    #[test]
    fn a_page_without_a_space_is_an_error_and_not_a_loss() {
        let item: PageItem = serde_json::from_str(r#"{"id":"1"}"#).unwrap();
        assert!(
            item.into_page(ContentKind::Page, "https://x/wiki", None)
                .is_err()
        );
        let item: PageItem = serde_json::from_str(r#"{"id":"1"}"#).unwrap();
        assert!(
            item.into_page(
                ContentKind::Page,
                "https://x/wiki",
                Some(&SpaceId::from("9"))
            )
            .is_ok()
        );
    }

    #[test]
    fn a_list_without_results_is_no_list() {
        assert!(serde_json::from_str::<List<PageItem>>(r#"{"message":"hello"}"#).is_err());
        let list: List<PageItem> =
            serde_json::from_str(r#"{"results":[null],"_links":null}"#).unwrap();
        assert_eq!(list.results.len(), 1);
    }

    #[test]
    fn only_known_accounts_are_somebody() {
        let who = |json: &str| serde_json::from_str::<CurrentUser>(json).unwrap().known();
        assert_eq!(
            who(r#"{"type":"known","accountId":"a:1","displayName":"Ada"}"#),
            Some(("a:1".into(), "Ada".into()))
        );
        assert_eq!(
            who(r#"{"type":"known","accountId":"a:1","displayName":""}"#),
            Some(("a:1".into(), "a:1".into()))
        );
        for nobody in [
            r#"{"type":"anonymous","displayName":"Anonymous"}"#,
            r#"{"type":"known"}"#,
            r#"{"accountId":"a"}"#,
        ] {
            assert_eq!(who(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn times_of_both_generations_are_read() {
        for text in [
            "2026-09-16T08:30:00.000Z",
            "2026-09-16T10:30:00.000+02:00",
            "2026-09-16T10:30:00.000+0200",
        ] {
            assert_eq!(
                moment(text).map(|at| at.timestamp()),
                Some(1_789_547_400),
                "{text}"
            );
        }
        assert_eq!(moment("yesterday"), None);
    }
}
