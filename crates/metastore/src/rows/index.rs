//! `indexes` and `index_spaces`.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::access::Access;
use domain::index::{
    BackendKind, Index, IndexProgress, IndexSettings, IndexSpace, IndexStatus, Moving, Remote,
    RestrictedPages, SpaceState,
};
use domain::query::QueryTarget;
use domain::run::Run;
use domain::{IndexId, Timestamp};
use serde::{Deserialize, Serialize};

use super::ObjectRow;
use crate::convert::{db_time, from_json, id, list, opt_db_time, opt_time, time, to_json, word};
use crate::dialect::Db;
use crate::error::Done;
use crate::schema::{index_spaces, indexes};

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = indexes, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct IndexRow {
    pub id: String,
    pub name: String,
    pub name_lower: String,
    pub agent_id: String,
    pub interval_minutes: i32,
    pub enabled: bool,
    pub include_blog_posts: bool,
    pub include_comments: bool,
    pub include_attachments: bool,
    pub labels: String,
    pub exclude_labels: String,
    pub root_page_ids: String,
    pub restricted_pages: String,
    pub access: String,
    pub status: String,
    pub status_reason: Option<String>,
    pub next_run_at: Option<NaiveDateTime>,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
    pub watermark: Option<NaiveDateTime>,
    pub last_sweep_at: Option<NaiveDateTime>,
    pub synced_at: Option<NaiveDateTime>,
    pub scope_revision: i32,
    pub applied_scope_revision: i32,
    pub awaiting_confirmation: Option<String>,
    pub deletions_accepted: bool,
    pub guard_answered_at: Option<NaiveDateTime>,
    pub deletions_refused: bool,
    pub guarded_pages: String,
    pub applied_settings: Option<String>,
    pub quiet_hours: Option<String>,
    pub guard_answered_by: Option<String>,
}

/// The columns that an administrator chooses.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = indexes)]
pub(crate) struct SettingsChange {
    pub name: String,
    pub name_lower: String,
    pub agent_id: String,
    pub interval_minutes: i32,
    pub enabled: bool,
    pub include_blog_posts: bool,
    pub include_comments: bool,
    pub include_attachments: bool,
    pub labels: String,
    pub exclude_labels: String,
    pub root_page_ids: String,
    pub restricted_pages: String,
    pub access: String,
    // Null goes back to the service's own.
    #[diesel(treat_none_as_null = true)]
    pub quiet_hours: Option<String>,
}

/// The columns that a finished run moves on. The scope's revision belongs to the administrator and is not among them.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = indexes, treat_none_as_null = true)]
pub(crate) struct ProgressChange {
    pub watermark: Option<NaiveDateTime>,
    pub last_sweep_at: Option<NaiveDateTime>,
    pub synced_at: Option<NaiveDateTime>,
    pub applied_scope_revision: i32,
    pub awaiting_confirmation: Option<String>,
    pub deletions_accepted: bool,
    pub deletions_refused: bool,
    pub guarded_pages: String,
    pub applied_settings: Option<String>,
}

/// A remote object as a column holds it; the domain's own JSON form leaves `extra` out.
#[derive(Serialize, Deserialize)]
pub(crate) struct RemoteJson {
    kind: String,
    id: String,
    name: String,
    extra: Option<String>,
}

impl RemoteJson {
    pub(crate) fn write(remote: &Remote) -> String {
        to_json(&Self {
            kind: remote.kind.clone(),
            id: remote.id.clone(),
            name: remote.name.clone(),
            extra: remote.extra.clone(),
        })
    }

    pub(crate) fn read(column: &str, text: &str) -> Done<Remote> {
        let Self {
            kind,
            id,
            name,
            extra,
        } = from_json(column, text)?;
        Ok(Remote {
            kind,
            id,
            name,
            extra,
        })
    }
}

const fn restricted_word(rule: RestrictedPages) -> &'static str {
    match rule {
        RestrictedPages::Skip => "skip",
        RestrictedPages::Include => "include",
    }
}

fn parse_restricted(word: &str) -> Option<RestrictedPages> {
    [RestrictedPages::Skip, RestrictedPages::Include]
        .into_iter()
        .find(|rule| restricted_word(*rule) == word)
}

impl From<&IndexSettings> for SettingsChange {
    fn from(settings: &IndexSettings) -> Self {
        Self {
            name: settings.name.clone(),
            name_lower: settings.name.to_lowercase(),
            agent_id: settings.agent_id.to_string(),
            interval_minutes: i32::try_from(settings.interval_minutes).unwrap_or(i32::MAX),
            enabled: settings.enabled,
            include_blog_posts: settings.include_blog_posts,
            include_comments: settings.include_comments,
            include_attachments: settings.include_attachments,
            labels: to_json(&settings.labels),
            exclude_labels: to_json(&settings.exclude_labels),
            root_page_ids: to_json(&settings.root_page_ids),
            restricted_pages: restricted_word(settings.restricted_pages).to_owned(),
            access: settings.access.as_str().to_owned(),
            quiet_hours: settings.quiet_hours.as_ref().map(to_json),
        }
    }
}

impl ProgressChange {
    pub(crate) fn new(progress: &IndexProgress) -> Self {
        Self {
            watermark: opt_db_time(progress.watermark),
            last_sweep_at: opt_db_time(progress.last_sweep_at),
            synced_at: opt_db_time(progress.synced_at),
            applied_scope_revision: progress.applied_scope_revision,
            awaiting_confirmation: progress.awaiting_confirmation.map(|run| run.to_string()),
            deletions_accepted: progress.deletions_accepted,
            deletions_refused: progress.deletions_refused,
            guarded_pages: to_json(&progress.guarded_pages),
            applied_settings: progress.applied_settings.as_ref().map(to_json),
        }
    }
}

impl IndexRow {
    /// An index that is created now; its first run is due at once.
    pub(crate) fn new(id: IndexId, settings: &IndexSettings, now: Timestamp) -> Self {
        let chosen = SettingsChange::from(settings);
        let status = if settings.enabled {
            IndexStatus::New
        } else {
            IndexStatus::Disabled
        };
        let now = db_time(now);
        Self {
            id: id.to_string(),
            name: chosen.name,
            name_lower: chosen.name_lower,
            agent_id: chosen.agent_id,
            interval_minutes: chosen.interval_minutes,
            enabled: chosen.enabled,
            include_blog_posts: chosen.include_blog_posts,
            include_comments: chosen.include_comments,
            include_attachments: chosen.include_attachments,
            labels: chosen.labels,
            exclude_labels: chosen.exclude_labels,
            root_page_ids: chosen.root_page_ids,
            restricted_pages: chosen.restricted_pages,
            access: chosen.access,
            status: status.as_str().to_owned(),
            status_reason: None,
            next_run_at: settings.enabled.then_some(now),
            created_at: now,
            updated_at: now,
            watermark: None,
            last_sweep_at: None,
            synced_at: None,
            scope_revision: 0,
            applied_scope_revision: 0,
            awaiting_confirmation: None,
            deletions_accepted: false,
            guard_answered_at: None,
            deletions_refused: false,
            guarded_pages: "[]".to_owned(),
            applied_settings: None,
            quiet_hours: chosen.quiet_hours,
            guard_answered_by: None,
        }
    }

    pub(crate) fn status(&self) -> Done<IndexStatus> {
        word("indexes.status", &self.status, IndexStatus::parse)
    }

    pub(crate) fn progress(&self) -> Done<IndexProgress> {
        Ok(IndexProgress {
            watermark: opt_time(self.watermark),
            last_sweep_at: opt_time(self.last_sweep_at),
            synced_at: opt_time(self.synced_at),
            scope_revision: self.scope_revision,
            applied_scope_revision: self.applied_scope_revision,
            awaiting_confirmation: self
                .awaiting_confirmation
                .as_deref()
                .map(|run| id("indexes.awaiting_confirmation", run))
                .transpose()?,
            deletions_accepted: self.deletions_accepted,
            deletions_refused: self.deletions_refused,
            guard_answered_at: opt_time(self.guard_answered_at),
            guard_answered_by: self.guard_answered_by.clone(),
            guarded_pages: from_json("indexes.guarded_pages", &self.guarded_pages)?,
            applied_settings: self
                .applied_settings
                .as_deref()
                .map(|settings| from_json("indexes.applied_settings", settings))
                .transpose()?,
        })
    }

    /// What the administrator chose; the keys come from the spaces' rows.
    pub(crate) fn settings(
        &self,
        spaces: &[IndexSpace],
        backend: BackendKind,
    ) -> Done<IndexSettings> {
        Ok(IndexSettings {
            name: self.name.clone(),
            agent_id: id("indexes.agent_id", &self.agent_id)?,
            confluence_spaces: spaces.iter().map(|space| space.key.clone()).collect(),
            interval_minutes: u32::try_from(self.interval_minutes).unwrap_or(1),
            enabled: self.enabled,
            quiet_hours: self
                .quiet_hours
                .as_deref()
                .map(|text| from_json("indexes.quiet_hours", text))
                .transpose()?,
            backend,
            include_blog_posts: self.include_blog_posts,
            include_comments: self.include_comments,
            include_attachments: self.include_attachments,
            labels: list("indexes.labels", &self.labels)?,
            exclude_labels: list("indexes.exclude_labels", &self.exclude_labels)?,
            root_page_ids: list("indexes.root_page_ids", &self.root_page_ids)?,
            restricted_pages: word(
                "indexes.restricted_pages",
                &self.restricted_pages,
                parse_restricted,
            )?,
            access: word("indexes.access", &self.access, Access::parse)?,
        })
    }

    /// The index as a question needs it.
    pub(crate) fn to_target(
        &self,
        spaces: Vec<IndexSpace>,
        serving: &ObjectRow,
        as_of: Option<Timestamp>,
    ) -> Done<QueryTarget> {
        Ok(QueryTarget {
            id: id("indexes.id", &self.id)?,
            settings: self.settings(&spaces, serving.backend()?)?,
            remote: serving.remote()?,
            spaces,
            as_of,
            watermark: opt_time(self.watermark),
        })
    }

    /// The index as REST shows it.
    pub(crate) fn to_index(
        &self,
        spaces: Vec<IndexSpace>,
        document_count: i64,
        (last_run, as_of): (Option<Run>, Option<Timestamp>),
        serving: &ObjectRow,
        moving: Option<Moving>,
    ) -> Done<Index> {
        Ok(Index {
            id: id("indexes.id", &self.id)?,
            settings: self.settings(&spaces, serving.backend()?)?,
            remote: serving.remote()?,
            moving,
            status: self.status()?,
            status_reason: self.status_reason.clone(),
            spaces,
            document_count,
            last_run,
            as_of,
            next_run_at: opt_time(self.next_run_at),
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
        })
    }
}

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = index_spaces, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct SpaceRow {
    pub index_id: String,
    pub space_key: String,
    pub position: i32,
    pub space_id: Option<String>,
    pub current_key: Option<String>,
    pub alias: Option<String>,
    pub name: Option<String>,
    pub url: Option<String>,
    pub state: String,
    pub reason: Option<String>,
    pub last_sync_at: Option<NaiveDateTime>,
}

impl SpaceRow {
    pub(crate) fn new(index: &str, position: usize, space: &IndexSpace) -> Self {
        Self {
            index_id: index.to_owned(),
            space_key: space.key.to_string(),
            position: i32::try_from(position).unwrap_or(i32::MAX),
            space_id: space.id.as_ref().map(ToString::to_string),
            current_key: space.current_key.as_ref().map(ToString::to_string),
            alias: space.alias.as_ref().map(ToString::to_string),
            name: space.name.clone(),
            url: space.url.clone(),
            state: space.state.as_str().to_owned(),
            reason: space.reason.clone(),
            last_sync_at: opt_db_time(space.last_sync_at),
        }
    }

    /// A space of which nothing is known but its key.
    pub(crate) fn unseen(index: &str, position: usize, key: &domain::SpaceKey) -> Self {
        Self::new(
            index,
            position,
            &IndexSpace {
                key: key.clone(),
                id: None,
                current_key: None,
                alias: None,
                name: None,
                url: None,
                state: SpaceState::New,
                reason: None,
                pages: 0,
                last_sync_at: None,
            },
        )
    }

    /// Takes over what was seen anew; what was not seen this time keeps its last value, so that a failing look forgets
    /// no identity.
    pub(crate) fn absorb(&mut self, seen: &IndexSpace) {
        let new = Self::new("", 0, seen);
        self.space_id = new.space_id.or(self.space_id.take());
        // With the key the alias was seen, and may have gone.
        if new.current_key.is_some() {
            self.alias = new.alias;
        }
        self.current_key = new.current_key.or(self.current_key.take());
        self.name = new.name.or(self.name.take());
        self.url = new.url.or(self.url.take());
        self.last_sync_at = new.last_sync_at.or(self.last_sync_at.take());
        if seen.state != SpaceState::New {
            self.state = new.state;
            self.reason = new.reason;
        }
    }

    /// The key that the space has now, as far as known.
    pub(crate) fn present_key(&self) -> &str {
        self.current_key.as_deref().unwrap_or(&self.space_key)
    }

    pub(crate) fn to_space(&self, pages: i64) -> Done<IndexSpace> {
        Ok(IndexSpace {
            key: self.space_key.clone().into(),
            id: self.space_id.clone().map(Into::into),
            current_key: self.current_key.clone().map(Into::into),
            alias: self.alias.clone().map(Into::into),
            name: self.name.clone(),
            url: self.url.clone(),
            state: word("index_spaces.state", &self.state, SpaceState::parse)?,
            reason: self.reason.clone(),
            pages,
            last_sync_at: opt_time(self.last_sync_at),
        })
    }
}
