//! Looks at everything that a run needs, and says what is wrong and what would help: what `doctor` prints and `GET /api/doctor`
//! answers. It changes nothing, and asks for no more than one item of a kind.

use std::time::Duration;

use actors::Backends;
use domain::index::{BackendKind, Index};
use domain::part::Part;
use domain::ports::embedding::Embedder;
use domain::ports::retrieval::{RetrievalBackend, VectorsHealth};
use domain::ports::source::{AccessCheck, AccessNeeds, ContentSource, SourceError};
use domain::ports::store::{AdminStore, StoreResult};
use serde::Serialize;

use crate::settings::Settings;

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Finding {
    /// What was looked at: `Confluence`, `scopes`, `store llamacloud`, …
    pub what: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found; where something is wrong, the cause and the remedy.
    pub said: String,
}

impl Finding {
    /// As it should be.
    pub fn good(what: impl Into<String>, said: impl ToString) -> Self {
        Self {
            what: what.into(),
            ok: true,
            said: said.to_string(),
        }
    }

    /// Not as it should be.
    pub fn bad(what: impl Into<String>, said: impl ToString) -> Self {
        Self {
            ok: false,
            ..Self::good(what, said)
        }
    }
}

/// The settings: whoever comes here has complete ones.
#[must_use]
pub fn of_settings(settings: &Settings) -> Finding {
    let said = format!(
        "complete; store of new indexes: {}",
        settings.default_backend
    );
    Finding::good("settings", said)
}

/// The database and the indexes in it.
pub async fn of_database(settings: &Settings, store: &dyn AdminStore) -> Vec<Finding> {
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
        findings.push(match index.status_reason {
            None => Finding::good(
                what,
                format!("{status}, {} documents", index.document_count),
            ),
            Some(reason) => Finding::bad(what, format!("{status}: {reason}")),
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
pub async fn needs(store: &dyn AdminStore) -> AccessNeeds {
    // That the database does not answer stands among its own findings.
    let indexes = every_index(store).await.unwrap_or_default();
    AccessNeeds {
        comments: indexes.iter().any(|i| i.settings.include_comments),
        files: indexes.iter().any(|i| i.settings.include_attachments),
    }
}

/// The account, what it may read, and how many spaces it sees.
pub async fn of_confluence(source: &dyn ContentSource, needs: AccessNeeds) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut missing = Vec::new();
    let me = match source.whoami().await {
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
        Err(error) => return vec![Finding::bad("Confluence", error)],
    };
    let checks = source.access(needs, me.as_ref()).await;
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
                let said =
                    "the account may not see names of people; mentions and comments will show none";
                findings.push(Finding::good(what, said));
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
        findings.push(Finding::bad("scopes", lacks(&missing)));
    }
    if readable.contains(&"spaces") {
        findings.push(match source.visible_spaces().await {
            Ok(spaces) if spaces.is_empty() => Finding::bad(
                "spaces",
                "the account sees none; give it access to the spaces to be indexed",
            ),
            Ok(spaces) => Finding::good("spaces", format!("{} can be seen", spaces.len())),
            Err(error) => Finding::bad("spaces", error),
        });
    }
    findings
}

/// All scopes that are missing, each once with what it is for.
fn lacks(missing: &[(&'static str, &'static str)]) -> String {
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
    format!(
        "the token lacks {named}. A token's scopes cannot be changed: make a new one with these too"
    )
}

/// Every retrieval store that the engine has, or would have.
pub async fn of_stores(backends: &Backends) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (kind, backend) in backends {
        findings.push(of_store(*kind, backend.as_ref()).await);
        if let Some(embedder) = backend.embedder() {
            let vectors = backend.health().vectors.unwrap_or_default();
            findings.push(of_embeddings(embedder.as_ref(), vectors).await);
        }
    }
    findings
}

/// Asks for one vector.
async fn of_embeddings(embedder: &dyn Embedder, vectors: VectorsHealth) -> Finding {
    let what = "embeddings";
    let progress = match vectors.embedded + vectors.waiting + vectors.refused {
        // Only the service counts them.
        0 => String::new(),
        all => format!(
            "; {} of {all} passages have their vector, {} were refused",
            vectors.embedded, vectors.refused
        ),
    };
    match tokio::time::timeout(LONGEST, embedder.probe()).await {
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

/// A store that has not answered by then is not waited for: it may be one that limits requests.
const LONGEST: Duration = Duration::from_secs(30);

/// Asks the store for something that changes nothing.
async fn of_store(kind: BackendKind, backend: &dyn RetrievalBackend) -> Finding {
    let what = format!("store {kind}");
    match tokio::time::timeout(LONGEST, backend.probe()).await {
        Ok(Ok(said)) => Finding::good(what, said),
        Ok(Err(error)) => Finding::bad(what, error),
        Err(_) => Finding::bad(
            what,
            format!(
                "did not answer within {} s: it is down, or limits requests",
                LONGEST.as_secs()
            ),
        ),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: i64) -> f64 {
    bytes as f64 / 1e6
}
