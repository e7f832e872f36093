//! Footer and inline comments: site-wide, per page or post, replies, one.

use serde_json::json;

use crate::confluence::call::{Answer, Call, SortValue};
use crate::confluence::errors;
use crate::confluence::model::{Comment, ContentId};
use crate::confluence::shapes::BULK_FORMATS;
use crate::server::Reply;

pub(crate) fn footer_of_site(call: &Call<'_>) -> Answer {
    list(call, true, |c| c.selection.is_none() && listed(call, c))
}

pub(crate) fn inline_of_site(call: &Call<'_>) -> Answer {
    list(call, true, |c| c.selection.is_some() && listed(call, c))
}

pub(crate) fn footer_of_content(call: &Call<'_>) -> Answer {
    let on = call.visible(call.id(0)?)?.id;
    list(call, false, |c| {
        c.on == on && c.selection.is_none() && c.parent.is_none()
    })
}

pub(crate) fn inline_of_content(call: &Call<'_>) -> Answer {
    let on = call.visible(call.id(0)?)?.id;
    let wanted = call.choice(
        "resolution-status",
        &["resolved", "open", "dangling", "reopened"],
        &[],
    )?;
    list(call, false, |c| {
        c.on == on
            && c.selection.is_some()
            && c.parent.is_none()
            && (wanted.is_empty() || wanted.contains(&c.resolution))
    })
}

pub(crate) fn get_footer(call: &Call<'_>) -> Answer {
    one(call, |c| c.selection.is_none())
}

pub(crate) fn get_inline(call: &Call<'_>) -> Answer {
    one(call, |c| c.selection.is_some())
}

fn one(call: &Call<'_>, wanted: impl Fn(&Comment) -> bool) -> Answer {
    let id = call.id(0)?;
    let format = call.body_format(BULK_FORMATS)?;
    let comment = call
        .state
        .comments
        .get(&id)
        .filter(|c| wanted(c) && visible(call, c))
        .ok_or_else(errors::v2_not_found)?;
    let mut value = call.comment_json(comment, format.as_deref(), true);
    value["_links"]["base"] = json!(format!("{}/wiki", call.site_url));
    Ok(Reply::ok(value).with_points(1))
}

pub(crate) fn replies(call: &Call<'_>) -> Answer {
    let parent = call.id(0)?;
    let known = call
        .state
        .comments
        .get(&parent)
        .is_some_and(|c| visible(call, c));
    if !known {
        return Err(errors::v2_not_found());
    }
    list(call, true, |c| c.parent == Some(parent))
}

/// Whether lists of the whole site name it.
fn listed(call: &Call<'_>, comment: &Comment) -> bool {
    comment.parent.is_none() || !call.switches.site_comments_without_replies
}

fn visible(call: &Call<'_>, comment: &Comment) -> bool {
    call.state
        .contents
        .get(&comment.on)
        .is_some_and(|c| call.sees(c))
}

fn list(call: &Call<'_>, site_wide: bool, wanted: impl Fn(&Comment) -> bool) -> Answer {
    let sort = call.sort(&["created-date", "modified-date"], "created-date")?;
    let limit = call.limit(25)?;
    let format = call.body_format(BULK_FORMATS)?;
    let items = call
        .state
        .comments
        .values()
        .filter(|c| !c.trashed && wanted(c) && visible(call, c) && !call.switches.sees_nothing)
        .map(|c| {
            let at = if sort.by == "modified-date" {
                c.version.created_at
            } else {
                c.created_at
            };
            (SortValue::Number(at.timestamp_millis()), c.id.0)
        })
        .collect();
    let (page, next) = call.page(items, &sort, limit)?;
    let results = page
        .iter()
        .filter_map(|id| call.state.comments.get(&ContentId(*id)));
    Ok(call.list(
        results
            .map(|c| call.comment_json(c, format.as_deref(), site_wide))
            .collect(),
        next,
    ))
}
