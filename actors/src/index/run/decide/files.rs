//! Files follow the pages that they hang on.

use domain::PageId;
use domain::guard::Passage;
use domain::page::{PageState, Standing};

use super::vanish;
use crate::index::run::RunCtx;
use crate::stop::RunError;

/// Rows in one step.
const CHUNK: usize = 250;

/// Lets files follow pages that are gone, hidden or out, before removals are written.
pub(crate) async fn follow(ctx: &RunCtx) -> Result<(), RunError> {
    let mut after: Option<PageId> = None;
    loop {
        let ids = ctx
            .store()
            .stranded_attachments(ctx.index(), after.as_ref(), CHUNK)
            .await?;
        let Some(last) = ids.last().cloned() else {
            return Ok(());
        };
        after = Some(last);
        let _rows = ctx.rows.lock().await;
        let mut files = ctx.store().pages_by_id(ctx.index(), &ids).await?;
        let parents: Vec<PageId> = files
            .iter()
            .filter_map(|file| file.facts.parent_id.clone())
            .collect();
        let parents = ctx.records(&parents).await?;
        let now = ctx.now();
        let mut wanted = Vec::new();
        files.retain_mut(|file| {
            let before = file.clone();
            let page = file.facts.parent_id.as_ref().and_then(|id| parents.get(id));
            let with_page = page.and_then(|p| ctx.find(|f| f.removals.get(&p.page_id).copied()));
            let stored = file.holding.is_kept();
            let passage = match page.map(|page| (page.state(), page)) {
                Some((PageState::Skipped, page)) => {
                    let why = page.reason.as_deref().unwrap_or("it does not belong");
                    file.standing = Standing::Skipped;
                    file.reason = Some(format!("its page stays out: {why}"));
                    if file.has_no_text() {
                        // Looked at again when the page comes in.
                        file.body_version = None;
                    }
                    let own = || match ctx.scope_changed_in(&page.facts.space_id) {
                        true => Passage::Exempt,
                        false => Passage::Counted,
                    };
                    stored.then(|| with_page.unwrap_or_else(own))
                }
                Some((PageState::Vanishing, _)) => {
                    vanish::hide(file, now, "its page is no longer shown");
                    with_page.filter(|_| stored)
                }
                Some((state, _)) if state != PageState::Removed => return false,
                _ => {
                    vanish::hide(file, now, "its page is gone");
                    stored.then_some(Passage::Exempt)
                }
            };
            match passage {
                Some(passage) => {
                    ctx.find(|f| f.removals.insert(file.page_id.clone(), passage));
                }
                // What the store does not hold needs no removal.
                None if !stored => {
                    let gone = page.is_none_or(|p| p.state() == PageState::Removed);
                    if file.standing == Standing::Hidden && (gone || with_page.is_some()) {
                        file.standing = Standing::Gone;
                    }
                    if file.holding.want().is_some() {
                        wanted.push(file.wanted(None));
                    }
                }
                None => {}
            }
            *file != before
        });
        if !files.is_empty() || !wanted.is_empty() {
            ctx.store().save_pages(&files, &wanted, Vec::new()).await?;
            ctx.shared.fail_point("after_files_followed");
        }
    }
}
