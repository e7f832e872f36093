//! However documents came in and went, the same is found.

use backend_conformance::samples::question;
use domain::IndexId;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::query::{Passage, RetrievalQuery};
use local_index::{LocalIndex, LocalIndexOptions};

use crate::support::Wiki;

#[tokio::test]
async fn answers_do_not_depend_on_how_the_pages_came_in() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        LocalIndex::open(folder.path().join(name), LocalIndexOptions::default()).unwrap()
    };
    let index = IndexId::generate();
    let mut wiki = Wiki::new(index, 24, 4, 7);
    let spec = StoreSpec {
        index,
        agent: "segments".parse().unwrap(),
    };

    let at_once = open("once.db");
    let once = at_once.ensure(&spec, None).await.unwrap();
    at_once.upsert(&once, &wiki.documents).await.unwrap();
    at_once.commit(&once).await.unwrap();

    // One by one, each edited before and some deleted in between and brought back.
    let by_steps = open("steps.db");
    let steps = by_steps.ensure(&spec, None).await.unwrap();
    for (number, document) in wiki.documents.iter().enumerate() {
        let mut draft = document.clone();
        draft.metadata.hash = format!("draft {number}");
        draft.text = "A draft that says zanzibar.".to_owned();
        by_steps.upsert(&steps, &[draft]).await.unwrap();
        if number % 3 == 0 {
            by_steps
                .delete(&steps, std::slice::from_ref(&document.id))
                .await
                .unwrap();
        }
        by_steps
            .upsert(&steps, std::slice::from_ref(document))
            .await
            .unwrap();
    }
    let zanzibar = question("zanzibar");
    assert_eq!(
        by_steps.search(&steps, &zanzibar).await.unwrap().passages,
        []
    );
    by_steps.commit(&steps).await.unwrap();
    assert_eq!(
        by_steps.search(&steps, &zanzibar).await.unwrap().passages,
        []
    );

    let plain = |passages: Vec<Passage>| -> Vec<(String, String)> {
        let told = passages
            .into_iter()
            .map(|passage| (format!("{:.2}", passage.score), passage.text));
        let mut told: Vec<_> = told.collect();
        told.sort();
        told
    };
    for item in wiki.questions(20) {
        let query = RetrievalQuery {
            top_k: 5,
            ..question(&item.question)
        };
        let (a, b) = (
            at_once.search(&once, &query).await.unwrap(),
            by_steps.search(&steps, &query).await.unwrap(),
        );
        assert_eq!(
            a.diagnostics.candidates, b.diagnostics.candidates,
            "{}",
            item.question
        );
        assert_eq!(plain(a.passages), plain(b.passages), "{}", item.question);
    }
}
