//! Looks at everything that a run needs, and says what is wrong and what would help: what `doctor` prints and `GET /api/doctor`
//! answers. It changes nothing, asks for no more than one item of a kind, and waits for nobody longer than [`LONGEST`].

mod machine;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actors::Backends;
use domain::access::Access;
use domain::index::{BackendKind, Index, IndexStatus};
use domain::moving::{self, PendingRebuild};
use domain::part::Part;
use domain::ports::embedding::Embedder;
use domain::ports::retrieval::{RetrievalBackend, VectorsHealth};
use domain::ports::source::{AccessCheck, AccessNeeds, ContentSource, SourceError};
use domain::ports::store::{AdminStore, StoreResult};
use futures_util::stream::FuturesOrdered;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};

pub use self::machine::least_free;
use crate::connection::{Connection, State};
use crate::http::auth;
use crate::settings::Settings;

/// How what was looked at stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Everything works; something needs a look.
    Warning,
    /// Something does not work.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Finding {
    /// What was looked at: `Confluence`, `scopes`, `store llamacloud`, …
    pub what: String,
    /// How it stands.
    pub outcome: Outcome,
    /// What was found; where it is not `ok`, the cause and the remedy.
    pub said: String,
}

impl Finding {
    /// As it should be.
    pub fn good(what: impl Into<String>, said: impl ToString) -> Self {
        Self::new(what, Outcome::Ok, said)
    }

    /// To be looked at; nothing stands still for it.
    pub fn warning(what: impl Into<String>, said: impl ToString) -> Self {
        Self::new(what, Outcome::Warning, said)
    }

    /// Not as it should be.
    pub fn bad(what: impl Into<String>, said: impl ToString) -> Self {
        Self::new(what, Outcome::Failed, said)
    }

    fn new(what: impl Into<String>, outcome: Outcome, said: impl ToString) -> Self {
        Self {
            what: what.into(),
            outcome,
            said: said.to_string(),
        }
    }
}

/// What is looked at: the parts of a running service, or those that a command has made to look with.
pub struct Subject<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The database; `None` where it cannot be opened, which stands in `beforehand` then, as with the other parts.
    pub store: Option<&'a dyn AdminStore>,
    /// Confluence.
    pub source: Option<&'a dyn ContentSource>,
    /// The connection to Confluence by OAuth, where the settings have that.
    pub connection: Option<Arc<Connection>>,
    /// The retrieval stores.
    pub backends: &'a Backends,
    /// Where the embedded index gets vectors from, if it looks for meaning.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// What was found while the parts were made.
    pub beforehand: Vec<Finding>,
}

/// Nothing is waited for longer.
pub const LONGEST: Duration = Duration::from_secs(10);

type Check<'a> = Pin<Box<dyn Future<Output = Vec<Finding>> + 'a>>;

/// Looks at everything but the settings at once, and gives what is found in a fixed order, each as soon as all before it is known.
pub fn checks<'a>(subject: &'a Subject<'a>) -> impl Stream<Item = Finding> + 'a {
    let Subject {
        settings,
        store,
        source,
        connection,
        backends,
        embedder,
        beforehand,
    } = subject;
    let mut checks: FuturesOrdered<Check<'a>> = FuturesOrdered::new();
    checks.push_back(Box::pin(async move { machine::of_service(settings) }));
    checks.push_back(Box::pin(machine::of_disk(settings)));
    if let Some(store) = store {
        let looked = of_database(settings, *store, backends);
        checks.push_back(Box::pin(within("database", looked)));
    }
    checks.push_back(Box::pin(machine::of_names(settings)));
    checks.push_back(Box::pin(machine::of_network(settings)));
    if let Some(connection) = connection {
        let looked = async { vec![of_connection(connection).await] };
        checks.push_back(Box::pin(within("connection to Confluence", looked)));
    }
    if let Some(source) = source {
        let by_oauth = connection.is_some();
        checks.push_back(Box::pin(async move {
            let needs = match store {
                Some(store) => timeout(LONGEST, needs(*store)).await.unwrap_or_default(),
                None => AccessNeeds::default(),
            };
            let audit_log = settings.sync.audit_log;
            let needs = AccessNeeds { audit_log, ..needs };
            of_confluence(*source, needs, by_oauth).await
        }));
    }
    for (kind, backend) in *backends {
        let asked = async move { vec![of_store(*kind, backend.as_ref()).await] };
        checks.push_back(Box::pin(asked));
    }
    if let Some(embedder) = embedder {
        let local = backends.get(&BackendKind::Local);
        let vectors = local.and_then(|local| local.health().vectors);
        let asked = async move { vec![of_embeddings(embedder.as_ref(), vectors).await] };
        checks.push_back(Box::pin(asked));
    }
    checks.push_back(Box::pin(of_issuer(settings)));
    checks.push_back(Box::pin(machine::of_webhook(settings)));
    stream::iter(beforehand.clone()).chain(checks.flat_map(stream::iter))
}

/// What a check finds, or that it found nothing in time.
async fn within(what: &'static str, check: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    timeout(LONGEST, check).await.unwrap_or_else(|_| {
        let said = format!("no answer within {} s: it is busy, or its disk hangs; look at the machine's load and disk", LONGEST.as_secs());
        vec![Finding::bad(what, said)]
    })
}

/// The settings: whoever comes here has complete ones. Known before anything else is looked at.
#[must_use]
pub fn of_settings(settings: &Settings) -> Finding {
    let said = format!(
        "complete; store of new indexes: {}",
        settings.default_backend
    );
    Finding::good("settings", said)
}

/// The indexes that a changed setting asks to rebuild, each with what that takes.
pub fn pending_rebuilds<'a>(
    backends: &'a Backends,
    indexes: &'a [Index],
) -> impl Iterator<Item = (&'a Index, PendingRebuild)> {
    indexes.iter().filter_map(|index| {
        let backend = backends.get(&index.settings.backend)?;
        Some((index, moving::pending_rebuild(index, backend.as_ref())?))
    })
}

/// The database and the indexes in it.
async fn of_database(
    settings: &Settings,
    store: &dyn AdminStore,
    backends: &Backends,
) -> Vec<Finding> {
    let disk = store.disk_use().await.unwrap_or_default();
    let mut findings = vec![match store.check().await {
        Ok(()) => Finding::good(
            "database",
            format!(
                "{} ({:.1} MB, {} cached bodies in {:.1} MB)",
                settings.database,
                megabytes(disk.database_bytes),
                disk.bodies,
                megabytes(disk.bodies_bytes)
            ),
        ),
        Err(error) => Finding::bad("database", error),
    }];
    let indexes = match every_index(store).await {
        Ok(indexes) => indexes,
        Err(error) => {
            findings.push(Finding::bad("indexes", error));
            Vec::new()
        }
    };
    for (index, pending) in pending_rebuilds(backends, &indexes) {
        let how = moving::how_to_agree(index, &pending);
        let what = format!("index of {}", index.settings.agent_id);
        findings.push(Finding::warning(what, format!("{pending}; {how}")));
    }
    for index in indexes {
        let what = format!("index of {}", index.settings.agent_id);
        if let Some(moving) = &index.moving {
            let said = format!(
                "moves to {}: {} of {} documents are searchable there, {} failed; {} answers until it is complete",
                moving.backend,
                moving.searchable,
                moving.documents,
                moving.failed,
                index.settings.backend
            );
            findings.push(Finding::good(&what, said));
        }
        let status = index.status.as_str();
        findings.push(match (index.status_reason, index.status) {
            (None, _) => Finding::good(
                what,
                format!("{status}, {} documents", index.document_count),
            ),
            (Some(reason), IndexStatus::Failed) => {
                Finding::bad(what, format!("{status}: {reason}"))
            }
            (Some(reason), _) => Finding::warning(what, format!("{status}: {reason}")),
        });
    }
    findings
}

/// Indexes that are read at once.
const BATCH: usize = 500;

/// Every living index.
///
/// # Errors
/// Those of the database.
pub async fn every_index(store: &dyn AdminStore) -> StoreResult<Vec<Index>> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let listed = store.indexes(cursor.as_deref(), BATCH).await?;
        all.extend(listed.items);
        match listed.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

/// What the indexes of a database need of Confluence beside the pages.
async fn needs(store: &dyn AdminStore) -> AccessNeeds {
    // That the database does not answer stands among its own findings.
    let indexes = every_index(store).await.unwrap_or_default();
    AccessNeeds {
        comments: indexes.iter().any(|i| i.settings.include_comments),
        files: indexes.iter().any(|i| i.settings.include_attachments),
        permissions: indexes.iter().any(|i| i.settings.access.is_per_user()),
        checks: indexes
            .iter()
            .any(|i| i.settings.access == Access::PerUserChecked),
        ..AccessNeeds::default()
    }
}

/// The connection by OAuth: by whom, since when, and what is wrong with it.
async fn of_connection(connection: &Connection) -> Finding {
    let what = "connection to Confluence";
    match connection.state().await {
        Ok(State::Connected(grant)) => Finding::good(
            what,
            format!(
                "{} by {} since {}; its access token is good until {}",
                grant.site_url,
                grant.granted_by,
                grant.granted_at.format("%Y-%m-%d %H:%M UTC"),
                grant.tokens.access_ends_at.format("%H:%M:%S UTC")
            ),
        ),
        Ok(other) => Finding::bad(what, other.trouble().unwrap_or_default()),
        Err(error) => Finding::bad(what, error),
    }
}

/// The account, what it may read, and how many spaces it sees.
async fn of_confluence(
    source: &dyn ContentSource,
    needs: AccessNeeds,
    by_oauth: bool,
) -> Vec<Finding> {
    let deadline = Instant::now() + LONGEST;
    let slow = || {
        format!(
            "not known: Confluence did not answer all questions within {} s; it is slow or limits requests, so look again later",
            LONGEST.as_secs()
        )
    };
    let mut findings = Vec::new();
    let mut missing = Vec::new();
    let Ok(me) = timeout_at(deadline, source.whoami()).await else {
        let said = format!(
            "does not answer within {} s; look at CONFLUENCE_BASE_URL, and at what stands between here and there (proxy, firewall)",
            LONGEST.as_secs()
        );
        return vec![Finding::bad("Confluence", said)];
    };
    let me = match me {
        Ok(account) => {
            let said = format!("answers {} ({})", account.display_name, account.id);
            findings.push(Finding::good("Confluence", said));
            Some(account.id)
        }
        // The other scopes can be asked for without knowing who we are.
        Err(SourceError::LacksScope { scope, .. }) => {
            missing.push((scope, "the account itself"));
            None
        }
        Err(error) => {
            let clock = machine::of_clock(&source.health());
            return [vec![Finding::bad("Confluence", error)], clock].concat();
        }
    };
    findings.extend(machine::of_clock(&source.health()));
    let checks = timeout_at(deadline, source.access(needs, me.as_ref())).await;
    let Ok(checks) = checks else {
        findings.push(Finding::bad("access", slow()));
        return findings;
    };
    let mut readable = Vec::new();
    for AccessCheck {
        what,
        part,
        outcome,
        ..
    } in checks
    {
        match outcome {
            Ok(()) => readable.push(what),
            Err(SourceError::LacksScope { scope, .. }) => missing.push((scope, what)),
            Err(SourceError::Forbidden { .. } | SourceError::NotFound { .. })
                if part == Some(Part::Names) =>
            {
                let said = "the account may not see names of people; mentions and comments will show none unless it is given the permission to";
                findings.push(Finding::warning(what, said));
            }
            Err(error) => {
                let cost = part.map(|part| format!(" Without it, {}.", part.in_words()));
                findings.push(Finding::bad(
                    what,
                    format!("{error}{}", cost.unwrap_or_default()),
                ));
            }
        }
    }
    if !readable.is_empty() {
        findings.push(Finding::good(
            "access",
            format!("{} can be read", readable.join(", ")),
        ));
    }
    if !missing.is_empty() {
        findings.push(Finding::bad("scopes", lacks(&missing, by_oauth)));
    }
    if readable.contains(&"spaces") {
        findings.push(match timeout_at(deadline, source.visible_spaces()).await {
            Ok(Ok(spaces)) if spaces.is_empty() => Finding::bad(
                "spaces",
                "the account sees none; give it access to the spaces to be indexed",
            ),
            Ok(Ok(spaces)) => Finding::good("spaces", format!("{} can be seen", spaces.len())),
            Ok(Err(error)) => Finding::bad("spaces", error),
            Err(_) => Finding::warning("spaces", slow()),
        });
    }
    findings.extend(machine::of_quota(&source.health()));
    findings
}

/// All scopes that are missing, each once with what it is for.
fn lacks(missing: &[(&'static str, &'static str)], by_oauth: bool) -> String {
    let mut scopes: Vec<(&str, Vec<&str>)> = Vec::new();
    for (scope, what) in missing {
        match scopes.iter_mut().find(|(known, _)| known == scope) {
            Some((_, whats)) => whats.push(what),
            None => scopes.push((scope, vec![what])),
        }
    }
    let named = scopes
        .iter()
        .map(|(scope, whats)| format!("{scope} ({})", whats.join(", ")))
        .collect::<Vec<_>>()
        .join(", ");
    if by_oauth {
        return format!(
            "the connection lacks {named}. Give the app these scopes at developer.atlassian.com, name them in CONFLUENCE_OAUTH_SCOPES, and \
             connect again"
        );
    }
    format!(
        "the token lacks {named}. A token's scopes cannot be changed: make a new one with these too"
    )
}

/// What the issuer says of itself, where people sign in at one.
async fn of_issuer(settings: &Settings) -> Vec<Finding> {
    let what = "sign-in";
    let why = match timeout(LONGEST, auth::look_at_issuer(settings)).await {
        Ok(None) => return Vec::new(),
        Ok(Some(Ok(said))) => return vec![Finding::good(what, said)],
        Ok(Some(Err(why))) => why,
        Err(_) => format!("The issuer does not answer within {} s", LONGEST.as_secs()),
    };
    let said = format!(
        "{}. Nobody can sign in there; look at OIDC_ISSUER, and at what stands between here and there (proxy, firewall). Keys go on to let in",
        why.trim_end_matches('.')
    );
    vec![Finding::bad(what, said)]
}

/// Asks for one vector.
async fn of_embeddings(embedder: &dyn Embedder, vectors: Option<VectorsHealth>) -> Finding {
    let vectors = vectors.unwrap_or_default();
    let what = "embeddings";
    let progress = match vectors.embedded + vectors.waiting + vectors.refused {
        // Only the service counts them.
        0 => String::new(),
        all => format!(
            "; {} of {all} passages have their vector, {} were refused",
            vectors.embedded, vectors.refused
        ),
    };
    match timeout(LONGEST, embedder.probe()).await {
        Ok(Ok(said)) => Finding::good(what, format!("{said}{progress}")),
        Ok(Err(error)) => Finding::bad(
            what,
            format!("{error}. Until then words alone find passages"),
        ),
        Err(_) => Finding::bad(
            what,
            format!(
                "no vector came within {} s. Until then words alone find passages",
                LONGEST.as_secs()
            ),
        ),
    }
}

/// Asks the store for something that changes nothing.
async fn of_store(kind: BackendKind, backend: &dyn RetrievalBackend) -> Finding {
    let what = format!("store {kind}");
    match timeout(LONGEST, backend.probe()).await {
        Ok(Ok(said)) => Finding::good(what, said),
        Ok(Err(error)) => Finding::bad(what, error),
        Err(_) => Finding::bad(
            what,
            format!(
                "did not answer within {} s: it is down, or limits requests; look again later",
                LONGEST.as_secs()
            ),
        ),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: i64) -> f64 {
    bytes as f64 / 1e6
}
