//! Events, pruning, checkpoints, remembered values.

use chrono::TimeDelta;
use domain::event::{EventKind, NewEvent};
use domain::index::IndexStatus;
use domain::page::{PageRecord, PageState};
use domain::ports::source::Cursor;
use domain::ports::store::{AdminStore, OpenedRun, RunFilter, StoreError, SyncStore};
use domain::run::{RunKind, RunStatus};
use domain::{IndexId, PageId};
use metastore::{DatabaseUrl, Metastore, MetastoreOptions};

use crate::bed::{Bed, body, end, held, ids, page};

fn event(index: IndexId) -> NewEvent {
    NewEvent {
        kind: EventKind::IndexChanged,
        index_id: index,
        run_id: None,
        data: serde_json::json!({"id": index.to_string(), "n": 1.5, "text": "ä"}),
    }
}

#[tokio::test]
async fn event_numbers_rise_for_ever_also_after_everything_was_pruned() {
    let bed = Bed::new();
    let (a, b) = (IndexId::generate(), IndexId::generate());
    assert_eq!(bed.store.event_range().await.unwrap(), (0, 0));
    let mut last = 0;
    for index in [a, b, a] {
        let recorded = bed.store.append_event(&event(index)).await.unwrap();
        assert!(recorded.seq > last);
        assert_eq!((recorded.at, &recorded.event), (bed.now(), &event(index)));
        last = recorded.seq;
    }
    let of_a = bed.store.events_after(0, Some(a), 10).await.unwrap();
    assert_eq!(of_a.len(), 2);
    assert_eq!(
        bed.store
            .events_after(of_a[0].seq, None, 1)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(bed.store.event_range().await.unwrap(), (of_a[0].seq, last));

    bed.clock.advance(TimeDelta::days(100));
    bed.store
        .prune(bed.now() - TimeDelta::days(90))
        .await
        .unwrap();
    assert_eq!(bed.store.event_range().await.unwrap(), (0, 0));
    let next = bed.second().append_event(&event(a)).await.unwrap();
    assert!(next.seq > last, "{} after {last}", next.seq);
}

#[tokio::test]
async fn pruning_forgets_the_old_and_only_that() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let old = page(index, "1", PageState::Removed);
    let still_stored = PageRecord {
        holding: held("h"),
        ..page(index, "2", PageState::Removed)
    };
    let being_sent = PageRecord {
        page_id: "3".into(),
        ..still_stored.clone()
    };
    let alive = page(index, "4", PageState::Searchable);
    let bodies = ["1", "4", "orphan"].map(|id| body(id, 3));
    bed.save(&[old, still_stored, being_sent.clone(), alive])
        .await;
    bed.store
        .save_pages(&[], &[being_sent.wanted(None)], bodies.into())
        .await
        .unwrap();
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = bed.running(index, RunKind::Delta).await.run_id;
        bed.store
            .finish_run(run, &end(RunStatus::Succeeded, IndexStatus::Ok))
            .await
            .unwrap();
        runs.push(run);
    }
    bed.clock.advance(TimeDelta::days(10));
    let recent = PageRecord {
        changed_at: bed.now(),
        ..page(index, "5", PageState::Removed)
    };
    bed.save(&[recent]).await;
    let open = bed.running(index, RunKind::Sweep).await.run_id;

    bed.store
        .prune(bed.now() - TimeDelta::days(20))
        .await
        .unwrap();
    assert_eq!(
        bed.store
            .runs(&RunFilter::default())
            .await
            .unwrap()
            .items
            .len(),
        4,
        "nothing is old enough"
    );
    bed.store
        .prune(bed.now() - TimeDelta::days(5))
        .await
        .unwrap();
    let left = bed
        .store
        .pages_by_id(index, &ids(&["1", "2", "3", "4", "5"]))
        .await
        .unwrap();
    let left: Vec<_> = left.iter().map(|p| p.page_id.as_str()).collect();
    assert_eq!(left, ["2", "3", "4", "5"]);
    let cached = ids(&["1", "4", "orphan"]);
    let cached = bed.store.body_briefs(&cached).await.unwrap();
    let cached: Vec<_> = cached.iter().map(|body| body.page_id.as_str()).collect();
    assert_eq!(cached, ["4"]);
    let runs_left = bed.store.runs(&RunFilter::default()).await.unwrap().items;
    assert_eq!(
        runs_left.iter().map(|r| r.run_id).collect::<Vec<_>>(),
        [open]
    );
}

#[tokio::test]
async fn the_newest_run_of_an_index_is_never_pruned() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let run = bed.running(index, RunKind::First).await.run_id;
    bed.store
        .finish_run(run, &end(RunStatus::Succeeded, IndexStatus::Ok))
        .await
        .unwrap();
    bed.clock.advance(TimeDelta::days(1_000));
    bed.store.prune(bed.now()).await.unwrap();
    assert_eq!(
        bed.store
            .index(index)
            .await
            .unwrap()
            .last_run
            .unwrap()
            .run_id,
        run
    );
}

#[tokio::test]
async fn checkpoints_are_kept_per_walk() {
    let bed = Bed::new();
    let (index, other) = (bed.index("a").await.id, bed.index("b").await.id);
    let at = |text: &str| Cursor(text.to_owned());
    bed.store
        .set_checkpoint(index, "list", Some(&at("1")))
        .await
        .unwrap();
    bed.store
        .set_checkpoint(index, "list", Some(&at("2")))
        .await
        .unwrap();
    bed.store
        .set_checkpoint(index, "facts", Some(&at("3")))
        .await
        .unwrap();
    bed.store
        .set_checkpoint(other, "list", Some(&at("4")))
        .await
        .unwrap();
    assert_eq!(
        bed.second().checkpoint(index, "list").await.unwrap(),
        Some(at("2"))
    );
    bed.store.set_checkpoint(index, "list", None).await.unwrap();
    assert_eq!(bed.store.checkpoint(index, "list").await.unwrap(), None);
    assert_eq!(
        bed.store.checkpoint(index, "facts").await.unwrap(),
        Some(at("3"))
    );
    assert_eq!(
        bed.store.checkpoint(other, "list").await.unwrap(),
        Some(at("4"))
    );
    let nowhere = bed
        .store
        .set_checkpoint(IndexId::generate(), "list", Some(&at("5")))
        .await;
    assert!(matches!(nowhere, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn values_are_remembered() {
    let bed = Bed::new();
    assert_eq!(bed.store.remembered("site").await.unwrap(), None);
    bed.store.remember("site", "one").await.unwrap();
    bed.store.remember("site", "two").await.unwrap();
    assert_eq!(
        bed.second().remembered("site").await.unwrap().as_deref(),
        Some("two")
    );
    bed.store.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn housekeeping_lets_other_writers_in_between() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let other = bed.index("other").await.id;
    // Three slices of pages, more than one transaction takes.
    for batch in 0..6 {
        let pages: Vec<_> = (0..1_000)
            .map(|n| {
                page(
                    index,
                    &(batch * 1_000 + n).to_string(),
                    PageState::Searchable,
                )
            })
            .collect();
        bed.save(&pages).await;
    }
    bed.save(&[page(other, "1", PageState::Searchable)]).await;
    let deleting = tokio::spawn({
        let store = bed.store.clone();
        async move { store.delete_index(index).await }
    });
    let mut between = 0;
    while !deleting.is_finished() {
        bed.store
            .remember("turn", &between.to_string())
            .await
            .unwrap();
        let left = bed
            .store
            .index(index)
            .await
            .map_or(0, |index| index.document_count);
        between += usize::from(left > 0 && left < 6_000);
    }
    deleting.await.unwrap().unwrap();
    assert!(
        between > 0,
        "no writer came in while pages were being deleted"
    );
    assert!(matches!(
        bed.store.index(index).await,
        Err(StoreError::NotFound { .. })
    ));
    assert_eq!(bed.store.index(other).await.unwrap().document_count, 1);
}

/// The files beside the database's, or the schemas beside its own, that are copies of it.
fn copies_of(bed: &Bed) -> Vec<String> {
    if bed.store.file().is_none() {
        let ask = "SELECT nspname AS name, 1 AS number FROM pg_namespace \
                   WHERE nspname LIKE 'copy\\_' || left(md5(current_schema()::text), 8) || '\\_%'";
        let schemas = bed.database.numbers(ask);
        return schemas.into_iter().map(|(name, _)| name).collect();
    }
    let files = std::fs::read_dir(bed.folder()).unwrap().flatten();
    files
        .map(|file| file.path().display().to_string())
        .filter(|file| file.contains(".copy-"))
        .collect()
}

/// A dry run writes into a copy of its own, in which it is a real run.
#[tokio::test]
async fn a_rehearsal_changes_nothing_here_and_leaves_no_file() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let opened = bed.store.open_run(index, RunKind::Sweep, true, false);
    let OpenedRun::New(run) = opened.await.unwrap() else {
        panic!("no other run is open");
    };
    let copies = || copies_of(&bed);
    let copy = bed.store.rehearsal(run.id).await.unwrap();
    assert!(!copies().is_empty());
    #[cfg(unix)]
    for file in copies().iter().filter(|_| bed.store.file().is_some()) {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let real = copy.open_run_of(index).await.unwrap().unwrap();
    assert_eq!((real.id, real.dry_run), (run.id, false));
    let written = page(index, "1", PageState::Pending);
    copy.save_pages(&[written], &[], Vec::new()).await.unwrap();
    let id = [PageId::from("1")];
    assert_eq!(copy.pages_by_id(index, &id).await.unwrap().len(), 1);
    assert!(bed.store.pages_by_id(index, &id).await.unwrap().is_empty());
    let here = bed.store.open_run_of(index).await.unwrap().unwrap();
    assert!(here.dry_run);
    drop(copy);
    assert_eq!(copies(), [""; 0]);
}

#[tokio::test]
async fn copies_that_a_killed_process_left_go_with_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sync.db");
    let url = DatabaseUrl::of_file(file.clone());
    let left = folder.path().join("sync.db.copy-01a2");
    let other = folder.path().join("other.db.copy-01a2");
    for file in [&left, &other] {
        std::fs::write(file, b"left").unwrap();
    }
    let _engine = Metastore::open_locked(&url, MetastoreOptions::default()).unwrap();
    assert!(!left.exists() && other.exists());
}
