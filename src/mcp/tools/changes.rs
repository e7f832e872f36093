//! `recent_changes`: pages added, edited and removed.

use std::collections::HashMap;
use std::fmt::Write as _;

use domain::PageId;
use domain::Timestamp;
use domain::audit::HandedOut;
use domain::query::{COUNTED_CHANGES, ChangeKind, ChangedPage};
use domain::sections::SectionChanges;
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};

use super::args::Args;
use super::{MAX_ANSWER_BYTES, ToolAnswer, ToolError, page_value, scope, with_list};
use crate::mcp::caller::Caller;
use crate::mcp::knowledge::KnowledgeBase;
use crate::mcp::text::{self, when};

const KNOWN: &[&str] = &["since", "space", "limit"];
const DEFAULT_DAYS: i64 = 7;
const DEFAULT_LIMIT: u64 = 20;
const MAX_LIMIT: u64 = 100;
/// Sections of a page that a line names at most.
const SECTIONS: usize = 8;

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
            .map(|index| kb.changes(index.id, since, space.as_ref(), COUNTED_CHANGES + 1)),
    )
    .await?;
    let with_changes = scope.indexes.iter().zip(&lists);
    let indexes = with_changes
        .filter(|(_, list)| scope.indexes.len() == 1 || !list.is_empty())
        .map(|(index, _)| index.id)
        .collect();
    let cut = lists.iter().any(|list| list.len() > COUNTED_CHANGES);
    let mut changes: Vec<ChangedPage> = Vec::new();
    let mut places: HashMap<PageId, usize> = HashMap::new();
    for change in lists.into_iter().flatten() {
        // A page that several indexes hold is told once; one that only some have removed is still there.
        let place = *places
            .entry(change.page.id.clone())
            .or_insert(changes.len());
        match changes.get_mut(place) {
            Some(known) => {
                let (old, new) = (known.kind(since), change.kind(since));
                if old == ChangeKind::Removed && new != ChangeKind::Removed {
                    *known = change;
                }
            }
            None => changes.push(change),
        }
    }
    changes.sort_by_key(|c| std::cmp::Reverse(c.moment(since)));
    let all = changes.len();
    let counted = [ChangeKind::Added, ChangeKind::Edited, ChangeKind::Removed].map(|what| {
        let of_it = changes.iter().filter(|c| c.kind(since) == what);
        (what, of_it.count())
    });
    changes.truncate(limit);
    let as_of = scope.as_of();

    let place = space.as_ref().map_or_else(
        || scope.space_list(12),
        |key| format!("space {}", text::foreign(key.as_str())),
    );
    let since_then = format!("since {} in {place}", when::minute(since));
    let mut out = match all {
        0 => format!("Nothing changed {since_then}.\n"),
        1 => format!("1 page changed {since_then}.\n"),
        _ if cut => format!("More than {COUNTED_CHANGES} pages changed {since_then}.\n"),
        _ => {
            let parts: Vec<String> = counted
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(what, count)| format!("{count} {}", what.as_str()))
                .collect();
            format!("{all} pages changed {since_then}: {}.\n", parts.join(", "))
        }
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
    let mut told = 0;
    for change in &changes {
        let line = line(change, change.kind(since), change.moment(since));
        if told == 0 {
            out.push_str("\nNewest first:\n");
        }
        if out.len() + line.len() > MAX_ANSWER_BYTES - 400 {
            break;
        }
        out.push_str(&line);
        told += 1;
    }
    if told < all {
        _ = write!(
            out,
            "\nThe newest {told} are told. There are more: raise `limit` (at most 100), or give a later `since` or a `space`.\n"
        );
    }
    let items = changes.iter().map(|c| item(c, c.kind(since)));
    let about = json!({"next_cursor": null, "since": since, "as_of": as_of, "total": (!cut).then_some(all)});
    let structured = with_list(about, "items", items.collect());
    let handed_out = HandedOut {
        action: "recent_changes",
        question: None,
        indexes,
        pages: changes.iter().map(|c| c.page.id.clone()).collect(),
    };
    Ok(ToolAnswer::new(out, &structured).handing_out(handed_out))
}

/// A page in the shape of REST; of one that is gone only what names it, nothing that it said or where it stood.
fn item(change: &ChangedPage, what: ChangeKind) -> Value {
    let page = &change.page;
    let mut item = match what {
        ChangeKind::Removed => page_value(&json!({
            "id": page.id, "kind": page.kind, "title": page.title, "space_key": page.space_key, "state": page.state,
        })),
        _ => page_value(page),
    };
    if let Some(fields) = item.as_object_mut() {
        fields.insert("change".into(), json!(what.as_str()));
        fields.insert("changed_at".into(), json!(change.changed_at));
        if !change.sections.is_empty() {
            fields.insert("sections".into(), json!(change.sections));
        }
    }
    item
}

fn line(change: &ChangedPage, what: ChangeKind, moment: Timestamp) -> String {
    let page = &change.page;
    let day = when::minute(moment);
    let space = text::foreign(page.space_key.as_str());
    match what {
        ChangeKind::Removed => format!(
            "- removed: {} · space {space} · noticed {day}\n",
            text::foreign(&page.title),
        ),
        _ => format!(
            "- {}: {} · space {space} · {day} · version {} · page_id {}\n{}",
            what.as_str(),
            text::link(&[page.title.as_str()], &page.url),
            page.version,
            page.id,
            sections(&change.sections),
        ),
    }
}

/// A line that names the first of the sections that changed, or nothing. Headings stand in quotes that they cannot close.
fn sections(changes: &SectionChanges) -> String {
    let mut left = SECTIONS;
    let mut parts = Vec::new();
    for (word, headings) in [
        ("edited", &changes.edited),
        ("added", &changes.added),
        ("removed", &changes.removed),
    ] {
        let named: Vec<String> = headings.iter().take(left).map(|h| quoted(h)).collect();
        left -= named.len();
        if !named.is_empty() {
            parts.push(format!("{word}: {}", named.join(", ")));
        }
    }
    let named = changes.edited.len() + changes.added.len() + changes.removed.len();
    let more = named + changes.more - (SECTIONS - left);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    if changes.opening {
        parts.insert(0, "edited above the first heading".to_owned());
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("  {}\n", parts.join("; "))
}

fn quoted(heading: &str) -> String {
    format!("“{}”", text::foreign(heading).replace(['“', '”'], "'"))
}
