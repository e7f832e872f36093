//! Every assumption about LlamaCloud holds of the simulated one, and is told from one that does not.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::IndexId;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use llamacloud::probe::{ASSUMPTIONS, Prober};
use llamacloud::{IndexApi, LlamaCloud};
use simulators::llamacloud::{LlamaCloudSim, Serving, Switches};
use simulators::{Fault, Matcher};
use upstream::probe::Verdict::{Broken, Held, Unknown};
use upstream::probe::{Finding, Notebook, Verdict, go_through};

use crate::subject::{account, config};

async fn probe(sim: &LlamaCloudSim) -> (Vec<Finding>, Arc<Notebook>) {
    let notebook = Arc::new(Notebook::new(20));
    let client = LlamaCloud::new(config(sim, IndexApi::Auto)).unwrap();
    let prober = Prober::new(client, Arc::clone(&notebook));
    (go_through(ASSUMPTIONS, &prober).await, notebook)
}

fn verdict(findings: &[Finding], part: &str) -> Verdict {
    let named = findings.iter().filter(|f| f.assumption.contains(part));
    let named: Vec<Verdict> = named.map(|finding| finding.verdict).collect();
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
    for finding in &findings {
        assert_eq!((finding.verdict, finding.remedy), (Held, ""), "{finding:?}");
    }
    assert_eq!(notebook.asked(), 8);
    assert_eq!(account.sim.request_count() - before, 8);
    let shapes = notebook.shapes().to_string();
    assert!(
        !shapes.contains("secretagent") && !shapes.contains("confluence-"),
        "{shapes}"
    );
    // The writes of an empty object made nothing.
    let (again, _) = probe(&account.sim).await;
    assert_eq!(again, findings);
}

/// An assumption, what makes the service break it, and of which others nothing can be seen then.
type Breaking = (&'static str, fn(&LlamaCloudSim), &'static [&'static str]);

const OF_DOCUMENTS: &str = "v1: documents are listed in pages, with their number";

const BREAKINGS: &[Breaking] = &[
    (
        "v1: pipelines come as an array",
        |sim| sim.fail_always("/v1/pipelines", Fault::Lacks(&["id"])),
        &[OF_DOCUMENTS],
    ),
    (
        OF_DOCUMENTS,
        |sim| sim.fail_always("/documents/paginated", Fault::Lacks(&["total_count"])),
        &[],
    ),
    (
        "v1: a write is refused for what is wrong with it",
        |sim| sim.switches(|s| s.v1 = Serving::ReadOnly),
        &[],
    ),
    (
        "v2: directories come as `items`",
        |sim| sim.fail_always("/beta/directories", Fault::Lacks(&["items"])),
        &[],
    ),
    (
        "v2: indexes come as `items`, each with an id",
        |sim| {
            let ids = Fault::Lacks(&["id", "export_config_id"]);
            sim.fail_always("/v1/indexes", ids);
        },
        &[],
    ),
    (
        "v2: a write is refused for what is wrong with it",
        |sim| sim.switches(|s| s.v2 = Serving::ReadOnly),
        &[],
    ),
    (
        "what is not there is 404",
        |sim| sim.fail_always(Matcher::containing("/00000000-"), Fault::Status(500)),
        &[],
    ),
    (
        "one of the generations is served",
        |sim| sim.switches(|s| s.wrong_region = true),
        &[
            "v1: pipelines come as an array",
            OF_DOCUMENTS,
            "v1: a write is refused for what is wrong with it",
            "v2: directories come as `items`",
            "v2: indexes come as `items`, each with an id",
            "v2: a write is refused for what is wrong with it",
            "what is not there is 404",
        ],
    ),
    (
        "limits are told, or refusals are bare",
        |sim| sim.fail_always("*", Fault::Header("X-RateLimit-Remaining", "3")),
        &[],
    ),
];

#[tokio::test]
async fn each_assumption_that_is_broken_is_told_with_its_remedy_and_no_other() {
    for (name, breaks, unseen) in BREAKINGS {
        let account = furnished().await;
        breaks(&account.sim);
        let (findings, _) = probe(&account.sim).await;
        for finding in &findings {
            let expected = match finding.assumption {
                of if of == *name => Broken,
                of if unseen.contains(&of) => Unknown,
                _ => Held,
            };
            assert_eq!(finding.verdict, expected, "{name}: {finding:?}");
        }
        let row = ASSUMPTIONS.iter().find(|row| row.name == *name).unwrap();
        let broken = findings.iter().find(|f| f.assumption == *name).unwrap();
        assert_eq!((broken.remedy, broken.rests), (row.remedy, row.rests));
        assert!(!broken.remedy.is_empty() && !broken.said.is_empty());
    }
    let tested: BTreeSet<&str> = BREAKINGS.iter().map(|(name, ..)| *name).collect();
    let all: BTreeSet<&str> = ASSUMPTIONS.iter().map(|row| row.name).collect();
    assert_eq!(tested, all);
}

#[tokio::test]
async fn what_is_refused_does_not_count_as_held() {
    type Switched = fn(&mut Switches);
    let refused: [(&str, Switched); 2] = [
        ("v1: pipelines", |s| s.v1 = Serving::Refused),
        ("v2: indexes", |s| s.v2 = Serving::Absent),
    ];
    for (part, breaks) in refused {
        let account = furnished().await;
        account.sim.switches(breaks);
        let (findings, _) = probe(&account.sim).await;
        assert_eq!(verdict(&findings, part), Unknown, "{part}");
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
        assert_eq!(verdict(&findings, part), Broken, "{path}");
    }
}
