//! What becomes of rows and their pages.

use chrono::TimeDelta;
use domain::page::{PageRecord, PageState};
use domain::ports::store::{
    AdminStore, OutboxEntry, OutboxOp, OutboxOutcome, OutboxState, SyncStore,
};
use proptest::prelude::*;

use crate::bed::{Bed, entry, noon, page};

/// Saves a page with a row and settles the row; answers the page as it is then.
async fn settled(state: PageState, op: OutboxOp, outcome: OutboxOutcome) -> PageRecord {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let record = PageRecord {
        reason: Some("an old reason".into()),
        ..page(index, "1", state)
    };
    let row = entry(&record, op, "new");
    bed.store
        .save_pages(&[record], std::slice::from_ref(&row), &[])
        .await
        .unwrap();
    bed.clock.advance(TimeDelta::minutes(5));
    bed.store
        .settle_outbox(&[(row, outcome)], bed.now())
        .await
        .unwrap();
    bed.page(index, "1").await
}

#[tokio::test]
async fn an_arrival_moves_a_page_on_unless_it_is_on_its_way_out() {
    use PageState::{Failed, Pending, Removed, Searchable, Skipped, Uploaded, Vanishing};
    for (outcome, reached) in [
        (OutboxOutcome::Accepted, Uploaded),
        (OutboxOutcome::Settled, Searchable),
    ] {
        for before in [Pending, Uploaded, Searchable, Failed] {
            let after = settled(before, OutboxOp::Upsert, outcome.clone()).await;
            assert_eq!(after.state, reached, "{before:?} {outcome:?}");
            assert_eq!(after.stored_hash.as_deref(), Some("new"));
            assert_eq!(
                (after.reason, after.attempts, after.next_try_at),
                (None, 0, None)
            );
        }
        for before in [Vanishing, Removed, Skipped] {
            let after = settled(before, OutboxOp::Upsert, outcome.clone()).await;
            assert_eq!(after.state, before, "{outcome:?}");
            assert_eq!(
                after.stored_hash.as_deref(),
                Some("new"),
                "the store has it, and it will have to be removed"
            );
            assert_eq!(after.reason.as_deref(), Some("an old reason"));
        }
    }
}

#[tokio::test]
async fn a_departure_removes_a_page_keeps_a_skipped_one_and_spares_one_that_came_back() {
    use PageState::{Pending, Removed, Searchable, Skipped, Vanishing};
    for (before, expected) in [
        (Vanishing, Removed),
        (Removed, Removed),
        (Searchable, Removed),
        (Skipped, Skipped),
        (Pending, Pending),
    ] {
        let after = settled(before, OutboxOp::Delete, OutboxOutcome::Settled).await;
        assert_eq!(
            (after.state, after.stored_hash),
            (expected, None),
            "{before:?}"
        );
        assert_eq!(after.changed_at, noon() + TimeDelta::minutes(5));
        assert_eq!(after.reason.as_deref(), Some("an old reason"));
    }
    // Only accepted: the store may still have it.
    let after = settled(Vanishing, OutboxOp::Delete, OutboxOutcome::Accepted).await;
    assert_eq!(after.state, Vanishing);
    assert!(after.stored_hash.is_some());
}

#[tokio::test]
async fn a_retry_keeps_the_state_and_shows_the_reason() {
    let at = noon() + TimeDelta::minutes(9);
    let retry = OutboxOutcome::Retry {
        reason: "store is down".into(),
        at,
    };
    let after = settled(PageState::Pending, OutboxOp::Upsert, retry.clone()).await;
    assert_eq!(after.state, PageState::Pending);
    assert_eq!(after.reason.as_deref(), Some("store is down"));
    assert_eq!(
        (after.attempts, after.next_try_at),
        (0, None),
        "its row waits, and not a newer version of it"
    );
    // Why a page is skipped says more than why its removal waits.
    let after = settled(PageState::Skipped, OutboxOp::Delete, retry).await;
    assert_eq!(after.reason.as_deref(), Some("an old reason"));
}

#[tokio::test]
async fn a_retry_sends_an_accepted_row_again() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let record = page(index, "1", PageState::Pending);
    let row = entry(&record, OutboxOp::Upsert, "h");
    bed.store
        .save_pages(&[record], std::slice::from_ref(&row), &[])
        .await
        .unwrap();
    let settle = async |outcome| {
        bed.store
            .settle_outbox(&[(row.clone(), outcome)], bed.now())
            .await
            .unwrap()
    };
    settle(OutboxOutcome::Accepted).await;
    let accepted = bed.store.outbox_accepted(index, 10).await.unwrap();
    assert_eq!(accepted[0].state, OutboxState::Accepted { at: bed.now() });
    let at = bed.now() + TimeDelta::seconds(30);
    settle(OutboxOutcome::Retry {
        reason: "not found there".into(),
        at,
    })
    .await;
    assert!(bed.due(index).await.is_empty(), "not yet due");
    assert_eq!(bed.store.outbox_next_due(index).await.unwrap(), Some(at));
    bed.clock.advance(TimeDelta::seconds(30));
    let again = bed.due(index).await;
    assert_eq!(
        (again[0].attempts, again[0].last_error.as_deref()),
        (0, Some("not found there"))
    );
}

#[tokio::test]
async fn a_failure_ends_the_row_and_forgets_what_the_store_did_not_keep() {
    let failed = OutboxOutcome::Failed {
        reason: "refused".into(),
        next_try: noon(),
    };
    let after = settled(PageState::Searchable, OutboxOp::Upsert, failed.clone()).await;
    assert_eq!((after.state, after.attempts), (PageState::Failed, 1));
    assert_eq!(after.reason.as_deref(), Some("refused"));
    assert_eq!(
        after.stored_hash,
        Some("s".repeat(64)),
        "the old document is still there"
    );
    assert_eq!(after.next_try_at, Some(noon()));

    // Accepted first, then not found: a retry must store it again, a removal must still ask the store.
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let record = page(index, "1", PageState::Pending);
    let row = entry(&record, OutboxOp::Upsert, "h");
    bed.store
        .save_pages(&[record], std::slice::from_ref(&row), &[])
        .await
        .unwrap();
    for outcome in [OutboxOutcome::Accepted, failed] {
        bed.store
            .settle_outbox(&[(row.clone(), outcome)], bed.now())
            .await
            .unwrap();
    }
    let after = bed.page(index, "1").await;
    assert_eq!(
        (after.state, after.stored_hash.as_deref()),
        (PageState::Failed, Some(""))
    );
    assert_eq!(
        bed.store.outbox_counts(index).await.unwrap(),
        Default::default()
    );
}

#[tokio::test]
async fn a_removal_that_failed_waits_and_its_page_says_so_until_it_is_done() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let record = domain::page::PageRecord {
        reason: Some("restricted".into()),
        ..page(index, "1", PageState::Skipped)
    };
    let row = entry(&record, OutboxOp::Delete, "");
    bed.store
        .save_pages(&[record], std::slice::from_ref(&row), &[])
        .await
        .unwrap();
    let at = bed.now() + TimeDelta::seconds(60);
    let failed = OutboxOutcome::Failed {
        reason: "no".into(),
        next_try: at,
    };
    for outcome in [OutboxOutcome::Accepted, failed.clone(), failed] {
        bed.store
            .settle_outbox(&[(row.clone(), outcome)], bed.now())
            .await
            .unwrap();
    }
    assert!(bed.due(index).await.is_empty());
    let after = bed.page(index, "1").await;
    assert_eq!(
        (after.state, after.reason.as_deref(), after.next_try_at),
        (
            PageState::Skipped,
            Some("restricted; its document is still in the store: no"),
            None
        )
    );
    bed.clock.advance(TimeDelta::seconds(60));
    let due = bed.due(index).await;
    assert_eq!((due[0].op, due[0].attempts), (OutboxOp::Delete, 2));
    let done = [(row, OutboxOutcome::Settled)];
    bed.store.settle_outbox(&done, bed.now()).await.unwrap();
    let after = bed.page(index, "1").await;
    assert_eq!(after.reason.as_deref(), Some("restricted"));
    assert_eq!(bed.store.outbox_next_due(index).await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_to_an_older_row_changes_nothing() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let record = page(index, "1", PageState::Pending);
    let old = entry(&record, OutboxOp::Upsert, "old");
    let new = entry(&record, OutboxOp::Upsert, "new");
    bed.store
        .save_pages(
            std::slice::from_ref(&record),
            std::slice::from_ref(&old),
            &[],
        )
        .await
        .unwrap();
    bed.store
        .save_pages(&[], std::slice::from_ref(&new), &[])
        .await
        .unwrap();
    let other_op = OutboxEntry {
        op: OutboxOp::Delete,
        ..new.clone()
    };
    for stale in [old, other_op] {
        for outcome in [
            OutboxOutcome::Accepted,
            OutboxOutcome::Settled,
            OutboxOutcome::Retry {
                reason: "x".into(),
                at: noon(),
            },
            OutboxOutcome::Failed {
                reason: "x".into(),
                next_try: noon(),
            },
        ] {
            bed.store
                .settle_outbox(&[(stale.clone(), outcome)], bed.now())
                .await
                .unwrap();
        }
    }
    assert_eq!(bed.due(index).await, [new]);
    assert_eq!(bed.page(index, "1").await, record);
}

#[tokio::test]
async fn rows_come_oldest_first_and_are_counted() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let other = bed.index("other").await.id;
    let made = bed.now().timestamp();
    let row = |id: &str, minutes: i64| OutboxEntry {
        next_attempt_at: noon() + TimeDelta::minutes(minutes),
        ..entry(&page(index, id, PageState::Pending), OutboxOp::Upsert, "h")
    };
    let foreign = entry(&page(other, "1", PageState::Pending), OutboxOp::Upsert, "h");
    bed.store
        .save_pages(&[], &[row("1", 0), row("2", -5), row("3", 5), foreign], &[])
        .await
        .unwrap();
    let order: Vec<_> = bed
        .due(index)
        .await
        .into_iter()
        .map(|e| e.page_id.to_string())
        .collect();
    assert_eq!(order, ["2", "1"]);
    assert_eq!(
        bed.store
            .outbox_due(index, bed.now(), 1)
            .await
            .unwrap()
            .len(),
        1
    );
    let counts = bed.store.outbox_counts(index).await.unwrap();
    assert_eq!(
        (counts.waiting, counts.accepted, counts.oldest),
        (3, 0, made)
    );
    assert_eq!(
        bed.store.outbox_next_due(index).await.unwrap(),
        Some(noon() - TimeDelta::minutes(5))
    );
}

#[derive(Clone, Debug)]
enum Step {
    Save { page: u8, op: bool, hash: u8 },
    Settle { which: u8, outcome: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0u8..3, any::<bool>(), 0u8..3).prop_map(|(page, op, hash)| Step::Save { page, op, hash }),
        (any::<u8>(), 0u8..4).prop_map(|(which, outcome)| Step::Settle { which, outcome }),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order of edits and answers: a page's row is its newest edit until an answer to that very one ends it.
    #[test]
    fn the_newest_intent_wins(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::new();
            let index = bed.index("agent").await.id;
            let mut sent: Vec<OutboxEntry> = Vec::new();
            let mut model: std::collections::BTreeMap<String, (OutboxOp, String)> = Default::default();
            for step in steps {
                match step {
                    Step::Save { page: id, op, hash } => {
                        let record = page(index, &id.to_string(), PageState::Pending);
                        let (op, hash) = if op {
                            (OutboxOp::Upsert, format!("h{hash}"))
                        } else {
                            (OutboxOp::Delete, String::new())
                        };
                        let row = entry(&record, op, &hash);
                        bed.store.save_pages(&[record], std::slice::from_ref(&row), &[]).await.unwrap();
                        model.insert(id.to_string(), (op, hash));
                        sent.push(row);
                    }
                    Step::Settle { which, outcome } if !sent.is_empty() => {
                        let row = sent[which as usize % sent.len()].clone();
                        let outcome = match outcome {
                            0 => OutboxOutcome::Accepted,
                            1 => OutboxOutcome::Settled,
                            2 => OutboxOutcome::Retry { reason: "r".into(), at: noon() },
                            _ => OutboxOutcome::Failed { reason: "f".into(), next_try: noon() },
                        };
                        // What has left must not stay: such a row ends only when it is done.
                        let ends = match outcome {
                            OutboxOutcome::Settled => true,
                            OutboxOutcome::Failed { .. } => row.op == OutboxOp::Upsert,
                            _ => false,
                        };
                        let id = row.page_id.to_string();
                        if ends && model.get(&id) == Some(&(row.op, row.hash.clone())) {
                            model.remove(&id);
                        }
                        bed.store.settle_outbox(&[(row, outcome)], bed.now()).await.unwrap();
                    }
                    Step::Settle { .. } => {}
                }
            }
            let mut left = bed.due(index).await;
            left.extend(bed.store.outbox_accepted(index, 100).await.unwrap());
            let left: std::collections::BTreeMap<String, (OutboxOp, String)> =
                left.into_iter().map(|row| (row.page_id.to_string(), (row.op, row.hash))).collect();
            assert_eq!(left, model);
        });
    }
}

#[tokio::test]
async fn many_outcomes_of_different_kinds_are_applied_each_in_its_way() {
    let bed = Bed::new();
    let (index, other) = (bed.index("a").await.id, bed.index("b").await.id);
    let mut pages: Vec<_> = (0..1_200)
        .map(|n| page(index, &n.to_string(), PageState::Pending))
        .collect();
    pages[5].state = PageState::Vanishing;
    pages.push(page(other, "0", PageState::Pending));
    let rows: Vec<_> = pages
        .iter()
        .map(|page| entry(page, OutboxOp::Upsert, &format!("h{}", page.page_id)))
        .collect();
    bed.store.save_pages(&pages, &rows, &[]).await.unwrap();
    let outcomes: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(n, row)| {
            let outcome = match n {
                3 => OutboxOutcome::Failed {
                    reason: "no".into(),
                    next_try: noon(),
                },
                4 => OutboxOutcome::Retry {
                    reason: "later".into(),
                    at: noon(),
                },
                n if n % 2 == 0 => OutboxOutcome::Accepted,
                _ => OutboxOutcome::Settled,
            };
            (row.clone(), outcome)
        })
        .collect();
    bed.store.settle_outbox(&outcomes, bed.now()).await.unwrap();
    for (id, state, hash) in [
        ("0", PageState::Uploaded, Some("h0")),
        ("3", PageState::Failed, None),
        ("4", PageState::Pending, None),
        ("5", PageState::Vanishing, Some("h5")),
        ("1198", PageState::Uploaded, Some("h1198")),
        ("1199", PageState::Searchable, Some("h1199")),
    ] {
        let page = bed.page(index, id).await;
        assert_eq!(
            (page.state, page.stored_hash.as_deref()),
            (state, hash),
            "{id}"
        );
    }
    assert_eq!(bed.page(other, "0").await.state, PageState::Uploaded);
    let counts = bed.store.outbox_counts(index).await.unwrap();
    assert_eq!((counts.waiting, counts.accepted), (1, 599));
    assert_eq!(bed.store.index(index).await.unwrap().document_count, 1_197);
}

#[tokio::test]
async fn several_outcomes_of_one_page_are_applied_in_their_order() {
    let bed = Bed::new();
    let index = bed.index("a").await.id;
    let record = page(index, "1", PageState::Pending);
    let row = entry(&record, OutboxOp::Upsert, "h");
    bed.store
        .save_pages(&[record], std::slice::from_ref(&row), &[])
        .await
        .unwrap();
    let outcomes = [
        (
            row.clone(),
            OutboxOutcome::Retry {
                reason: "later".into(),
                at: noon(),
            },
        ),
        (row.clone(), OutboxOutcome::Accepted),
        (row.clone(), OutboxOutcome::Settled),
        (
            row,
            OutboxOutcome::Failed {
                reason: "too late".into(),
                next_try: noon(),
            },
        ),
    ];
    bed.store.settle_outbox(&outcomes, bed.now()).await.unwrap();
    let page = bed.page(index, "1").await;
    assert_eq!((page.state, page.reason), (PageState::Searchable, None));
}
