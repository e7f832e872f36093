//! `recent_changes`: pages added, edited and removed.

use std::fmt::Write as _;

use domain::Timestamp;
use domain::page::PageState;
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};

use super::args::Args;
use super::{MAX_ANSWER_BYTES, ToolAnswer, ToolError, scope, to_value};
use crate::mcp::caller::Caller;
use crate::mcp::knowledge::{ChangedPage, KnowledgeBase};
use crate::mcp::scope::synced_at;
use crate::mcp::text::{self, cut, when};

const KNOWN: &[&str] = &["since", "space", "limit"];
const DEFAULT_DAYS: i64 = 7;
const DEFAULT_LIMIT: u64 = 20;
const MAX_LIMIT: u64 = 100;

/// What became of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Added,
    Edited,
    Removed,
}

impl What {
    fn of(change: &ChangedPage) -> Self {
        match (change.page.state, change.page.version) {
            (PageState::Removed, _) => Self::Removed,
            (_, 1) => Self::Added,
            _ => Self::Edited,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Edited => "edited",
            Self::Removed => "removed",
        }
    }
}

/// Runs the tool.
pub async fn call(
    kb: &dyn KnowledgeBase,
    caller: &Caller,
    arguments: Map<String, Value>,
) -> Result<ToolAnswer, ToolError> {
    let now = kb.now();
    let mut args = Args::new("recent_changes", arguments, KNOWN);
    let since = args.moment("since", now);
    let space = args.text("space", 255);
    let limit = args.number("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT) as usize;
    args.finish()?;
    let since = since.unwrap_or_else(|| now - chrono::Duration::days(DEFAULT_DAYS));

    let scope = scope(kb, caller).await?;
    let space = space.map(|wanted| scope.find_space(&wanted)).transpose()?;
    let lists = try_join_all(
        scope
            .indexes
            .iter()
            .map(|index| kb.changes(index, since, space.as_ref(), limit + 1)),
    )
    .await?;
    let mut changes: Vec<ChangedPage> = Vec::new();
    for change in lists.into_iter().flatten() {
        // A page that several indexes hold is told once; one that only some have removed is still there.
        match changes.iter_mut().find(|c| c.page.id == change.page.id) {
            Some(known) => {
                let (old, new) = (What::of(known), What::of(&change));
                if old == What::Removed && new != What::Removed {
                    *known = change;
                }
            }
            None => changes.push(change),
        }
    }
    changes.sort_by_key(|c| std::cmp::Reverse(moment(c)));
    let more = changes.len() > limit;
    changes.truncate(limit);
    let as_of = scope.indexes.iter().filter_map(synced_at).min();

    let place = space
        .as_ref()
        .map_or_else(|| scope.space_list(12), |key| format!("space {key}"));
    let mut out = match changes.len() {
        0 => format!(
            "Nothing changed since {} in {place}.\n",
            when::minute(since)
        ),
        1 => format!("1 page changed since {} in {place}.\n", when::minute(since)),
        n => format!(
            "{n} pages changed since {} in {place}, newest first.\n",
            when::minute(since)
        ),
    };
    if let Some(as_of) = as_of {
        _ = writeln!(
            out,
            "From the index, as of {} ({}).",
            when::minute(as_of),
            when::ago(as_of, now)
        );
    }
    if changes.is_empty() {
        out.push_str("An earlier `since` reaches further back, for example since=\"30d\".\n");
    }
    let mut left_out = 0;
    for what in [What::Added, What::Edited, What::Removed] {
        let group: Vec<&ChangedPage> = changes.iter().filter(|c| What::of(c) == what).collect();
        if group.is_empty() {
            continue;
        }
        let title = match what {
            What::Added => "Added",
            What::Edited => "Edited",
            What::Removed => "Removed from Confluence",
        };
        _ = write!(out, "\n{title}:\n");
        for change in group {
            let line = line(change, what);
            if out.len() + line.len() > MAX_ANSWER_BYTES - 400 {
                left_out += 1;
            } else {
                out.push_str(&line);
            }
        }
    }
    if more || left_out > 0 {
        out.push_str("\nThere are more: raise `limit` (at most 100), or give a later `since` or a `space`.\n");
    }
    let items: Vec<Value> = changes
        .iter()
        .map(|c| {
            let mut item = to_value(&c.page);
            if let Some(fields) = item.as_object_mut() {
                fields.insert("change".into(), json!(What::of(c).word()));
                fields.insert("changed_at".into(), json!(c.changed_at));
            }
            item
        })
        .collect();
    Ok(ToolAnswer {
        markdown: out,
        structured: json!({"items": items, "next_cursor": null, "since": since, "as_of": as_of}),
    })
}

/// An edit happened when its author made it; a removal when we took notice.
fn moment(change: &ChangedPage) -> Timestamp {
    match What::of(change) {
        What::Removed => change.changed_at,
        _ => change.page.last_modified,
    }
}

fn line(change: &ChangedPage, what: What) -> String {
    let page = &change.page;
    let day = when::minute(moment(change));
    let title = cut::snippet(&page.title, 200);
    match what {
        What::Removed => format!(
            "- {} · space {} · noticed {day}\n",
            text::inline(&title),
            page.space_key
        ),
        _ => format!(
            "- {} · space {} · {day} · version {} · page_id {}\n",
            text::link(&title, &page.url),
            page.space_key,
            page.version,
            page.id
        ),
    }
}
