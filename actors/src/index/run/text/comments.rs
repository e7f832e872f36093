//! Comments to text: kept once for the site, and laid into the documents of their pages by the hash that a page's row remembers.

use std::collections::HashMap;

use domain::comments::CachedComment;
use domain::content::ContentKind;
use domain::document::markdown_hash;
use domain::page::Standing;
use domain::{AccountId, PageId};

use super::convert::{CONVERTER, Links, RawBody, ask_for_people, convert};
use crate::document::{authors, points_at, render_each};
use crate::index::run::RunCtx;
use crate::stop::RunError;

/// Pages written in one step.
const CHUNK: usize = 250;

/// Takes comments out of documents when the index does not want them any more. The administrator's own choice: nothing is
/// removed but text.
pub(crate) async fn leave_if_unwanted(ctx: &RunCtx) -> Result<(), RunError> {
    if ctx.settings().include_comments {
        return Ok(());
    }
    loop {
        // Those that were looked at are not named again.
        let ids = ctx
            .store()
            .pages_with_comments(ctx.index(), None, CHUNK)
            .await?;
        if ids.is_empty() {
            return Ok(());
        }
        write_rendered(ctx, &ids, &HashMap::new()).await?;
    }
}

/// Converts again what an older converter made of the comments of these pages.
pub(crate) async fn convert_anew(ctx: &RunCtx, pages: &[PageId]) -> Result<(), RunError> {
    for pages in pages.chunks(CHUNK) {
        let records = ctx.store().pages_by_id(ctx.index(), pages).await?;
        let spaces: HashMap<PageId, _> = records
            .into_iter()
            .map(|record| (record.page_id, record.facts.space_id))
            .collect();
        let comments = ctx.store().comments_of(pages).await?;
        let mut comments: HashMap<PageId, CachedComment> = comments
            .into_iter()
            .filter(|comment| comment.converter < CONVERTER)
            .map(|comment| (comment.id.clone(), comment))
            .collect();
        let raw = comments
            .values()
            .filter_map(|comment| {
                Some(RawBody {
                    page: comment.id.clone(),
                    kind: ContentKind::Container,
                    version: comment.version,
                    space: spaces.get(&comment.page_id)?.clone(),
                    url: comment.url.clone(),
                    storage: comment.storage.clone(),
                })
            })
            .collect();
        // One that cannot be converted keeps what it was, and is tried by the next sweep.
        let converted: Vec<CachedComment> = convert(ctx, raw, Links::Resolve)
            .await?
            .done
            .into_iter()
            .filter_map(|converted| {
                Some(CachedComment {
                    markdown: converted.body.text.markdown,
                    converter: CONVERTER,
                    ..comments.remove(&converted.body.text.page_id)?
                })
            })
            .collect();
        ctx.store().save_comments(&converted, &[]).await?;
    }
    Ok(())
}

/// Writes into the rows of these pages what their comments come to; answers the pages where that is something else than
/// before.
pub(crate) async fn render(ctx: &RunCtx, pages: &[PageId]) -> Result<Vec<PageId>, RunError> {
    let mut changed = Vec::new();
    for ids in pages.chunks(CHUNK) {
        ctx.stop.check()?;
        let comments = ctx.store().comments_of(ids).await?;
        let names = names_of(ctx, &authors(&comments)).await?;
        let rendered = render_each(comments, &names);
        changed.extend(write_rendered(ctx, ids, &rendered).await?);
    }
    Ok(changed)
}

/// Names of people. Those that are not known yet are asked for, each once a run: one that could not be had is asked for by the
/// next run, and the comments told anew.
async fn names_of(
    ctx: &RunCtx,
    people: &[AccountId],
) -> Result<HashMap<AccountId, String>, RunError> {
    let known = ctx.store().known_people(people).await?;
    let mut names: HashMap<AccountId, String> = known.into_iter().collect();
    let unnamed = people.iter().filter(|id| !names.contains_key(*id));
    let unnamed: Vec<AccountId> = unnamed
        .filter(|id| ctx.find(|f| f.people_asked.insert((*id).clone())))
        .cloned()
        .collect();
    ask_for_people(ctx, &unnamed, &mut names).await?;
    Ok(names)
}

async fn write_rendered(
    ctx: &RunCtx,
    ids: &[PageId],
    rendered: &HashMap<PageId, String>,
) -> Result<Vec<PageId>, RunError> {
    let _rows = ctx.rows.lock().await;
    let mut records = ctx.store().pages_by_id(ctx.index(), ids).await?;
    let now = ctx.now();
    records.retain_mut(|record| {
        let text = rendered.get(&record.page_id);
        let hash = text.map(|text| markdown_hash(text));
        if record.comments_hash == hash {
            return false;
        }
        record.comments_hash = hash;
        let pages = text.map(|text| points_at(text)).unwrap_or_default();
        record.links.set_comments(pages);
        record.changed_at = now;
        // So that it is decided also when this run ends before that.
        if record.standing == Standing::Member {
            record.standing = Standing::Undecided;
        }
        true
    });
    if !records.is_empty() {
        ctx.store().save_pages(&records, &[], Vec::new()).await?;
        ctx.shared.fail_point("after_comments_folded");
    }
    Ok(records.into_iter().map(|record| record.page_id).collect())
}
