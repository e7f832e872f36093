//! `list_spaces`: what is indexed, and how fresh it is.

use std::fmt::Write as _;

use domain::index::SpaceState;
use serde_json::json;

use super::{MAX_ANSWER_BYTES, ToolAnswer, ToolError, scope, to_value, with_list};
use crate::mcp::caller::Caller;
use crate::mcp::knowledge::KnowledgeBase;
use crate::mcp::text::{self, when};

/// Runs the tool. It takes no arguments and minds none, since some clients send a dummy.
pub async fn call(kb: &dyn KnowledgeBase, caller: &Caller) -> Result<ToolAnswer, ToolError> {
    let scope = scope(kb, caller).await?;
    let now = kb.now();
    let spaces = scope.spaces();
    let pages: i64 = spaces.iter().map(|s| s.space.pages).sum();
    let mut out = format!(
        "{} {} indexed, {pages} pages.\n\n| Key | Space | Pages | Last sync | Remarks |\n| --- | --- | ---: | --- | --- |\n",
        spaces.len(),
        if spaces.len() == 1 {
            "space is"
        } else {
            "spaces are"
        },
    );
    let mut left_out = 0;
    for space in &spaces {
        let name = space.space.name.as_deref().unwrap_or("");
        let linked = match &space.space.url {
            Some(url) if !name.is_empty() => text::link(&[name], url),
            _ => text::foreign(name),
        };
        let synced = space.space.last_sync_at.map_or_else(
            || "not yet".to_owned(),
            |at| format!("{} ({})", when::minute(at), when::ago(at, now)),
        );
        let row = format!(
            "| {} | {linked} | {} | {synced} | {} |\n",
            space.keys(),
            space.space.pages,
            remark(space.space.state),
        );
        if out.len() + row.len() > MAX_ANSWER_BYTES - 300 {
            left_out += 1;
        } else {
            out.push_str(&row);
        }
    }
    if let Some(as_of) = scope.as_of() {
        _ = write!(
            out,
            "\nFrom the index, as of {} ({}).\n",
            when::minute(as_of),
            when::ago(as_of, now)
        );
    }
    if left_out > 0 {
        _ = write!(out, "\n{left_out} more spaces are indexed.\n");
    }
    out.push_str("\nUse a key as the `space` argument of search_confluence or recent_changes.\n");
    let items: Vec<_> = spaces
        .iter()
        .map(|s| {
            let mut item = to_value(s.space);
            if let Some(fields) = item.as_object_mut() {
                // Why a space fails is the administrator's matter.
                fields.remove("reason");
                fields.insert("key".into(), json!(s.key));
                fields.insert("indexes".into(), json!(s.indexes));
            }
            item
        })
        .collect();
    let about = json!({"next_cursor": null, "as_of": scope.as_of()});
    let structured = with_list(about, "items", items);
    Ok(ToolAnswer::new(out, &structured))
}

const fn remark(state: SpaceState) -> &'static str {
    match state {
        SpaceState::New => "first sync still to come",
        SpaceState::Current => "",
        SpaceState::Archived => "archived in Confluence",
        SpaceState::Vanished => "no longer visible in Confluence",
        SpaceState::Failing => "last sync had errors",
    }
}
