//! `probe`: asks Confluence and LlamaCloud whether what the sync takes for granted of them holds, prints the table, and writes the
//! shapes of their answers.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use upstream::probe::{Finding, Notebook, Verdict, go_through};

use super::table::table;
use super::{CliError, CliResult, DONE, FAILED, quiet_settings};
use crate::settings::Need;
use crate::wiring::{confluence_client, llamacloud_client, open_store};

/// Requests to both at most.
const BUDGET: u32 = 60;

pub(super) async fn run(out: &Path) -> CliResult {
    let settings = quiet_settings(Need::Serve)?;
    let notebook = Arc::new(Notebook::new(BUDGET));
    let store = open_store(&settings).ok();
    let (client, _) = confluence_client(&settings, store.as_ref())?;
    let client = client.for_waiting();
    let prober = confluence::probe::Prober::new(client, Arc::clone(&notebook));
    let mut told = vec![(
        "Confluence",
        go_through(confluence::probe::ASSUMPTIONS, &prober).await,
    )];
    if let Some(client) = llamacloud_client(&settings)? {
        let prober = llamacloud::probe::Prober::new(client, Arc::clone(&notebook));
        let found = go_through(llamacloud::probe::ASSUMPTIONS, &prober).await;
        told.push(("LlamaCloud", found));
    }
    for (service, findings) in &told {
        super::print(&format!("{service}\n{}\n", shown(findings)));
    }
    let all = || told.iter().flat_map(|(_, findings)| findings);
    for finding in all().filter(|finding| finding.verdict == Verdict::Broken) {
        super::print(&format!(
            "{}: {}.\n  It carries: {}\n  What to do: {}\n",
            finding.assumption, finding.said, finding.rests, finding.remedy
        ));
    }
    let report = json!({
        "version": crate::version(),
        "findings": all().collect::<Vec<_>>(),
        "answers": notebook.shapes(),
    });
    let text = serde_json::to_string_pretty(&report).map_err(CliError::failed)?;
    std::fs::write(out, text).map_err(|error| {
        CliError::failed(format!("{} cannot be written: {error}", out.display()))
    })?;
    let count = |verdict| all().filter(|finding| finding.verdict == verdict).count();
    super::print(&format!(
        "{} held, {} not held, {} not seen; {} requests. The shapes, without any text, name, id or address of yours, are in {}.",
        count(Verdict::Held),
        count(Verdict::Broken),
        count(Verdict::Unknown),
        notebook.asked(),
        out.display()
    ));
    Ok(if count(Verdict::Broken) == 0 {
        DONE
    } else {
        FAILED
    })
}

fn shown(findings: &[Finding]) -> String {
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            vec![
                finding.assumption.to_owned(),
                finding.verdict.as_str().to_owned(),
                finding.said.clone(),
            ]
        })
        .collect();
    table(&["assumption", "", "seen"], &rows)
}
