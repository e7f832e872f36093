//! What becomes of holdings, and of the words of their pages.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::PageId;
use domain::content::ContentKind;
use domain::holding::{Change, Flight, Have, Holding, HoldingChange, Outcome};
use domain::page::{PageRecord, PageState, Standing};
use domain::ports::store::{AdminStore, OpenCounts, SyncStore};
use proptest::prelude::*;

use crate::bed::{Bed, claim, failed, held, holding, noon, page, removal, said, want, worker};

/// Saves a page that stands so, changes its holding five minutes later; answers the page as it is then.
async fn after(standing: Standing, stored: bool, changes: &[Change]) -> PageRecord {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let record = PageRecord {
        standing,
        reason: Some("an old reason".into()),
        holding: if stored {
            held("old")
        } else {
            Holding::default()
        },
        ..page(index, "1", PageState::Pending)
    };
    bed.save(std::slice::from_ref(&record)).await;
    bed.clock.advance(TimeDelta::minutes(5));
    let object = bed.serving(index).await;
    let applied = bed.change(object, &record, changes).await;
    assert_eq!(applied, vec![true; changes.len()]);
    bed.is_consistent(index).await;
    bed.page(index, "1").await
}

#[tokio::test]
async fn an_arrival_moves_a_member_on_and_nobody_else() {
    use PageState::{Failed, Pending, Searchable, Skipped, Uploaded, Vanishing};
    for (outcome, reached) in [
        (Outcome::Accepted, Uploaded),
        (Outcome::Settled, Searchable),
    ] {
        for (standing, expected) in [
            (Standing::Member, reached),
            (Standing::Undecided, Pending),
            (Standing::Failed, Failed),
            // What is on its way out stays so; the store has it, and it will have to be removed.
            (Standing::Hidden, Vanishing),
            (Standing::Gone, Vanishing),
            (Standing::Skipped, Skipped),
        ] {
            for stored in [false, true] {
                let arrival = [want("new"), claim("new"), said("new", outcome.clone())];
                let after = after(standing, stored, &arrival).await;
                assert_eq!(after.state(), expected, "{standing:?} {outcome:?}");
                assert_eq!(after.holding.have(), &Have::Document("new".into()));
                assert_eq!(after.reason.as_deref(), Some("an old reason"));
            }
        }
    }
}

#[tokio::test]
async fn a_departure_removes_what_has_left_and_says_when() {
    use PageState::{Pending, Removed, Skipped, Vanishing};
    for (standing, expected) in [
        (Standing::Gone, Removed),
        (Standing::Skipped, Skipped),
        // It came back, and is still to be decided.
        (Standing::Undecided, Pending),
    ] {
        let mut changes = vec![Change::Want(None)];
        changes.extend(removal(Outcome::Settled));
        let after = after(standing, true, &changes).await;
        assert_eq!(
            (after.state(), &after.holding),
            (expected, &Holding::default())
        );
        let told = noon() + TimeDelta::minutes(5);
        assert_eq!(
            after.changed_at == told,
            expected == Removed,
            "{standing:?}"
        );
        assert_eq!(after.reason.as_deref(), Some("an old reason"));
    }
    // Only accepted: the store may still have it.
    let mut changes = vec![Change::Want(None)];
    changes.extend(removal(Outcome::Accepted));
    let after = after(Standing::Gone, true, &changes).await;
    assert_eq!(after.state(), Vanishing);
    assert!(after.holding.may_hold());
}

#[tokio::test]
async fn trouble_with_a_document_is_told_with_its_page() {
    let shown = async |standing, reason: Option<&str>, changes: Vec<Change>| {
        let bed = Bed::new();
        let index = bed.index("agent").await.id;
        let record = PageRecord {
            standing,
            reason: reason.map(str::to_owned),
            holding: held("old"),
            ..page(index, "1", PageState::Pending)
        };
        bed.save(std::slice::from_ref(&record)).await;
        let object = bed.serving(index).await;
        bed.change(object, &record, &changes).await;
        let page = bed.store.page(index, &"1".into()).await.unwrap().page();
        (page.state, page.reason, page.attempts, page.next_try_at)
    };
    let at = noon() + TimeDelta::minutes(9);
    let retry = || Outcome::Retry {
        reason: "store is down".into(),
        at,
    };
    let sent = |outcome| vec![want("new"), claim("new"), said("new", outcome)];
    assert_eq!(
        shown(Standing::Member, None, sent(retry())).await,
        (PageState::Pending, Some("store is down".into()), 0, None),
        "its row waits, and not a newer version of it"
    );
    assert_eq!(
        shown(Standing::Member, None, sent(failed("refused", at))).await,
        (PageState::Failed, Some("refused".into()), 1, Some(at))
    );
    // Why a page is skipped says more than why its removal waits; that the store keeps the document is said with it.
    let leaving = |outcome| {
        let mut changes = vec![Change::Want(None)];
        changes.extend(removal(outcome));
        changes
    };
    assert_eq!(
        shown(Standing::Skipped, Some("restricted"), leaving(retry())).await,
        (PageState::Skipped, Some("restricted".into()), 0, None)
    );
    let told = "restricted; its document is still in the store: no";
    assert_eq!(
        shown(
            Standing::Skipped,
            Some("restricted"),
            leaving(failed("no", at))
        )
        .await,
        (PageState::Skipped, Some(told.into()), 0, None)
    );
}

#[tokio::test]
async fn a_removal_that_failed_waits_and_is_told_until_it_is_done() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let record = page(index, "1", PageState::Vanishing);
    bed.save(std::slice::from_ref(&record)).await;
    let object = bed.serving(index).await;
    let at = bed.now() + TimeDelta::seconds(60);
    bed.change(object, &record, &[Change::Want(None)]).await;
    for _ in 0..2 {
        bed.change(object, &record, &removal(failed("locked", at)))
            .await;
    }
    assert!(bed.due(index).await.is_empty());
    assert_eq!(bed.store.next_holding_due(object).await.unwrap(), Some(at));
    let stuck = bed.store.stuck_removals(index).await.unwrap().unwrap();
    assert_eq!((stuck.documents, stuck.last_error.as_str()), (1, "locked"));
    bed.clock.advance(TimeDelta::seconds(60));
    let due = bed.due(index).await;
    assert_eq!(
        (due[0].holding.want(), due[0].holding.attempts()),
        (None, 2)
    );
    // Not in the run that it failed in.
    let in_this_run = bed.store.holdings_due(object, bed.now(), noon(), 9);
    assert!(in_this_run.await.unwrap().is_empty());
    bed.change(object, &record, &removal(Outcome::Settled))
        .await;
    assert_eq!(bed.store.stuck_removals(index).await.unwrap(), None);
    assert_eq!(bed.store.next_holding_due(object).await.unwrap(), None);
    assert!(
        bed.store
            .holdings(object, None, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_one_worker_has_claimed_another_passes_over_until_it_is_released() {
    let bed = Bed::new();
    let (index, other) = (bed.index("a").await.id, bed.index("b").await.id);
    let pages: Vec<_> = (0..4)
        .map(|n| page(index, &n.to_string(), PageState::Pending))
        .collect();
    let foreign = page(other, "0", PageState::Pending);
    let wanted: Vec<_> = pages
        .iter()
        .chain([&foreign])
        .map(|page| page.wanted(Some("h".into())))
        .collect();
    bed.save(&pages).await;
    bed.save(std::slice::from_ref(&foreign)).await;
    bed.store
        .save_pages(&[], &wanted, Vec::new())
        .await
        .unwrap();
    let object = bed.serving(index).await;
    for page in &pages[..3] {
        assert_eq!(bed.change(object, page, &[claim("h")]).await, [true]);
    }
    bed.change(bed.serving(other).await, &foreign, &[claim("h")])
        .await;
    let second = domain::WorkerId::generate();
    let claim_of_second = Change::Claim {
        worker: second,
        sent: Some("h".into()),
    };
    assert_eq!(
        bed.change(object, &pages[0], &[claim_of_second]).await,
        [false]
    );
    bed.change(object, &pages[2], &[said("h", Outcome::Accepted)])
        .await;
    let due = bed.due(index).await;
    assert_eq!(
        due.iter()
            .map(|row| row.page_id.as_str())
            .collect::<Vec<_>>(),
        ["3"]
    );
    let counts = async || {
        let OpenCounts {
            waiting,
            claimed,
            accepted,
            ..
        } = bed.store.open_holdings(object).await.unwrap();
        (waiting, claimed, accepted)
    };
    assert_eq!(counts().await, (1, 2, 1));
    assert_eq!(
        bed.store.release_claims(&[worker(), second]).await.unwrap(),
        0
    );
    assert_eq!(
        bed.store.release_claims(&[second]).await.unwrap(),
        3,
        "of every object"
    );
    assert_eq!(counts().await, (3, 0, 1));
    // Its answer, should it come after all, is nobody's; whether its request arrived is not known.
    assert_eq!(
        bed.change(object, &pages[0], &[said("h", Outcome::Settled)])
            .await,
        [false]
    );
    assert!(bed.page(index, "0").await.holding.in_doubt());
    bed.is_consistent(index).await;
}

#[tokio::test]
async fn rows_come_oldest_first_and_are_counted() {
    let bed = Bed::new();
    let (index, other) = (bed.index("agent").await.id, bed.index("other").await.id);
    let made = bed.now().timestamp();
    let object = bed.serving(index).await;
    let record = |id: &str| page(index, id, PageState::Pending);
    bed.change(object, &record("2"), &[want("h")]).await;
    bed.clock.advance(TimeDelta::minutes(5));
    bed.change(object, &record("1"), &[want("h")]).await;
    let later = Change::Postpone {
        until: bed.now() + TimeDelta::minutes(5),
        reason: "its newest version is still to be fetched".into(),
    };
    bed.change(object, &record("3"), &[want("h"), later]).await;
    bed.change(bed.serving(other).await, &record("9"), &[want("h")])
        .await;
    let due = bed.due(index).await;
    let order: Vec<_> = due.iter().map(|row| row.page_id.as_str()).collect();
    assert_eq!(order, ["2", "1"]);
    let one = bed
        .store
        .holdings_due(object, bed.now(), bed.now(), 1)
        .await
        .unwrap();
    assert_eq!(one.len(), 1);
    let counts = bed.store.open_holdings(object).await.unwrap();
    let all = OpenCounts {
        waiting: 3,
        claimed: 0,
        accepted: 0,
        oldest: made,
    };
    assert_eq!(counts, all);
    assert_eq!(
        bed.store.next_holding_due(object).await.unwrap(),
        Some(noon())
    );
    assert_eq!(
        bed.store.open_holdings(domain::ObjectId(99)).await.unwrap(),
        OpenCounts::default()
    );
}

#[tokio::test]
async fn what_is_wanted_goes_with_the_page_or_not_at_all() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let member = PageRecord {
        standing: Standing::Member,
        ..page(index, "1", PageState::Pending)
    };
    let wanted = [member.wanted(Some("h".into()))];
    bed.store
        .save_pages(std::slice::from_ref(&member), &wanted, Vec::new())
        .await
        .unwrap();
    let saved = bed.page(index, "1").await;
    assert_eq!(
        (saved.state(), &saved.holding),
        (PageState::Pending, &holding([want("h")]))
    );
    let nowhere = page(domain::IndexId::generate(), "2", PageState::Pending);
    let removed = [member.wanted(None)];
    let failed = bed.store.save_pages(&[nowhere], &removed, Vec::new()).await;
    failed.unwrap_err();
    assert_eq!(bed.page(index, "1").await, saved);
    // Saved again without a word about it, it keeps what it has.
    bed.store
        .save_pages(&[member], &[], Vec::new())
        .await
        .unwrap();
    assert_eq!(bed.page(index, "1").await, saved);
}

#[tokio::test]
async fn many_changes_of_different_kinds_are_applied_each_in_its_way() {
    let bed = Bed::new();
    let index = bed.index("a").await.id;
    let object = bed.serving(index).await;
    let mut pages: Vec<_> = (0..1_200)
        .map(|n| PageRecord {
            standing: Standing::Member,
            ..page(index, &n.to_string(), PageState::Pending)
        })
        .collect();
    pages[5].standing = Standing::Hidden;
    bed.store.save_pages(&pages, &[], Vec::new()).await.unwrap();
    let mut changes = Vec::new();
    for (n, page) in pages.iter().enumerate() {
        let hash = format!("h{n}");
        let outcome = match n {
            3 => failed("no", noon()),
            4 => Outcome::Retry {
                reason: "later".into(),
                at: noon(),
            },
            n if n % 2 == 0 => Outcome::Accepted,
            _ => Outcome::Settled,
        };
        for change in [want(&hash), claim(&hash), said(&hash, outcome)] {
            changes.push(HoldingChange {
                page_id: page.page_id.clone(),
                kind: ContentKind::Page,
                change,
            });
        }
    }
    let applied = bed.store.change_holdings(object, &changes).await.unwrap();
    assert!(applied.iter().all(|applied| *applied) && applied.len() == 3_600);
    for (id, state, have) in [
        ("0", PageState::Uploaded, Have::Document("h0".into())),
        ("3", PageState::Failed, Have::None),
        ("4", PageState::Pending, Have::None),
        ("5", PageState::Vanishing, Have::Document("h5".into())),
        ("1198", PageState::Uploaded, Have::Document("h1198".into())),
        (
            "1199",
            PageState::Searchable,
            Have::Document("h1199".into()),
        ),
    ] {
        let page = bed.page(index, id).await;
        assert_eq!((page.state(), page.holding.have()), (state, &have), "{id}");
    }
    let counts = bed.store.open_holdings(object).await.unwrap();
    assert_eq!(
        (counts.waiting, counts.claimed, counts.accepted),
        (2, 0, 599)
    );
    assert_eq!(bed.store.index(index).await.unwrap().document_count, 1_197);
    bed.is_consistent(index).await;
}

fn change() -> impl Strategy<Value = Change> {
    let hash = || prop::option::of((0u8..3).prop_map(|n| format!("h{n}")));
    let who = || prop_oneof![Just(worker()), Just(other_worker())];
    let outcome = prop_oneof![
        Just(Outcome::Accepted),
        Just(Outcome::Settled),
        Just(Outcome::Retry {
            reason: "r".into(),
            at: noon() + TimeDelta::hours(1)
        }),
        Just(failed("f", noon() + TimeDelta::hours(2))),
    ];
    prop_oneof![
        3 => hash().prop_map(Change::Want),
        3 => (who(), hash()).prop_map(|(worker, sent)| Change::Claim { worker, sent }),
        3 => (who(), hash(), outcome)
            .prop_map(|(worker, sent, outcome)| Change::Outcome { worker, sent, outcome }),
        1 => Just(Change::Rest),
        1 => Just(Change::Release),
        1 => Just(Change::TryNow),
        1 => Just(Change::TryAgain),
        1 => Just(Change::Lost),
        1 => prop::option::of(hash()).prop_map(Change::Listed),
        1 => Just(Change::Postpone { until: noon() + TimeDelta::hours(3), reason: "p".into() }),
    ]
}

fn other_worker() -> domain::WorkerId {
    "00000000-0000-7000-8000-000000000002".parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: rows are what the pure transitions make of them, and what the database keeps of pages
    /// follows from them.
    #[test]
    fn rows_are_what_the_transitions_make_of_them(changes in prop::collection::vec((0u8..3, change()), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::new();
            let index = bed.index("agent").await.id;
            let object = bed.serving(index).await;
            let standings = [Standing::Member, Standing::Gone, Standing::Undecided];
            let pages: Vec<_> = standings
                .into_iter()
                .enumerate()
                .map(|(n, standing)| PageRecord { standing, ..page(index, &n.to_string(), PageState::Pending) })
                .collect();
            bed.store.save_pages(&pages, &[], Vec::new()).await.unwrap();
            let mut model: BTreeMap<PageId, Holding> = BTreeMap::new();
            for some in changes.chunks(3) {
                let mut batch = Vec::new();
                let mut expected = Vec::new();
                for (which, change) in some {
                    let page = &pages[usize::from(*which)];
                    let holding = model.entry(page.page_id.clone()).or_default();
                    expected.push(holding.apply(change, bed.now()));
                    batch.push(HoldingChange { page_id: page.page_id.clone(), kind: page.kind, change: change.clone() });
                }
                assert_eq!(bed.store.change_holdings(object, &batch).await.unwrap(), expected);
                for (page, holding) in &model {
                    assert_eq!(&bed.page(index, page.as_str()).await.holding, holding);
                }
                bed.is_consistent(index).await;
                bed.clock.advance(TimeDelta::minutes(1));
            }
            model.retain(|_, holding| *holding != Holding::default());
            let rows = bed.store.holdings(object, None, 99).await.unwrap();
            assert_eq!(rows.len(), model.len(), "what is nothing has no row");
            let of = |flight: fn(&Flight) -> bool| {
                i64::try_from(model.values().filter(|holding| flight(holding.flight())).count()).unwrap()
            };
            let open = bed.store.open_holdings(object).await.unwrap();
            assert_eq!(open.claimed, of(|flight| matches!(flight, Flight::Claimed(_))));
            assert_eq!(open.accepted, of(|flight| matches!(flight, Flight::Accepted(_))));
        });
    }
}
