//! `doctor`: prints what [`crate::diagnosis`] finds, as it comes, or all of it as JSON.

use domain::ports::source::AccessNeeds;
use metastore::OpenError;

use super::{CliError, CliResult, DONE, FAILED, USAGE, quiet_settings};
use crate::diagnosis::{self, Finding};
use crate::http::list::List;
use crate::settings::Need;
use crate::wiring::{StartError, backends, confluence_client, open_store};

/// What was found, and how many of it were bad.
struct Told {
    bad: usize,
    /// For one JSON object at the end; otherwise each is printed as it comes.
    kept: Option<Vec<Finding>>,
}

impl Told {
    fn tell(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.bad += usize::from(!finding.ok);
            match &mut self.kept {
                Some(kept) => kept.push(finding),
                None => print(&finding),
            }
        }
    }

    /// Ends with this exit code.
    fn end(self, code: u8) -> CliResult {
        if let Some(kept) = self.kept {
            let list = serde_json::to_string_pretty(&List::whole(kept));
            super::print_exactly(&list.map_err(CliError::failed)?);
        }
        Ok(code)
    }
}

fn print(Finding { what, ok, said }: &Finding) {
    let word = if *ok { "ok   " } else { "FAIL " };
    // One line each, whatever a server answered: else it could add findings of its own.
    let said = said.split(['\n', '\r']).map(str::trim).collect::<Vec<_>>();
    super::print(&format!("{word} {what}: {}", said.join(" ")));
}

pub(super) async fn run(as_json: bool) -> CliResult {
    let mut told = Told {
        bad: 0,
        kept: as_json.then(Vec::new),
    };
    let settings = match quiet_settings(Need::Serve) {
        Ok(settings) => settings,
        Err(error) => {
            told.tell([Finding::bad("settings", error.message)]);
            return told.end(USAGE);
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
    let code = if told.bad == 0 { DONE } else { FAILED };
    told.end(code)
}
