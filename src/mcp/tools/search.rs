//! `search_confluence`: passages with links, fused over indexes, told once, within a budget.

use std::fmt::Write as _;

use domain::audit::HandedOut;
use domain::content::ContentKind;
use domain::index::BackendKind;
use domain::page::Page;
use domain::query::{
    Answer, AnswerSource, DEFAULT_TOP_K, Diagnostics, Filters, MAX_TOP_K, QueryResult, QueryTarget,
    ResultPage, RetrievalQuery, Under, label_filter,
};
use domain::{IndexId, PageId};
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::args::Args;
use super::cursor::{Mark, PageCursor};
use super::fuse::{self, Scale};
use super::missed;
use super::target::{self, Target};
use super::{MAX_ANSWER_BYTES, ToolAnswer, ToolError, page_value, scope, with_list};
use crate::mcp::caller::Caller;
use crate::mcp::knowledge::KnowledgeBase;
use crate::mcp::scope::Scope;
use crate::mcp::text::{self, clean, cut, when};

const KNOWN: &[&str] = &["query", "limit", "space", "under", "label", "updated_after"];
/// Bytes that one passage may take, however few there are.
const MAX_PASSAGE: usize = 2_400;
/// Bytes that a passage gets at least while the budget lasts.
const MIN_PASSAGE: usize = 240;

/// One hit of the answer.
struct Hit {
    result: QueryResult,
    /// Other pages that hold the very same passage: title and address.
    also: Vec<(String, String)>,
    /// The ids of those.
    also_ids: Vec<PageId>,
}

impl Hit {
    /// The pages that it is from.
    fn pages(&self) -> impl Iterator<Item = &PageId> {
        std::iter::once(&self.result.page.page.id).chain(&self.also_ids)
    }
}

/// Runs the tool.
pub async fn call(
    kb: &dyn KnowledgeBase,
    caller: &Caller,
    arguments: Map<String, Value>,
) -> Result<ToolAnswer, ToolError> {
    let mut args = Args::new("search_confluence", arguments, KNOWN);
    let query = args.text("query", 1_000);
    if query.is_none() && args.is_fine() {
        args.complain(
            "`query` is missing: give the words or the question to look for, up to 1000 characters",
        );
    }
    let limit = args.number("limit", 1, u64::from(MAX_TOP_K));
    let space = args.text("space", 255);
    let under = args.text("under", 2_000);
    let label = args.text("label", 255);
    let updated_after = args.moment("updated_after", kb.now());
    args.finish()?;
    let query = query.unwrap_or_default();
    let limit = limit.map_or(DEFAULT_TOP_K, |n| n as u32);

    let scope = scope(kb, caller).await?;
    let (under, its_space) = under.map_or((None, None), |under| below(&under));
    let filters = Filters {
        space: space
            .or(its_space)
            .map(|wanted| scope.find_space(&wanted))
            .transpose()?,
        under,
        label: label.and_then(|label| label_filter(&label)),
        updated_after,
        readable: None,
    };
    search(kb, &scope, &query, limit, filters).await
}

/// The page that somebody means by an id, an address or a title, and the space that an address names beside a title.
fn below(named: &str) -> (Option<Under>, Option<String>) {
    match target::read(named) {
        Ok(Target::Id { id, .. }) => (Some(Under::page(id.as_str())), None),
        Ok(Target::Title { space, title, .. }) => (Some(Under::page(title)), Some(space)),
        Err(_) => (Some(Under::page(named)), None),
    }
}

/// Searches every index of a scope and tells the result.
pub async fn search(
    kb: &dyn KnowledgeBase,
    scope: &Scope,
    query: &str,
    limit: u32,
    filters: Filters,
) -> Result<ToolAnswer, ToolError> {
    // Indexes that do not hold the wanted space need not be asked.
    let asked: Vec<&QueryTarget> = scope
        .indexes
        .iter()
        .filter(|index| holds(index, &filters))
        .collect();
    let wanted = RetrievalQuery {
        text: query.to_owned(),
        top_k: limit,
        filters: filters.clone(),
        room: room(limit as usize),
    };
    let answers = join_all(asked.iter().map(|i| kb.search(i.id, wanted.clone()))).await;
    let mut given = Vec::new();
    let mut indexes = Vec::new();
    let mut troubles = Vec::new();
    for (index, answer) in asked.iter().zip(answers) {
        match answer {
            Ok(answer) => {
                if asked.len() == 1 || !answer.results.is_empty() {
                    indexes.push(index.id);
                }
                given.push((index.settings.backend, answer));
            }
            Err(trouble) => troubles.push((index.settings.name.as_str(), trouble)),
        }
    }
    if given.is_empty() && !troubles.is_empty() {
        return Err(troubles.swap_remove(0).1.into());
    }
    let incomplete: Vec<&str> = troubles.iter().map(|(name, _)| *name).collect();
    let all_by_index = given.iter().all(|(_, a)| a.source == AnswerSource::Index);
    let mut answer = merge(given);
    if incomplete.is_empty() && all_by_index {
        let indexes: Vec<IndexId> = asked.iter().map(|index| index.id).collect();
        kb.answered(&indexes, query, &answer);
    }
    let (hits, removed) = tidy(std::mem::take(&mut answer.results), limit as usize);
    let handed_out = HandedOut {
        action: "search_confluence",
        question: Some(query.to_owned()),
        indexes,
        pages: hits.iter().flat_map(Hit::pages).cloned().collect(),
    };
    let told = tell(
        kb,
        scope,
        query,
        limit,
        &filters,
        answer,
        hits,
        removed,
        &incomplete,
    );
    Ok(told.handing_out(handed_out))
}

fn holds(index: &QueryTarget, filters: &Filters) -> bool {
    filters
        .space
        .as_ref()
        .is_none_or(|wanted| index.spaces.iter().any(|s| s.present_key() == wanted))
}

/// One answer of several: fused by relative score; as old as the oldest of them.
fn merge(mut answers: Vec<(BackendKind, Answer)>) -> Answer {
    // An index without the page that `under` names has nothing to say, unless none has it.
    let has_it = |answer: &Answer| answer.diagnostics.pages_under != Some(0);
    if answers.iter().any(|(_, answer)| has_it(answer)) {
        answers.retain(|(_, answer)| has_it(answer));
    }
    if answers.len() == 1
        && let Some((_, only)) = answers.pop()
    {
        return only;
    }
    let given = || answers.iter().map(|(_, answer)| answer);
    let source = given()
        .filter(|a| !a.results.is_empty())
        .map(|a| a.source)
        .reduce(|a, b| if a == b { a } else { AnswerSource::Both })
        .unwrap_or(AnswerSource::Index);
    let as_of = given().filter_map(|a| a.as_of).min();
    let stale = given().any(|a| a.stale);
    let diagnostics = given()
        .map(|a| a.diagnostics.clone())
        .reduce(Diagnostics::joined)
        .unwrap_or_default();
    let lists = answers.into_iter().map(|(backend, answer)| {
        let scale = match (answer.source, backend) {
            (AnswerSource::Index, BackendKind::Local) => Scale::Words,
            (AnswerSource::Index, _) => Scale::Likeness,
            (AnswerSource::Live | AnswerSource::Both, _) => Scale::Places,
        };
        let results = answer.results.into_iter();
        (
            scale,
            results.map(|result| (result.score, result)).collect(),
        )
    });
    let key = |r: &QueryResult| (r.page.page.id.clone(), squeezed(&r.text));
    let results = fuse::by_score(lists.collect(), key)
        .into_iter()
        .map(|(score, result)| QueryResult { score, ..result })
        .collect();
    Answer {
        results,
        as_of,
        stale,
        source,
        diagnostics,
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Bytes that each of so many passages may take.
fn room(hits: usize) -> usize {
    let share = (MAX_ANSWER_BYTES - 2_000) / hits.max(1);
    // Links, breadcrumb and quotation marks take about 280 bytes of a hit.
    share.saturating_sub(280).clamp(MIN_PASSAGE, MAX_PASSAGE)
}

/// Cleans the passages, tells identical ones once, and cuts each to its share of the budget. Also answers how many
/// invisible characters were removed.
fn tidy(results: Vec<QueryResult>, limit: usize) -> (Vec<Hit>, usize) {
    let mut removed = 0;
    let mut hits: Vec<(String, Hit)> = Vec::new();
    for mut result in results {
        let cleaned = clean(&result.text);
        removed += cleaned.removed;
        let key = squeezed(&cleaned.text);
        result.text = cleaned.text;
        match hits.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => {
                let page = &result.page.page;
                if known.result.page.page.id != page.id {
                    known.also.push((page.title.clone(), page.url.clone()));
                    known.also_ids.push(page.id.clone());
                }
            }
            None => hits.push((
                key,
                Hit {
                    result,
                    also: Vec::new(),
                    also_ids: Vec::new(),
                },
            )),
        }
    }
    hits.truncate(limit);
    let each = room(hits.len());
    let hits = hits
        .into_iter()
        .map(|(_, mut hit)| {
            hit.result.text = text::inert(&cut::snippet(&hit.result.text, each)).into_owned();
            hit
        })
        .collect();
    (hits, removed)
}

#[expect(clippy::too_many_arguments, reason = "one call, one meaning each")]
fn tell(
    kb: &dyn KnowledgeBase,
    scope: &Scope,
    query: &str,
    limit: u32,
    filters: &Filters,
    answer: Answer,
    hits: Vec<Hit>,
    removed: usize,
    incomplete: &[&str],
) -> ToolAnswer {
    let now = kb.now();
    let shown = text::foreign(query);
    // list_spaces tells which spaces there are; only a failure is worth their names here.
    let searched = match &filters.space {
        Some(space) => format!(" in space {}", text::foreign(space.as_str())),
        None if hits.is_empty() => format!(" in {}", scope.space_list(12)),
        None => String::new(),
    };
    let mut out = String::new();
    match hits.len() {
        0 => _ = write!(out, "No passages found for \"{shown}\"{searched}"),
        1 => _ = write!(out, "1 passage{searched}"),
        n => _ = write!(out, "{n} passages{searched}"),
    }
    out.push_str(&restrictions(filters));
    out.push_str(". ");
    out.push_str(&freshness(&answer, now));
    if !incomplete.is_empty() {
        let names: Vec<String> = incomplete.iter().map(|n| text::foreign(n)).collect();
        _ = writeln!(
            out,
            "Not asked, since they cannot answer now: {}.",
            names.join(", ")
        );
    }
    out.push_str(&missed::lines(&answer.diagnostics));
    let mut told: Vec<QueryResult> = Vec::new();
    if hits.is_empty() {
        out.push_str(&hints(scope, filters, &answer.diagnostics));
    } else {
        _ = writeln!(out, "{}", text::QUOTED_NOTICE);
    }
    let mut left_out = 0;
    for hit in hits {
        let of_page = |told: &QueryResult| told.page.page.id == hit.result.page.page.id;
        let before = told.iter().position(of_page).map(|at| at + 1);
        let block = block(told.len() + 1, &hit, before);
        if out.len() + block.len() > MAX_ANSWER_BYTES - 400 {
            left_out += 1;
            continue;
        }
        out.push_str(&block);
        told.push(hit.result);
    }
    if left_out > 0 {
        _ = write!(
            out,
            "\n{left_out} more did not fit; ask with a smaller `limit` or a narrower `query`.\n"
        );
    }
    if removed > 0 {
        _ = write!(
            out,
            "\n{removed} invisible characters were removed from the passages.\n"
        );
    }
    if !told.is_empty() {
        out.push_str("\nget_page reads a page, or on from a `cursor`. Cite the links.");
        if told.len() + left_out >= limit as usize && limit < MAX_TOP_K {
            out.push_str(" There may be more: raise `limit`.");
        }
        out.push('\n');
    }
    let about = json!({"as_of": answer.as_of, "stale": answer.stale, "source": answer.source, "diagnostics": missed::told(&answer.diagnostics)});
    let structured = with_list(about, "results", told.iter().map(result).collect());
    ToolAnswer::new(out, &structured)
}

/// A result in the shape of REST.
fn result(result: &QueryResult) -> Value {
    json!({
        "text": result.text, "score": result.score, "page": page_value(&result.page), "cursor": cursor(&result.page),
    })
}

fn restrictions(filters: &Filters) -> String {
    let mut out = String::new();
    if let Some(under) = &filters.under {
        _ = write!(out, ", under \"{}\"", text::inline(&under.page));
    }
    if let Some(label) = &filters.label {
        _ = write!(out, ", label {}", text::foreign(label));
    }
    if let Some(moment) = filters.updated_after {
        _ = write!(out, ", updated after {}", when::minute(moment));
    }
    out
}

/// Where the answer comes from and how old it is.
fn freshness(answer: &Answer, now: domain::Timestamp) -> String {
    let as_of = answer.as_of.map(|moment| {
        format!(
            "as of {} ({})",
            when::minute(moment),
            when::ago(moment, now)
        )
    });
    match (answer.source, as_of) {
        (AnswerSource::Index, Some(as_of)) if answer.stale => {
            format!(
                "From the index, {as_of}; the index is overdue, so newer edits may be missing.\n"
            )
        }
        (AnswerSource::Index, Some(as_of)) => format!("From the index, {as_of}.\n"),
        (AnswerSource::Index, None) => "The index has not been synced yet.\n".to_owned(),
        (AnswerSource::Live, Some(as_of)) => format!(
            "From Confluence's own search just now, since the index (last synced {as_of}) could not answer.\n",
        ),
        (AnswerSource::Live, None) => {
            "From Confluence's own search just now, since the index has not been synced yet.\n"
                .to_owned()
        }
        (AnswerSource::Both, as_of) => format!(
            "From the index ({}) and from Confluence's own search just now for what changed since.\n",
            as_of.unwrap_or_else(|| "not synced yet".to_owned())
        ),
    }
}

fn hints(scope: &Scope, filters: &Filters, diagnostics: &Diagnostics) -> String {
    let mut out = String::from("\nWhat may help:\n");
    if let Some(under) = &filters.under
        && diagnostics.pages_under == Some(0)
    {
        _ = writeln!(
            out,
            "- no page \"{}\" can be read here: `under` takes a page_id, a link or a whole title",
            text::inline(&under.page)
        );
    }
    let mut filtered = Vec::new();
    if filters.under.is_some() {
        filtered.push("`under`");
    }
    if filters.space.is_some() {
        filtered.push("`space`");
    }
    if filters.label.is_some() {
        filtered.push("`label`");
    }
    if filters.updated_after.is_some() {
        filtered.push("`updated_after`");
    }
    if !filtered.is_empty() {
        _ = writeln!(out, "- leave out {}", filtered.join(", "));
    }
    out.push_str("- other or fewer words, as a page's title or headings would have them\n");
    _ = writeln!(
        out,
        "- list_spaces shows what is indexed ({} pages in {} spaces)",
        scope.pages(),
        scope.spaces().len()
    );
    out
}

/// From where get_page reads on behind the heading of a passage; a page without one is read from its beginning.
fn cursor(place: &ResultPage) -> Option<String> {
    let anchor = place.anchor.as_ref().filter(|anchor| !anchor.is_empty())?;
    let cursor = PageCursor {
        page: place.page.id.clone(),
        version: place.page.version,
        section: None,
        from: Some(Mark::of(anchor)),
        offset: 0,
    };
    Some(cursor.encode())
}

/// A hit as it is told: what was said of its page before is not said again (`before`: the number of the first hit of that page).
fn block(number: usize, hit: &Hit, before: Option<usize>) -> String {
    let place = &hit.result.page;
    let page = &place.page;
    let section = place.section.as_deref().filter(|s| *s != page.title);
    let title = Some(page.title.as_str()).filter(|_| before.is_none() || section.is_none());
    let titles: Vec<&str> = [title, section].into_iter().flatten().collect();
    let url = text::place(text::nameless(&page.url, &page.id), place.anchor.as_deref());
    let mut out = format!("\n{number}. {}", text::link(&titles, &url));
    match before {
        Some(before) => _ = write!(out, " · same page as {before}"),
        None => out.push_str(&about(page)),
    }
    if let Some(cursor) = cursor(place) {
        _ = write!(out, " · cursor {cursor}");
    }
    out.push('\n');
    out.push_str(&text::quote(&hit.result.text));
    if !hit.also.is_empty() {
        let links: Vec<String> = hit
            .also
            .iter()
            .take(5)
            .map(|(t, u)| text::link(&[t.as_str()], u))
            .collect();
        // Behind an empty line: it is none of the quotation.
        _ = writeln!(out, "\nThe same text also stands on {}.", links.join(", "));
    }
    out
}

/// Titles of a breadcrumb that a hit names: the nearest ones.
const CRUMBS: usize = 2;

fn about(page: &Page) -> String {
    let mut out = String::new();
    let nearest = page.breadcrumb.len().saturating_sub(CRUMBS);
    if let Some(crumbs) = page.breadcrumb.get(nearest..).filter(|c| !c.is_empty()) {
        let attached = match page.kind {
            ContentKind::Attachment => "file attached to ",
            _ => "",
        };
        _ = write!(out, " · {attached}{}", text::crumbs(crumbs));
    }
    // Most addresses name the space.
    if !page.url.contains(&format!("/spaces/{}/", page.space_key)) {
        _ = write!(out, " · {}", text::foreign(page.space_key.as_str()));
    }
    _ = write!(
        out,
        " · {} · v{} · page_id {}",
        when::day(page.last_modified),
        page.version,
        page.id
    );
    out
}
