//! A move is a second object with holdings of its own, until one transaction exchanges the two.

use domain::holding::{Change, Have, Holding, Outcome};
use domain::index::{BackendKind, IndexStatus, Remote};
use domain::page::{PageRecord, PageState, Standing};
use domain::ports::store::{AdminStore, MoveBegun, StoreError, SyncStore};
use domain::run::{RunKind, RunStatus};

use crate::bed::{Bed, claim, end, failed, held, holding, page, removal, said, want};

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
    let serving = bed.serving(index).await;
    bed.store.set_remote(serving, &old).await.unwrap();
    let hash = |n: usize| format!("{n}").repeat(64);
    let stored = |id: &str, n: usize, standing| PageRecord {
        standing,
        holding: held(&hash(n)),
        ..page(index, id, PageState::Pending)
    };
    let pages = [
        stored("1", 1, Standing::Member),
        // Edited, and not sent to the old object yet.
        stored("2", 2, Standing::Member),
        stored("3", 3, Standing::Member),
        stored("4", 4, Standing::Hidden),
        // On its way out of the old object.
        stored("5", 5, Standing::Skipped),
        // Never stored so far.
        page(index, "6", PageState::Pending),
        page(index, "7", PageState::Pending),
    ];
    bed.save(&pages).await;
    bed.change(serving, &pages[1], &[want(&hash(9))]).await;
    bed.change(serving, &pages[4], &[Change::Want(None)]).await;
    bed.change(serving, &pages[5], &[want(&hash(6))]).await;

    let cloud = BackendKind::LlamaCloud;
    bed.store.begin_move(index, cloud).await.unwrap();
    let filling = bed.store.index_state(index).await.unwrap().filling.unwrap();
    let unmade = bed.store.complete_move(index, filling).await;
    assert!(matches!(unmade, Err(StoreError::Conflict { .. })));
    bed.store.set_remote(filling, &new).await.unwrap();
    for (n, outcome) in [
        (1, Outcome::Accepted),
        (2, Outcome::Settled),
        (3, failed("odd", bed.now())),
    ] {
        let sent = hash(n);
        let changes = [want(&sent), claim(&sent), said(&sent, outcome)];
        let applied = bed.change(filling, &pages[n - 1], &changes).await;
        assert_eq!(applied, [true; 3]);
    }
    let accepted = bed.store.holdings_accepted(filling, 10).await.unwrap();
    assert_eq!(accepted.len(), 1);
    let found = said(&hash(1), Outcome::Settled);
    bed.change(filling, &pages[0], &[found]).await;
    let counts = bed.store.move_counts(filling).await.unwrap();
    assert_eq!(
        (
            counts.documents,
            counts.searchable,
            counts.failed,
            counts.failed_again,
            counts.open()
        ),
        (3, 2, 1, 0, 0)
    );
    // Sent once more it is under way, and then has failed twice.
    bed.change(filling, &pages[2], &[Change::TryAgain, claim(&hash(3))])
        .await;
    assert_eq!(bed.store.move_counts(filling).await.unwrap().open(), 1);
    let again = said(&hash(3), failed("odd", bed.now()));
    bed.change(filling, &pages[2], &[again]).await;
    let counts = bed.store.move_counts(filling).await.unwrap();
    assert_eq!((counts.failed, counts.failed_again), (0, 1));
    // Until now the pages stand as they did.
    assert_eq!(bed.page(index, "1").await, pages[0]);
    let shown = bed.store.index(index).await.unwrap();
    let moving = shown.moving.unwrap();
    assert_eq!(
        (moving.documents, moving.searchable, moving.failed),
        (3, 2, 1)
    );
    assert_eq!((shown.remote, shown.document_count), (Some(old.clone()), 3));

    bed.store.complete_move(index, filling).await.unwrap();
    let state = bed.store.index_state(index).await.unwrap();
    assert_eq!((state.serving, state.filling), (filling, None));
    let shown = state.index;
    assert_eq!(
        (shown.settings.backend, shown.remote, shown.moving),
        (cloud, Some(new.clone()), None)
    );
    assert_eq!(shown.document_count, 2);
    let edited = {
        let mut holding = held(&hash(2));
        holding.apply(&want(&hash(9)), bed.now());
        holding
    };
    for (id, state, expected) in [
        ("1", PageState::Searchable, Some(held(&hash(1)))),
        // What is wanted of the old object and was not sent yet is wanted of the new one.
        ("2", PageState::Pending, Some(edited)),
        ("3", PageState::Failed, None),
        ("4", PageState::Vanishing, Some(Holding::default())),
        ("5", PageState::Skipped, Some(Holding::default())),
        ("6", PageState::Pending, Some(holding([want(&hash(6))]))),
        ("7", PageState::Pending, Some(Holding::default())),
    ] {
        let page = bed.page(index, id).await;
        assert_eq!(page.state(), state, "{id}");
        if let Some(expected) = expected {
            assert_eq!(page.holding, expected, "{id}");
        }
    }
    let refused = bed.store.page(index, &"3".into()).await.unwrap().page();
    assert_eq!(
        (refused.reason.as_deref(), refused.attempts),
        (Some("odd"), 2)
    );
    bed.is_consistent(index).await;
    let leaving = bed.store.leaving_objects().await.unwrap();
    assert_eq!(
        (leaving.len(), &leaving[0].remote, leaving[0].backend),
        (1, &Some(old.clone()), BackendKind::Local)
    );
    let rows = bed.store.holdings(leaving[0].id, None, 9).await.unwrap();
    assert!(rows.is_empty(), "what it held goes with it");
    let again = bed.store.complete_move(index, filling).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })));

    // Back into the very object that waits to be removed: it is in use again.
    bed.store
        .begin_move(index, BackendKind::Local)
        .await
        .unwrap();
    let back = bed.store.index_state(index).await.unwrap().filling.unwrap();
    bed.store.set_remote(back, &old).await.unwrap();
    let leaving = bed.store.leaving_objects().await.unwrap();
    assert!(leaving.is_empty());
    // Deleted in the middle: both objects are to be removed.
    bed.store.delete_index(index).await.unwrap();
    let leaving = bed.store.leaving_objects().await.unwrap();
    assert_eq!(leaving.len(), 2);
}

#[tokio::test]
async fn an_index_that_fills_its_own_object_anew_leaves_nothing_to_remove() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let same = remote("local", "1");
    let serving = bed.serving(index).await;
    bed.store.set_remote(serving, &same).await.unwrap();
    let record = page(index, "1", PageState::Searchable);
    bed.save(std::slice::from_ref(&record)).await;
    let begin = async || {
        bed.store
            .begin_move(index, BackendKind::Local)
            .await
            .unwrap();
        let filling = bed.store.index_state(index).await.unwrap().filling.unwrap();
        bed.store.set_remote(filling, &same).await.unwrap();
        filling
    };
    let filling = begin().await;
    let sent = [want("n"), claim("n"), said("n", Outcome::Settled)];
    bed.change(filling, &record, &sent).await;
    bed.store.complete_move(index, filling).await.unwrap();
    assert_eq!(bed.page(index, "1").await.holding, held("n"));
    // Deleted while it does so again: one object is to be removed.
    begin().await;
    bed.store.delete_index(index).await.unwrap();
    let leaving = bed.store.leaving_objects().await.unwrap();
    assert_eq!((leaving.len(), &leaving[0].remote), (1, &Some(same)));
}

#[tokio::test]
async fn a_move_that_is_given_up_leaves_its_object_to_be_removed_unless_it_is_the_same() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let (old, new) = (remote("local", "1"), remote("pipeline", "p"));
    let serving = bed.serving(index).await;
    bed.store.set_remote(serving, &old).await.unwrap();
    let (local, cloud) = (BackendKind::Local, BackendKind::LlamaCloud);
    let filling = async || bed.store.index_state(index).await.unwrap().filling.unwrap();
    bed.store.begin_move(index, local).await.unwrap();
    let given_up = filling().await;
    bed.store.set_remote(given_up, &old).await.unwrap();
    bed.store.abandon_move(index).await.unwrap();
    let leaving = bed.store.leaving_objects().await.unwrap();
    assert!(leaving.is_empty());
    let late = bed.store.set_remote(given_up, &new).await;
    assert!(matches!(late, Err(StoreError::NotFound { .. })), "{late:?}");

    bed.store.begin_move(index, cloud).await.unwrap();
    let object = filling().await;
    bed.store.set_remote(object, &new).await.unwrap();
    let record = page(index, "1", PageState::Searchable);
    bed.save(std::slice::from_ref(&record)).await;
    let sent = [want("h"), claim("h"), said("h", Outcome::Settled)];
    bed.change(object, &record, &sent).await;
    // Asked for again it goes on; another object of the store holds nothing yet.
    bed.store.begin_move(index, cloud).await.unwrap();
    assert_eq!(filling().await, object);
    bed.store.set_remote(object, &new).await.unwrap();
    assert_eq!(bed.store.move_counts(object).await.unwrap().searchable, 1);
    let other = remote("pipeline", "q");
    bed.store.set_remote(object, &other).await.unwrap();
    let counts = bed.store.move_counts(object).await.unwrap();
    assert_eq!((counts.documents, counts.searchable), (1, 0));
    assert_eq!(
        bed.page(index, "1").await,
        record,
        "the one that answers is another matter"
    );
    bed.store.abandon_move(index).await.unwrap();
    let leaving = bed.store.leaving_objects().await.unwrap();
    assert_eq!(
        (leaving.len(), &leaving[0].remote),
        (1, &Some(other.clone()))
    );
    assert_eq!(bed.store.index(index).await.unwrap().moving, None);
    let late = bed.store.set_remote(object, &other).await;
    assert!(matches!(late, Err(StoreError::NotFound { .. })), "{late:?}");
}

#[tokio::test]
async fn another_object_than_before_holds_nothing() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let serving = bed.serving(index).await;
    let first = remote("pipeline", "p");
    bed.store.set_remote(serving, &first).await.unwrap();
    let pages: Vec<_> = (0..700)
        .map(|n| page(index, &n.to_string(), PageState::Searchable))
        .collect();
    bed.save(&pages).await;
    bed.change(serving, &pages[1], &[Change::Want(None)]).await;
    let leaving = removal(failed("locked", bed.now()));
    bed.change(serving, &pages[1], &leaving).await;
    // The same one, with something else remembered of it.
    let same = Remote {
        extra: Some("{}".into()),
        ..first
    };
    bed.store.set_remote(serving, &same).await.unwrap();
    assert_eq!(bed.store.index(index).await.unwrap().document_count, 699);
    bed.store
        .set_remote(serving, &remote("pipeline", "q"))
        .await
        .unwrap();
    let shown = bed.store.index(index).await.unwrap();
    assert_eq!(
        (shown.document_count, shown.remote),
        (0, Some(remote("pipeline", "q")))
    );
    assert_eq!(
        bed.due(index).await.len(),
        699,
        "nothing has to be decided again"
    );
    let page = bed.page(index, "0").await;
    assert_eq!(
        (page.state(), page.holding.have()),
        (PageState::Pending, &Have::None)
    );
    assert_eq!(bed.page(index, "1").await.holding, Holding::default());
    bed.is_consistent(index).await;
}
