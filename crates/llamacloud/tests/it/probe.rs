//! Every assumption about LlamaCloud holds of the simulated one, and is told from one that does not.

use std::sync::Arc;

use domain::IndexId;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use llamacloud::probe::{ASSUMPTIONS, Prober};
use llamacloud::{IndexApi, LlamaCloud};
use simulators::llamacloud::{LlamaCloudSim, Serving, Switches};
use simulators::{Fault, Matcher};
use upstream::probe::{Notebook, Verdict, go_through};

use crate::subject::{account, config};

/// What makes the service break an assumption.
type Switched = fn(&mut Switches);

async fn probe(sim: &LlamaCloudSim) -> (Vec<(&'static str, Verdict)>, Arc<Notebook>) {
    let notebook = Arc::new(Notebook::new(20));
    let client = LlamaCloud::new(config(sim, IndexApi::Auto)).unwrap();
    let prober = Prober::new(client, Arc::clone(&notebook));
    let findings = go_through(ASSUMPTIONS, &prober).await;
    let told = findings.iter().map(|f| (f.assumption, f.verdict));
    (told.collect(), notebook)
}

fn verdict(findings: &[(&'static str, Verdict)], part: &str) -> Verdict {
    let named: Vec<Verdict> = findings
        .iter()
        .filter(|(name, _)| name.contains(part))
        .map(|(_, verdict)| *verdict)
        .collect();
    assert_eq!(named.len(), 1, "{part}");
    named[0]
}

/// An account with an object of each generation.
async fn furnished() -> crate::subject::Account {
    let first = account(IndexApi::V1, Switches::default()).await;
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "secretagent".parse().unwrap(),
    };
    first.backend.ensure(&spec, None).await.unwrap();
    let second = LlamaCloud::new(config(&first.sim, IndexApi::V2)).unwrap();
    second.ensure(&spec, None).await.unwrap();
    first
}

#[tokio::test]
async fn all_holds_of_the_simulated_account_and_nothing_is_changed() {
    let account = furnished().await;
    let before = account.sim.request_count();
    let (findings, notebook) = probe(&account.sim).await;
    for (name, verdict) in &findings {
        assert_eq!(*verdict, Verdict::Held, "{name}");
    }
    assert_eq!(
        account.sim.request_count() - before,
        u64::from(notebook.asked())
    );
    let shapes = notebook.shapes().to_string();
    assert!(
        !shapes.contains("secretagent") && !shapes.contains("confluence-"),
        "{shapes}"
    );
    // The writes of an empty object made nothing.
    let (again, _) = probe(&account.sim).await;
    assert_eq!(again, findings);
}

#[tokio::test]
async fn each_assumption_that_is_broken_is_told() {
    let switched: [(&str, Switched, Verdict); 4] = [
        ("v1: a write", |s| s.v1 = Serving::ReadOnly, Verdict::Broken),
        ("v2: a write", |s| s.v2 = Serving::ReadOnly, Verdict::Broken),
        (
            "v1: pipelines",
            |s| s.v1 = Serving::Refused,
            Verdict::Unknown,
        ),
        ("v2: indexes", |s| s.v2 = Serving::Absent, Verdict::Unknown),
    ];
    for (part, breaks, expected) in switched {
        let account = furnished().await;
        account.sim.switches(breaks);
        let (findings, _) = probe(&account.sim).await;
        assert_eq!(verdict(&findings, part), expected, "{part}");
    }
    for (path, part) in [
        ("/v1/pipelines", "v1: pipelines"),
        ("/documents/paginated", "v1: documents"),
        ("/directories", "v2: directories"),
        ("/v1/indexes", "v2: indexes"),
        ("00000000-0000", "what is not there"),
    ] {
        let account = furnished().await;
        account
            .sim
            .fail_always(Matcher::containing(path), Fault::Status(418));
        let (findings, _) = probe(&account.sim).await;
        assert_eq!(verdict(&findings, part), Verdict::Broken, "{path}");
    }
    let account = furnished().await;
    account.sim.switches(|s| s.wrong_region = true);
    let (findings, _) = probe(&account.sim).await;
    assert_eq!(
        verdict(&findings, "one of the generations"),
        Verdict::Broken
    );
}
