//! Users and groups of v1, and what the site says of itself.

use serde_json::{Value, json};

use crate::confluence::call::{Answer, Call};
use crate::confluence::errors;
use crate::confluence::model::User;
use crate::server::Reply;

/// A user as v1 shows one; an id nobody has becomes `unknown`.
pub(crate) fn user_json(call: &Call<'_>, account_id: &str) -> Value {
    match call.state.users.get(account_id) {
        Some(user) => known(call, user),
        None => json!({
            "type": "unknown", "accountId": account_id, "accountType": "", "email": "", "publicName": "Unknown user",
            "displayName": "Unknown user", "profilePicture": picture(), "_expandable": {}, "_links": {},
        }),
    }
}

fn picture() -> Value {
    json!({"path": "/wiki/aa-avatar/default", "width": 48, "height": 48, "isDefault": true})
}

fn known(call: &Call<'_>, user: &User) -> Value {
    json!({
        "type": "known", "accountId": user.account_id, "accountType": "atlassian",
        "email": if call.switches.hide_emails { "" } else { user.email.as_str() },
        "publicName": user.display_name, "displayName": user.display_name, "timeZone": user.time_zone,
        "isExternalCollaborator": false, "isGuest": false, "profilePicture": picture(),
        "_expandable": {"operations": "", "personalSpace": ""},
        "_links": {"self": format!("{}/wiki/rest/api/user?accountId={}", call.site_url, user.account_id)},
    })
}

pub(crate) fn current(call: &Call<'_>) -> Answer {
    if call.account.is_empty() {
        return Ok(Reply::ok(json!({
            "type": "anonymous", "displayName": "Anonymous", "publicName": "Anonymous",
            "profilePicture": picture(), "_expandable": {"operations": ""}, "_links": {},
        })));
    }
    Ok(Reply::ok(user_json(call, call.account)).with_points(2))
}

pub(crate) fn one(call: &Call<'_>) -> Answer {
    let id = call
        .request
        .one("accountId")
        .ok_or_else(|| errors::v1(400, "accountId is required"))?;
    let user = call
        .state
        .users
        .get(id)
        .ok_or_else(|| errors::v1(404, &format!("No user found with accountId : {id}")))?;
    Ok(Reply::ok(known(call, user)).with_points(2))
}

pub(crate) fn bulk(call: &Call<'_>) -> Answer {
    let ids: Vec<&str> = call
        .request
        .many("accountId")
        .into_iter()
        .take(100)
        .collect();
    let users: Vec<Value> = ids
        .iter()
        .filter_map(|id| call.state.users.get(*id))
        .map(|u| known(call, u))
        .collect();
    let size = users.len();
    Ok(
        Reply::ok(json!({"results": users, "start": 0, "limit": 200, "size": size, "_links": {}}))
            .with_points(u32::try_from(size * 2).unwrap_or(u32::MAX)),
    )
}

fn window(call: &Call<'_>) -> (usize, usize) {
    let number = |name: &str, default| {
        call.request
            .one(name)
            .and_then(|n| n.parse().ok())
            .unwrap_or(default)
    };
    (number("start", 0), number("limit", 200).clamp(1, 200))
}

pub(crate) fn groups(call: &Call<'_>) -> Answer {
    let (start, limit) = window(call);
    let groups: Vec<Value> = call
        .state
        .groups
        .values()
        .skip(start)
        .take(limit)
        .map(|g| json!({"type": "group", "name": g.name, "id": g.id, "_links": {}}))
        .collect();
    let size = groups.len();
    let links = json!({"base": format!("{}/wiki", call.site_url), "context": "/wiki", "self": ""});
    Ok(Reply::ok(
        json!({"results": groups, "start": start, "limit": limit, "size": size, "_links": links}),
    )
    .with_points(u32::try_from(size * 2).unwrap_or(u32::MAX)))
}

pub(crate) fn members(call: &Call<'_>) -> Answer {
    let id = call.param(0);
    let group = call
        .state
        .groups
        .get(id)
        .ok_or_else(|| errors::v1(404, &format!("No group found with id : {id}")))?;
    let (start, limit) = window(call);
    let members: Vec<Value> = group
        .members
        .iter()
        .skip(start)
        .take(limit.min(call.switches.members_cap))
        .map(|m| user_json(call, m))
        .collect();
    let size = members.len();
    let links = json!({"base": format!("{}/wiki", call.site_url), "context": "/wiki", "self": ""});
    Ok(Reply::ok(
        json!({"results": members, "start": start, "limit": limit, "size": size, "_links": links}),
    )
    .with_points(u32::try_from(size * 2).unwrap_or(u32::MAX)))
}

pub(crate) fn system_info(call: &Call<'_>) -> Answer {
    Ok(Reply::ok(json!({
        "cloudId": call.cloud_id, "commitHash": "6d2f0c1", "baseUrl": format!("{}/wiki", call.site_url),
        "edition": "standard", "siteTitle": "Simulated Confluence", "defaultLocale": "en_US",
        "defaultTimeZone": zone_name(call.switches.cql_zone_minutes),
    })))
}

fn zone_name(minutes: i32) -> String {
    match minutes {
        0 => "UTC".into(),
        // Etc zones carry the opposite sign.
        m => format!("Etc/GMT{:+}", -m / 60),
    }
}
