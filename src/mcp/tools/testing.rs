//! A knowledge base of plain values, for tests of what is made of it.

use std::sync::Arc;

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::access::Asker;
use domain::audit::HandedOut;
use domain::content::{ContentKind, ContentStatus, SourcePage};
use domain::holding::{Flight, Have, Holding};
use domain::index::{BackendKind, IndexSettings, IndexSpace, RestrictedPages, SpaceState};
use domain::page::{Page, PageRecord, PlacedPage, Shown, Standing};
use domain::ports::store::Listed;
use domain::query::{
    Answer, AnswerSource, ChangedPage, Neighbourhood, PageQuery, QueryResult, QueryTarget,
    ResultPage, RetrievalQuery,
};
use domain::{IndexId, PageId, SpaceId, SpaceKey, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{ToolAnswer, ToolError};
use crate::mcp::caller::{Caller, Owner, Reader};
use crate::mcp::knowledge::{FoundPage, KnowledgeBase, Trouble};
use crate::mcp::text::headings::headings;

/// What it knows.
#[derive(Default)]
pub struct FakeKnowledge {
    pub indexes: Vec<QueryTarget>,
    pub answers: HashMap<IndexId, Result<Answer, Trouble>>,
    pub pages: Vec<(IndexId, FoundPage)>,
    pub changes: Vec<(IndexId, ChangedPage)>,
    pub around: Neighbourhood,
    /// Questions that were answered, with the indexes that were asked.
    pub answered: Mutex<Vec<(Vec<IndexId>, String)>>,
    /// What was handed out.
    pub handed_out: Mutex<Vec<HandedOut>>,
}

pub fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text)
        .unwrap()
        .with_timezone(&chrono::Utc)
}

pub fn index(number: u128, agent: &str, spaces: &[(&str, &str, i64)]) -> QueryTarget {
    QueryTarget {
        id: IndexId(Uuid::from_u128(number)),
        settings: IndexSettings {
            name: format!("Index {number}"),
            agent_id: agent.parse().unwrap(),
            confluence_spaces: spaces.iter().map(|s| SpaceKey::from(s.0)).collect(),
            interval_minutes: 60,
            enabled: true,
            quiet_hours: None,
            backend: BackendKind::Local,
            include_blog_posts: false,
            include_comments: false,
            include_attachments: false,
            labels: Vec::new(),
            exclude_labels: Vec::new(),
            root_page_ids: Vec::new(),
            restricted_pages: RestrictedPages::Skip,
            access: domain::access::Access::default(),
        },
        remote: None,
        spaces: spaces
            .iter()
            .map(|(key, name, pages)| IndexSpace {
                key: SpaceKey::from(*key),
                id: Some(SpaceId::from(*key)),
                current_key: Some(SpaceKey::from(*key)),
                alias: None,
                name: Some((*name).to_owned()),
                url: Some(format!("https://example.atlassian.net/wiki/spaces/{key}")),
                state: SpaceState::Current,
                reason: Some("internal".into()),
                pages: *pages,
                last_sync_at: Some(at("2026-11-23T09:48:00Z")),
            })
            .collect(),
        as_of: Some(at("2026-11-23T09:48:00Z")),
        watermark: None,
    }
}

pub fn placed(id: &str, title: &str) -> PlacedPage {
    let source = SourcePage {
        id: PageId::from(id),
        kind: ContentKind::Page,
        status: ContentStatus::Current,
        title: title.to_owned(),
        space_id: SpaceId::from("ENG"),
        parent_id: None,
        parent_kind: None,
        version: 3,
        modified: at("2026-11-02T08:00:00Z"),
        author: None,
        url: format!("https://example.atlassian.net/wiki/spaces/ENG/pages/{id}/x"),
        body: None,
    };
    let index = IndexId(Uuid::from_u128(1));
    PlacedPage {
        record: PageRecord {
            labels: vec!["howto".into()],
            breadcrumb: vec!["Operations".into()],
            standing: Standing::Member,
            holding: Holding::restore(
                (Some("h".into()), Have::Document("h".into())),
                (Flight::None, false),
                (0, None),
                None,
                None,
            ),
            ..PageRecord::new(index, &source, source.modified)
        },
        space_key: SpaceKey::from("ENG"),
    }
}

pub fn page(id: &str, title: &str) -> Page {
    placed(id, title).page()
}

pub fn result(id: &str, title: &str, text: &str) -> QueryResult {
    QueryResult {
        text: text.to_owned(),
        score: 1.0,
        page: ResultPage {
            page: page(id, title),
            section: Some("Install it".into()),
            anchor: Some("Install-it".into()),
        },
    }
}

pub fn answer(results: Vec<QueryResult>) -> Answer {
    Answer {
        results,
        as_of: Some(at("2026-11-23T09:48:00Z")),
        stale: false,
        source: AnswerSource::Index,
        diagnostics: domain::query::Diagnostics::default(),
    }
}

pub fn everything() -> Caller {
    Caller {
        owner: Owner::new("admin"),
        reader: Reader::Everything,
        agent: None,
        asker: Asker::Unnamed,
        audited: None,
    }
}

impl FakeKnowledge {
    /// One index `support` of ENG and HR.
    pub fn small() -> Self {
        Self {
            indexes: vec![index(
                1,
                "support",
                &[("ENG", "Engineering", 40), ("HR", "People", 2)],
            )],
            ..Self::default()
        }
    }

    pub fn answering(mut self, number: u128, answer: Answer) -> Self {
        self.answers
            .insert(IndexId(Uuid::from_u128(number)), Ok(answer));
        self
    }

    pub fn with_page(mut self, id: &str, title: &str, markdown: &str) -> Self {
        self.pages.push((
            self.indexes[0].id,
            FoundPage {
                page: placed(id, title).shown().unwrap(),
                markdown: markdown.to_owned(),
                outline: headings(markdown),
            },
        ));
        self
    }

    pub async fn call(&self, name: &str, arguments: Value) -> Result<ToolAnswer, ToolError> {
        self.call_as(&everything(), name, arguments).await
    }

    pub async fn call_as(
        &self,
        caller: &Caller,
        name: &str,
        arguments: Value,
    ) -> Result<ToolAnswer, ToolError> {
        let arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
        super::call(self, caller, name, arguments).await.unwrap()
    }
}

#[async_trait]
impl KnowledgeBase for FakeKnowledge {
    fn asked_for(self: Arc<Self>, _: &Asker) -> Arc<dyn KnowledgeBase> {
        self
    }

    async fn indexes(&self, reader: &Reader) -> Result<Vec<QueryTarget>, Trouble> {
        let readable = |i: &&QueryTarget| reader.may_read(i.id);
        Ok(self.indexes.iter().filter(readable).cloned().collect())
    }

    async fn languages(&self, _: &QueryTarget) -> Vec<String> {
        vec!["english".to_owned()]
    }

    async fn search(&self, index: IndexId, query: RetrievalQuery) -> Result<Answer, Trouble> {
        let mut answer = self
            .answers
            .get(&index)
            .cloned()
            .unwrap_or_else(|| Ok(answer(Vec::new())))?;
        answer.results.truncate(query.top_k as usize);
        Ok(answer)
    }

    fn answered(&self, indexes: &[IndexId], question: &str, _: &Answer) {
        let asked = (indexes.to_vec(), question.to_owned());
        self.answered.lock().unwrap().push(asked);
    }

    fn handed_out(&self, _: &Caller, handed_out: &HandedOut) {
        self.handed_out.lock().unwrap().push(handed_out.clone());
    }

    async fn page(&self, index: IndexId, wanted: &PageQuery) -> Result<Option<FoundPage>, Trouble> {
        let is_wanted = |p: &Page| match wanted {
            PageQuery::Id(id) => p.id == *id,
            PageQuery::Title { space, title } => {
                p.space_key == *space && p.title.eq_ignore_ascii_case(title)
            }
        };
        let found = self
            .pages
            .iter()
            .find(|(own, p)| *own == index && is_wanted(&p.page));
        Ok(found.map(|(_, page)| page.clone()))
    }

    async fn around(&self, _: IndexId, _: &PageId) -> Result<Neighbourhood, Trouble> {
        Ok(self.around.clone())
    }

    async fn similar_titles(
        &self,
        index: IndexId,
        _: Option<&SpaceKey>,
        title: &str,
        limit: usize,
    ) -> Result<Vec<Shown<Page>>, Trouble> {
        let title = title.to_lowercase();
        let similar = |p: &Page| {
            let words: Vec<String> = p
                .title
                .to_lowercase()
                .split(' ')
                .map(str::to_owned)
                .collect();
            words.iter().any(|w| title.contains(w.as_str()))
        };
        Ok(self
            .pages
            .iter()
            .filter(|(own, p)| *own == index && similar(&p.page))
            .map(|(_, p)| p.page.clone())
            .take(limit)
            .collect())
    }

    async fn changes(
        &self,
        index: IndexId,
        since: Timestamp,
        space: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<ChangedPage>, Trouble> {
        Ok(self
            .changes
            .iter()
            .filter(|(own, c)| *own == index && c.changed_at > since)
            .filter(|(_, c)| space.is_none_or(|s| *s == c.page.space_key))
            .map(|(_, c)| c.clone())
            .take(limit)
            .collect())
    }

    async fn pages(
        &self,
        index: IndexId,
        _: Option<&str>,
        _: usize,
    ) -> Result<Listed<Shown<Page>>, Trouble> {
        let own = self.pages.iter().filter(|(own, _)| *own == index);
        Ok(Listed {
            items: own.map(|(_, p)| p.page.clone()).collect(),
            next_cursor: None,
        })
    }

    fn now(&self) -> Timestamp {
        at("2026-11-23T10:00:00Z")
    }
}
