//! A run begins by knowing who it is and which of its spaces it sees.

use std::collections::{HashMap, HashSet};

use domain::content::Space;
use domain::index::{IndexSpace, SpaceState, needs_full_listing};
use domain::ports::source::{Cursor, MAX_BATCH};
use domain::ports::store::IndexState;
use domain::vanish::space_is_gone;
use domain::{SpaceId, SpaceKey, Timestamp};

use crate::fetcher::Fetchers;
use crate::shared::Shared;
use crate::stop::RunError;

/// Spaces about which the run before this one had something to say.
#[derive(Debug, Default)]
pub(super) struct SpacesBefore {
    /// Seen neither by this run nor by one before it, since then: what they hold is asked for, and hidden or removed.
    pub(super) gone: HashMap<SpaceId, Timestamp>,
    /// Seen now, and not read to the end the last time: whatever kind of run this is, it reads them whole.
    pub(super) unlisted: HashSet<SpaceId>,
}

/// Why a space stands as failing that was seen again and not read to its end since.
const OWED: &str = "not read to its end since it failed or was away; the next run reads it whole";

/// Looks every space of an index up: known ones by id, so that a rename is followed, new ones by key. One request each.
/// What was seen is recorded; a space that is not seen removes nothing by itself.
pub(super) async fn look_up(
    shared: &Shared,
    source: &Fetchers,
    state: &mut IndexState,
) -> Result<SpacesBefore, RunError> {
    source.whoami().await?;
    let before = &state.index.spaces;
    let ids: Vec<SpaceId> = before.iter().filter_map(|s| s.id.clone()).collect();
    let keys: Vec<SpaceKey> = before
        .iter()
        .filter(|s| s.id.is_none())
        .map(|s| s.key.clone())
        .collect();
    let mut seen = Vec::new();
    for ids in ids.chunks(MAX_BATCH) {
        seen.extend(source.spaces_by_id(ids).await?);
    }
    for keys in keys.chunks(MAX_BATCH) {
        seen.extend(source.spaces_by_key(keys).await?);
    }
    let after: Vec<IndexSpace> = before.iter().map(|space| as_seen(space, &seen)).collect();
    let pairs = before.iter().zip(&after);
    let spaces_before = SpacesBefore {
        gone: gone(shared, state, &after).await?,
        unlisted: pairs
            .filter(|(before, after)| needs_full_listing(before.state, after.state))
            .filter_map(|(_, after)| after.id.clone())
            .collect(),
    };
    // A space that was not listed to its end stays so in its row until it is.
    let rows = mark_for_full_listing(&after, &spaces_before.unlisted);
    if rows != *before {
        shared.store.record_spaces(state.index.id, &rows).await?;
    }
    state.index.spaces = after;
    Ok(spaces_before)
}

/// Spaces whose absence counts, with the time of the first run that did not see them. It is kept as a checkpoint of the index, and
/// stays as it is while none of the index's spaces is seen.
async fn gone(
    shared: &Shared,
    state: &IndexState,
    spaces: &[IndexSpace],
) -> Result<HashMap<SpaceId, Timestamp>, RunError> {
    let (index, now) = (state.index.id, shared.now());
    let mut gone = HashMap::new();
    let is_seen = |space: &&IndexSpace| space.state != SpaceState::Vanished;
    let seen = spaces.iter().filter(is_seen).count();
    for (before, space) in state.index.spaces.iter().zip(spaces) {
        let Some(id) = &space.id else { continue };
        let name = format!("unseen/{id}");
        if is_seen(&space) {
            if before.state == SpaceState::Vanished {
                shared.store.set_checkpoint(index, &name, None).await?;
            }
            continue;
        }
        let mark = shared.store.checkpoint(index, &name).await?;
        let since = mark.and_then(|Cursor(text)| text.parse().ok());
        // A clock that was ahead is no evidence.
        let since = since.filter(|since: &Timestamp| *since <= now);
        match since {
            Some(since) if space_is_gone(seen, true) => {
                gone.insert(id.clone(), since);
            }
            // A run that sees none of them is no witness.
            None if seen > 0 => {
                let mark = Some(Cursor(now.to_rfc3339()));
                let store = &shared.store;
                store.set_checkpoint(index, &name, mark.as_ref()).await?;
            }
            _ => {}
        }
    }
    Ok(gone)
}

/// The space rows, with those marked that are still to be listed to their end.
pub(super) fn mark_for_full_listing(
    spaces: &[IndexSpace],
    unlisted: &HashSet<SpaceId>,
) -> Vec<IndexSpace> {
    let owes = |space: &IndexSpace| space.id.as_ref().is_some_and(|id| unlisted.contains(id));
    let rows = spaces.iter().map(|space| {
        let mut space = space.clone();
        if owes(&space) {
            space.state = SpaceState::Failing;
            space.reason = Some(OWED.to_owned());
        }
        space
    });
    rows.collect()
}

fn as_seen(space: &IndexSpace, seen: &[Space]) -> IndexSpace {
    let found = seen.iter().find(|found| match &space.id {
        Some(id) => found.id == *id,
        None => found.key == space.key || found.alias.as_ref() == Some(&space.key),
    });
    match found {
        Some(found) => IndexSpace {
            id: Some(found.id.clone()),
            current_key: Some(found.key.clone()),
            alias: found.alias.clone(),
            name: Some(found.name.clone()),
            url: Some(found.url.clone()),
            state: if found.archived {
                SpaceState::Archived
            } else {
                SpaceState::Current
            },
            reason: found
                .archived
                .then(|| "archived in Confluence; its pages stay".to_owned()),
            ..space.clone()
        },
        None => IndexSpace {
            state: SpaceState::Vanished,
            reason: Some(
                "this account cannot see it: deleted, or its permissions were changed".to_owned(),
            ),
            ..space.clone()
        },
    }
}
