//! The text of a page, and lists of pages that an answer may quote.

use domain::page::Page;
use domain::ports::store::{Listed, PageFilter};
use domain::query::{PageQuery, PageText};
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

    async fn answer(self, sources: &Sources, index: IndexId) -> Result<Self::Answer, EngineError> {
        let id = match self.0 {
            PageQuery::Id(id) => id,
            PageQuery::Title { space, title } => {
                let found = sources.store.page_by_title(index, &space, &title).await?;
                match found {
                    Some(page) => page.id,
                    None => return Ok(None),
                }
            }
        };
        let quotable = Quotable::read(sources, index, vec![id.clone()]).await?;
        let Some((record, space)) = quotable.row(&id).filter(|(row, _)| row.may_be_shown()) else {
            return Ok(None);
        };
        let named = [(record.kind, id.clone())].into();
        let visible = verify::visible(sources, &quotable.target, named).await?;
        if !visible.contains(&id) {
            return Ok(None);
        }
        let texts = page_texts(sources.store.as_ref(), &[record]).await?;
        Ok(texts.into_values().next().map(|text| {
            let mut page = record.to_page(space.clone());
            // The text and the version that is shown belong together, also while a newer one is on its way.
            page.version = text.version;
            PageText {
                page,
                markdown: text.markdown,
            }
        }))
    }
}

/// Pages of a list that an answer may quote.
pub(crate) struct ListPages(pub PageFilter);

impl Question for ListPages {
    type Answer = Listed<Page>;

    async fn answer(self, sources: &Sources, index: IndexId) -> Result<Self::Answer, EngineError> {
        let mut listed = sources.store.pages(index, &self.0).await?;
        let ids: Vec<PageId> = listed.items.iter().map(|page| page.id.clone()).collect();
        let quotable = Quotable::read(sources, index, ids).await?;
        let shown = |page: &Page| {
            let row = quotable.row(&page.id);
            row.is_some_and(|(record, _)| record.may_be_shown())
        };
        listed.items.retain(shown);
        let named = listed.items.iter();
        let named = named.map(|page| (page.kind, page.id.clone())).collect();
        let visible = verify::visible(sources, &quotable.target, named).await?;
        listed.items.retain(|page| visible.contains(&page.id));
        Ok(listed)
    }
}
