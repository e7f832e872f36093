//! `doctor`: prints what [`crate::diagnosis`] finds, as it comes.

use domain::ports::source::AccessNeeds;
use metastore::OpenError;

use super::{CliResult, DONE, FAILED, USAGE, quiet_settings};
use crate::diagnosis::{self, Finding};
use crate::settings::Need;
use crate::wiring::{StartError, backends, confluence_client, open_store};

/// How many findings were bad.
#[derive(Default)]
struct Told {
    bad: usize,
}

impl Told {
    fn tell(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for Finding { what, ok, said } in findings {
            let word = if ok { "ok   " } else { "FAIL " };
            self.bad += usize::from(!ok);
            // One line each, whatever a server answered: else it could add findings of its own.
            let said = said.split(['\n', '\r']).map(str::trim).collect::<Vec<_>>();
            super::print(&format!("{word} {what}: {}", said.join(" ")));
        }
    }
}

pub(super) async fn run() -> CliResult {
    let mut told = Told::default();
    let settings = match quiet_settings(Need::Serve) {
        Ok(settings) => settings,
        Err(error) => {
            told.tell([Finding::bad("settings", error.message)]);
            return Ok(USAGE);
        }
    };
    told.tell([diagnosis::of_settings(&settings)]);

    let mut needs = AccessNeeds::default();
    let mut known = None;
    match open_store(&settings) {
        Ok(store) => {
            let said = match store.read_lock_holder() {
                Some(holder) => format!("runs: {holder}"),
                None => "does not run on this database".to_owned(),
            };
            told.tell([Finding::good("service", said)]);
            told.tell(diagnosis::of_database(&settings, &store).await);
            needs = diagnosis::needs(&store).await;
            known = Some(store);
        }
        Err(StartError::Database(OpenError::Missing { path })) => {
            let said = format!(
                "there is none yet; the first start makes {}",
                path.display()
            );
            told.tell([Finding::good("database", said)]);
        }
        Err(error) => told.tell([Finding::bad("database", error)]),
    }
    match confluence_client(&settings) {
        Ok(client) => told.tell(diagnosis::of_confluence(&client.for_waiting(), needs).await),
        Err(error) => told.tell([Finding::bad("Confluence", error)]),
    }
    // As the engine makes them: with what it found out about the account.
    match backends(&settings, known.as_ref()).await {
        Ok(backends) => told.tell(diagnosis::of_stores(&backends).await),
        Err(error) => told.tell([Finding::bad("store", error)]),
    }
    Ok(if told.bad == 0 { DONE } else { FAILED })
}
