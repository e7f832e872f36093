//! Many at once: nobody is told that the database is busy, and readers see whole transactions.

use domain::page::PageState;
use domain::ports::store::{AdminStore, PageFilter, QueryStore, SyncStore};

use crate::bed::{Bed, body, page};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_writers_and_their_readers_never_meet_a_busy_database() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    // A second handle writes too, as the command line beside a running service does: there only SQLite's own lock helps.
    let handles = [bed.store.clone(), bed.second()];
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..50 {
        let store = handles[usize::from(writer % 5 == 0)].clone();
        tasks.spawn(async move {
            for turn in 0..6 {
                // Two rows that are always written together.
                let pair = ["a", "b"].map(|half| {
                    let mut record = page(index, &format!("{writer}-{half}"), PageState::Pending);
                    record.attempts = turn;
                    record
                });
                let bodies = vec![body(&format!("{writer}-a"), turn)];
                store.save_pages(&pair, &[], bodies).await.unwrap();
            }
        });
        let store = handles[0].clone();
        tasks.spawn(async move {
            for _ in 0..6 {
                let listed = store
                    .pages(
                        index,
                        &PageFilter {
                            limit: 1_000,
                            ..PageFilter::default()
                        },
                    )
                    .await
                    .unwrap();
                for pair in listed.items.chunks(2) {
                    assert_eq!(
                        pair[0].record.attempts, pair[1].record.attempts,
                        "half of a transaction was seen"
                    );
                }
                store.index(index).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let listed = bed
        .store
        .pages(
            index,
            &PageFilter {
                limit: 1_000,
                ..PageFilter::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(listed.items.len(), 100);
    assert!(listed.items.iter().all(|page| page.record.attempts == 5));
}
