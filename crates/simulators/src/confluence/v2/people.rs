//! POST `/users-bulk`.

use serde_json::json;

use crate::confluence::call::{Answer, Call};
use crate::confluence::errors;
use crate::server::Reply;

pub(crate) fn users_bulk(call: &Call<'_>) -> Answer {
    let body = call
        .request
        .json()
        .ok_or_else(|| errors::v2(400, "The request body is not JSON.", None))?;
    let ids = body.get("accountIds").and_then(|i| i.as_array());
    let ids = ids.ok_or_else(|| errors::v2(400, "'accountIds' is missing.", None))?;
    if ids.is_empty() || ids.len() > 250 {
        return Err(errors::v2(
            400,
            "'accountIds' must hold 1 to 250 ids.",
            None,
        ));
    }
    let users = ids
        .iter()
        .filter_map(|id| call.state.users.get(id.as_str()?))
        .map(|u| call.user_v2(u));
    let users: Vec<_> = users.collect();
    let points = u32::try_from(users.len() * 2).unwrap_or(u32::MAX);
    let links = json!({"base": format!("{}/wiki", call.site_url)});
    Ok(Reply::ok(json!({"results": users, "_links": links})).with_points(points))
}
