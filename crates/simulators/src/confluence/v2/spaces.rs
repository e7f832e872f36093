//! `/spaces` and what hangs below one space.

use serde_json::json;

use crate::confluence::call::{Answer, Call, SortValue};
use crate::confluence::errors;
use crate::confluence::model::{Space, SpaceId};
use crate::server::Reply;

pub(crate) fn list(call: &Call<'_>) -> Answer {
    let sort = call.sort(&["id", "key", "name"], "id")?;
    let limit = call.limit(25)?;
    let ids = call.ids("ids", 250)?;
    let keys = call.request.many("keys");
    let kinds = call.choice("type", SPACE_TYPES, &[])?;
    let statuses = call.choice("status", &["current", "archived"], &["current", "archived"])?;
    let wanted = |space: &&Space| {
        ids.as_ref().is_none_or(|ids| ids.contains(&space.id.0))
            && (keys.is_empty() || keys.iter().any(|k| space.is_named(k)))
            && (kinds.is_empty() || kinds.contains(&space.kind))
            && statuses.iter().any(|s| (s == "archived") == space.archived)
            && call.state.may_view_space(call.account, space.id)
            && !call.switches.sees_nothing
    };
    let items = call.state.spaces.values().filter(wanted).map(|space| {
        let key = match sort.by.as_str() {
            "key" => SortValue::Text(space.key.to_lowercase()),
            "name" => SortValue::Text(space.name.to_lowercase()),
            _ => SortValue::Number(space.id.0 as i64),
        };
        (key, space.id.0)
    });
    let (page, next) = call.page(items.collect(), &sort, limit)?;
    let results = page
        .iter()
        .filter_map(|id| call.state.spaces.get(&SpaceId(*id)));
    Ok(call.list(results.map(|s| call.space_json(s, false)).collect(), next))
}

const SPACE_TYPES: &[&str] = &[
    "global",
    "collaboration",
    "knowledge_base",
    "personal",
    "system",
    "onboarding",
    "xflow_sample_space",
];

/// The space of the path's `{id}`, if the caller may see it.
pub(crate) fn space_of<'c>(call: &'c Call<'_>) -> Result<&'c Space, Reply> {
    let id = SpaceId(call.id(0)?.0);
    let space = call
        .state
        .spaces
        .get(&id)
        .filter(|s| call.state.may_view_space(call.account, s.id));
    space.ok_or_else(errors::v2_not_found)
}

pub(crate) fn get(call: &Call<'_>) -> Answer {
    let space = space_of(call)?;
    let mut value = call.space_json(space, true);
    value["_links"]["base"] = json!(format!("{}/wiki", call.site_url));
    if call.request.flag("include-labels") {
        value["labels"] = json!({"results": [], "meta": {"hasMore": false}, "_links": {}});
    }
    Ok(Reply::ok(value).with_points(1))
}

pub(crate) fn labels(call: &Call<'_>) -> Answer {
    space_of(call)?;
    call.limit(25)?;
    Ok(call.list(Vec::new(), None))
}
