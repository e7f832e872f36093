//! A run begins by knowing who it is and which of its spaces it sees.

use std::collections::HashSet;

use domain::content::Space;
use domain::index::{IndexSpace, SpaceState};
use domain::ports::source::MAX_BATCH;
use domain::ports::store::IndexState;
use domain::{SpaceId, SpaceKey};

use super::Halt;
use crate::fetcher::Fetchers;
use crate::messages::SpacesBy;
use crate::shared::Shared;

/// Looks every space of an index up: known ones by id, so that a rename is followed, new ones by key. One request each.
/// What was seen is recorded; a space that is not seen removes nothing by itself. Answers the spaces that an earlier run did
/// not see either.
pub(super) async fn look_up(
    shared: &Shared,
    source: &Fetchers,
    state: &mut IndexState,
    record: bool,
) -> Result<HashSet<SpaceId>, Halt> {
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
        seen.extend(source.spaces(&SpacesBy::Ids(ids.to_vec())).await?);
    }
    for keys in keys.chunks(MAX_BATCH) {
        seen.extend(source.spaces(&SpacesBy::Keys(keys.to_vec())).await?);
    }
    let after: Vec<IndexSpace> = before.iter().map(|space| as_seen(space, &seen)).collect();
    if record && after != *before {
        shared.store.record_spaces(state.index.id, &after).await?;
    }
    let gone_again = before
        .iter()
        .zip(&after)
        .filter(|(b, a)| b.state == SpaceState::Vanished && a.state == SpaceState::Vanished)
        .filter_map(|(_, a)| a.id.clone())
        .collect();
    state.index.spaces = after;
    Ok(gone_again)
}

fn as_seen(space: &IndexSpace, seen: &[Space]) -> IndexSpace {
    let found = seen.iter().find(|found| match &space.id {
        Some(id) => found.id == *id,
        None => found.key == space.key,
    });
    match found {
        Some(found) => IndexSpace {
            id: Some(found.id.clone()),
            current_key: Some(found.key.clone()),
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
