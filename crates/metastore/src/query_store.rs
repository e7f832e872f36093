//! [`QueryStore`]: thin like `sync_store`, on readers of its own.

use std::collections::HashSet;

use async_trait::async_trait;
use domain::access::{Asker, ViewFacts};
use domain::comments::CachedComment;
use domain::links::PageName;
use domain::page::{CachedText, PageRecord, PlacedPage};
use domain::ports::store::{Around, Listed, PageFilter, QueryStore, StoreResult};
use domain::query::QueryTarget;
use domain::sections::SectionEdit;
use domain::{AccountId, AgentId, IndexId, PageId, SpaceKey, Timestamp};

use crate::handle::Metastore;
use crate::ops::{access, bodies, comments, indexes, links, listing, pages, sections, tree};
use crate::rows::{CommentRow, TextRow};

#[async_trait]
impl QueryStore for Metastore {
    async fn query_target(&self, index: IndexId) -> StoreResult<QueryTarget> {
        let now = self.now();
        self.answer(move |c| indexes::target(c, index, now)).await
    }

    async fn query_targets(&self) -> StoreResult<Vec<QueryTarget>> {
        let now = self.now();
        self.answer(move |c| indexes::targets(c, now)).await
    }

    async fn index_id_of_agent(&self, agent: &AgentId) -> StoreResult<IndexId> {
        let agent = agent.clone();
        self.answer(move |c| indexes::id_of_agent(c, &agent)).await
    }

    async fn target_with_pages(
        &self,
        index: IndexId,
        ids: &[PageId],
    ) -> StoreResult<(QueryTarget, Vec<PageRecord>)> {
        let (ids, now) = (ids.to_vec(), self.now());
        self.answer(move |c| {
            Ok((
                indexes::target(c, index, now)?,
                pages::by_id(c, index, &ids)?,
            ))
        })
        .await
    }

    async fn pages(&self, index: IndexId, filter: &PageFilter) -> StoreResult<Listed<PlacedPage>> {
        let filter = filter.clone();
        self.answer(move |c| listing::list(c, index, &filter)).await
    }

    async fn page_by_title(
        &self,
        index: IndexId,
        space: &SpaceKey,
        title: &str,
    ) -> StoreResult<Option<PlacedPage>> {
        let (space, title) = (space.clone(), title.to_owned());
        self.answer(move |c| listing::by_title(c, index, &space, &title))
            .await
    }

    async fn texts(&self, ids: &[PageId]) -> StoreResult<Vec<CachedText>> {
        let ids = ids.to_vec();
        let unpack = |rows: Vec<TextRow>| rows.into_iter().map(CachedText::try_from).collect();
        self.answer_then(move |c| bodies::texts(c, &ids), unpack)
            .await
    }

    async fn section_edits(
        &self,
        ids: &[PageId],
        after: Timestamp,
    ) -> StoreResult<Vec<SectionEdit>> {
        let ids = ids.to_vec();
        self.answer(move |c| sections::since(c, &ids, after)).await
    }

    async fn comments_of(&self, pages: &[PageId]) -> StoreResult<Vec<CachedComment>> {
        let pages = pages.to_vec();
        let unpack =
            |rows: Vec<CommentRow>| rows.into_iter().map(CachedComment::try_from).collect();
        self.answer_then(move |c| comments::of_pages(c, &pages), unpack)
            .await
    }

    async fn known_people(&self, ids: &[AccountId]) -> StoreResult<Vec<(AccountId, String)>> {
        let ids = ids.to_vec();
        self.answer(move |c| links::people(c, &ids)).await
    }

    async fn page_names(&self, index: IndexId, ids: &[PageId]) -> StoreResult<Vec<PageName>> {
        let ids = ids.to_vec();
        self.answer(move |c| links::names(c, index, &ids)).await
    }

    async fn pages_under(
        &self,
        index: IndexId,
        page: &str,
        space: Option<&SpaceKey>,
    ) -> StoreResult<HashSet<PageId>> {
        let (page, space) = (page.to_owned(), space.cloned());
        self.answer(move |c| tree::under(c, index, &page, space.as_ref()))
            .await
    }

    async fn view_facts(&self, index: IndexId, asker: &Asker) -> StoreResult<ViewFacts> {
        let (asker, views) = (asker.clone(), self.views());
        self.answer(move |c| access::view_facts(c, &views, index, &asker))
            .await
    }

    async fn around(&self, index: IndexId, page: &PageId, most: usize) -> StoreResult<Around> {
        let page = page.clone();
        self.answer(move |c| tree::around(c, index, &page, most))
            .await
    }
}
