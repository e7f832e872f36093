//! Whatever happens in whatever order, under faults: afterwards the store holds exactly the truth, each document once at its
//! newest revision. Rounds of random changes, as runs are, each tried until it is taken, as the uploader does.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use backend_conformance::samples::Sample;
use domain::DocumentId;
use domain::index::Remote;
use domain::ports::retrieval::{BackendError, ItemOutcome, RetrievalBackend, StoreSpec};
use llamacloud::IndexApi;
use simulators::llamacloud::{DuplicateId, IndexIds, NodeMetadata, Switches};
use simulators::{Fault, Matcher, RetryAfter};

use crate::subject::{Account, MS, account, index};

/// Seeds for each generation.
const SEEDS: u64 = 24;
/// Pages that changes are about.
const PAGES: u64 = 12;
/// Tries of one call: faults are random, so that one of these is spared.
const TRIES: usize = 60;

/// A small generator, so that a seed means the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

fn sample(page: u64, version: i32, text: &str) -> (String, String, i32) {
    let title = format!("Page {page}");
    (
        title,
        format!("Revision {version} of {page}. {text}"),
        version,
    )
}

/// Tries until the store takes it; gives up where no try can help.
async fn insist<T, F: Future<Output = Result<T, BackendError>>>(
    what: &str,
    mut call: impl FnMut() -> F,
) -> T {
    for _ in 0..TRIES {
        match call().await {
            Ok(done) => return done,
            Err(error) if error.disposition().is_passing() => tokio::time::sleep(MS).await,
            Err(error) => panic!("{what}: {error}"),
        }
    }
    panic!("{what} was not taken in {TRIES} tries");
}

async fn settle(
    account: &Account,
    remote: &Remote,
    uploads: &[DocumentId],
    deletes: &[DocumentId],
) {
    let mut open: BTreeSet<DocumentId> = uploads.iter().chain(deletes).cloned().collect();
    for _ in 0..1000 {
        let still = |ids: &[DocumentId]| -> Vec<DocumentId> {
            ids.iter().filter(|id| open.contains(id)).cloned().collect()
        };
        let (up, down) = (still(uploads), still(deletes));
        let report = insist("progress", || account.backend.progress(remote, &up, &down)).await;
        assert_eq!(report.failed, [], "nothing fails for good here");
        for id in report.searchable.iter().chain(&report.gone) {
            open.remove(id);
        }
        if open.is_empty() {
            return;
        }
        tokio::time::sleep(2 * MS).await;
    }
    panic!("not settled: {open:?}");
}

fn switches(dice: &mut Dice) -> Switches {
    Switches {
        needs_sync: dice.roll(2) == 0,
        not_started_for: 2 * MS,
        ingestion_takes: 5 * MS,
        deletion_takes: 5 * MS,
        index_sync_takes: 10 * MS,
        stale_ready_for: 3 * MS,
        sync_running_status: if dice.roll(2) == 0 { 409 } else { 429 },
        unknown_fields: true,
        unknown_enums: true,
        node_metadata: NodeMetadata::Metadata,
        index_ids: IndexIds::ByOperation,
        duplicate_unique_id: DuplicateId::SecondEntry,
        ..Switches::default()
    }
}

/// What the store finds, by page: version and text, as often as it is there.
fn held(account: &Account, spec: &StoreSpec) -> BTreeMap<String, Vec<i64>> {
    let metadata: Vec<serde_json::Value> = if account.api == IndexApi::V2 {
        let files = account.sim.indexed_files(&spec.name());
        files
            .into_iter()
            .map(|file| serde_json::to_value(file.metadata).unwrap())
            .collect()
    } else {
        let documents = account.sim.documents(&spec.name());
        documents
            .into_iter()
            .map(|d| serde_json::to_value(d.metadata).unwrap())
            .collect()
    };
    let mut held: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for one in metadata {
        let page = one["cf_page_id"].as_str().unwrap().to_owned();
        held.entry(page)
            .or_default()
            .push(one["cf_version"].as_i64().unwrap());
    }
    held
}

async fn rounds(api: IndexApi, seed: u64) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    let account = account(api, switches(&mut dice)).await;
    let (spec, remote) = index(&account).await;
    account.sim.seed_faults(seed);
    for fault in [
        Fault::Status(500),
        Fault::HtmlStatus(502),
        Fault::Reset,
        Fault::CutBody,
        Fault::CutJson,
        Fault::RateLimited(RetryAfter::Zero),
    ] {
        account.sim.fail_share(Matcher::any(), 0.04, fault);
    }
    let mut truth: BTreeMap<u64, i32> = BTreeMap::new();
    let mut version = 0;
    for _ in 0..6 {
        let (mut uploads, mut deletes) = (BTreeMap::new(), BTreeSet::new());
        for _ in 0..=dice.roll(4) {
            let page = 900 + dice.roll(PAGES);
            if uploads.contains_key(&page) || deletes.contains(&page) {
                continue;
            }
            if dice.roll(3) == 0 {
                truth.remove(&page);
                deletes.insert(page);
            } else {
                version += 1;
                truth.insert(page, version);
                uploads.insert(page, version);
            }
        }
        let documents: Vec<_> = uploads
            .iter()
            .map(|(page, version)| {
                let (title, text, version) = sample(*page, *version, "A lantern.");
                let sample = Sample {
                    version,
                    ..Sample::new("", &title, &text)
                };
                let id = page.to_string();
                Sample { id: &id, ..sample }.document(spec.index)
            })
            .collect();
        let ids: Vec<DocumentId> = documents.iter().map(|d| d.id.clone()).collect();
        let gone: Vec<DocumentId> = deletes
            .iter()
            .map(|page| Sample::new(&page.to_string(), "", "").document_id())
            .collect();
        if !documents.is_empty() {
            let taken = insist("upsert", || account.backend.upsert(&remote, &documents)).await;
            assert!(
                taken.iter().all(|one| *one == ItemOutcome::Accepted),
                "{taken:?}"
            );
        }
        if !gone.is_empty() {
            insist("delete", || account.backend.delete(&remote, &gone)).await;
        }
        insist("commit", || account.backend.commit(&remote)).await;
        settle(&account, &remote, &ids, &gone).await;
    }
    let expected: BTreeMap<String, Vec<i64>> = truth
        .iter()
        .map(|(page, version)| (page.to_string(), vec![i64::from(*version)]))
        .collect();
    assert_eq!(held(&account, &spec), expected, "{api:?}, seed {seed}");
    account.sim.clear_faults();
    let (listed, _) = account.backend.list(&remote, None).await.unwrap();
    assert_eq!(listed.len(), truth.len(), "{api:?}, seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelines_hold_the_truth_after_random_changes_and_faults() {
    for seed in 0..SEEDS {
        rounds(IndexApi::V1, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directories_hold_the_truth_after_random_changes_and_faults() {
    for seed in 0..SEEDS {
        rounds(IndexApi::V2, seed).await;
    }
}
