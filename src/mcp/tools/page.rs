//! `get_page`: a page as Markdown with its outline, one section of it, or the next part.

use std::fmt::Write as _;

use domain::PageId;
use domain::index::Index;
use serde_json::{Map, Value, json};

use super::args::Args;
use super::cursor::PageCursor;
use super::target::{self, Target};
use super::{MAX_ANSWER_BYTES, ToolAnswer, ToolError, scope, to_value};
use crate::mcp::caller::Caller;
use crate::mcp::knowledge::{FoundPage, Heading, KnowledgeBase};
use crate::mcp::scope::Scope;
use crate::mcp::text::{self, clean, cut, when};

const KNOWN: &[&str] = &[
    "page_id",
    "url",
    "title",
    "space",
    "section",
    "max_chars",
    "cursor",
];
/// Characters of a part when nobody says.
pub const DEFAULT_CHARS: usize = 12_000;
/// Characters of a part at most; the answer's bound in bytes comes on top.
pub const MAX_CHARS: usize = 18_000;
/// Characters of a part at least.
pub const MIN_CHARS: usize = 200;

/// What is wanted of which page.
struct PageRequest {
    target: Target,
    section: Option<String>,
    max_chars: usize,
    cursor: Option<PageCursor>,
}

/// Runs the tool.
pub async fn call(
    kb: &dyn KnowledgeBase,
    caller: &Caller,
    arguments: Map<String, Value>,
) -> Result<ToolAnswer, ToolError> {
    let request = request(arguments)?;
    let scope = scope(kb, caller).await?;
    let (index, found) = find(kb, &scope, &request.target).await?;
    read(kb, &scope, index, found, &request)
}

fn request(arguments: Map<String, Value>) -> Result<PageRequest, ToolError> {
    let mut args = Args::new("get_page", arguments, KNOWN);
    let page_id = args.text("page_id", 2_000);
    let address = args.text("url", 2_000);
    let title = args.text("title", 500);
    let space = args.text("space", 255);
    let section = args.text("section", 500);
    let max_chars = args.number("max_chars", MIN_CHARS as u64, MAX_CHARS as u64);
    let cursor = args
        .text("cursor", 2_000)
        .map(|text| PageCursor::decode(&text));
    if matches!(cursor, Some(None)) {
        args.complain(
            "`cursor` is none that get_page gave out; leave it out to read from the beginning",
        );
    }
    let cursor = cursor.flatten();
    let mut named = Vec::new();
    for (name, value) in [("page_id", &page_id), ("url", &address)] {
        if let Some(value) = value {
            match target::read(value) {
                Ok(target) => named.push(target),
                Err(why) => {
                    args.complain(format!("`{name}` \"{}\" {why}", cut::snippet(value, 200)))
                }
            }
        }
    }
    let nameless = page_id.is_none() && address.is_none();
    if nameless && let Some(cursor) = &cursor {
        named.push(Target::Id {
            id: cursor.page.clone(),
            anchor: None,
            host: None,
        });
    } else if nameless {
        match (title, space) {
            (Some(title), Some(space)) => named.push(Target::Title {
                space,
                title,
                anchor: None,
                host: None,
            }),
            (Some(_), None) => args.complain(
                "`title` needs `space` beside it, since titles are unique within a space only; search_confluence finds a page without its space",
            ),
            _ => args.complain("name a page by `page_id`, by `url`, or by `title` and `space`"),
        }
    }
    args.finish()?;
    let target = named.into_iter().next().ok_or_else(|| {
        ToolError::new("name a page by `page_id`, by `url`, or by `title` and `space`.")
    })?;
    Ok(PageRequest {
        target,
        section,
        max_chars: max_chars.map_or(DEFAULT_CHARS, |n| n as usize),
        cursor,
    })
}

/// The page in the first index of the scope that may quote it, or everything that was tried.
async fn find<'a>(
    kb: &dyn KnowledgeBase,
    scope: &'a Scope,
    target: &Target,
) -> Result<(&'a Index, FoundPage), ToolError> {
    match target {
        Target::Id { id, host, .. } => {
            for index in &scope.indexes {
                if let Some(found) = kb.page(index, id).await? {
                    return Ok((index, found));
                }
            }
            Err(not_found(
                scope,
                &format!("page id {id}"),
                host.as_deref(),
                "",
            ))
        }
        Target::Title {
            space, title, host, ..
        } => {
            let key = scope.find_space(space)?;
            for index in &scope.indexes {
                if let Some(id) = kb.page_by_title(index, &key, title).await?
                    && let Some(found) = kb.page(index, &id).await?
                {
                    return Ok((index, found));
                }
            }
            let mut similar = Vec::new();
            for index in &scope.indexes {
                for page in kb.similar_titles(index, Some(&key), title, 5).await? {
                    let line = format!(
                        "{} (page_id {})",
                        text::link(&page.title, &page.url),
                        page.id
                    );
                    if !similar.contains(&line) {
                        similar.push(line);
                    }
                }
            }
            similar.truncate(5);
            let hint = if similar.is_empty() {
                String::new()
            } else {
                format!(" Similar titles there: {}.", similar.join(", "))
            };
            let what = format!("title \"{}\" in space {key}", text::inline(title));
            Err(not_found(scope, &what, host.as_deref(), &hint))
        }
    }
}

fn not_found(scope: &Scope, what: &str, host: Option<&str>, hint: &str) -> ToolError {
    let hosts = scope.hosts();
    let foreign = match host {
        Some(host) if !hosts.is_empty() && !hosts.iter().any(|h| h == host) => format!(
            " The address is on {host}, but what is indexed is on {}.",
            hosts.join(", ")
        ),
        _ => String::new(),
    };
    let names: Vec<String> = scope
        .indexes
        .iter()
        .take(10)
        .map(|i| text::inline(&i.settings.name))
        .collect();
    ToolError::new(format!(
        "no readable page found. Tried: {what} in {} ({}).{foreign}{hint} The page may be outside the indexed spaces ({}), \
         deleted, restricted, or not synced yet. search_confluence finds pages by their words.",
        if names.len() == 1 {
            "the index"
        } else {
            "the indexes"
        },
        names.join(", "),
        scope.space_list(12)
    ))
}

/// The part of a page that was wished for.
fn read(
    kb: &dyn KnowledgeBase,
    scope: &Scope,
    index: &Index,
    found: FoundPage,
    request: &PageRequest,
) -> Result<ToolAnswer, ToolError> {
    let mut notes = Vec::new();
    let cursor = request
        .cursor
        .as_ref()
        .filter(|c| c.page == found.page.id)
        .filter(|c| {
            let same = c.version == found.page.version;
            if !same {
                notes.push(format!(
                    "The page changed from version {} to {} since the cursor was given out; this is its beginning.",
                    c.version, found.page.version
                ));
            }
            same
        });
    let asked = cursor
        .and_then(|c| c.section.clone())
        .or_else(|| request.section.clone());
    let section = match asked {
        Some(wanted) => Some(section(&found, &wanted)?),
        None => match &request.target {
            // A place that the address names is a request, not a demand: old anchors are common.
            Target::Id {
                anchor: Some(anchor),
                ..
            }
            | Target::Title {
                anchor: Some(anchor),
                ..
            } if cursor.is_none() => section(&found, anchor).ok(),
            _ => None,
        },
    };
    let range = match section {
        Some(at) => {
            let end = found.outline[at + 1..]
                .iter()
                .find(|h| h.level <= found.outline[at].level)
                .map_or(found.markdown.len(), |h| h.start);
            found.outline[at].start..end
        }
        None => 0..found.markdown.len(),
    };
    let heading = section.map(|at| &found.outline[at]);
    let raw = found.markdown.get(range).unwrap_or(&found.markdown);
    let cleaned = clean(raw);
    let whole = cleaned.text.trim_end();
    let offset = cursor.map_or(0, |c| c.offset);
    let rest = whole.get(offset..).ok_or_else(|| {
        ToolError::new("`cursor` points beyond the page; leave it out to read from the beginning.")
    })?;

    let mut head = head(&found, heading, kb.now(), index.as_of());
    if cursor.is_none() && section.is_none() {
        head.push_str(&outline(&found.outline));
    }
    if cleaned.removed > 0 {
        notes.push(format!(
            "{} invisible characters were removed.",
            cleaned.removed
        ));
    }
    // Fence, notes and the line about the next part.
    let spare = 900 + notes.iter().map(|n| n.len() + 1).sum::<usize>();
    let budget = MAX_ANSWER_BYTES.saturating_sub(head.len() + spare);
    let taken = cut::part(rest, request.max_chars, fenced_budget(rest, budget));
    let part = &rest[..taken];
    let next = (offset + taken < whole.len()).then(|| {
        PageCursor {
            page: found.page.id.clone(),
            version: found.page.version,
            section: heading.map(|h| h.anchor.clone()),
            offset: offset + taken,
        }
        .encode()
    });

    let mut out = head;
    for note in &notes {
        _ = writeln!(out, "{note}");
    }
    let what = if heading.is_some() { "section" } else { "page" };
    if next.is_some() || offset > 0 {
        _ = writeln!(
            out,
            "Characters {} to {} of {} of the {what}. {}",
            whole[..offset].chars().count() + 1,
            whole[..offset + taken].chars().count(),
            whole.chars().count(),
            text::QUOTED_NOTICE
        );
    } else {
        _ = writeln!(out, "The whole {what}. {}", text::QUOTED_NOTICE);
    }
    out.push('\n');
    if whole.is_empty() {
        out.push_str("(The page has no text.)\n");
    } else {
        out.push_str(&text::fence(found.page.id.as_str(), part));
        out.push('\n');
    }
    if let Some(next) = &next {
        _ = write!(
            out,
            "\nGo on with get_page(page_id=\"{}\", cursor=\"{next}\"), or read one section with `section`.\n",
            found.page.id
        );
    }
    let structured = json!({
        "page": to_value(&found.page),
        "markdown": part,
        "section": heading.map(|h| clean(&h.title).text),
        "outline": found.outline.iter().map(|h| json!({"level": h.level, "title": clean(&h.title).text, "anchor": h.anchor})).collect::<Vec<_>>(),
        "next_cursor": next,
        "as_of": index.as_of(),
    });
    debug_assert!(scope.index(index.id).is_some());
    Ok(ToolAnswer {
        markdown: out,
        structured,
    })
}

/// Bytes of page text that fit into a budget once the fence has escaped what looks like its own end.
fn fenced_budget(text: &str, budget: usize) -> usize {
    let marks = text
        .get(..cut::prefix(text, usize::MAX, budget))
        .unwrap_or(text)
        .matches("page-content")
        .count();
    budget.saturating_sub(marks * 3).max(MIN_CHARS)
}

fn head(
    found: &FoundPage,
    heading: Option<&Heading>,
    now: domain::Timestamp,
    as_of: Option<domain::Timestamp>,
) -> String {
    let page = &found.page;
    let title = match heading {
        Some(h) => format!("{} › {}", page.title, h.title),
        None => page.title.clone(),
    };
    let url = text::place(&page.url, heading.map(|h| h.anchor.as_str()));
    let mut out = format!("# {}\n\n", text::link(&cut::snippet(&title, 300), &url));
    if !page.breadcrumb.is_empty() {
        let crumbs: Vec<String> = page.breadcrumb.iter().map(|c| text::inline(c)).collect();
        _ = write!(out, "{} · ", cut::snippet(&crumbs.join(" > "), 300));
    }
    _ = write!(
        out,
        "space {} · version {} · updated {}",
        page.space_key,
        page.version,
        when::day(page.last_modified)
    );
    if !page.labels.is_empty() {
        let labels: Vec<String> = page
            .labels
            .iter()
            .take(20)
            .map(|l| text::inline(l))
            .collect();
        _ = write!(out, " · labels {}", labels.join(", "));
    }
    _ = write!(out, " · page_id {}", page.id);
    if let Some(as_of) = as_of {
        _ = write!(
            out,
            " · as of {} ({})",
            when::minute(as_of),
            when::ago(as_of, now)
        );
    }
    out.push_str("\n\n");
    out
}

/// The outline as a list, within 2,500 bytes; deep headings go first.
fn outline(headings: &[Heading]) -> String {
    if headings.len() < 2 {
        return String::new();
    }
    let top = headings.iter().map(|h| h.level).min().unwrap_or(1);
    let list = |depth: u8| -> String {
        headings
            .iter()
            .filter(|h| h.level <= depth)
            .map(|h| {
                format!(
                    "{}- {}\n",
                    "  ".repeat(usize::from(h.level - top)),
                    cut::snippet(&text::inline(&h.title), 120)
                )
            })
            .collect()
    };
    let deepest = headings.iter().map(|h| h.level).max().unwrap_or(top);
    let mut lines = (top..=deepest)
        .rev()
        .map(list)
        .find(|lines| lines.len() <= 2_500)
        .unwrap_or_else(|| list(top));
    if lines.len() > 2_500 {
        let end = lines[..cut::prefix(&lines, usize::MAX, 2_400)]
            .rfind('\n')
            .map_or(0, |at| at + 1);
        lines.truncate(end);
        lines.push_str("- …\n");
    }
    format!("Outline:\n{lines}\n")
}

/// The place of a section in the outline, by heading or anchor, ignoring case and marks.
fn section(found: &FoundPage, wanted: &str) -> Result<usize, ToolError> {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted_anchor = wanted.trim_start_matches('#');
    // `Page › Section`, as our own answers write it.
    let last = wanted.rsplit('›').next().unwrap_or(wanted);
    let key = plain(last);
    let position = |test: &dyn Fn(&Heading) -> bool| found.outline.iter().position(test);
    position(&|h| h.anchor == wanted_anchor)
        .or_else(|| position(&|h| plain(&h.title) == key))
        .or_else(|| position(&|h| !key.is_empty() && plain(&h.anchor) == key))
        .or_else(|| position(&|h| key.len() >= 3 && plain(&h.title).contains(&key)))
        .ok_or_else(|| {
            if found.outline.is_empty() {
                return ToolError::new(
                    "the page has no headings, so it has no sections; leave `section` out.",
                );
            }
            let mut names = String::new();
            for heading in &found.outline {
                let name = format!("\"{}\", ", cut::snippet(&text::inline(&heading.title), 100));
                if names.len() + name.len() > 2_000 {
                    names.push_str("…, ");
                    break;
                }
                names.push_str(&name);
            }
            ToolError::new(format!(
                "the page has no section \"{}\". Its sections: {}.",
                text::inline(wanted),
                names.trim_end_matches(", ")
            ))
        })
}

/// The id that a resource address or a prompt's argument leads to, with the page.
///
/// # Errors
/// As `get_page` says it.
pub async fn whole(
    kb: &dyn KnowledgeBase,
    caller: &Caller,
    id: &PageId,
) -> Result<FoundPage, ToolError> {
    let scope = scope(kb, caller).await?;
    let target = Target::Id {
        id: id.clone(),
        anchor: None,
        host: None,
    };
    find(kb, &scope, &target).await.map(|(_, found)| found)
}
