//! `doctor`: looks at everything that a run needs, and says what is wrong and what would help.

use domain::index::BackendKind;
use domain::ports::retrieval::RetrievalBackend;
use domain::ports::source::ContentSource;
use domain::ports::store::AdminStore;
use metastore::OpenError;

use super::{CliResult, DONE, FAILED, USAGE, quiet_settings};
use crate::settings::Need;
use crate::wiring::{StartError, backends, confluence_client, open_store};

/// Findings, printed as they come.
#[derive(Default)]
struct Findings {
    bad: usize,
}

impl Findings {
    fn good(&self, what: &str, said: &str) {
        super::print(&format!("ok    {what}: {said}"));
    }

    fn bad(&mut self, what: &str, said: impl std::fmt::Display) {
        self.bad += 1;
        super::print(&format!("FAIL  {what}: {said}"));
    }
}

pub(super) async fn run() -> CliResult {
    let mut findings = Findings::default();
    let settings = match quiet_settings(Need::Serve) {
        Ok(settings) => settings,
        Err(error) => {
            findings.bad("settings", error.message);
            return Ok(USAGE);
        }
    };
    findings.good(
        "settings",
        &format!(
            "complete; store of new indexes: {}",
            settings.default_backend
        ),
    );

    match open_store(&settings) {
        Ok(store) => {
            let disk = store.disk_use().await.unwrap_or_default();
            let said = format!(
                "{} ({:.1} MB, {} cached bodies in {:.1} MB)",
                settings.database,
                megabytes(disk.database_bytes),
                disk.bodies,
                megabytes(disk.bodies_bytes)
            );
            match store.check().await {
                Ok(()) => findings.good("database", &said),
                Err(error) => findings.bad("database", error),
            }
            match store.read_lock_holder() {
                Some(holder) => findings.good("service", &format!("runs: {holder}")),
                None => findings.good("service", "does not run on this database"),
            }
            let indexes = store
                .indexes(None, 500)
                .await
                .map(|listed| listed.items)
                .unwrap_or_default();
            for index in indexes {
                let what = format!("index of {}", index.settings.agent_id);
                if let Some(moving) = &index.moving {
                    findings.good(
                        &what,
                        &format!(
                            "moves to {}: {} of {} documents are searchable there, {} failed; {} answers until it is complete",
                            moving.backend, moving.searchable, moving.documents, moving.failed, index.settings.backend
                        ),
                    );
                }
                match index.status_reason {
                    None => findings.good(
                        &what,
                        &format!(
                            "{}, {} documents",
                            index.status.as_str(),
                            index.document_count
                        ),
                    ),
                    Some(reason) => {
                        findings.bad(&what, format!("{}: {reason}", index.status.as_str()))
                    }
                }
            }
        }
        Err(StartError::Database(OpenError::Missing { path })) => findings.good(
            "database",
            &format!(
                "there is none yet; the first start makes {}",
                path.display()
            ),
        ),
        Err(error) => findings.bad("database", error),
    }

    match confluence_client(&settings) {
        Ok(client) => match client.whoami().await {
            Ok(account) => {
                findings.good(
                    "Confluence",
                    &format!("answers {} ({})", account.display_name, account.id),
                );
                match client.visible_spaces().await {
                    Ok(spaces) if spaces.is_empty() => {
                        findings.bad(
                            "spaces",
                            "the account sees none; give it access to the spaces to be indexed",
                        );
                    }
                    Ok(spaces) => findings.good("spaces", &format!("{} can be seen", spaces.len())),
                    Err(error) => findings.bad("spaces", error),
                }
            }
            Err(error) => findings.bad("Confluence", error),
        },
        Err(error) => findings.bad("Confluence", error),
    }

    match backends(&settings, None).await {
        Ok(backends) => {
            for (kind, backend) in &backends {
                look_at(&mut findings, *kind, backend.as_ref()).await;
            }
        }
        Err(error) => findings.bad("store", error),
    }
    Ok(if findings.bad == 0 { DONE } else { FAILED })
}

/// Asks the store for something that changes nothing.
async fn look_at(findings: &mut Findings, kind: BackendKind, backend: &dyn RetrievalBackend) {
    let what = format!("store {kind}");
    match backend.probe().await {
        Ok(said) => findings.good(&what, &said),
        Err(error) => findings.bad(&what, error),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: i64) -> f64 {
    bytes as f64 / 1e6
}
