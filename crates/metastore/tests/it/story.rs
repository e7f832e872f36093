//! One index from its creation to its deletion, as engine and service drive it.

use chrono::TimeDelta;
use domain::event::{EventKind, NewEvent};
use domain::holding::Outcome;
use domain::index::{IndexStatus, Remote};
use domain::page::{PageState, Standing};
use domain::ports::source::Cursor;
use domain::ports::store::{
    AdminStore, OpenedRun, PageFilter, QueryStore, RunEnd, RunFilter, StoreError, SyncStore,
};
use domain::run::{Counts, Requests, RunKind, RunStatus};

use crate::bed::{Bed, body, claim, end, ids, page, progress_at, removal, said};

#[tokio::test(flavor = "multi_thread")]
async fn an_index_lives_syncs_changes_and_goes() {
    let bed = Bed::new();
    let store = &bed.store;

    // Created: new, and due at once.
    let index = bed.index("agent").await;
    assert_eq!(index.status, IndexStatus::New);
    assert_eq!(index.next_run_at, Some(bed.now()));
    assert_eq!(index.created_at, bed.now());
    assert_eq!(index.spaces.len(), 2);
    assert_eq!(store.index(index.id).await.unwrap(), index);
    let remote = Remote {
        kind: "local".into(),
        id: "r1".into(),
        name: "confluence-agent".into(),
        extra: Some("{\"a\":1}".into()),
    };
    let serving = bed.serving(index.id).await;
    store.set_remote(serving, &remote).await.unwrap();

    // First run: three pages with bodies and uploads.
    let run = bed.running(index.id, RunKind::First).await;
    assert_eq!(
        store.index(index.id).await.unwrap().status,
        IndexStatus::Syncing
    );
    let pages: Vec<_> = ["1", "2", "3"]
        .into_iter()
        .map(|id| domain::page::PageRecord {
            body_version: Some(3),
            seen_in_run: Some(run.run_id),
            standing: Standing::Member,
            ..page(index.id, id, PageState::Pending)
        })
        .collect();
    let hash = |page: &domain::page::PageRecord| format!("h{}", page.page_id);
    let wanted: Vec<_> = pages
        .iter()
        .map(|page| page.wanted(Some(hash(page))))
        .collect();
    let bodies = ["1", "2", "3"].map(|id| body(id, 3)).into();
    store.save_pages(&pages, &wanted, bodies).await.unwrap();
    let saved = store
        .pages_by_id(index.id, &ids(&["1", "2", "3", "9"]))
        .await
        .unwrap();
    assert_eq!(saved.len(), 3);
    for (saved, page) in saved.into_iter().zip(&pages) {
        assert_eq!(saved.holding.want(), Some(hash(page).as_str()));
        let holding = page.holding.clone();
        assert_eq!(domain::page::PageRecord { holding, ..saved }, *page);
    }
    assert_eq!(
        store.bodies(&ids(&["2", "9"])).await.unwrap(),
        [body("2", 3)]
    );
    let briefs = store.body_briefs(&ids(&["1", "9"])).await.unwrap();
    let versions: Vec<_> = briefs
        .iter()
        .map(|b| (b.page_id.as_str(), b.version))
        .collect();
    assert_eq!(versions, [("1", 3)]);
    let walk = Cursor("page-2".into());
    store
        .set_checkpoint(index.id, "list", Some(&walk))
        .await
        .unwrap();
    assert_eq!(
        store.checkpoint(index.id, "list").await.unwrap(),
        Some(walk)
    );

    // Uploaded, confirmed.
    assert_eq!(bed.due(index.id).await.len(), 3);
    for page in &pages {
        let sent = [claim(&hash(page)), said(&hash(page), Outcome::Accepted)];
        assert_eq!(bed.change(serving, page, &sent).await, [true; 2]);
    }
    assert!(bed.due(index.id).await.is_empty());
    assert_eq!(store.open_holdings(serving).await.unwrap().accepted, 3);
    assert_eq!(bed.page(index.id, "1").await.state(), PageState::Uploaded);
    assert_eq!(store.index(index.id).await.unwrap().document_count, 3);
    let accepted = store.holdings_accepted(serving, 10).await.unwrap();
    assert_eq!(accepted.len(), 3);
    for page in &pages {
        let found = said(&hash(page), Outcome::Settled);
        bed.change(serving, page, &[found]).await;
    }
    assert_eq!(
        store.open_holdings(serving).await.unwrap(),
        Default::default()
    );
    let found = store
        .page_by_title(index.id, &"ENG".into(), "PAGE 2")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.record.state(), found.space_key.as_str()),
        (PageState::Searchable, "ENG")
    );

    // The run ends; the index is well and knows its next run.
    bed.clock.advance(TimeDelta::minutes(1));
    let done = RunEnd {
        counts: Counts {
            seen: 3,
            searchable: 3,
            ..Counts::default()
        },
        requests: Requests {
            confluence: 4,
            store: 2,
        },
        progress: Some(progress_at(bed.now())),
        next_run_at: Some(bed.now() + TimeDelta::hours(1)),
        ..end(RunStatus::Succeeded, IndexStatus::Ok)
    };
    let run = store.finish_run(run.run_id, &done).await.unwrap();
    assert_eq!(
        (run.status, run.follow_up_run_id),
        (RunStatus::Succeeded, None)
    );
    assert_eq!(run.finished_at, Some(bed.now()));
    store.set_checkpoint(index.id, "list", None).await.unwrap();
    assert_eq!(store.checkpoint(index.id, "list").await.unwrap(), None);
    let state = store.index_state(index.id).await.unwrap();
    assert_eq!(state.index.last_run, Some(run.clone()));
    assert_eq!(state.index.status, IndexStatus::Ok);
    assert_eq!(state.index.next_run_at, done.next_run_at);
    assert_eq!(state.progress.synced_at, Some(bed.now()));
    assert_eq!(state.index.spaces[0].pages, 3);
    assert_eq!(store.index_states().await.unwrap(), [state]);

    // A page goes: hidden at once, then removed from the store.
    let mut gone = bed.page(index.id, "3").await;
    gone.standing = Standing::Hidden;
    gone.vanished_at = Some(bed.now());
    bed.store
        .save_pages(std::slice::from_ref(&gone), &[], Vec::new())
        .await
        .unwrap();
    assert_eq!(store.index(index.id).await.unwrap().document_count, 2);
    assert_eq!(store.stored_pages(index.id).await.unwrap(), 3);
    assert!(
        store
            .page_by_title(index.id, &"ENG".into(), "page 3")
            .await
            .unwrap()
            .is_none()
    );
    gone.standing = Standing::Gone;
    store
        .save_pages(
            std::slice::from_ref(&gone),
            &[gone.wanted(None)],
            Vec::new(),
        )
        .await
        .unwrap();
    assert_eq!(bed.page(index.id, "3").await.state(), PageState::Vanishing);
    assert_eq!(store.stored_pages(index.id).await.unwrap(), 2);
    let done = bed.change(serving, &gone, &removal(Outcome::Settled)).await;
    assert_eq!(done, [true; 2]);
    let removed = bed.page(index.id, "3").await;
    assert_eq!(removed.state(), PageState::Removed);
    assert!(!removed.holding.may_hold());
    assert_eq!(removed.changed_at, bed.now());
    let since = PageFilter {
        changed_after: Some(run.started_at.unwrap()),
        ..PageFilter::default()
    };
    let changes = store.pages(index.id, &since).await.unwrap();
    assert_eq!(
        changes
            .items
            .iter()
            .map(|p| p.record.page_id.as_str())
            .collect::<Vec<_>>(),
        ["3"]
    );

    // Events are numbered and found again.
    let event = NewEvent {
        kind: EventKind::RunFinished,
        index_id: index.id,
        run_id: Some(run.run_id),
        data: serde_json::json!({"status": "succeeded"}),
    };
    let first = store.append_event(&event).await.unwrap();
    let second = store.append_event(&event).await.unwrap();
    assert!(second.seq > first.seq);
    assert_eq!(
        store
            .events_after(first.seq, Some(index.id), 10)
            .await
            .unwrap(),
        [second]
    );

    // A dry run is listed but is not the last run.
    let OpenedRun::New(dry) = store
        .open_run(index.id, RunKind::Sweep, true, false)
        .await
        .unwrap()
    else {
        panic!("nothing was open");
    };
    store.start_run(dry.run_id).await.unwrap();
    store
        .finish_run(dry.run_id, &end(RunStatus::Succeeded, IndexStatus::Ok))
        .await
        .unwrap();
    assert_eq!(
        store
            .index(index.id)
            .await
            .unwrap()
            .last_run
            .unwrap()
            .run_id,
        run.run_id
    );
    let listed = store
        .runs(&RunFilter {
            limit: 10,
            ..RunFilter::default()
        })
        .await
        .unwrap();
    assert_eq!(
        listed.items.iter().map(|r| r.run_id).collect::<Vec<_>>(),
        [dry.run_id, run.run_id]
    );

    // Deleted: nothing is left but the object to be removed, and the agent id is free.
    store.delete_index(index.id).await.unwrap();
    assert!(matches!(
        store.index(index.id).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(
        store
            .pages_by_id(index.id, &ids(&["1"]))
            .await
            .unwrap()
            .is_empty()
    );
    let leaving = store.leaving_objects().await.unwrap();
    assert_eq!(leaving.len(), 1);
    assert_eq!(
        (leaving[0].index_id, &leaving[0].remote),
        (index.id, &Some(remote))
    );
    bed.index("agent").await;
    store.settle_leaving(leaving[0].id, None).await.unwrap();
    assert!(store.leaving_objects().await.unwrap().is_empty());
}
