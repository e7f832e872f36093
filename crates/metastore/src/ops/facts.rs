//! Labels and restrictions as the bulk answer says them, and the containers that only it names.

use std::collections::HashMap;

use diesel::prelude::*;
use domain::access::Guards;
use domain::content::{ContentFacts, ContentKind, ContentStatus, Restriction};
use domain::holding::Holding;
use domain::links::Links;
use domain::page::{PageFacts, PageRecord, Standing};
use domain::{IndexId, PageId, SpaceId, Timestamp};

use super::pages;
use crate::convert::{db_time, to_json};
use crate::dialect::{self, Conn};
use crate::error::Done;
use crate::rows::{PageRow, readers_json};
use crate::schema::synced_pages;

/// Answers the ids whose labels or own restriction changed.
pub(crate) fn record(
    conn: &mut Conn,
    index: IndexId,
    facts: &[ContentFacts],
    now: Timestamp,
) -> Done<Vec<PageId>> {
    let known = known_rows(conn, index, facts)?;
    let spaces = Spaces::new(facts, &known);
    let mut changed = Vec::new();
    let mut containers = Vec::new();
    for item in facts {
        let labels = to_json(&item.labels);
        let restriction = item.restriction.as_str();
        let readers = readers_json(&item.readers);
        match known.get(item.id.as_str()) {
            Some(row) => {
                let differs = row.labels != labels || row.restriction != restriction;
                if row.kind == ContentKind::Container.as_str() {
                    let parent = parent_of(item).or_else(|| row.parent_id.clone());
                    let space = match row.space_id.as_str() {
                        "" => spaces.of(item),
                        known => known.to_owned(),
                    };
                    let named = readers != row.readers;
                    if differs || named || parent != row.parent_id || space != row.space_id {
                        containers.push(PageRow {
                            labels,
                            restriction: restriction.to_owned(),
                            readers,
                            parent_id: parent,
                            space_id: space,
                            ..row.clone()
                        });
                    }
                } else if differs || readers != row.readers {
                    // The first answer about a page tells what was there before: no news for a reader.
                    let news =
                        row.labels != labels && row.restriction != Restriction::Unknown.as_str();
                    let noticed = if news { db_time(now) } else { row.changed_at };
                    diesel::update(synced_pages::table.find((&row.index_id, &row.page_id)))
                        .set((
                            synced_pages::labels.eq(labels),
                            synced_pages::restriction.eq(restriction),
                            synced_pages::readers.eq(readers),
                            synced_pages::changed_at.eq(noticed),
                        ))
                        .execute(conn)?;
                }
                if differs {
                    changed.push(item.id.clone());
                }
            }
            None if item.kind == ContentKind::Container => {
                let space = spaces.of(item);
                containers.push(PageRow::new(
                    &container(index, item, space.into(), now),
                    &Holding::default(),
                ));
                if item.restriction != Restriction::Unknown || !item.labels.is_empty() {
                    changed.push(item.id.clone());
                }
            }
            None => {}
        }
    }
    dialect::put_pages(conn, &containers)?;
    Ok(changed)
}

fn known_rows(
    conn: &mut Conn,
    index: IndexId,
    facts: &[ContentFacts],
) -> Done<HashMap<String, PageRow>> {
    let mut ids: Vec<PageId> = facts.iter().map(|item| item.id.clone()).collect();
    // Of new containers, those around them tell the space.
    ids.extend(
        facts
            .iter()
            .filter(|item| item.kind == ContentKind::Container)
            .flat_map(|item| item.ancestors.iter().flatten().cloned()),
    );
    ids.sort_unstable();
    ids.dedup();
    let rows = pages::rows_by_id(conn, index, &ids)?;
    Ok(rows
        .into_iter()
        .map(|row| (row.page_id.clone(), row))
        .collect())
}

fn parent_of(item: &ContentFacts) -> Option<String> {
    let above = item.ancestors.as_ref()?.last()?;
    Some(above.to_string())
}

fn container(index: IndexId, item: &ContentFacts, space: SpaceId, now: Timestamp) -> PageRecord {
    PageRecord {
        index_id: index,
        page_id: item.id.clone(),
        kind: ContentKind::Container,
        facts: PageFacts {
            status: ContentStatus::Current,
            title: String::new(),
            space_id: space,
            parent_id: parent_of(item).map(Into::into),
            parent_kind: None,
            version: 0,
            modified: now,
            url: String::new(),
        },
        labels: item.labels.clone(),
        restriction: item.restriction,
        readers: item.readers.clone(),
        guards: Guards::Unknown,
        breadcrumb: Vec::new(),
        body_version: None,
        markdown_hash: None,
        comments_hash: None,
        links: Links::default(),
        file: None,
        standing: Standing::Undecided,
        belongs: false,
        reason: None,
        attempts: 0,
        next_try_at: None,
        lost_reads: 0,
        seen_in_run: None,
        vanished_at: None,
        changed_at: now,
        holding: Holding::default(),
    }
}

/// Finds the space of a container, which the bulk answer does not name: that of an item above it, of an item of this
/// answer below it, or the one space of the whole answer; else empty until a later answer tells.
struct Spaces {
    by_id: HashMap<String, String>,
    only: Option<String>,
}

impl Spaces {
    fn new(facts: &[ContentFacts], known: &HashMap<String, PageRow>) -> Self {
        let mut by_id: HashMap<String, String> = known
            .iter()
            .filter(|(_, row)| !row.space_id.is_empty())
            .map(|(id, row)| (id.clone(), row.space_id.clone()))
            .collect();
        let mut all: Vec<&String> = by_id.values().collect();
        all.sort_unstable();
        all.dedup();
        let only = match all[..] {
            [one] => Some(one.clone()),
            _ => None,
        };
        for item in facts {
            if let Some(space) = by_id.get(item.id.as_str()).cloned() {
                for above in item.ancestors.iter().flatten() {
                    by_id
                        .entry(above.to_string())
                        .or_insert_with(|| space.clone());
                }
            }
        }
        Self { by_id, only }
    }

    fn of(&self, item: &ContentFacts) -> String {
        std::iter::once(&item.id)
            .chain(item.ancestors.iter().flatten().rev())
            .find_map(|id| self.by_id.get(id.as_str()))
            .or(self.only.as_ref())
            .cloned()
            .unwrap_or_default()
    }
}
