//! A change of an index: the settings that somebody names. Whoever applies it holds the settings as they are at that moment, so
//! two changes that name different settings both hold, however long one of them took to be checked.

use super::{IndexSettings, RestrictedPages};
use crate::access::Access;
use crate::quiet::QuietHours;
use crate::{AgentId, SpaceKey};

/// The settings that a change names; `None` leaves a setting as it is. Which store holds an index is none of them: only a move
/// changes that.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IndexPatch {
    /// The name shown to people.
    pub name: Option<String>,
    /// The agent that asks this index.
    pub agent_id: Option<AgentId>,
    /// Keys of the spaces: all of them, in their order.
    pub confluence_spaces: Option<Vec<SpaceKey>>,
    /// Minutes between scheduled runs.
    pub interval_minutes: Option<u32>,
    /// Whether scheduled runs happen.
    pub enabled: Option<bool>,
    /// Hours in which no scheduled run starts; `Some(None)`: those of the service again.
    pub quiet_hours: Option<Option<QuietHours>>,
    /// Blog posts of the spaces too.
    pub include_blog_posts: Option<bool>,
    /// Comments folded into their page's document.
    pub include_comments: Option<bool>,
    /// Text files attached to pages as documents of their own.
    pub include_attachments: Option<bool>,
    /// Only pages with at least one of these labels.
    pub labels: Option<Vec<String>>,
    /// No page with any of these labels.
    pub exclude_labels: Option<Vec<String>>,
    /// Only these pages and all below them.
    pub root_page_ids: Option<Vec<String>>,
    /// What becomes of restricted pages.
    pub restricted_pages: Option<RestrictedPages>,
    /// Whom it answers.
    pub access: Option<Access>,
}

impl IndexPatch {
    /// The settings after the change.
    #[must_use]
    pub fn apply(self, present: IndexSettings) -> IndexSettings {
        let Self {
            name,
            agent_id,
            confluence_spaces,
            interval_minutes,
            enabled,
            quiet_hours,
            include_blog_posts,
            include_comments,
            include_attachments,
            labels,
            exclude_labels,
            root_page_ids,
            restricted_pages,
            access,
        } = self;
        IndexSettings {
            name: name.unwrap_or(present.name),
            agent_id: agent_id.unwrap_or(present.agent_id),
            confluence_spaces: confluence_spaces.unwrap_or(present.confluence_spaces),
            interval_minutes: interval_minutes.unwrap_or(present.interval_minutes),
            enabled: enabled.unwrap_or(present.enabled),
            quiet_hours: quiet_hours.unwrap_or(present.quiet_hours),
            backend: present.backend,
            include_blog_posts: include_blog_posts.unwrap_or(present.include_blog_posts),
            include_comments: include_comments.unwrap_or(present.include_comments),
            include_attachments: include_attachments.unwrap_or(present.include_attachments),
            labels: labels.unwrap_or(present.labels),
            exclude_labels: exclude_labels.unwrap_or(present.exclude_labels),
            root_page_ids: root_page_ids.unwrap_or(present.root_page_ids),
            restricted_pages: restricted_pages.unwrap_or(present.restricted_pages),
            access: access.unwrap_or(present.access),
        }
    }
}

/// The change that names every setting.
impl From<IndexSettings> for IndexPatch {
    fn from(settings: IndexSettings) -> Self {
        Self {
            name: Some(settings.name),
            agent_id: Some(settings.agent_id),
            confluence_spaces: Some(settings.confluence_spaces),
            interval_minutes: Some(settings.interval_minutes),
            enabled: Some(settings.enabled),
            quiet_hours: Some(settings.quiet_hours),
            include_blog_posts: Some(settings.include_blog_posts),
            include_comments: Some(settings.include_comments),
            include_attachments: Some(settings.include_attachments),
            labels: Some(settings.labels),
            exclude_labels: Some(settings.exclude_labels),
            root_page_ids: Some(settings.root_page_ids),
            restricted_pages: Some(settings.restricted_pages),
            access: Some(settings.access),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::BackendKind;

    fn settings() -> IndexSettings {
        IndexSettings {
            name: "old".into(),
            agent_id: "a".parse().unwrap(),
            confluence_spaces: vec!["ENG".into()],
            interval_minutes: 60,
            enabled: true,
            quiet_hours: None,
            backend: BackendKind::Local,
            include_blog_posts: false,
            include_comments: false,
            include_attachments: false,
            labels: vec![],
            exclude_labels: vec![],
            root_page_ids: vec![],
            restricted_pages: RestrictedPages::Skip,
            access: Access::Everyone,
        }
    }

    #[test]
    fn a_change_touches_what_it_names_and_nothing_else() {
        assert_eq!(IndexPatch::default().apply(settings()), settings());
        let labels = IndexPatch {
            exclude_labels: Some(vec!["x".into()]),
            ..IndexPatch::default()
        };
        let spaces = IndexPatch {
            confluence_spaces: Some(vec!["ENG".into(), "OPS".into()]),
            ..IndexPatch::default()
        };
        let after = IndexSettings {
            exclude_labels: vec!["x".into()],
            confluence_spaces: vec!["ENG".into(), "OPS".into()],
            ..settings()
        };
        // In whatever order they come.
        let one = spaces.clone().apply(labels.clone().apply(settings()));
        let other = labels.apply(spaces.apply(settings()));
        assert_eq!((&one, &other), (&after, &after));
    }

    #[test]
    fn a_change_of_everything_leaves_the_store() {
        let everything = IndexSettings {
            name: "new".into(),
            agent_id: "b".parse().unwrap(),
            confluence_spaces: vec!["OPS".into()],
            interval_minutes: 5,
            enabled: false,
            quiet_hours: Some("22:00-06:00".parse().unwrap()),
            backend: BackendKind::LlamaCloud,
            include_blog_posts: true,
            include_comments: true,
            include_attachments: true,
            labels: vec!["a".into()],
            exclude_labels: vec!["x".into()],
            root_page_ids: vec!["1".into()],
            restricted_pages: RestrictedPages::Include,
            access: Access::PerUser,
        };
        let changed = IndexPatch::from(everything.clone()).apply(settings());
        let expected = IndexSettings {
            backend: BackendKind::Local,
            ..everything
        };
        assert_eq!(changed, expected);
    }
}
