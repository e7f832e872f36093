//! The client itself: one per site and credentials, shared by everyone who reads from there.

use std::collections::{BTreeSet, HashSet};
use std::convert::identity;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use domain::access::{Grantee, Member};
use domain::comments::{CommentPlace, SourceComment};
use domain::content::{
    Account, ContentFacts, ContentKind, ContentStatus, LiveHit, Person, SourceFile, SourcePage,
    Space,
};
use domain::ports::source::{
    AccessCheck, AccessNeeds, Audited, Batch, CommentsQuery, ContentSource, Cursor, FactsQuery,
    ListQuery, Reach, SourceError, SourceHealth,
};
use domain::{AccountId, GroupId, PageId, SpaceId, SpaceKey, Timestamp};
use upstream::ConfigError;

use crate::call::Call;
use crate::classify::unknown_account;
use crate::config::ConfluenceConfig;
use crate::endpoint;
use crate::facts::{FACTS_PER_ANSWER, UNTRIED};
use crate::permissions::{Mode, Recent};
use crate::search::Live;
use crate::transport::Transport;

/// Reads one Confluence Cloud site as one account.
///
/// Needs a TLS provider: `rustls::crypto::ring::default_provider().install_default()` before the first one is made.
pub struct ConfluenceClient {
    pub(crate) transport: Transport,
    pub(crate) live: Arc<Live>,
    /// For files, which another host serves: without credentials.
    pub(crate) media: reqwest::Client,
    /// Which of the choices of containers the site answers to, as far as is known.
    pub(crate) containers: AtomicUsize,
    /// How many items the site can answer facts of at once, as far as is known.
    pub(crate) facts_limit: AtomicUsize,
    /// Until when people's names are not asked for, since the account may not see them.
    pub(crate) no_names_until: Mutex<Option<Instant>>,
    /// In which form the site says who may use its spaces.
    pub(crate) role_mode: Recent<Mode>,
    /// The site's roles that let read a space.
    pub(crate) reading_roles: Recent<Arc<HashSet<String>>>,
}

impl ConfluenceClient {
    /// Checks the configuration; makes no request.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that cannot be used.
    pub fn new(config: &ConfluenceConfig) -> Result<Self, ConfigError> {
        let transport = Transport::new(config)?;
        let media =
            config
                .network
                .client(config.connect_timeout, config.request_timeout, identity)?;
        Ok(Self {
            live: Arc::new(Live::new(transport.for_waiting())),
            transport,
            media,
            containers: AtomicUsize::new(UNTRIED),
            facts_limit: AtomicUsize::new(FACTS_PER_ANSWER),
            no_names_until: Mutex::new(None),
            role_mode: Recent::default(),
            reading_roles: Recent::default(),
        })
    }

    /// The same client for requests that somebody waits for: it shares the limits with this one, and gives up sooner.
    #[must_use]
    pub fn for_waiting(&self) -> Self {
        Self {
            transport: self.transport.for_waiting(),
            live: Arc::clone(&self.live),
            media: self.media.clone(),
            containers: AtomicUsize::new(UNTRIED),
            facts_limit: AtomicUsize::new(FACTS_PER_ANSWER),
            no_names_until: Mutex::new(None),
            role_mode: Recent::default(),
            reading_roles: Recent::default(),
        }
    }

    /// The base of addresses for people: what the answer says, if that is an address.
    pub(crate) fn base(&self, told: Option<String>) -> String {
        self.transport.base(told)
    }
}

#[async_trait]
impl ContentSource for ConfluenceClient {
    async fn whoami(&self) -> Result<Account, SourceError> {
        let user = self.current_user().await?;
        let Some((id, display_name)) = user.known() else {
            let error = SourceError::Unauthorized {
                what: endpoint::USER_CURRENT.name.to_owned(),
                detail: unknown_account(&self.transport.site, "the answer names no known account"),
            };
            self.transport.limiter.note(Some(error.to_string()));
            return Err(error);
        };
        Ok(Account { id, display_name })
    }

    async fn access(&self, needs: AccessNeeds, me: Option<&AccountId>) -> Vec<AccessCheck> {
        self.checked_access(needs, me).await
    }

    async fn spaces_by_key(&self, keys: &[SpaceKey]) -> Result<Vec<Space>, SourceError> {
        self.spaces_with_keys(keys).await
    }

    async fn spaces_by_id(&self, ids: &[SpaceId]) -> Result<Vec<Space>, SourceError> {
        self.spaces_with_ids(ids).await
    }

    async fn visible_spaces(&self) -> Result<Vec<Space>, SourceError> {
        self.spaces(Call::new(&endpoint::SPACES, &[]).with("sort", "id"))
            .await
    }

    async fn list(
        &self,
        query: &ListQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourcePage>, SourceError> {
        self.listing(query, cursor).await
    }

    async fn by_ids(
        &self,
        kind: ContentKind,
        ids: &[PageId],
        statuses: &[ContentStatus],
        bodies: Option<usize>,
    ) -> Result<Vec<SourcePage>, SourceError> {
        self.with_ids(kind, ids, statuses, bodies).await
    }

    async fn one(&self, kind: ContentKind, id: &PageId) -> Result<Option<SourcePage>, SourceError> {
        self.single(kind, id).await
    }

    async fn facts(
        &self,
        query: &FactsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<ContentFacts>, SourceError> {
        self.bulk_facts(query, cursor).await
    }

    async fn facts_of(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<ContentFacts>, SourceError> {
        self.own_facts(kind, id).await
    }

    async fn recent_comments(
        &self,
        place: CommentPlace,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError> {
        self.newest_comments(place, limit, cursor).await
    }

    async fn comments(
        &self,
        query: &CommentsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError> {
        self.comments_by(query, cursor).await
    }

    async fn comment(
        &self,
        place: CommentPlace,
        id: &PageId,
    ) -> Result<Option<SourceComment>, SourceError> {
        self.one_comment(place, id).await
    }

    async fn recent_files(
        &self,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError> {
        self.newest_files(limit, cursor).await
    }

    async fn files(
        &self,
        space: &SpaceKey,
        reach: Reach,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError> {
        self.files_in(space, reach, cursor).await
    }

    async fn file(&self, id: &PageId) -> Result<Option<SourceFile>, SourceError> {
        self.one_file(id).await
    }

    async fn download(
        &self,
        page: &PageId,
        file: &PageId,
        max_bytes: usize,
    ) -> Result<Vec<u8>, SourceError> {
        self.fetch_file(page, file, max_bytes).await
    }

    async fn people(&self, ids: &[AccountId]) -> Result<Vec<Person>, SourceError> {
        self.names(ids).await
    }

    async fn space_readers(&self, space: &SpaceId) -> Result<BTreeSet<Grantee>, SourceError> {
        self.readers_of(space).await
    }

    async fn group_members(&self, group: &GroupId) -> Result<Vec<Member>, SourceError> {
        self.members_of(group).await
    }

    async fn closed_accounts(&self, ids: &[AccountId]) -> Result<HashSet<AccountId>, SourceError> {
        self.closed_of(ids).await
    }

    async fn audited(&self, since: Timestamp) -> Result<Vec<Audited>, SourceError> {
        self.records_since(since).await
    }

    async fn may_read(&self, person: &AccountId, item: &PageId) -> Result<bool, SourceError> {
        self.check(person, item).await
    }

    async fn rendered(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<String>, SourceError> {
        self.rendering(kind, id).await
    }

    async fn search_live(
        &self,
        words: &str,
        spaces: &[SpaceKey],
        limit: usize,
    ) -> Result<Vec<LiveHit>, SourceError> {
        self.find(words, spaces, limit).await
    }

    fn health(&self) -> SourceHealth {
        self.transport.health()
    }
}
