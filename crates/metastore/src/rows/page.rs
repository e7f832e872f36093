//! `synced_pages`.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::access::{Grantee, Guards};
use domain::content::{ContentKind, ContentStatus, FileFacts, Restriction};
use domain::holding::{Holding, page_state};
use domain::links::Links;
use domain::page::{PageFacts, PageRecord, PageState, Standing};

use crate::convert::{db_time, from_json, id, list, opt_db_time, opt_time, time, to_json, word};
use crate::dialect::Db;
use crate::error::Done;
use crate::schema::synced_pages;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = synced_pages, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct PageRow {
    pub index_id: String,
    pub page_id: String,
    pub kind: String,
    pub status: String,
    pub title: String,
    pub title_lower: String,
    pub space_id: String,
    pub parent_id: Option<String>,
    pub parent_kind: Option<String>,
    pub version: i32,
    pub modified: NaiveDateTime,
    pub url: String,
    pub labels: String,
    pub restriction: String,
    pub breadcrumb: String,
    pub body_version: Option<i32>,
    pub markdown_hash: Option<String>,
    pub state: String,
    pub reason: Option<String>,
    pub attempts: i32,
    pub next_try_at: Option<NaiveDateTime>,
    pub seen_in_run: Option<String>,
    pub vanished_at: Option<NaiveDateTime>,
    pub changed_at: NaiveDateTime,
    pub comments_hash: Option<String>,
    pub media_type: Option<String>,
    pub file_size: Option<i64>,
    pub standing: String,
    pub kept: bool,
    pub document: bool,
    pub links: Option<String>,
    pub belongs: bool,
    pub lost_reads: i32,
    pub readers: Option<String>,
    pub guards: Option<String>,
    pub guarded: bool,
}

/// What the database keeps of a page although it follows from how the page stands and from its holding: so that it can filter
/// and count. Nobody else computes this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Derived {
    pub state: PageState,
    pub kept: bool,
    pub document: bool,
}

/// Most texts point at no page.
fn page_links(json: Option<&str>) -> Done<Links> {
    json.map_or_else(
        || Ok(Links::default()),
        |json| from_json("synced_pages.links", json),
    )
}

/// Mostly nobody is named.
pub(crate) fn readers_json(readers: &[Grantee]) -> Option<String> {
    (!readers.is_empty()).then(|| to_json(&readers))
}

pub(crate) fn readers(column: &str, json: Option<&str>) -> Done<Vec<Grantee>> {
    json.map_or_else(|| Ok(Vec::new()), |json| from_json(column, json))
}

fn guards_json(guards: &Guards) -> Option<String> {
    match guards {
        Guards::Unknown => None,
        Guards::Known(items) => Some(to_json(items)),
    }
}

/// Of most pages nothing stands in the way.
pub(crate) fn guards(column: &str, json: Option<&str>) -> Done<Guards> {
    Ok(match json {
        None => Guards::Unknown,
        Some("[]") => Guards::Known(Vec::new()),
        Some(json) => Guards::Known(from_json(column, json)?),
    })
}

impl Derived {
    pub(crate) fn of(standing: Standing, serving: &Holding) -> Self {
        Self {
            state: page_state(standing, serving),
            kept: serving.is_kept(),
            document: serving.is_document() && !standing.is_out(),
        }
    }
}

impl PageRow {
    /// `serving`: what the object that answers holds of it now.
    pub(crate) fn new(page: &PageRecord, serving: &Holding) -> Self {
        let facts = &page.facts;
        let derived = Derived::of(page.standing, serving);
        Self {
            index_id: page.index_id.to_string(),
            page_id: page.page_id.to_string(),
            kind: page.kind.as_str().to_owned(),
            status: facts.status.as_str().to_owned(),
            title: facts.title.clone(),
            title_lower: facts.title.to_lowercase(),
            space_id: facts.space_id.to_string(),
            parent_id: facts.parent_id.as_ref().map(ToString::to_string),
            parent_kind: facts.parent_kind.map(|kind| kind.as_str().to_owned()),
            version: facts.version,
            modified: db_time(facts.modified),
            url: facts.url.clone(),
            labels: to_json(&page.labels),
            restriction: page.restriction.as_str().to_owned(),
            breadcrumb: to_json(&page.breadcrumb),
            body_version: page.body_version,
            markdown_hash: page.markdown_hash.clone(),
            state: derived.state.as_str().to_owned(),
            reason: page.reason.clone(),
            attempts: page.attempts,
            next_try_at: opt_db_time(page.next_try_at),
            seen_in_run: page.seen_in_run.map(|run| run.to_string()),
            vanished_at: opt_db_time(page.vanished_at),
            changed_at: db_time(page.changed_at),
            comments_hash: page.comments_hash.clone(),
            media_type: page.file.as_ref().and_then(|file| file.media_type.clone()),
            file_size: page
                .file
                .as_ref()
                .and_then(|file| i64::try_from(file.size?).ok()),
            standing: page.standing.as_str().to_owned(),
            kept: derived.kept,
            document: derived.document,
            links: (!page.links.is_empty()).then(|| to_json(&page.links)),
            belongs: page.belongs,
            lost_reads: page.lost_reads,
            readers: readers_json(&page.readers),
            guards: guards_json(&page.guards),
            guarded: page.guards != Guards::Known(Vec::new()),
        }
    }

    pub(crate) fn record(self, serving: Holding) -> Done<PageRecord> {
        let row = self;
        Ok(PageRecord {
            index_id: id("synced_pages.index_id", &row.index_id)?,
            page_id: row.page_id.into(),
            kind: word("synced_pages.kind", &row.kind, ContentKind::parse)?,
            facts: PageFacts {
                status: ContentStatus::parse(&row.status),
                title: row.title,
                space_id: row.space_id.into(),
                parent_id: row.parent_id.map(Into::into),
                parent_kind: row
                    .parent_kind
                    .map(|kind| word("synced_pages.parent_kind", &kind, ContentKind::parse))
                    .transpose()?,
                version: row.version,
                modified: time(row.modified),
                url: row.url,
            },
            labels: list("synced_pages.labels", &row.labels)?,
            restriction: Restriction::parse(&row.restriction),
            readers: readers("synced_pages.readers", row.readers.as_deref())?,
            guards: guards("synced_pages.guards", row.guards.as_deref())?,
            breadcrumb: list("synced_pages.breadcrumb", &row.breadcrumb)?,
            body_version: row.body_version,
            markdown_hash: row.markdown_hash,
            comments_hash: row.comments_hash,
            file: (row.kind == ContentKind::Attachment.as_str()).then(|| FileFacts {
                media_type: row.media_type,
                size: row.file_size.and_then(|size| u64::try_from(size).ok()),
            }),
            standing: word("synced_pages.standing", &row.standing, Standing::parse)?,
            links: page_links(row.links.as_deref())?,
            belongs: row.belongs,
            reason: row.reason,
            attempts: row.attempts,
            next_try_at: opt_time(row.next_try_at),
            lost_reads: row.lost_reads,
            seen_in_run: row
                .seen_in_run
                .map(|run| id("synced_pages.seen_in_run", &run))
                .transpose()?,
            vanished_at: opt_time(row.vanished_at),
            changed_at: time(row.changed_at),
            holding: serving,
        })
    }
}
