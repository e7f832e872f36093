//! What versions of pages changed by heading.

use chrono::TimeDelta;
use domain::page::PageState;
use domain::ports::store::{QueryStore, SyncStore};
use domain::sections::{SectionChanges, SectionEdit};

use crate::bed::{Bed, body, ids, page};

fn edit(page: &str, version: i32, heading: &str) -> SectionEdit {
    SectionEdit {
        page_id: page.into(),
        version,
        changes: SectionChanges {
            edited: vec![heading.to_owned()],
            ..SectionChanges::default()
        },
    }
}

#[tokio::test]
async fn edits_are_read_by_time_and_the_newest_versions_stay() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let pages = ["1", "2"].map(|id| page(index, id, PageState::Searchable));
    let bodies = vec![body("1", 1), body("2", 1)];
    bed.store.save_pages(&pages, &[], bodies).await.unwrap();
    let began = bed.now() - TimeDelta::seconds(1);
    let note = async |edits: &[SectionEdit]| bed.store.note_section_edits(edits).await.unwrap();
    let since = async |after| {
        let pages = ids(&["1", "2", "3"]);
        let found = bed.store.section_edits(&pages, after).await.unwrap();
        found
            .into_iter()
            .map(|edit| (edit.page_id.to_string(), edit.version))
            .collect::<Vec<_>>()
    };
    note(&[edit("2", 2, "A"), edit("1", 3, "B"), edit("1", 2, "C")]).await;
    // Noted again, as after a kill: once.
    note(&[edit("1", 3, "B")]).await;
    let told = [("1", 2), ("1", 3), ("2", 2)].map(|(id, version)| (id.to_owned(), version));
    assert_eq!(since(began).await, told);

    bed.clock.advance(TimeDelta::days(1));
    let later = bed.now() - TimeDelta::seconds(1);
    for version in 4..=30 {
        note(&[edit("1", version, "D")]).await;
    }
    assert_eq!(since(later).await.len(), 20);
    assert_eq!(since(began).await.len(), 21);

    bed.store.prune(later).await.unwrap();
    let left = since(began).await;
    assert!(
        left.iter().all(|(id, version)| id == "1" && *version > 10),
        "{left:?}"
    );
    assert_eq!(left.len(), 20);
}

#[tokio::test]
async fn they_go_with_the_body_of_their_page() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let record = page(index, "1", PageState::Searchable);
    bed.store
        .save_pages(&[record], &[], vec![body("1", 1)])
        .await
        .unwrap();
    bed.store
        .note_section_edits(&[edit("1", 2, "A")])
        .await
        .unwrap();
    let began = bed.now() - TimeDelta::days(1);
    let left = async || {
        bed.store
            .section_edits(&ids(&["1"]), began)
            .await
            .unwrap()
            .len()
    };
    assert_eq!(left().await, 1);
    bed.save(&[page(index, "1", PageState::Removed)]).await;
    bed.store.prune(began).await.unwrap();
    assert_eq!(left().await, 0);
}
