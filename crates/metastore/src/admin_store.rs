//! [`AdminStore`]: thin like `sync_store`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::access::{Email, People};
use domain::audit::{Entry, EntryFilter, NewEntry};
use domain::daily::DailyAt;
use domain::evaluation::{Evaluation, EvaluationResult};
use domain::event::Event;
use domain::grant::{Grant, SealedTokens};
use domain::guard::Inquiry;
use domain::history::RunPage;
use domain::index::{Index, IndexPatch, IndexSpace};
use domain::notice::{Delivery, Notice};
use domain::page::{Page, PlacedPage};
use domain::ports::store::{
    AdminStore, DiskUse, EvaluationEnd, KnownSession, Listed, NewIndex, PageSession, RunFilter,
    RunPageFilter, StoreResult,
};
use domain::questions::{Asked, Question};
use domain::run::Run;
use domain::token::{NewToken, Person, Token};
use domain::{AccountId, IndexId, PageId, RunId, Timestamp, TokenId};

use crate::handle::{Metastore, SLICE};
use crate::ops::{
    audit, bodies, evaluations, events, grants, guard, history, indexes, listing, notices,
    page_sessions, people, prune, questions, runs, sessions, small, tokens,
};

impl Metastore {
    /// A token that is let in now, unless it has expired; its use is noted.
    fn in_use(&self, mut token: Token) -> Option<Token> {
        if token.has_expired(self.now()) {
            return None;
        }
        if let Some(minute) = tokens::use_to_note(&token, self.now()) {
            token.last_used_at = Some(minute);
            // Whoever presents a token does not wait for the writer.
            let (store, id) = (self.clone(), token.id);
            tokio::spawn(async move {
                if let Err(error) = store.write(move |c| tokens::note_use(c, id, minute)).await {
                    tracing::warn!(%error, token = %id, "the use of a token could not be noted");
                }
            });
        }
        Some(token)
    }
}

#[async_trait]
impl AdminStore for Metastore {
    async fn create_index_for(
        &self,
        new: &NewIndex,
        editor: Option<TokenId>,
    ) -> StoreResult<Index> {
        let (new, now) = (new.clone(), self.now());
        self.write(move |c| indexes::create(c, &new, editor, now))
            .await
    }

    async fn update_index(
        &self,
        index: IndexId,
        patch: &IndexPatch,
        seen: &[IndexSpace],
    ) -> StoreResult<Index> {
        let (patch, seen, now) = (patch.clone(), seen.to_vec(), self.now());
        self.write(move |c| indexes::update(c, index, patch, &seen, now))
            .await
    }

    async fn delete_index(&self, index: IndexId) -> StoreResult<()> {
        // What is much goes in slices, so that writers of other indexes come in between; the rest, and with it the index, in
        // one. Ended in between, there is an index that has forgotten some of its pages: it finds them again, or is deleted.
        while self
            .write(move |c| indexes::delete_slice(c, index, SLICE))
            .await?
        {}
        let now = self.now();
        self.write(move |c| indexes::delete(c, index, now)).await
    }

    async fn people(&self) -> StoreResult<People> {
        self.read(people::all).await
    }

    async fn map_people(&self, people: &BTreeMap<Email, AccountId>) -> StoreResult<()> {
        let people = people.clone();
        self.write(move |c| people::map(c, &people)).await
    }

    async fn map_people_of_file(&self, people: &BTreeMap<Email, AccountId>) -> StoreResult<usize> {
        let people = people.clone();
        self.write(move |c| people::map_of_file(c, &people)).await
    }

    async fn indexes(&self, cursor: Option<&str>, limit: usize) -> StoreResult<Listed<Index>> {
        let (cursor, now) = (cursor.map(str::to_owned), self.now());
        self.read(move |c| indexes::page_of_list(c, cursor.as_deref(), limit, now))
            .await
    }

    async fn index(&self, index: IndexId) -> StoreResult<Index> {
        let now = self.now();
        self.read(move |c| Ok(indexes::state(c, index, now)?.index))
            .await
    }

    async fn runs(&self, filter: &RunFilter) -> StoreResult<Listed<Run>> {
        let filter = filter.clone();
        self.read(move |c| runs::list(c, &filter)).await
    }

    async fn run(&self, run: RunId) -> StoreResult<Run> {
        self.read(move |c| runs::get(c, run)).await
    }

    async fn request_cancel(&self, run: RunId) -> StoreResult<Run> {
        self.write(move |c| runs::request_cancel(c, run)).await
    }

    async fn answer_guard_by(
        &self,
        run: RunId,
        accept: bool,
        by: Option<&str>,
    ) -> StoreResult<Run> {
        let (by, now) = (by.map(str::to_owned), self.now());
        self.write(move |c| guard::answer(c, run, accept, by.as_deref(), now))
            .await
    }

    async fn inquiry(&self, index: IndexId) -> StoreResult<Option<Inquiry>> {
        self.read(move |c| guard::inquiry(c, index)).await
    }

    async fn run_pages(&self, run: RunId, filter: &RunPageFilter) -> StoreResult<Listed<RunPage>> {
        let filter = filter.clone();
        self.read(move |c| history::list(c, run, &filter)).await
    }

    async fn note_questions(&self, asked: &[Asked]) -> StoreResult<()> {
        let asked = asked.to_vec();
        self.write(move |c| questions::put(c, &asked)).await
    }

    async fn questions(
        &self,
        index: IndexId,
        cursor: Option<&str>,
        limit: usize,
    ) -> StoreResult<Listed<Question>> {
        let cursor = cursor.map(str::to_owned);
        self.read(move |c| questions::of_index(c, index, cursor.as_deref(), limit))
            .await
    }

    async fn delete_questions(&self, index: IndexId, id: Option<&str>) -> StoreResult<()> {
        let id = id.map(str::to_owned);
        self.write(move |c| questions::delete(c, index, id.as_deref()))
            .await
    }

    async fn prune_questions(&self, before: Timestamp) -> StoreResult<()> {
        self.write(move |c| questions::prune(c, before)).await
    }

    async fn evaluations(&self) -> StoreResult<Vec<Evaluation>> {
        self.read(evaluations::all).await
    }

    async fn evaluation(&self, index: IndexId) -> StoreResult<Option<Evaluation>> {
        self.read(move |c| evaluations::of_index(c, index)).await
    }

    async fn set_evaluation(
        &self,
        index: IndexId,
        questions: &str,
        schedule: Option<DailyAt>,
    ) -> StoreResult<()> {
        let (questions, now) = (questions.to_owned(), self.now());
        self.write(move |c| evaluations::set(c, index, &questions, schedule, now))
            .await
    }

    async fn want_evaluation(&self, index: IndexId) -> StoreResult<()> {
        let now = self.now();
        self.write(move |c| evaluations::want(c, index, now)).await
    }

    async fn delete_evaluation(&self, index: IndexId) -> StoreResult<()> {
        self.write(move |c| evaluations::delete(c, index)).await
    }

    async fn end_evaluation(
        &self,
        index: IndexId,
        set_at: Timestamp,
        end: &EvaluationEnd,
    ) -> StoreResult<()> {
        let (end, now) = (end.clone(), self.now());
        self.write(move |c| evaluations::end(c, (index, set_at), &end, now))
            .await
    }

    async fn evaluation_results(
        &self,
        index: IndexId,
        limit: usize,
    ) -> StoreResult<Vec<EvaluationResult>> {
        self.read(move |c| evaluations::results(c, index, limit))
            .await
    }

    async fn page(&self, index: IndexId, page: &PageId) -> StoreResult<PlacedPage> {
        let page = page.clone();
        self.read(move |c| listing::one(c, index, &page)).await
    }

    async fn retry_page(&self, index: IndexId, page: &PageId) -> StoreResult<Page> {
        let (page, now) = (page.clone(), self.now());
        self.write(move |c| listing::retry(c, index, &page, now))
            .await
    }

    async fn create_token(&self, new: &NewToken) -> StoreResult<Token> {
        let (new, now) = (new.clone(), self.now());
        self.write(move |c| tokens::create(c, &new, now)).await
    }

    async fn tokens(&self) -> StoreResult<Vec<Token>> {
        self.read(tokens::all).await
    }

    async fn tokens_of_index(&self, index: IndexId) -> StoreResult<Vec<Token>> {
        self.read(move |c| tokens::of_index(c, index)).await
    }

    async fn revoke_token_of_index(&self, index: IndexId, token: TokenId) -> StoreResult<()> {
        self.write(move |c| tokens::revoke_of_index(c, index, token))
            .await
    }

    async fn revoke_token(&self, token: TokenId) -> StoreResult<()> {
        let now = self.now();
        self.write(move |c| tokens::revoke(c, token, now)).await
    }

    async fn admit_person(&self, token: TokenId) -> StoreResult<Token> {
        self.write(move |c| tokens::admit(c, token)).await
    }

    async fn forget_person(&self, token: TokenId) -> StoreResult<()> {
        self.write(move |c| tokens::forget(c, token)).await
    }

    async fn person(&self, subject: &str) -> StoreResult<Option<Token>> {
        let subject = subject.to_owned();
        self.read(move |c| tokens::by_subject(c, &subject)).await
    }

    async fn keep_person(&self, person: &Person) -> StoreResult<Token> {
        let (person, now) = (person.clone(), self.now());
        self.write(move |c| tokens::keep_person(c, &person, now))
            .await
    }

    async fn replace_token(
        &self,
        token: TokenId,
        (prefix, secret_hash): (&str, &str),
        by: &str,
        after: TimeDelta,
    ) -> StoreResult<Token> {
        let (prefix, hash, by) = (prefix.to_owned(), secret_hash.to_owned(), by.to_owned());
        let now = self.now();
        self.write(move |c| tokens::replace(c, token, (&prefix, &hash), &by, after, now))
            .await
    }

    async fn living_tokens(&self, tokens: &[TokenId]) -> StoreResult<Vec<(TokenId, Vec<IndexId>)>> {
        let (tokens, now) = (tokens.to_vec(), self.now());
        self.read(move |c| tokens::living(c, &tokens, now)).await
    }

    async fn token_by_hash(&self, secret_hash: &str) -> StoreResult<Option<Token>> {
        let hash = secret_hash.to_owned();
        // On the way of every question.
        let token = self.answer(move |c| tokens::by_hash(c, &hash)).await?;
        Ok(token.and_then(|token| self.in_use(token)))
    }

    async fn token(&self, id: TokenId) -> StoreResult<Option<Token>> {
        let token = self.answer(move |c| tokens::by_id(c, id)).await?;
        Ok(token.and_then(|token| self.in_use(token)))
    }

    async fn note(&self, entry: &NewEntry) -> StoreResult<()> {
        let entry = (self.now(), entry.clone());
        self.write(move |c| audit::note(c, &[entry])).await
    }

    async fn note_all(&self, entries: &[(Timestamp, NewEntry)]) -> StoreResult<()> {
        let entries = entries.to_vec();
        self.write(move |c| audit::note(c, &entries)).await
    }

    async fn prune_asked(&self, before: Timestamp) -> StoreResult<()> {
        prune::asked(self, before).await
    }

    async fn audit(&self, filter: &EntryFilter) -> StoreResult<Listed<Entry>> {
        let filter = filter.clone();
        self.read(move |c| audit::list(c, &filter)).await
    }

    async fn events_after(
        &self,
        seq: i64,
        index: Option<IndexId>,
        limit: usize,
    ) -> StoreResult<Vec<Event>> {
        self.read(move |c| events::after(c, seq, index, limit))
            .await
    }

    async fn event_range(&self) -> StoreResult<(i64, i64)> {
        self.read(events::range).await
    }

    async fn notices_due(&self, limit: usize) -> StoreResult<Vec<Notice>> {
        let now = self.now();
        self.read(move |c| notices::due(c, now, limit)).await
    }

    async fn next_notice(&self) -> StoreResult<Option<Timestamp>> {
        self.read(notices::next).await
    }

    async fn settle_notice(&self, run: RunId, delivery: &Delivery) -> StoreResult<()> {
        let (delivery, now) = (delivery.clone(), self.now());
        self.write(move |c| notices::settle(c, run, &delivery, now))
            .await
    }

    async fn disk_use(&self) -> StoreResult<DiskUse> {
        let (bodies, bodies_bytes) = self.read(bodies::totals).await?;
        Ok(DiskUse {
            database_bytes: self.bytes().await?,
            bodies_bytes,
            bodies,
        })
    }

    async fn check(&self) -> StoreResult<()> {
        // Taking the write lock is the answer; a statement would only wear the disk.
        self.write(|_| Ok(())).await
    }

    async fn remembered(&self, key: &str) -> StoreResult<Option<String>> {
        let key = key.to_owned();
        self.read(move |c| small::remembered(c, &key)).await
    }

    async fn remember(&self, key: &str, value: &str) -> StoreResult<()> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.write(move |c| small::remember(c, &key, &value)).await
    }

    async fn grant(&self) -> StoreResult<Option<Grant>> {
        self.read(grants::get).await
    }

    async fn put_grant(&self, grant: &Grant) -> StoreResult<()> {
        let grant = grant.clone();
        self.write(move |c| grants::put(c, &grant)).await
    }

    async fn refresh_grant(&self, tokens: &SealedTokens) -> StoreResult<()> {
        let tokens = tokens.clone();
        self.write(move |c| grants::refresh(c, &tokens)).await
    }

    async fn refuse_grant(&self, why: &str) -> StoreResult<()> {
        let why = why.to_owned();
        self.write(move |c| grants::refuse(c, &why)).await
    }

    async fn forget_grant(&self) -> StoreResult<bool> {
        self.write(grants::forget).await
    }

    async fn sessions(&self) -> StoreResult<Vec<KnownSession>> {
        self.read(sessions::all).await
    }

    async fn keep_session(&self, session: &KnownSession, opening: &str) -> StoreResult<()> {
        let (session, opening) = (session.clone(), opening.to_owned());
        self.write(move |c| sessions::keep(c, &session, &opening))
            .await
    }

    async fn session_opening(&self, id: &str) -> StoreResult<Option<String>> {
        let id = id.to_owned();
        self.read(move |c| sessions::opening(c, &id)).await
    }

    async fn sessions_used(&self, used: &[(String, Timestamp)]) -> StoreResult<()> {
        let used = used.to_vec();
        self.write(move |c| sessions::used(c, &used)).await
    }

    async fn forget_sessions(&self, ids: &[String]) -> StoreResult<()> {
        let ids = ids.to_vec();
        self.write(move |c| sessions::forget(c, &ids)).await
    }

    async fn page_sessions(&self) -> StoreResult<Vec<PageSession>> {
        self.read(page_sessions::all).await
    }

    async fn keep_page_session(&self, session: &PageSession) -> StoreResult<()> {
        let session = session.clone();
        self.write(move |c| page_sessions::keep(c, &session)).await
    }

    async fn end_page_sessions(&self, hashes: &[String]) -> StoreResult<()> {
        let hashes = hashes.to_vec();
        self.write(move |c| page_sessions::end(c, &hashes)).await
    }
}
