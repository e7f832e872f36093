//! Prints how fast the store is on this machine: `cargo run --release -p metastore --example bench [PAGES]`; in an empty database of
//! one's own with `DATABASE_URL`.

use std::time::{Duration, Instant};

use domain::content::{ContentKind, ContentStatus, Restriction, SourcePage};
use domain::holding::{Change, HoldingChange, Outcome, Wanted};
use domain::index::{BackendKind, IndexSettings, RestrictedPages};
use domain::page::{CachedBody, CachedText, PageRecord, Standing};
use domain::ports::store::{AdminStore, NewIndex, OpenHolding, PageFilter, QueryStore, SyncStore};
use domain::{IndexId, PageId, SpaceId, WorkerId};
use metastore::{DatabaseUrl, Metastore, MetastoreOptions};

const BATCH: usize = 250;

type Ended = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Ended {
    let pages: usize = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 100_000,
    };
    let folder = tempfile::tempdir()?;
    let url = match std::env::var("DATABASE_URL") {
        Ok(url) => url.parse()?,
        Err(_) => DatabaseUrl::of_file(folder.path().join("bench.db")),
    };
    let store = Metastore::open(&url, MetastoreOptions::default())?;
    let index = store.create_index(&new_index()?).await?.id;
    println!("{pages} pages in batches of {BATCH}");
    println!("| what | per batch or call | rows/s | CPU per row | rows per CPU second |");
    println!("|---|---|---|---|---|");

    let mut saving = Laps::default();
    let records: Vec<PageRecord> = (0..pages).map(|n| record(index, n)).collect();
    for batch in records.chunks(BATCH) {
        let wanted: Vec<_> = batch.iter().map(wanted).collect();
        let bodies: Vec<_> = batch.iter().map(body).collect();
        let lap = Lap::now();
        store.save_pages(batch, &wanted, bodies).await?;
        saving.add(lap, batch.len());
    }
    saving.report("save_pages: rows, holdings, bodies of 12 kB");

    let mut again = Laps::default();
    for batch in records.chunks(BATCH) {
        let lap = Lap::now();
        store.save_pages(batch, &[], Vec::new()).await?;
        again.add(lap, batch.len());
    }
    again.report("save_pages: rows that were there, alone");

    settle(&store, index).await?;

    let mut reading = Laps::default();
    let mut unpacking = Laps::default();
    for batch in records.chunks(BATCH) {
        let ids: Vec<PageId> = batch.iter().map(|page| page.page_id.clone()).collect();
        let lap = Lap::now();
        assert_eq!(store.pages_by_id(index, &ids).await?.len(), ids.len());
        reading.add(lap, ids.len());
        let lap = Lap::now();
        assert_eq!(store.bodies(&ids).await?.len(), ids.len());
        unpacking.add(lap, ids.len());
    }
    reading.report("pages_by_id");
    unpacking.report("bodies, unpacked");

    let mut briefs = Laps::default();
    let lap = Lap::now();
    let all = store.briefs(index, &SpaceId::from("100")).await?;
    briefs.add(lap, all.len());
    briefs.report("briefs of one space");
    drop(all);

    let mut wanted = Laps::default();
    for batch in records.chunks(BATCH).take(40) {
        let titles: Vec<_> = batch
            .iter()
            .map(|page| (SpaceId::from("100"), page.facts.title.to_lowercase()))
            .collect();
        let lap = Lap::now();
        assert!(
            store
                .find_titles(&titles)
                .await?
                .iter()
                .all(Option::is_some)
        );
        wanted.add(lap, titles.len());
    }
    wanted.report("find_titles");

    let mut one = Laps::default();
    for _ in 0..20 {
        let lap = Lap::now();
        store.query_target(index).await?;
        one.add(lap, 1);
    }
    one.report("query_target");
    let mut list = Laps::default();
    for _ in 0..20 {
        let filter = PageFilter {
            title: Some("no such title".into()),
            ..PageFilter::default()
        };
        let lap = Lap::now();
        store.pages(index, &filter).await?;
        list.add(lap, 1);
    }
    list.report("pages by a part of a title that none has");
    let used = store.disk_use().await?;
    let mut deleting = Laps::default();
    let lap = Lap::now();
    store.delete_index(index).await?;
    deleting.add(lap, pages);
    deleting.report("delete_index");
    let mut pruning = Laps::default();
    let lap = Lap::now();
    store.prune(chrono::Utc::now()).await?;
    pruning.add(lap, pages);
    pruning.report("prune (all bodies)");

    println!();
    println!(
        "disk: {} MB in all, {} MB of it bodies ({} MB unpacked); peak memory {} MB, of which the records of this program about {} MB",
        used.database_bytes / 1_000_000,
        used.bodies_bytes / 1_000_000,
        pages * 12 / 1_000,
        peak_memory_mb(),
        pages * 700 / 1_000_000,
    );
    Ok(())
}

async fn settle(store: &Metastore, index: IndexId) -> Ended {
    let object = store.index_state(index).await?.serving;
    let worker = WorkerId::generate();
    let mut laps = [Laps::default(), Laps::default(), Laps::default()];
    loop {
        let due = store
            .holdings_due(object, chrono::Utc::now(), chrono::Utc::now(), BATCH)
            .await?;
        if due.is_empty() {
            break;
        }
        let sent = |row: &OpenHolding| row.holding.want().map(str::to_owned);
        let said = |row: &OpenHolding, outcome| Change::Outcome {
            worker,
            sent: sent(row),
            outcome,
        };
        let claim = |row: &OpenHolding| Change::Claim {
            worker,
            sent: sent(row),
        };
        let accepted = |row: &OpenHolding| said(row, Outcome::Accepted);
        let settled = |row: &OpenHolding| said(row, Outcome::Settled);
        let steps: [&dyn Fn(&OpenHolding) -> Change; 3] = [&claim, &accepted, &settled];
        for (step, laps) in steps.into_iter().zip(&mut laps) {
            let changes: Vec<HoldingChange> = due
                .iter()
                .map(|row| HoldingChange {
                    page_id: row.page_id.clone(),
                    kind: row.kind,
                    change: step(row),
                })
                .collect();
            let lap = Lap::now();
            store.change_holdings(object, &changes).await?;
            laps.add(lap, changes.len());
        }
    }
    for (laps, what) in laps.into_iter().zip(["claimed", "accepted", "settled"]) {
        laps.report(&format!("change_holdings: {what}"));
    }
    Ok(())
}

#[derive(Default)]
struct Laps {
    laps: Vec<Duration>,
    cpu: Duration,
    rows: usize,
}

/// The beginning of a measured call: the clock, and the processor time of this process.
struct Lap {
    at: Instant,
    cpu: Duration,
}

impl Lap {
    fn now() -> Self {
        Self {
            cpu: cpu_time(),
            at: Instant::now(),
        }
    }
}

/// Processor time of all threads so far (`/proc/self/schedstat` counts the main thread only, so each thread's is added);
/// zero where there is no `/proc`.
fn cpu_time() -> Duration {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let nanos = threads
        .filter_map(Result::ok)
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(nanos)
}

impl Laps {
    fn add(&mut self, since: Lap, rows: usize) {
        self.laps.push(since.at.elapsed());
        self.cpu += cpu_time().saturating_sub(since.cpu);
        self.rows += rows;
    }

    fn report(mut self, what: &str) {
        self.laps.sort_unstable();
        let total: Duration = self.laps.iter().sum();
        let at = |share: f64| {
            let place = (self.laps.len() as f64 * share) as usize;
            self.laps
                .get(place.min(self.laps.len().saturating_sub(1)))
                .copied()
                .unwrap_or_default()
        };
        let per_row = self.cpu.as_secs_f64() / self.rows as f64;
        println!(
            "| {what} | p50 {:.1} ms, p99 {:.1} ms | {:.0} | {:.1} µs | {:.0} |",
            at(0.5).as_secs_f64() * 1e3,
            at(0.99).as_secs_f64() * 1e3,
            self.rows as f64 / total.as_secs_f64(),
            per_row * 1e6,
            1.0 / per_row,
        );
    }
}

/// `VmHWM` of Linux; 0 elsewhere.
fn peak_memory_mb() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .map_or(0, |kb| kb / 1_000)
}

fn new_index() -> Result<NewIndex, domain::ids::InvalidAgentId> {
    Ok(NewIndex {
        settings: IndexSettings {
            name: "Bench".into(),
            agent_id: "bench".parse()?,
            confluence_spaces: vec!["ENG".into()],
            interval_minutes: 60,
            enabled: true,
            quiet_hours: None,
            backend: BackendKind::Local,
            include_blog_posts: false,
            include_comments: false,
            include_attachments: false,
            labels: Vec::new(),
            exclude_labels: Vec::new(),
            root_page_ids: Vec::new(),
            restricted_pages: RestrictedPages::Skip,
            access: domain::access::Access::default(),
        },
        spaces: Vec::new(),
    })
}

fn record(index: IndexId, n: usize) -> PageRecord {
    let now = chrono::Utc::now();
    // Ids as Confluence gives them: rising, with gaps.
    let source = SourcePage {
        id: (98_304 + n * 131).to_string().into(),
        kind: ContentKind::Page,
        status: ContentStatus::Current,
        title: format!("How we run service number {n} in production"),
        space_id: "100".into(),
        parent_id: Some((98_304 + n / 10 * 131).to_string().into()),
        parent_kind: Some(ContentKind::Page),
        version: 7,
        modified: now,
        author: None,
        url: format!("https://example.atlassian.net/wiki/spaces/ENG/pages/{n}/How+we+run+service"),
        body: None,
    };
    PageRecord {
        labels: vec!["runbook".into(), "team-a".into()],
        breadcrumb: vec!["Operations".into(), "Runbooks".into()],
        restriction: Restriction::Open,
        body_version: Some(7),
        markdown_hash: Some("a".repeat(64)),
        comments_hash: None,
        file: None,
        standing: Standing::Member,
        ..PageRecord::new(index, &source, now)
    }
}

fn wanted(page: &PageRecord) -> Wanted {
    page.wanted(Some("b".repeat(64)))
}

/// About 8 kB of markup and 4 kB of Markdown whose words vary, so that compression has no easy day.
fn body(page: &PageRecord) -> CachedBody {
    let mut seed = page.page_id.as_str().bytes().fold(17_u64, |hash, byte| {
        hash.wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(u64::from(byte))
    });
    let mut word = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        WORDS[(seed >> 40) as usize % WORDS.len()]
    };
    let (mut storage, mut markdown) = (String::new(), String::new());
    while markdown.len() < 4_000 {
        let words: Vec<&str> = (0..12).map(|_| word()).collect();
        let sentence = words.join(" ");
        storage.push_str(&format!(
            "<p><ac:structured-macro ac:name=\"info\" ac:schema-version=\"1\"/><strong>{sentence}</strong></p>"
        ));
        markdown.push_str(&format!("**{sentence}**\n\n"));
    }
    CachedBody {
        text: CachedText {
            page_id: page.page_id.clone(),
            kind: page.kind,
            version: page.facts.version,
            markdown_hash: "a".repeat(64),
            markdown,
            converter: 1,
        },
        storage,
        rendered: None,
    }
}

const WORDS: [&str; 32] = [
    "service",
    "restart",
    "the",
    "queue",
    "alert",
    "when",
    "database",
    "deploy",
    "is",
    "slow",
    "check",
    "page",
    "owner",
    "and",
    "logs",
    "of",
    "cluster",
    "node",
    "run",
    "script",
    "before",
    "release",
    "team",
    "after",
    "migration",
    "token",
    "expired",
    "certificate",
    "renew",
    "backup",
    "restore",
    "failed",
];
