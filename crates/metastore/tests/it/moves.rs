//! A move keeps what the new object is to hold apart from what the old one holds, until one transaction exchanges them.

use domain::index::{BackendKind, IndexStatus, Remote};
use domain::moving::MoveState;
use domain::page::PageState;
use domain::ports::store::{AdminStore, MoveBegun, OutboxOp, OutboxOutcome, StoreError, SyncStore};
use domain::run::{RunKind, RunStatus};

use crate::bed::{Bed, end, entry, page};

fn remote(kind: &str, id: &str) -> Remote {
    Remote {
        kind: kind.to_owned(),
        id: id.to_owned(),
        name: "confluence-agent".to_owned(),
        extra: None,
    }
}

#[tokio::test]
async fn an_index_without_an_object_belongs_to_the_other_store_at_once() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let cloud = BackendKind::LlamaCloud;
    assert_eq!(
        bed.store.begin_move(index, cloud).await.unwrap(),
        MoveBegun::AtOnce
    );
    assert_eq!(
        bed.store.index(index).await.unwrap().settings.backend,
        cloud
    );
    // A run under way may be making an object, so then it is a move.
    let run = bed.running(index, RunKind::First).await;
    let begun = bed
        .store
        .begin_move(index, BackendKind::Local)
        .await
        .unwrap();
    assert_eq!(begun, MoveBegun::Recorded);
    let end = end(RunStatus::Succeeded, IndexStatus::Ok);
    bed.store.finish_run(run.run_id, &end).await.unwrap();
    // Settings never change the store.
    let mut settings = bed.store.index(index).await.unwrap().settings;
    settings.backend = BackendKind::Local;
    bed.store
        .update_index(index, &settings.into(), &[])
        .await
        .unwrap();
    assert_eq!(
        bed.store.index(index).await.unwrap().settings.backend,
        cloud
    );
}

#[tokio::test]
async fn the_new_object_takes_over_with_what_it_finds() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let (old, new) = (remote("local", "1"), remote("pipeline", "p"));
    bed.store.set_remote(index, Some(&old)).await.unwrap();
    let pages = [
        page(index, "1", PageState::Searchable),
        page(index, "2", PageState::Searchable),
        page(index, "3", PageState::Uploaded),
        page(index, "4", PageState::Vanishing),
        page(index, "5", PageState::Pending),
    ];
    let hash = |n: usize| format!("{n}").repeat(64);
    let old_rows = [
        entry(&pages[0], OutboxOp::Upsert, &hash(1)),
        entry(&pages[1], OutboxOp::Upsert, &hash(9)),
        entry(&pages[3], OutboxOp::Delete, ""),
    ];
    bed.store.save_pages(&pages, &old_rows, &[]).await.unwrap();

    let cloud = BackendKind::LlamaCloud;
    let wrong = bed.store.set_move_remote(index, cloud, &new).await;
    assert!(matches!(wrong, Err(StoreError::Conflict { .. })));
    bed.store.begin_move(index, cloud).await.unwrap();
    bed.store.set_move_remote(index, cloud, &new).await.unwrap();
    let rows: Vec<_> = (0..3)
        .map(|n| entry(&pages[n], OutboxOp::Upsert, &hash(n + 1)))
        .collect();
    bed.store.stage_move(&rows).await.unwrap();
    assert_eq!(
        bed.store.move_due(index, bed.now(), 10).await.unwrap(),
        rows
    );
    let outcomes = [
        (rows[0].clone(), OutboxOutcome::Accepted),
        (rows[1].clone(), OutboxOutcome::Settled),
        (
            rows[2].clone(),
            OutboxOutcome::Failed {
                reason: "odd".to_owned(),
                next_try: bed.now(),
            },
        ),
    ];
    bed.store.settle_move(&outcomes, bed.now()).await.unwrap();
    assert_eq!(bed.store.move_accepted(index, 10).await.unwrap().len(), 1);
    let settled = [(rows[0].clone(), OutboxOutcome::Settled)];
    bed.store.settle_move(&settled, bed.now()).await.unwrap();
    // An outcome of something that is no longer asked for changes nothing.
    let late = [(
        entry(&pages[1], OutboxOp::Upsert, &hash(8)),
        OutboxOutcome::Accepted,
    )];
    bed.store.settle_move(&late, bed.now()).await.unwrap();
    let counts = bed.store.move_counts(index).await.unwrap();
    assert_eq!(
        (
            counts.documents,
            counts.searchable,
            counts.failed,
            counts.open()
        ),
        (3, 2, 1, 0)
    );
    let states = bed
        .store
        .move_rows(index, &["1".into(), "3".into()])
        .await
        .unwrap();
    assert_eq!(
        (states[0].state, states[1].state),
        (MoveState::Searchable, MoveState::Failed)
    );
    // Until now the pages stand as they did.
    assert_eq!(bed.page(index, "1").await, pages[0]);
    let shown = bed.store.index(index).await.unwrap();
    let moving = shown.moving.unwrap();
    assert_eq!(
        (moving.documents, moving.searchable, moving.failed),
        (3, 2, 1)
    );
    assert_eq!((shown.remote, shown.document_count), (Some(old.clone()), 3));

    bed.store.complete_move(index, cloud, &new).await.unwrap();
    let shown = bed.store.index(index).await.unwrap();
    assert_eq!(
        (shown.settings.backend, shown.remote, shown.moving),
        (cloud, Some(new.clone()), None)
    );
    assert_eq!(shown.document_count, 2);
    let after: Vec<_> = {
        let mut all = Vec::new();
        for id in ["1", "2", "3", "4", "5"] {
            let page = bed.page(index, id).await;
            all.push((page.state, page.stored_hash));
        }
        all
    };
    assert_eq!(
        after,
        [
            (PageState::Searchable, Some(hash(1))),
            (PageState::Searchable, Some(hash(2))),
            (PageState::Failed, None),
            (PageState::Vanishing, None),
            (PageState::Pending, None),
        ]
    );
    assert_eq!(bed.page(index, "3").await.reason.as_deref(), Some("odd"));
    // What the new object holds already is not sent; what it does not, is; nothing is removed that never was there.
    let due = bed.due(index).await;
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].page_id.as_str(), &due[0].hash), ("2", &hash(9)));
    let tombstones = bed.store.tombstones_due(bed.now()).await.unwrap();
    assert_eq!(
        (
            tombstones.len(),
            &tombstones[0].remote,
            tombstones[0].backend
        ),
        (1, &old, BackendKind::Local)
    );
    let again = bed.store.complete_move(index, cloud, &new).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })));

    // Back into the very object that waits to be removed: it is in use again.
    bed.store
        .begin_move(index, BackendKind::Local)
        .await
        .unwrap();
    bed.store
        .set_move_remote(index, BackendKind::Local, &old)
        .await
        .unwrap();
    assert!(
        bed.store
            .tombstones_due(bed.now())
            .await
            .unwrap()
            .is_empty()
    );
    // Deleted in the middle: both objects are to be removed.
    bed.store.delete_index(index).await.unwrap();
    assert_eq!(bed.store.tombstones_due(bed.now()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_move_that_is_given_up_leaves_a_tombstone_unless_it_is_the_same_object() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let (old, new) = (remote("local", "1"), remote("pipeline", "p"));
    bed.store.set_remote(index, Some(&old)).await.unwrap();
    let (local, cloud) = (BackendKind::Local, BackendKind::LlamaCloud);
    bed.store.begin_move(index, local).await.unwrap();
    bed.store.set_move_remote(index, local, &old).await.unwrap();
    bed.store.abandon_move(index).await.unwrap();
    assert!(
        bed.store
            .tombstones_due(bed.now())
            .await
            .unwrap()
            .is_empty()
    );

    bed.store.begin_move(index, cloud).await.unwrap();
    bed.store.set_move_remote(index, cloud, &new).await.unwrap();
    let record = page(index, "1", PageState::Searchable);
    bed.save(std::slice::from_ref(&record)).await;
    let rows = [entry(&record, OutboxOp::Upsert, "h")];
    bed.store.stage_move(&rows).await.unwrap();
    // Asked for again it goes on; another object of the store begins anew.
    bed.store.begin_move(index, cloud).await.unwrap();
    bed.store.set_move_remote(index, cloud, &new).await.unwrap();
    assert_eq!(
        bed.store
            .move_rows(index, &["1".into()])
            .await
            .unwrap()
            .len(),
        1
    );
    let other = remote("pipeline", "q");
    bed.store
        .set_move_remote(index, cloud, &other)
        .await
        .unwrap();
    assert!(
        bed.store
            .move_rows(index, &["1".into()])
            .await
            .unwrap()
            .is_empty()
    );
    bed.store.abandon_move(index).await.unwrap();
    let tombstones = bed.store.tombstones_due(bed.now()).await.unwrap();
    assert_eq!((tombstones.len(), &tombstones[0].remote), (1, &other));
    assert_eq!(bed.store.index(index).await.unwrap().moving, None);
}
