//! Numbers that the database keeps as rows change are those that counting would give, whatever was done.

use std::collections::BTreeMap;

use domain::IndexId;
use domain::holding::{Change, Outcome};
use domain::index::{BackendKind, Remote};
use domain::page::PageState;
use domain::ports::store::{AdminStore, QueryStore, SyncStore};
use proptest::prelude::*;

use crate::bed::{Bed, body, claim, failed, page, removal, said, want};

/// Counts rows, on a connection of its own.
fn count(bed: &Bed, index: IndexId) -> (BTreeMap<String, i64>, (i64, i64)) {
    let documents = bed.database.numbers(&format!(
        "SELECT space_id AS name, count(*) AS number FROM synced_pages WHERE index_id = '{index}' AND document GROUP BY space_id",
    ));
    let bodies = bed.database.numbers(
        "SELECT 'number' AS name, count(*) AS number FROM bodies UNION ALL \
         SELECT 'bytes', COALESCE(sum(stored_bytes), 0) FROM bodies",
    );
    let bodies: BTreeMap<String, i64> = bodies.into_iter().collect();
    (
        documents.into_iter().collect(),
        (bodies["number"], bodies["bytes"]),
    )
}

async fn assert_counted(bed: &Bed, index: IndexId, after: &Step) {
    let (documents, bodies) = count(bed, index);
    let of = |space: &str| documents.get(space).copied().unwrap_or(0);
    let told = bed.store.index(index).await.unwrap();
    assert_eq!(
        told.document_count,
        documents.values().sum::<i64>(),
        "{after:?}"
    );
    for space in &told.spaces {
        let id = space.id.as_ref().unwrap();
        assert_eq!(space.pages, of(id.as_str()), "{after:?}");
    }
    let target = bed.store.query_target(index).await.unwrap();
    assert_eq!(
        target.document_count(),
        of("100") + of("200"),
        "only spaces of the index are in answers: {after:?}"
    );
    let used = bed.store.disk_use().await.unwrap();
    assert_eq!((used.bodies, used.bodies_bytes), bodies, "{after:?}");
}

#[derive(Clone, Debug)]
enum Step {
    /// A row is written whole, maybe in another space than before, with a body of this version.
    Save(u8, PageState, &'static str, i32),
    /// The store took it, found it, failed with it, or removed it.
    Settle(u8, bool, u8),
    /// Another object takes over with every second page.
    Move,
    /// What is old is forgotten.
    Prune,
}

fn step() -> impl Strategy<Value = Step> {
    let page = 0u8..6;
    let state = prop::sample::select(vec![
        PageState::Pending,
        PageState::Uploaded,
        PageState::Searchable,
        PageState::Failed,
        PageState::Vanishing,
        PageState::Removed,
        PageState::Skipped,
    ]);
    // The third is none of the index's.
    let space = prop::sample::select(vec!["100", "200", "300"]);
    prop_oneof![
        6 => (page.clone(), state, space, 1..4).prop_map(|(n, state, space, v)| Step::Save(n, state, space, v)),
        4 => (page, any::<bool>(), 0..3u8).prop_map(|(n, upsert, how)| Step::Settle(n, upsert, how)),
        1 => Just(Step::Move),
        1 => Just(Step::Prune),
    ]
}

async fn take(bed: &Bed, index: IndexId, step: &Step) {
    let store = &bed.store;
    match step {
        Step::Save(n, state, space, version) => {
            let mut row = page(index, &n.to_string(), *state);
            row.facts.space_id = (*space).into();
            let body = body(&n.to_string(), *version);
            store.save_pages(&[], &[], vec![body]).await.unwrap();
            bed.save(&[row]).await;
        }
        Step::Settle(n, upsert, how) => {
            let id = n.to_string().as_str().into();
            let Some(row) = store.pages_by_id(index, &[id]).await.unwrap().pop() else {
                return;
            };
            let outcome = match how {
                0 => Outcome::Accepted,
                1 => Outcome::Settled,
                _ => failed("odd", bed.now()),
            };
            let changes = if *upsert {
                vec![want("new"), claim("new"), said("new", outcome)]
            } else {
                let [sent, answered] = removal(outcome);
                vec![Change::Want(None), sent, answered]
            };
            let serving = bed.serving(index).await;
            bed.change(serving, &row, &changes).await;
        }
        Step::Move => {
            let remote = |id: &str| Remote {
                kind: "local".into(),
                id: id.into(),
                name: "confluence-agent".into(),
                extra: None,
            };
            let serving = bed.serving(index).await;
            store.set_remote(serving, &remote("old")).await.unwrap();
            let kind = BackendKind::LlamaCloud;
            store.begin_move(index, kind).await.unwrap();
            let state = store.index_state(index).await.unwrap();
            let filling = state.filling.unwrap();
            store.set_remote(filling, &remote("new")).await.unwrap();
            for n in (0..6).step_by(2) {
                let row = page(index, &n.to_string(), PageState::Searchable);
                let moved = [
                    want("moved"),
                    claim("moved"),
                    said("moved", Outcome::Settled),
                ];
                bed.change(filling, &row, &moved).await;
            }
            store.complete_move(index, filling).await.unwrap();
        }
        Step::Prune => {
            bed.clock.advance(chrono::TimeDelta::days(100));
            store.prune(bed.now()).await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn kept_numbers_are_those_of_the_rows(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::new();
            let (index, other) = (bed.index("agent").await.id, bed.index("other").await.id);
            let beside = Step::Save(0, PageState::Searchable, "100", 1);
            take(&bed, other, &beside).await;
            for step in &steps {
                take(&bed, index, step).await;
                assert_counted(&bed, index, step).await;
                assert_counted(&bed, other, step).await;
            }
            // A deleted index takes its numbers along, and nobody else's.
            bed.store.delete_index(index).await.unwrap();
            assert_counted(&bed, other, &Step::Prune).await;
            assert_eq!(count(&bed, index).0, BTreeMap::new());
        });
    }
}
