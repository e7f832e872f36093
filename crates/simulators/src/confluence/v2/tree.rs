//! The content tree: ancestors, children, descendants, and the parents that are not pages.

use serde_json::{Value, json};

use super::content::sort_value;
use crate::confluence::call::{Answer, Call, SortValue, when};
use crate::confluence::errors;
use crate::confluence::model::{Content, ContentId, Kind, Status};
use crate::confluence::shapes::version;
use crate::server::Reply;

const CHILD_SORTS: &[&str] = &[
    "child-position",
    "id",
    "title",
    "created-date",
    "modified-date",
];

pub(crate) fn ancestors(call: &Call<'_>) -> Answer {
    let content = call.visible(call.id(0)?)?;
    let limit = call.limit(25)?;
    let chain = call.state.ancestors(content.id);
    // The nearest `limit` ancestors, top first: more are reached by asking again for the highest of them.
    let from = chain.len().saturating_sub(limit);
    let results = chain[from..]
        .iter()
        .map(|a| json!({"id": a.id.to_string(), "type": a.kind.name()}))
        .collect();
    Ok(call.list(results, None))
}

fn listed(call: &Call<'_>, content: &Content) -> bool {
    matches!(
        content.status,
        Status::Current | Status::Archived | Status::Draft
    ) && call.sees(content)
}

pub(crate) fn direct_children(call: &Call<'_>) -> Answer {
    let parent = call.visible(call.id(0)?)?;
    let sort = call.sort(CHILD_SORTS, "child-position")?;
    let limit = call.limit(25)?;
    let children: Vec<&Content> = call
        .state
        .children_of(parent.id)
        .iter()
        .filter_map(|c| call.state.contents.get(c))
        .collect();
    let children: Vec<&Content> = children.into_iter().filter(|c| listed(call, c)).collect();
    let broken = call.switches.child_position_bug
        && sort.by == "child-position"
        && call.request.one("cursor").is_some()
        && children.iter().any(|c| c.position.is_none());
    let items = children
        .iter()
        .map(|c| (sort_value(c, &sort), c.id.0))
        .collect();
    let (page, next) = call.page(items, &sort, limit)?;
    if broken {
        return Ok(call.list(Vec::new(), None));
    }
    let results = page
        .iter()
        .filter_map(|id| call.state.contents.get(&ContentId(*id)))
        .map(child_json);
    Ok(call.list(results.collect(), next))
}

fn child_json(child: &Content) -> Value {
    json!({
        "id": child.id.to_string(), "status": child.status.name(), "title": child.title(),
        "type": child.kind.name(), "spaceId": child.space.to_string(), "childPosition": child.position,
    })
}

/// The deprecated pages-only form.
pub(crate) fn children(call: &Call<'_>) -> Answer {
    let parent = call.visible(call.id(0)?)?;
    let sort = call.sort(CHILD_SORTS, "child-position")?;
    let limit = call.limit(25)?;
    let wanted = |c: &&Content| c.kind == Kind::Page && listed(call, c);
    let children = call.state.children_of(parent.id);
    let items = children
        .iter()
        .filter_map(|c| call.state.contents.get(c))
        .filter(wanted)
        .map(|c| (sort_value(c, &sort), c.id.0))
        .collect();
    let (page, next) = call.page(items, &sort, limit)?;
    let results = page
        .iter()
        .filter_map(|id| call.state.contents.get(&ContentId(*id)))
        .map(|c| {
            json!({
                "id": c.id.to_string(), "status": c.status.name(), "title": c.title(),
                "spaceId": c.space.to_string(), "childPosition": c.position,
            })
        });
    Ok(call.list(results.collect(), next))
}

pub(crate) fn descendants(call: &Call<'_>) -> Answer {
    let root = call.visible(call.id(0)?)?;
    let limit = call.limit(25)?;
    let depth = match call.request.one("depth") {
        None => 2,
        Some(text) => text
            .parse()
            .ok()
            .filter(|d| (1..=10).contains(d))
            .ok_or_else(|| errors::v2_bad("depth", "int"))?,
    };
    let mut found: Vec<(ContentId, u32)> = Vec::new();
    let mut level = vec![root.id];
    for at in 1..=depth {
        level = level
            .iter()
            .flat_map(|id| call.state.children_of(*id))
            .collect();
        level.retain(|id| call.state.contents.get(id).is_some_and(|c| listed(call, c)));
        found.extend(level.iter().map(|id| (*id, at)));
    }
    let sort = call.sort(&["id"], "id")?;
    let items = found
        .iter()
        .map(|(id, _)| (SortValue::Number(id.0 as i64), id.0))
        .collect();
    let (page, next) = call.page(items, &sort, limit)?;
    let results = page.iter().filter_map(|id| {
        let content = call.state.contents.get(&ContentId(*id))?;
        let depth = found.iter().find(|(f, _)| f.0 == *id)?.1;
        Some(json!({
            "id": content.id.to_string(), "status": content.status.name(), "title": content.title(),
            "type": content.kind.name(), "parentId": content.parent.map(|p| p.to_string()),
            "depth": depth, "childPosition": content.position,
        }))
    });
    Ok(call.list(results.collect(), next))
}

pub(crate) fn folder(call: &Call<'_>) -> Answer {
    container(call, Kind::Folder)
}

pub(crate) fn whiteboard(call: &Call<'_>) -> Answer {
    container(call, Kind::Whiteboard)
}

pub(crate) fn database(call: &Call<'_>) -> Answer {
    container(call, Kind::Database)
}

pub(crate) fn embed(call: &Call<'_>) -> Answer {
    container(call, Kind::Embed)
}

fn container(call: &Call<'_>, kind: Kind) -> Answer {
    let content = call.visible(call.id(0)?)?;
    if content.kind != kind {
        return Err(errors::v2_not_found());
    }
    let parent = content.parent.and_then(|p| call.state.contents.get(&p));
    Ok(Reply::ok(json!({
        "id": content.id.to_string(), "type": kind.name(), "status": content.status.name(),
        "title": content.title(), "parentId": parent.map(|p| p.id.to_string()),
        "parentType": parent.map(|p| p.kind.name()), "position": content.position,
        "authorId": content.author, "ownerId": content.author, "createdAt": when(content.created_at),
        "spaceId": content.space.to_string(), "version": version(content.latest()),
        "_links": {"webui": call.webui(content), "base": format!("{}/wiki", call.site_url)},
    }))
    .with_points(1))
}
