//! The truth, at random: whatever happens to a site, after settling the index holds exactly what the rules say.

use domain::content::{ContentKind, ContentStatus};
use domain::ports::store::{AdminStore, SyncStore};
use domain::run::RunStatus;
use domain::{IndexId, RunId};

use crate::bench::{self, Bench};
use crate::fakes::retrieval::StoreFault;
use crate::fakes::{FakeRetrieval, Fault};

/// The title of the pages that nothing happens to.
const KEPT: &str = "Kept";

/// A small generator, so that a seed means the same for ever.
struct Luck(u64);

impl Luck {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % below.max(1)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.next(from.len())].clone())
    }
}

fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("MODEL_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    let from = std::env::var("MODEL_FROM")
        .ok()
        .and_then(|n| n.parse().ok());
    let from = from.unwrap_or(1);
    from..from + count.unwrap_or(40)
}

#[test]
fn after_settling_the_index_equals_the_truth() {
    for seed in seeds() {
        bench::run(move || async move {
            sequence(seed).await;
        });
    }
}

async fn sequence(seed: u64) {
    let mut luck = Luck(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let shelf = if luck.next(2) == 0 {
        FakeRetrieval::immediate()
    } else {
        FakeRetrieval::slow()
    };
    let settings = actors::EngineSettings {
        check_interval: std::time::Duration::from_secs(1800),
        ..actors::EngineSettings::default()
    };
    let mut bench = Bench::with(shelf, settings).await;
    bench.site.space("11", "OPS");
    bench.site.space("99", "ELSE");
    bench.site.with(|site| {
        site.search_names_folders = luck.next(2) == 0;
        site.facts_limit = 3 + luck.next(10);
    });
    // An empty listing concludes nothing, so each space keeps one page.
    for space in ["10", "11"] {
        bench.site.add(space, None, KEPT, "<p>kept</p>");
    }
    for _ in 0..8 + luck.next(25) {
        add(&bench, &mut luck);
    }
    let mut settings = bench.index_settings("agent", &["ENG", "OPS"]);
    settings.include_blog_posts = luck.next(3) == 0;
    // Runs are ordered here; scheduled ones come rarely between.
    settings.interval_minutes = luck.pick(&[60, 24 * 60]).unwrap();
    if luck.next(4) == 0 {
        settings.exclude_labels = vec!["l1".into()];
    }
    let index = bench.create(settings).await.id;
    if luck.next(3) > 0 {
        bench.over(index).await;
    }
    for _ in 0..luck.next(8) + 1 {
        for _ in 0..luck.next(6) {
            disturb(&bench, &mut luck);
        }
        for _ in 0..luck.next(3) {
            fault(&bench, &mut luck);
        }
        match luck.next(6) {
            0 => bench.restart().await,
            1 => bench.wait(luck.next(7200) as u64).await,
            2 => {
                let order = actors::SyncOrder {
                    full: Some(false),
                    dry_run: false,
                };
                let run = bench.engine.sync(index, order).await.unwrap();
                bench.wait(luck.next(4) as u64).await;
                if bench.store.request_cancel(run.id).await.is_ok() {
                    bench.engine.cancel(run.id).await.unwrap();
                }
            }
            3 => drop(bench.sweep(index).await),
            4 => drop(bench.order(index, Some(true)).await),
            _ => drop(bench.delta(index).await),
        }
    }
    settle(&bench, index, seed).await;
}

/// No more faults; sweeps until nothing is owed. The guard is answered as an administrator would who knows.
async fn settle(bench: &Bench, index: IndexId, seed: u64) {
    bench.site.heal();
    bench.site.with(|site| site.poison.clear());
    bench.shelf.with(|shelf| {
        shelf.faults.clear();
        shelf.fail_ingestion.clear();
    });
    bench.site.with(|site| {
        for page in site.pages.values_mut() {
            page.lags = false;
        }
    });
    let wanted = bench.truth(&bench.index(index).await.settings);
    bench
        .patch(index, |s| s.interval_minutes = 7 * 24 * 60)
        .await;
    let mut last = None;
    for _ in 0..6 {
        // Beyond every back-off of a page that failed once or twice.
        bench.wait(8 * 3600).await;
        bench.over(index).await;
        let run = bench.sweep(index).await;
        if run.status == RunStatus::NeedsConfirmation {
            accept(bench, run.id).await;
        }
        last = Some(run);
    }
    let run = last.unwrap();
    if bench.held() != wanted {
        bench.site.with(|site| {
            for page in site.pages.values() {
                let state = bench.names_of(page);
                eprintln!("{state}");
            }
        });
        for page in bench
            .store
            .pages_by_id(index, &bench.all_ids())
            .await
            .unwrap()
        {
            eprintln!(
                "{} {:?} {:?} parent {:?} {:?} {:?}",
                page.page_id,
                page.kind,
                page.state,
                page.facts.parent_id,
                page.restriction,
                page.reason
            );
        }
    }
    assert_eq!(run.status, RunStatus::Succeeded, "seed {seed}: {run:?}");
    assert_eq!(bench.held(), wanted, "seed {seed}");
    assert_eq!(
        (run.counts.uploaded, run.counts.fetched),
        (0, 0),
        "seed {seed}: at rest"
    );
}

async fn accept(bench: &Bench, run: RunId) {
    bench.store.answer_guard(run, true).await.unwrap();
}

fn ids(bench: &Bench, which: impl Fn(&crate::fakes::confluence::FakePage) -> bool) -> Vec<u64> {
    bench.site.with(|site| {
        let pages = site.pages.values().filter(|page| which(page));
        pages.map(|page| page.id).collect()
    })
}

fn add(bench: &Bench, luck: &mut Luck) {
    let space = luck.pick(&["10", "10", "11", "99"]).unwrap();
    let kind = luck
        .pick(&[
            ContentKind::Page,
            ContentKind::Page,
            ContentKind::Page,
            ContentKind::BlogPost,
            ContentKind::Container,
        ])
        .unwrap();
    let above = ids(bench, |page| {
        page.space == space
            && page.kind != ContentKind::BlogPost
            && page.status == ContentStatus::Current
            && page.title != KEPT
            && !page.hidden
    });
    let parent = (kind != ContentKind::BlogPost && luck.next(3) > 0)
        .then(|| luck.pick(&above))
        .flatten();
    let number = luck.next(100_000);
    let id = bench.site.add_kind(
        kind,
        space,
        parent,
        &format!("Title {number}"),
        &format!("<p>body {number}</p>"),
    );
    let lags = luck.next(4) == 0;
    let restricted = luck.next(8) == 0;
    let labelled = luck.next(4) == 0;
    bench.site.change(id, |page| {
        page.lags = lags;
        page.restricted = restricted;
        if labelled && kind != ContentKind::Container {
            page.labels = vec!["l1".into(), "b".into()];
        }
    });
}

/// Everything below a page, itself included.
fn tree(bench: &Bench, top: u64) -> Vec<u64> {
    bench.site.with(|site| {
        let below = |id: &u64| *id == top || site.ancestors(*id).contains(&top);
        site.pages.keys().copied().filter(below).collect()
    })
}

fn disturb(bench: &Bench, luck: &mut Luck) {
    let current = ids(bench, |page| {
        page.status == ContentStatus::Current
            && page.kind != ContentKind::Container
            && page.title != KEPT
    });
    let Some(id) = luck.pick(&current) else {
        return add(bench, luck);
    };
    match luck.next(14) {
        0..=2 => bench
            .site
            .edit(id, &format!("<p>edit {}</p>", luck.next(100_000))),
        3 => bench
            .site
            .rename(id, &format!("Renamed {}", luck.next(100_000))),
        4 => {
            // Within or between spaces; version and date stay. A page cannot stand below itself.
            let own = tree(bench, id);
            let space = luck.pick(&["10", "11", "99"]).unwrap();
            let kind = bench.site.with(|site| site.pages[&id].kind);
            let above = ids(bench, |page| {
                page.space == space
                    && page.kind != ContentKind::BlogPost
                    && page.status == ContentStatus::Current
                    && !page.hidden
                    && !own.contains(&page.id)
            });
            let parent = (kind == ContentKind::Page)
                .then(|| luck.pick(&above))
                .flatten();
            for moved in &own {
                bench
                    .site
                    .change(*moved, |page| page.space = space.to_owned());
            }
            bench.site.change(id, |page| page.parent = parent);
        }
        5 => {
            // The tree goes to the trash.
            for id in tree(bench, id) {
                bench
                    .site
                    .change(id, |page| page.status = ContentStatus::Trashed);
            }
        }
        6 => {
            for id in tree(bench, id) {
                bench
                    .site
                    .change(id, |page| page.status = ContentStatus::Archived);
            }
        }
        7 => {
            for id in tree(bench, id) {
                bench.site.purge(id);
            }
        }
        8 => {
            // Back from the trash, to the top of its space.
            let trashed = ids(bench, |page| {
                page.status != ContentStatus::Current && page.kind != ContentKind::Container
            });
            if let Some(id) = luck.pick(&trashed) {
                bench.site.change(id, |page| {
                    page.status = ContentStatus::Current;
                    page.parent = None;
                });
            }
        }
        9 => bench
            .site
            .change(id, |page| page.restricted = !page.restricted),
        10 => {
            // What the account does not see it sees nothing below, either.
            let (hidden, below_hidden) = bench.site.with(|site| {
                let above = site.ancestors(id);
                let below_hidden = above.iter().any(|id| site.pages[id].hidden);
                (!site.pages[&id].hidden, below_hidden)
            });
            if below_hidden {
                return;
            }
            for id in tree(bench, id) {
                bench.site.change(id, |page| page.hidden = hidden);
            }
        }
        11 => bench.site.change(id, |page| {
            page.labels = if page.labels.is_empty() {
                vec!["l1".into()]
            } else {
                Vec::new()
            };
        }),
        12 => bench.site.with(|site| {
            let space = site.spaces.get_mut("11").unwrap();
            space.visible = !space.visible;
        }),
        _ => add(bench, luck),
    }
}

fn fault(bench: &Bench, luck: &mut Luck) {
    let what = luck
        .pick(&[
            "list", "by ids", "facts", "one", "spaces", "whoami", "people",
        ])
        .unwrap();
    let fault = luck
        .pick(&[
            Fault::Unavailable,
            Fault::TooLarge,
            Fault::BadCursor,
            Fault::NotFound,
            Fault::Forbidden,
            Fault::RateLimited(5),
            Fault::Panic,
            Fault::Empty,
        ])
        .unwrap();
    match luck.next(4) {
        0 => {
            let fault = luck
                .pick(&[
                    StoreFault::Unavailable,
                    StoreFault::TooLarge,
                    StoreFault::LostAnswer,
                    StoreFault::Panic,
                ])
                .unwrap();
            bench.shelf.fail(1 + luck.next(3), fault);
        }
        1 => {
            let all = ids(bench, |_| true);
            if let Some(id) = luck.pick(&all) {
                bench.site.with(|site| site.poison.insert(id));
            }
        }
        _ => bench.site.fail(what, 1 + luck.next(4), fault),
    }
}
