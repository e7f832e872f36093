//! Restrictions and the permission check.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::content::Expand;
use super::people::user_json;
use crate::confluence::call::{Answer, Call};
use crate::confluence::errors;
use crate::confluence::model::{Content, ContentId, Principal, Status};
use crate::server::Reply;

fn content_of<'c>(call: &'c Call<'_>) -> Result<&'c Content, Reply> {
    let id = call.param(0);
    let found = id
        .parse()
        .ok()
        .and_then(|id| call.state.contents.get(&ContentId(id)));
    found
        .filter(|c| {
            call.sees(c)
                && c.status != Status::Trashed
                && (c.status != Status::Draft || c.author == call.account)
        })
        .ok_or_else(|| errors::v1_not_found(id))
}

fn named(content: &Content, operation: &str) -> BTreeSet<Principal> {
    if operation == "read" {
        content.restriction.read.clone()
    } else {
        content.restriction.update.clone()
    }
}

/// One operation with the window of users and groups that `start` and `limit` ask for.
fn operation_json(
    call: &Call<'_>,
    content: &Content,
    operation: &str,
    window: (usize, usize),
) -> Value {
    let (start, limit) = (window.0, window.1.min(call.switches.restriction_cap));
    let all = named(content, operation);
    let users: Vec<Value> = all
        .iter()
        .filter_map(|p| match p {
            Principal::User(id) => Some(user_json(call, id)),
            Principal::Group(_) => None,
        })
        .skip(start)
        .take(limit)
        .collect();
    let groups: Vec<Value> = all
        .iter()
        .filter_map(|p| match p {
            Principal::Group(id) => {
                let name = call
                    .state
                    .groups
                    .get(id)
                    .map_or("deleted-group", |g| g.name.as_str());
                Some(json!({"type": "group", "name": name, "id": id, "_links": {}}))
            }
            Principal::User(_) => None,
        })
        .skip(start)
        .take(limit)
        .collect();
    json!({
        "operation": operation,
        "restrictions": {
            "user": {"results": users, "start": start, "limit": limit, "size": users.len()},
            "group": {"results": groups, "start": start, "limit": limit, "size": groups.len()},
            "_expandable": {},
        },
        "_expandable": {"content": format!("/rest/api/content/{}", content.id)},
        "_links": {"self": format!("{}/wiki/rest/api/content/{}/restriction/byOperation/{operation}", call.site_url, content.id)},
    })
}

pub(crate) fn both_json(call: &Call<'_>, content: &Content) -> Value {
    json!({
        "read": operation_json(call, content, "read", (0, 200)),
        "update": operation_json(call, content, "update", (0, 200)),
        "_links": {},
    })
}

/// What `expand=restrictions.read.restrictions.user,…` brings.
pub(crate) fn expanded_json(call: &Call<'_>, content: &Content, expand: &Expand) -> Value {
    let mut value = json!({"_expandable": {}, "_links": {}});
    for operation in ["read", "update"] {
        let path = format!("restrictions.{operation}");
        if !expand.has(&path) {
            value["_expandable"][operation] = json!("");
            continue;
        }
        let mut one = operation_json(call, content, operation, (0, 200));
        for kind in ["user", "group"] {
            if !expand.has(&format!("{path}.restrictions.{kind}")) {
                if let Some(lists) = one["restrictions"].as_object_mut() {
                    lists.remove(kind);
                }
                one["restrictions"]["_expandable"][kind] = json!("");
            }
        }
        value[operation] = one;
    }
    value
}

fn window(call: &Call<'_>) -> Result<(usize, usize), Reply> {
    let number = |name: &str, default: usize| match call.request.one(name) {
        None => Ok(default),
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| errors::v1(400, &format!("{name} must be a number"))),
    };
    Ok((number("start", 0)?, number("limit", 100)?.clamp(1, 200)))
}

fn identity_points(content: &Content) -> u32 {
    u32::try_from((content.restriction.read.len() + content.restriction.update.len()) * 2)
        .unwrap_or(u32::MAX)
}

pub(crate) fn all(call: &Call<'_>) -> Answer {
    let content = content_of(call)?;
    let window = window(call)?;
    let results = [
        operation_json(call, content, "read", window),
        operation_json(call, content, "update", window),
    ];
    let hash = format!(
        "{:x}",
        content.restriction.read.len() * 31 + content.restriction.update.len()
    );
    Ok(Reply::ok(json!({
        "results": results, "start": 0, "limit": window.1, "size": 2, "restrictionsHash": hash,
        "_links": {"self": format!("{}/wiki/rest/api/content/{}/restriction", call.site_url, content.id),
            "base": format!("{}/wiki", call.site_url), "context": "/wiki"},
    }))
    .with_points(identity_points(content)))
}

pub(crate) fn by_operation(call: &Call<'_>) -> Answer {
    let content = content_of(call)?;
    Ok(Reply::ok(json!({
        "read": operation_json(call, content, "read", (0, 100)),
        "update": operation_json(call, content, "update", (0, 100)),
        "_links": {"self": format!("{}/wiki/rest/api/content/{}/restriction/byOperation", call.site_url, content.id)},
    }))
    .with_points(identity_points(content)))
}

pub(crate) fn of_operation(call: &Call<'_>) -> Answer {
    let content = content_of(call)?;
    let operation = call.param(1);
    if !matches!(operation, "read" | "update") {
        return Err(errors::v1(400, &format!("Unknown operation: {operation}")));
    }
    let window = window(call)?;
    Ok(Reply::ok(operation_json(call, content, operation, window))
        .with_points(identity_points(content)))
}

pub(crate) fn names_user(call: &Call<'_>) -> Answer {
    let content = content_of(call)?;
    let account = call.request.one("accountId").unwrap_or_default();
    let named = named(content, call.param(1)).contains(&Principal::User(account.to_owned()));
    if named {
        Ok(Reply::empty(200))
    } else {
        Err(errors::v1(404, "The restriction does not name the user"))
    }
}

/// Considers site, space and content restrictions; for others than oneself only an administrator may ask.
pub(crate) fn check(call: &Call<'_>) -> Answer {
    let content = content_of(call)?;
    let body = call
        .request
        .json()
        .ok_or_else(|| errors::v1(400, "The request body is not JSON"))?;
    let subject = |field: &str| {
        body.pointer(&format!("/subject/{field}"))
            .and_then(Value::as_str)
    };
    let (Some(kind), Some(who)) = (subject("type"), subject("identifier")) else {
        return Err(errors::v1(
            400,
            "subject.type and subject.identifier are required",
        ));
    };
    let operation = body
        .get("operation")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !matches!(operation, "read" | "update" | "delete") {
        return Err(errors::v1(400, "operation must be read, update or delete"));
    }
    if who != call.account && !call.is_admin {
        return Err(errors::v1(
            403,
            "Only a Confluence administrator may check the permissions of others",
        ));
    }
    let allowed = match kind {
        "user" => {
            let may_edit = operation == "read"
                || content.restriction.update.is_empty()
                || content
                    .restriction
                    .update
                    .iter()
                    .any(|p| call.state.user_is(who, p));
            call.state.may_read(who, content) && may_edit
        }
        _ => {
            let group = Principal::Group(who.to_owned());
            let mut chain = call.state.ancestors(content.id);
            chain.push(content);
            chain
                .iter()
                .all(|c| c.restriction.read.is_empty() || c.restriction.read.contains(&group))
        }
    };
    let mut value = json!({"hasPermission": allowed, "_links": {}});
    if !allowed {
        value["errors"] =
            json!([{"translation": "User does not have permission to the content", "args": []}]);
    }
    Ok(Reply::ok(value).with_points(2))
}
