//! Footer and inline comments: site-wide, per page or post, replies.

use crate::confluence::call::{Answer, Call, SortValue};
use crate::confluence::errors;
use crate::confluence::model::{Comment, ContentId};
use crate::confluence::shapes::BULK_FORMATS;

pub(crate) fn footer_of_site(call: &Call<'_>) -> Answer {
    list(call, true, |c| c.selection.is_none())
}

pub(crate) fn inline_of_site(call: &Call<'_>) -> Answer {
    list(call, true, |c| c.selection.is_some())
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
