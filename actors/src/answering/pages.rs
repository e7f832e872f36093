//! The text of a page, and lists of pages that an answer may quote.

use std::collections::HashMap;

use domain::access::Asker;
use domain::page::{Page, Shown};
use domain::ports::store::{Listed, PageFilter};
use domain::query::{Few, Neighbourhood, PageQuery, PageText};
use domain::{IndexId, PageId};

use super::pool::Question;
use super::quotable::Quotable;
use super::{Sources, verify};
use crate::EngineError;
use crate::document::page_texts;

/// A page with its text, if the index may quote it.
pub(crate) struct ReadPage(pub PageQuery);

impl Question for ReadPage {
    type Answer = Option<PageText>;

    async fn answer(
        self,
        sources: &Sources,
        index: IndexId,
        asker: &Asker,
    ) -> Result<Self::Answer, EngineError> {
        let id = match self.0 {
            PageQuery::Id(id) => id,
            PageQuery::Title { space, title } => {
                let found = sources.store.page_by_title(index, &space, &title).await?;
                match found.and_then(|placed| placed.shown()) {
                    Some(page) => page.into_inner().id,
                    None => return Ok(None),
                }
            }
        };
        let mut quotable = Quotable::read(sources, (index, asker), vec![id.clone()]).await?;
        let Some(mut placed) = quotable.take(&id) else {
            return Ok(None);
        };
        if placed.shown().is_none() {
            return Ok(None);
        }
        let named = [(placed.record.kind, id.clone())].into();
        let visible = verify::visible(sources, (&quotable.target, asker), named).await?;
        if !visible.contains(&id) {
            return Ok(None);
        }
        let texts = page_texts(sources.store.as_ref(), index, &[&placed.record]).await?;
        let Some(text) = texts.into_values().next() else {
            return Ok(None);
        };
        // The text and the version that is shown belong together, also while a newer one is on its way.
        placed.record.facts.version = text.version;
        Ok(placed.shown().map(|page| PageText {
            page,
            markdown: text.markdown,
        }))
    }
}

/// Pages of a list that an answer may quote.
pub(crate) struct ListPages(pub PageFilter);

impl Question for ListPages {
    type Answer = Listed<Shown<Page>>;

    async fn answer(
        self,
        sources: &Sources,
        index: IndexId,
        asker: &Asker,
    ) -> Result<Self::Answer, EngineError> {
        let listed = sources.store.pages(index, &self.0).await?;
        let ids: Vec<PageId> = listed.items.into_iter().map(|p| p.record.page_id).collect();
        let mut quotable = Quotable::read(sources, (index, asker), ids.clone()).await?;
        let mut items: Vec<Shown<Page>> = ids
            .iter()
            .filter_map(|id| quotable.take(id)?.shown())
            .collect();
        let named = items.iter();
        let named = named.map(|page| (page.kind, page.id.clone())).collect();
        let visible = verify::visible(sources, (&quotable.target, asker), named).await?;
        items.retain(|page| visible.contains(&page.id));
        Ok(Listed {
            items,
            next_cursor: listed.next_cursor,
        })
    }
}

/// What stands around a page, if the index may quote it.
pub(crate) struct LookAround(pub PageId);

/// Pages of a kind that are read; what is beyond is not counted.
const MOST: usize = 50;

impl Question for LookAround {
    type Answer = Neighbourhood;

    async fn answer(
        self,
        sources: &Sources,
        index: IndexId,
        asker: &Asker,
    ) -> Result<Self::Answer, EngineError> {
        let around = sources.store.around(index, &self.0, MOST + 1).await?;
        let all = around.children.iter().chain(&around.linked_from);
        let ids = all.chain(&around.parent).chain([&self.0]).cloned();
        let quotable = Quotable::read(sources, (index, asker), ids.collect()).await?;
        let target = quotable.target.clone();
        let one_person = quotable.viewer.view().is_some();
        let mut shown: HashMap<PageId, Shown<Page>> = quotable
            .take_all()
            .into_iter()
            .filter_map(|(id, placed)| Some((id, placed.shown()?)))
            .collect();
        let named = shown.values().map(|page| (page.kind, page.id.clone()));
        let visible = verify::visible(sources, (&target, asker), named.collect()).await?;
        shown.retain(|id, _| visible.contains(id));
        if !shown.contains_key(&self.0) {
            return Ok(Neighbourhood::default());
        }
        let few = |ids: &[PageId]| Few {
            pages: ids
                .iter()
                .take(MOST)
                .filter_map(|id| shown.get(id).cloned())
                .collect(),
            // To one person it is not told that there are more: these may be for others.
            cut: ids.len() > MOST && !one_person,
        };
        Ok(Neighbourhood {
            children: few(&around.children),
            linked_from: few(&around.linked_from),
            parent: around.parent.and_then(|id| shown.get(&id).cloned()),
        })
    }
}
