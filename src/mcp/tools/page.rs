//! `get_page`: a page as Markdown with its outline, one section of it, or the next part.

use std::fmt::Write as _;

use domain::PageId;
use domain::audit::HandedOut;
use domain::query::{Neighbourhood, PageQuery, QueryTarget};
use serde_json::{Map, Value, json};

use super::args::Args;
use super::around;
use super::cursor::{Mark, PageCursor};
use super::target::{self, Target};
use super::{AROUND, MAX_ANSWER_BYTES, ToolAnswer, ToolError, page_value, scope};
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
    // A reader of the first part chooses by it what to read next.
    let around = match request.cursor {
        None => Some(kb.around(index.id, &found.page.id).await?),
        Some(_) => None,
    };
    let handed_out = HandedOut {
        action: "get_page",
        question: None,
        indexes: vec![index.id],
        pages: vec![found.page.id.clone()],
    };
    let read = read(kb, &scope, index, found, around.as_ref(), &request)?;
    Ok(read.handing_out(handed_out))
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
            _ if !args.is_fine() => {}
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
) -> Result<(&'a QueryTarget, FoundPage), ToolError> {
    match target {
        Target::Id { id, host, .. } => {
            let wanted = PageQuery::Id(id.clone());
            for index in &scope.indexes {
                if let Some(found) = kb.page(index.id, &wanted).await? {
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
            let wanted = PageQuery::Title {
                space: key.clone(),
                title: title.clone(),
            };
            for index in &scope.indexes {
                if let Some(found) = kb.page(index.id, &wanted).await? {
                    return Ok((index, found));
                }
            }
            let mut similar = Vec::new();
            for index in &scope.indexes {
                for page in kb.similar_titles(index.id, Some(&key), title, 5).await? {
                    let line = format!(
                        "{} (page_id {})",
                        text::link(&[page.title.as_str()], &page.url),
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
            let what = format!(
                "title \"{}\" in space {}",
                text::inline(title),
                text::foreign(key.as_str())
            );
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
        .map(|i| text::foreign(&i.settings.name))
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
    index: &QueryTarget,
    found: FoundPage,
    around: Option<&Neighbourhood>,
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
    let marked = |mark: Mark| {
        let mut headings = found.outline.iter();
        headings.position(|heading| Mark::of(&heading.anchor) == mark)
    };
    let section = match (cursor.and_then(|c| c.section), &request.section) {
        (Some(mark), _) => Some(marked(mark).ok_or_else(|| {
            ToolError::new(
                "the section of `cursor` is no longer there; leave it out to read from the beginning.",
            )
        })?),
        (None, Some(wanted)) => Some(section(&found, wanted)?),
        (None, None) => match &request.target {
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
    let from = cursor.and_then(|c| c.from).and_then(marked);
    let range = match section {
        Some(at) => {
            let end = found.outline[at + 1..]
                .iter()
                .find(|h| h.level <= found.outline[at].level)
                .map_or(found.markdown.len(), |h| h.start);
            found.outline[at].start..end
        }
        None => from.map_or(0, |at| found.outline[at].start)..found.markdown.len(),
    };
    let heading = section.map(|at| &found.outline[at]);
    let raw = found.markdown.get(range).unwrap_or(&found.markdown);
    let cleaned = clean(raw);
    let whole = cleaned.text.trim_end();
    let offset = cursor.map_or(0, |c| c.offset);
    let rest = whole.get(offset..).ok_or_else(|| {
        ToolError::new("`cursor` points beyond the page; leave it out to read from the beginning.")
    })?;

    let mut head = head(&found, heading, kb.now(), index.as_of);
    if let Some(around) = around {
        head.push_str(&around::lines(around));
    }
    // A reader of the first part chooses by it what to read next.
    let outlined = match cursor.is_none() && section.is_none() {
        true => outlined(&found.outline),
        false => Vec::new(),
    };
    let outline = outline(&outlined, found.outline.len());
    if cleaned.removed > 0 {
        notes.push(format!(
            "{} invisible characters were removed.",
            cleaned.removed
        ));
    }
    let fields = json!({
        "page": page_value(&found.page),
        "section": heading.map(|h| text::inline(&h.title)),
        "outline": outlined.iter().map(|h| json!({"level": h.level, "title": text::inline(&h.title), "anchor": h.anchor})).collect::<Vec<_>>(),
        "as_of": index.as_of,
        "parent": around.map(|around| around.parent.as_deref().map(around::named)),
        "children": around.map(|around| around::told(&around.children)),
        "linked_from": around.map(|around| around::told(&around.linked_from)),
    });
    // Fence, notes and the line about the next part.
    let spare = 900 + notes.iter().map(|n| n.len() + 1).sum::<usize>();
    let room = Room {
        markdown: MAX_ANSWER_BYTES.saturating_sub(head.len() + outline.len() + spare),
        json: MAX_ANSWER_BYTES.saturating_sub(fields.to_string().len() + AROUND),
    };
    let (taken, part) = room.part(rest, request.max_chars);
    let next = (offset + taken < whole.len()).then(|| {
        PageCursor {
            page: found.page.id.clone(),
            version: found.page.version,
            section: heading.map(|h| Mark::of(&h.anchor)),
            from: from.map(|at| Mark::of(&found.outline[at].anchor)),
            offset: offset + taken,
        }
        .encode()
    });

    let mut out = head;
    for note in &notes {
        _ = writeln!(out, "{note}");
    }
    let what = match (heading, from) {
        (Some(_), _) => "section",
        (None, Some(_)) => "rest of the page",
        (None, None) => "page",
    };
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
        let quoted = format!("{outline}{part}");
        out.push_str(&text::fence(found.page.id.as_str(), &quoted));
        out.push('\n');
    }
    if let Some(next) = &next {
        _ = write!(
            out,
            "\nGo on with get_page(page_id=\"{}\", cursor=\"{next}\"), or read one section with `section`.\n",
            found.page.id
        );
    }
    let mut structured = fields;
    structured["markdown"] = part.into();
    structured["next_cursor"] = next.into();
    debug_assert!(scope.index(index.id).is_some());
    Ok(ToolAnswer::new(out, &structured))
}

/// What there is room for in an answer, in bytes.
struct Room {
    markdown: usize,
    json: usize,
}

impl Room {
    /// The first part of a text that leaves room once it is written as it leaves, in both forms: how many bytes of the text it takes,
    /// and the part as it leaves.
    fn part(&self, text: &str, max_chars: usize) -> (usize, String) {
        let mut most = self.markdown.max(MIN_CHARS);
        loop {
            let taken = cut::part(text, max_chars, most);
            let part = text::inert(&text[..taken]).into_owned();
            let over = (text::fence("", &part).len().saturating_sub(self.markdown)).max(
                Value::from(part.as_str())
                    .to_string()
                    .len()
                    .saturating_sub(self.json),
            );
            if over == 0 || most <= MIN_CHARS {
                return (taken, part);
            }
            // What leaves is a few times longer than the text at most, so half of what is over is enough for one step.
            most = taken.saturating_sub((over / 2).max(1)).max(MIN_CHARS);
        }
    }
}

fn head(
    found: &FoundPage,
    heading: Option<&Heading>,
    now: domain::Timestamp,
    as_of: Option<domain::Timestamp>,
) -> String {
    let page = &found.page;
    let section = heading.map(|h| h.title.as_str());
    let titles: Vec<&str> = [Some(page.title.as_str()), section]
        .into_iter()
        .flatten()
        .collect();
    let url = text::place(&page.url, heading.map(|h| h.anchor.as_str()));
    let mut out = format!("# {}\n\n", text::link(&titles, &url));
    if !page.breadcrumb.is_empty() {
        _ = write!(out, "{} · ", text::crumbs(&page.breadcrumb));
    }
    _ = write!(
        out,
        "space {} · version {} · updated {}",
        text::foreign(page.space_key.as_str()),
        page.version,
        when::day(page.last_modified)
    );
    if !page.labels.is_empty() {
        let labels: Vec<String> = page
            .labels
            .iter()
            .take(20)
            .map(|l| text::foreign(l))
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

/// Bytes of an outline at most, as a list and in JSON.
const MAX_OUTLINE: usize = 2_500;

/// The headings that the outline of a page has room for: deep ones are left out first, then the last ones.
fn outlined(headings: &[Heading]) -> Vec<&Heading> {
    if headings.len() < 2 {
        return Vec::new();
    }
    let top = headings.iter().map(|h| h.level).min().unwrap_or(1);
    let deepest = headings.iter().map(|h| h.level).max().unwrap_or(top);
    let until = |depth: u8| headings.iter().filter(move |h| h.level <= depth);
    // In JSON a heading takes the most.
    let size = |h: &Heading| 40 + h.title.len() + h.anchor.len();
    let fits = |depth: &u8| until(*depth).map(size).sum::<usize>() <= MAX_OUTLINE;
    let depth = (top..=deepest).rev().find(fits).unwrap_or(top);
    let mut room = MAX_OUTLINE;
    until(depth)
        .map_while(|h| {
            room = room.checked_sub(size(h))?;
            Some(h)
        })
        .collect()
}

/// The outline as a list, which stands before the text in the same quotation: headings are text of the page.
fn outline(headings: &[&Heading], all: usize) -> String {
    let Some(top) = headings.iter().map(|h| h.level).min() else {
        return String::new();
    };
    let mut out = "<outline>\n\n".to_owned();
    for heading in headings {
        let indent = "  ".repeat(usize::from(heading.level - top));
        _ = writeln!(out, "{indent}- {}", text::foreign(&heading.title));
    }
    if headings.len() < all {
        out.push_str("- …\n");
    }
    out.push_str("\n</outline>\n\n");
    out
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
                let name = format!("\"{}\", ", text::foreign(&heading.title));
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
    let (index, found) = find(kb, &scope, &target).await?;
    let handed_out = HandedOut {
        action: "read_resource",
        question: None,
        indexes: vec![index.id],
        pages: vec![found.page.id.clone()],
    };
    kb.handed_out(caller, &handed_out);
    Ok(found)
}
