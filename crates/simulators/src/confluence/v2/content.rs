//! Pages and blog posts: lists, single reads, versions, labels.

use serde_json::json;

use super::spaces::space_of;
use crate::confluence::call::{Answer, Call, Sort, SortValue};
use crate::confluence::errors;
use crate::confluence::model::{Content, ContentId, Kind, SpaceId, Status};
use crate::confluence::shapes::{BULK_FORMATS, SINGLE_FORMATS, status_named, version};
use crate::server::Reply;

const PAGE_STATUSES: &[&str] = &["current", "archived", "deleted", "trashed"];
const POST_STATUSES: &[&str] = &["current", "deleted", "trashed"];

pub(crate) fn pages(call: &Call<'_>) -> Answer {
    list(call, Kind::Page, None)
}

pub(crate) fn blog_posts(call: &Call<'_>) -> Answer {
    list(call, Kind::BlogPost, None)
}

pub(crate) fn pages_of_space(call: &Call<'_>) -> Answer {
    list(call, Kind::Page, Some(space_of(call)?.id))
}

pub(crate) fn blog_posts_of_space(call: &Call<'_>) -> Answer {
    list(call, Kind::BlogPost, Some(space_of(call)?.id))
}

pub(crate) fn sort_value(content: &Content, sort: &Sort) -> SortValue {
    match sort.by.as_str() {
        "created-date" => SortValue::Number(content.created_at.timestamp_millis()),
        "modified-date" => SortValue::Number(content.modified_at.timestamp_millis()),
        "title" => SortValue::Text(content.title().to_lowercase()),
        "child-position" => SortValue::Number(content.position.map_or(i64::MAX, i64::from)),
        _ => SortValue::Number(content.id.0 as i64),
    }
}

fn list(call: &Call<'_>, kind: Kind, of_space: Option<SpaceId>) -> Answer {
    let (sorts, statuses): (&[&str], _) = match kind {
        Kind::Page => (
            &["id", "created-date", "modified-date", "title"],
            call.choice("status", PAGE_STATUSES, &["current", "archived"])?,
        ),
        _ => (
            &["id", "created-date", "modified-date"],
            call.choice("status", POST_STATUSES, &["current"])?,
        ),
    };
    let mut sort = call.sort(sorts, "id")?;
    if call.switches.sort_is_ignored {
        sort = Sort {
            by: "id".to_owned(),
            descending: false,
        };
    }
    let limit = call.limit(25)?;
    let format = call.body_format(BULK_FORMATS)?;
    let ids = if of_space.is_none() {
        call.ids("id", 250)?
    } else {
        None
    };
    let spaces = match of_space {
        Some(space) => Some(vec![space.0]),
        None => call.ids("space-id", 100)?,
    };
    let statuses: Vec<Status> = statuses.iter().filter_map(|s| status_named(s)).collect();
    let title = call.request.one("title");
    let subtype = call.request.one("subtype");
    let roots_only = match (of_space.is_some(), call.request.one("depth")) {
        (false, _) | (_, None | Some("all")) => false,
        (_, Some("root")) => true,
        (_, Some(_)) => return Err(errors::v2_bad("depth", "Depth")),
    };
    let wanted = |c: &&Content| {
        c.kind == kind
            && statuses.contains(&c.status)
            && spaces.as_ref().is_none_or(|s| s.contains(&c.space.0))
            && title.is_none_or(|t| t == c.title())
            && subtype.is_none_or(|s| s == c.subtype.as_deref().unwrap_or("page"))
            && (!roots_only || c.parent.is_none())
            && !call.switches.sees_nothing
            && call.sees(c)
    };
    let state = call.state;
    let candidates: Vec<&Content> = match (&ids, &spaces) {
        (Some(ids), _) => {
            let mut ids = ids.clone();
            ids.sort_unstable();
            ids.dedup();
            ids.truncate(call.switches.ids_answered);
            ids.iter()
                .filter_map(|id| state.contents.get(&ContentId(*id)))
                .filter(wanted)
                .collect()
        }
        (None, Some(spaces)) => spaces
            .iter()
            .filter_map(|s| state.by_space.get(&SpaceId(*s)))
            .flatten()
            .filter_map(|id| state.contents.get(id))
            .filter(wanted)
            .collect(),
        (None, None) => state.contents.values().filter(wanted).collect(),
    };
    let items = candidates
        .iter()
        .map(|c| (sort_value(c, &sort), c.id.0))
        .collect();
    let (page, next) = call.page(items, &sort, limit)?;
    let mut results = Vec::with_capacity(page.len());
    for content in page
        .iter()
        .filter_map(|id| state.contents.get(&ContentId(*id)))
    {
        let body = call.body(content, content.latest(), format.as_deref())?;
        results.push(call.content_json(content, content.latest(), body));
    }
    Ok(call.list(results, next))
}

pub(crate) fn page(call: &Call<'_>) -> Answer {
    single(call, Kind::Page)
}

pub(crate) fn blog_post(call: &Call<'_>) -> Answer {
    single(call, Kind::BlogPost)
}

/// The visible content of this kind at `{id}`.
fn content_of<'c>(call: &'c Call<'_>, kind: Kind) -> Result<&'c Content, Reply> {
    let content = call.visible(call.id(0)?)?;
    if content.kind == kind {
        Ok(content)
    } else {
        Err(errors::v2_not_found())
    }
}

fn single(call: &Call<'_>, kind: Kind) -> Answer {
    let format = call.body_format(SINGLE_FORMATS)?;
    let content = content_of(call, kind)?;
    let asked = call.choice(
        "status",
        &[
            "current",
            "archived",
            "trashed",
            "deleted",
            "historical",
            "draft",
        ],
        &[],
    )?;
    let shown = match call.request.one("version") {
        None => content.latest(),
        Some(text) => {
            let number: u32 = text.parse().map_err(|_| errors::v2_bad("version", "int"))?;
            content
                .versions
                .iter()
                .find(|v| v.number == number)
                .ok_or_else(errors::v2_not_found)?
        }
    };
    let status = content.status;
    let hidden = (status == Status::Trashed && asked.is_empty() && !call.switches.trashed_by_id)
        || (status == Status::Draft
            && !call.request.flag("get-draft")
            && !asked.iter().any(|s| s == "draft"))
        || (!asked.is_empty()
            && !asked.iter().any(|s| {
                s == status.name() || (s == "historical" && shown.number != content.latest().number)
            }));
    if hidden {
        return Err(errors::v2_not_found());
    }
    let body = call.body(content, shown, format.as_deref())?;
    let mut value = call.content_json(content, shown, body);
    value["_links"]["base"] = json!(format!("{}/wiki", call.site_url));
    if call.request.one("include-version") == Some("false") {
        value.as_object_mut().map(|o| o.remove("version"));
    }
    let path = call.request.path.as_str();
    let included = |all: Vec<serde_json::Value>, what: &str| {
        let more = all.len() > 50;
        let results: Vec<_> = all.into_iter().take(50).collect();
        json!({"results": results, "meta": {"hasMore": more}, "_links": {"self": format!("{path}/{what}")}})
    };
    if call.request.flag("include-labels") {
        value["labels"] = included(
            content.labels.iter().map(|l| call.label_json(l)).collect(),
            "labels",
        );
    }
    if call.request.flag("include-versions") {
        value["versions"] = included(
            content.versions.iter().rev().map(version).collect(),
            "versions",
        );
    }
    if call.request.flag("include-properties") {
        value["properties"] = included(Vec::new(), "properties");
    }
    if call.request.flag("include-likes") {
        value["likes"] = included(Vec::new(), "likes");
    }
    if call.request.flag("include-operations") {
        value["operations"] = included(
            vec![json!({"operation": "read", "targetType": kind.name()})],
            "operations",
        );
    }
    Ok(Reply::ok(value).with_points(1))
}

pub(crate) fn page_versions(call: &Call<'_>) -> Answer {
    versions(call, Kind::Page)
}

pub(crate) fn post_versions(call: &Call<'_>) -> Answer {
    versions(call, Kind::BlogPost)
}

fn versions(call: &Call<'_>, kind: Kind) -> Answer {
    let content = content_of(call, kind)?;
    let sort = call.sort(&["modified-date"], "-modified-date")?;
    let limit = call.limit(25)?;
    let format = call.body_format(BULK_FORMATS)?;
    let items = content
        .versions
        .iter()
        .map(|v| {
            (
                SortValue::Number(v.created_at.timestamp_millis()),
                u64::from(v.number),
            )
        })
        .collect();
    let (page, next) = call.page(items, &sort, limit)?;
    let mut results = Vec::new();
    for v in page
        .iter()
        .filter_map(|n| content.versions.iter().find(|v| u64::from(v.number) == *n))
    {
        let mut value = version(v);
        let body = call.body(content, v, format.as_deref())?;
        let entity = json!({"title": v.title, "id": content.id.to_string(), "body": body});
        value[if kind == Kind::Page {
            "page"
        } else {
            "blogpost"
        }] = entity;
        results.push(value);
    }
    Ok(call.list(results, next))
}

pub(crate) fn page_version(call: &Call<'_>) -> Answer {
    let content = content_of(call, Kind::Page)?;
    let number: u32 = call
        .param(1)
        .parse()
        .map_err(|_| errors::v2_bad("version-number", "int"))?;
    let at = content
        .versions
        .iter()
        .position(|v| v.number == number)
        .ok_or_else(errors::v2_not_found)?;
    let v = &content.versions[at];
    let mut value = json!({
        "number": v.number, "authorId": v.author, "message": v.message,
        "createdAt": crate::confluence::call::when(v.created_at), "minorEdit": v.minor,
        "contentTypeModified": false, "collaborators": [v.author],
    });
    if at > 0 {
        value["prevVersion"] = json!(content.versions[at - 1].number);
    }
    if let Some(next) = content.versions.get(at + 1) {
        value["nextVersion"] = json!(next.number);
    }
    Ok(Reply::ok(value))
}

pub(crate) fn page_labels(call: &Call<'_>) -> Answer {
    labels(call, Kind::Page)
}

pub(crate) fn post_labels(call: &Call<'_>) -> Answer {
    labels(call, Kind::BlogPost)
}

fn labels(call: &Call<'_>, kind: Kind) -> Answer {
    let content = content_of(call, kind)?;
    let sort = call.sort(&["created-date", "id", "name"], "id")?;
    let limit = call.limit(25)?;
    let prefix = call.choice("prefix", &["my", "team", "global", "system"], &[])?;
    let names: Vec<&String> = if prefix.is_empty() || prefix.iter().any(|p| p == "global") {
        content.labels.iter().collect()
    } else {
        Vec::new()
    };
    let items = names.iter().map(|name| {
        let id = call.state.label_id(name);
        let key = if sort.by == "name" {
            SortValue::Text((*name).clone())
        } else {
            SortValue::Number(id as i64)
        };
        (key, id)
    });
    let (page, next) = call.page(items.collect(), &sort, limit)?;
    let results = page
        .iter()
        .filter_map(|id| names.iter().find(|n| call.state.label_id(n) == *id));
    Ok(call.list(results.map(|name| call.label_json(name)).collect(), next))
}

/// POST `/content/convert-ids-to-types`.
pub(crate) fn convert_ids(call: &Call<'_>) -> Answer {
    let body = call
        .request
        .json()
        .ok_or_else(|| errors::v2(400, "The request body is not JSON.", None))?;
    let ids = body.get("contentIds").and_then(|i| i.as_array());
    let ids = ids.ok_or_else(|| errors::v2(400, "'contentIds' is missing.", None))?;
    if ids.is_empty() || ids.len() > 100 {
        return Err(errors::v2(
            400,
            "'contentIds' must hold 1 to 100 ids.",
            None,
        ));
    }
    let mut results = serde_json::Map::new();
    for id in ids {
        let text = id
            .as_str()
            .map(str::to_owned)
            .unwrap_or_else(|| id.to_string());
        let Ok(number) = text.parse().map(ContentId) else {
            continue;
        };
        let state = call.state;
        let sees_owner = |on: ContentId| state.contents.get(&on).is_some_and(|c| call.sees(c));
        let kind = if let Some(content) = state.contents.get(&number).filter(|c| call.sees(c)) {
            Some(content.kind.name())
        } else if let Some(comment) = state.comments.get(&number).filter(|c| sees_owner(c.on)) {
            Some(if comment.selection.is_some() {
                "inline-comment"
            } else {
                "footer-comment"
            })
        } else {
            state
                .attachments
                .get(&number)
                .filter(|a| sees_owner(a.on))
                .map(|_| "attachment")
        };
        results.insert(text, json!(kind));
    }
    Ok(Reply::ok(json!({"results": results})))
}
