//! Attachments: site-wide, per page or post, one.

use serde_json::json;

use crate::confluence::call::{Answer, Call, SortValue};
use crate::confluence::errors;
use crate::confluence::model::{Attachment, ContentId};
use crate::server::Reply;

pub(crate) fn of_site(call: &Call<'_>) -> Answer {
    list(call, |_| true)
}

pub(crate) fn of_content(call: &Call<'_>) -> Answer {
    let on = call.visible(call.id(0)?)?.id;
    list(call, |a| a.on == on)
}

fn list(call: &Call<'_>, wanted: impl Fn(&Attachment) -> bool) -> Answer {
    let sort = call.sort(&["created-date", "modified-date"], "created-date")?;
    let limit = call.limit(50)?;
    let statuses = call.choice(
        "status",
        &["current", "archived", "trashed"],
        &["current", "archived"],
    )?;
    let media_type = call.request.one("mediaType");
    let name = call.request.one("filename");
    let items = call
        .state
        .attachments
        .values()
        .filter(|a| {
            statuses
                .iter()
                .any(|s| s == if a.trashed { "trashed" } else { "current" })
                && wanted(a)
                && media_type.is_none_or(|m| a.media_type.as_deref() == Some(m))
                && name.is_none_or(|n| n == a.name)
                && !call.switches.sees_nothing
                && visible(call, a)
        })
        .map(|a| {
            let at = if sort.by == "modified-date" {
                a.version.created_at
            } else {
                a.created_at
            };
            (SortValue::Number(at.timestamp_millis()), a.id.0)
        })
        .collect();
    let (page, next) = call.page(items, &sort, limit)?;
    let results = page
        .iter()
        .filter_map(|id| call.state.attachments.get(&ContentId(*id)));
    Ok(call.list(results.map(|a| call.attachment_json(a)).collect(), next))
}

fn visible(call: &Call<'_>, attachment: &Attachment) -> bool {
    call.state
        .contents
        .get(&attachment.on)
        .is_some_and(|c| call.sees(c))
}

/// An attachment by `att123` or `123`.
pub(crate) fn find<'c>(call: &'c Call<'_>, id: &str) -> Option<&'c Attachment> {
    let id = id
        .strip_prefix("att")
        .unwrap_or(id)
        .parse()
        .map(ContentId)
        .ok()?;
    call.state.attachments.get(&id).filter(|a| visible(call, a))
}

pub(crate) fn get(call: &Call<'_>) -> Answer {
    let attachment = find(call, call.param(0)).ok_or_else(errors::v2_not_found)?;
    let mut value = call.attachment_json(attachment);
    value["_links"]["base"] = json!(format!("{}/wiki", call.site_url));
    Ok(Reply::ok(value).with_points(1))
}

pub(crate) fn labels(call: &Call<'_>) -> Answer {
    let attachment = find(call, call.param(0)).ok_or_else(errors::v2_not_found)?;
    call.limit(25)?;
    Ok(call.list(
        attachment
            .labels
            .iter()
            .map(|l| call.label_json(l))
            .collect(),
        None,
    ))
}
