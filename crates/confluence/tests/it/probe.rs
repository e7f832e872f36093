//! Every assumption about a site holds of the simulated one, and is told from one that does not.

use std::sync::Arc;

use confluence::probe::{ASSUMPTIONS, Prober};
use simulators::confluence::{ConfluenceSim, Switches};
use simulators::{Fault, Matcher};
use upstream::probe::{Finding, NO_ANSWER, Notebook, Verdict, go_through};

use crate::simulated::{client, site, start};

/// What makes the service break an assumption.
type Switched = fn(&mut Switches);

async fn probe(sim: &ConfluenceSim) -> (Vec<Finding>, Arc<Notebook>) {
    let notebook = Arc::new(Notebook::new(60));
    let prober = Prober::new(client(sim).for_waiting(), Arc::clone(&notebook));
    (go_through(ASSUMPTIONS, &prober).await, notebook)
}

fn verdict(findings: &[Finding], part: &str) -> Verdict {
    let mut named = findings
        .iter()
        .filter(|finding| finding.assumption.contains(part));
    let found = named
        .next()
        .unwrap_or_else(|| panic!("no assumption says {part}"));
    assert!(named.next().is_none(), "{part} is said twice");
    found.verdict
}

#[tokio::test]
async fn all_that_can_be_seen_of_the_simulated_site_holds_within_the_budget() {
    let (site, _) = site();
    let sim = start(&site).await;
    let (findings, notebook) = probe(&sim).await;
    for finding in &findings {
        assert_ne!(finding.verdict, Verdict::Broken, "{finding:?}");
    }
    let unseen: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Unknown)
        .map(|finding| finding.assumption)
        .collect();
    // No space of it is renamed.
    assert_eq!(unseen, ["a renamed space is found by both of its keys"]);
    assert!(notebook.asked() <= 40, "{}", notebook.asked());
    assert_eq!(sim.requests().len() as u32, notebook.asked());
    let shapes = notebook.shapes().to_string();
    for secret in [
        "Salaries",
        "ENG",
        "Ada",
        "557058",
        "Body of page",
        "127.0.0.1",
        "runbook",
    ] {
        assert!(!shapes.contains(secret), "{secret}");
    }
}

/// The words of such an error name the page and its file, or the host; what is said goes into a public report.
#[tokio::test]
async fn why_no_answer_came_is_not_said() {
    let (site, _) = site();
    let sim = start(&site).await;
    sim.fail_always(Matcher::containing("/download"), Fault::Reset);
    let (findings, _) = probe(&sim).await;
    let of_files = findings
        .iter()
        .find(|finding| finding.assumption.contains("a file is where"))
        .unwrap();
    assert_eq!(of_files.verdict, Verdict::Unknown);
    assert_eq!(of_files.said, NO_ANSWER);
}

#[tokio::test]
async fn each_assumption_that_is_broken_is_told() {
    let (site, _) = site();
    let sim = start(&site).await;
    let broken: [(&str, Switched); 5] = [
        ("250 pages with their bodies", |s| s.missing_body = true),
        ("CQL takes 100 ids", |s| s.cql_cap = 20),
        ("CQL knows folder", |s| {
            s.cql_refuses.insert("slide");
        }),
        ("siteSearch", |s| {
            s.cql_refuses.insert("sitesearch");
        }),
        ("times in CQL", |s| s.cql_zone_minutes = 120),
    ];
    for (part, breaks) in broken {
        let sim = start(&site).await;
        sim.switches(breaks);
        let (findings, _) = probe(&sim).await;
        assert_eq!(verdict(&findings, part), Verdict::Broken, "{part}");
    }
    // Whatever refuses an endpoint as wrong: no assumption that rests on it counts as held.
    for (path, parts) in [
        ("/user/current", &["who we are", "people have names"][..]),
        (
            "/api/v2/pages",
            &[
                "250 pages with",
                "goes on by",
                "newest first",
                "by their ids",
                "CQL takes",
                "times in",
            ],
        ),
        ("/rest/api/search", &["`content.`", "siteSearch"]),
        ("-comments", &["lists of comments"]),
        ("/api/v2/attachments", &["a file is where"]),
        ("/download", &["a file is where"]),
        ("/users-bulk", &["people have names"]),
        ("/restriction/", &["what is no page"]),
        ("/api/v2/spaces", &["siteSearch", "renamed"]),
    ] {
        sim.clear_faults();
        sim.fail_always(Matcher::containing(path), Fault::Status(400));
        let (findings, _) = probe(&sim).await;
        for part in parts {
            assert_ne!(verdict(&findings, part), Verdict::Held, "{path}: {part}");
        }
    }
}
