//! How much text is in memory at once: bounded in bytes, whatever pages, spaces and stores do, and nobody waits for ever (§7.8).

use std::time::Duration;

use actors::EngineSettings;
use domain::run::RunStatus;

use crate::bench::{self, Bench};
use crate::fakes::{FakeRetrieval, InFlight, SimulatedSource};

/// What the tests allow: three quarters for bodies, the rest for documents.
const MEMORY: usize = 256 << 10;
const BODIES: usize = MEMORY / 4 * 3;
const DOCUMENTS: usize = MEMORY / 4;

const SPACES: [&str; 5] = ["ENG", "OPS", "HR", "LAW", "ART"];

async fn bench() -> Bench {
    let settings = EngineSettings {
        text_memory: MEMORY,
        ..EngineSettings::default()
    };
    let bench = Bench::with(FakeRetrieval::immediate(), settings).await;
    for key in &SPACES[1..] {
        bench.site.space(key);
    }
    bench
        .site
        .with(|site| site.latency = Duration::from_millis(40));
    bench
        .shelf
        .with(|shelf| shelf.latency = Duration::from_millis(400));
    bench
}

/// A body of so many bytes.
fn body(bytes: usize) -> String {
    let filler = "word ".repeat(bytes / 5 + 1);
    format!("<p>{}</p>", &filler[..bytes - 7])
}

fn add(site: &SimulatedSource, pages: usize, bytes: usize) {
    for n in 0..pages {
        let space = SPACES[n % SPACES.len()];
        site.create_page(space, None, &format!("P{n} of {bytes}"), &body(bytes));
    }
}

#[test]
fn text_in_memory_is_bounded_in_bytes() {
    const BODY: usize = 3_000;
    bench::run(|| async {
        let bench = bench().await;
        add(&bench.site, 400, BODY);
        let counts = InFlight::of(&bench.store, BODY).await;
        bench.site.with(|site| site.in_flight = Some(counts));
        let index = bench.create(bench.index_settings("agent", &SPACES)).await;
        assert_eq!(bench.over(index.id).await.status, RunStatus::Succeeded);
        let most = |bench: &Bench| {
            let bodies = bench.site.with(|site| {
                let counts = site.in_flight.as_mut().unwrap();
                std::mem::take(&mut counts.most)
            });
            let documents = bench
                .shelf
                .with(|shelf| std::mem::take(&mut shelf.most_text));
            (bodies, documents)
        };
        // Much of it is used, and never more than all.
        let (bodies, documents) = most(&bench);
        assert!(
            (BODIES / 2..=BODIES).contains(&bodies),
            "{bodies} bytes of bodies"
        );
        assert!(
            (DOCUMENTS / 2..=DOCUMENTS).contains(&documents),
            "{documents} bytes of documents"
        );
        // Pages that come later are fetched by id.
        add(&bench.site, 300, BODY + 1);
        let counts = InFlight::of(&bench.store, BODY + 1).await;
        bench.site.with(|site| site.in_flight = Some(counts));
        let run = bench.delta(index.id).await;
        assert_eq!(
            (run.status, run.counts.fetched),
            (RunStatus::Succeeded, 300)
        );
        let (bodies, documents) = most(&bench);
        assert!(bodies <= BODIES, "{bodies} bytes of bodies");
        assert!(documents <= DOCUMENTS, "{documents} bytes of documents");
        bench.assert_true(index.id).await;
    });
}

#[test]
fn bodies_larger_than_all_of_it_pass_alone() {
    bench::run(|| async {
        let bench = bench().await;
        for round in 0..4 {
            add(&bench.site, 20, 2_000 + round);
            add(&bench.site, 5, 2 * MEMORY + round);
        }
        let first = bench.create(bench.index_settings("first", &SPACES)).await;
        let second = bench.create(bench.index_settings("second", &SPACES)).await;
        for index in [first.id, second.id] {
            let run = bench.over(index).await;
            assert_eq!(
                (run.status, run.counts.failed, run.counts.uploaded),
                (RunStatus::Succeeded, 0, 100),
                "{run:?}"
            );
        }
    });
}
