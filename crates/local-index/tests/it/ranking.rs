//! Pruning changes the time a search takes, never its answer.

use backend_conformance::samples::{Sample, question};
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::query::{Filters, RetrievalQuery};
use domain::{IndexId, SpaceKey};
use local_index::{LocalIndex, LocalIndexOptions, Ranking};

use crate::support::Wiki;

#[tokio::test]
async fn pruned_answers_are_those_of_the_plain_question() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let open = |ranking| {
        LocalIndex::open(
            &path,
            LocalIndexOptions {
                ranking,
                ..LocalIndexOptions::default()
            },
        )
        .unwrap()
    };
    let (pruned, exhaustive) = (open(Ranking::Pruned), open(Ranking::Exhaustive));
    let index = IndexId::generate();
    let mut wiki = Wiki::new(index, 150, 5, 7);
    let spec = StoreSpec {
        index,
        agent: "ranking".parse().unwrap(),
    };
    let remote = pruned.ensure(&spec, None).await.unwrap();
    pruned.upsert(&remote, &wiki.documents).await.unwrap();

    let in_space = Filters {
        space: Some(SpaceKey::from("S3")),
        ..Filters::default()
    };
    for (number, item) in wiki.questions(120).into_iter().enumerate() {
        let filters = if number % 3 == 0 {
            in_space.clone()
        } else {
            Filters::default()
        };
        let query = RetrievalQuery {
            text: item.question.clone(),
            top_k: 1 + (number as u32 % 12),
            filters,
        };
        let (ours, plain) = (
            pruned.search(&remote, &query).await.unwrap(),
            exhaustive.search(&remote, &query).await.unwrap(),
        );
        // Words in more than half of all chunks count for a few millionths, and may order what is otherwise equal.
        let close = ours
            .iter()
            .zip(&plain)
            .all(|(a, b)| (a.score - b.score).abs() < 1e-4);
        assert!(
            close && ours.len() == plain.len(),
            "{query:?}\n{ours:#?}\n{plain:#?}"
        );
    }
}

#[tokio::test]
async fn a_word_that_was_asked_for_in_vain_is_found_as_soon_as_a_page_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let local = LocalIndex::open(&path, LocalIndexOptions::default()).unwrap();
    let index = IndexId::generate();
    let wiki = Wiki::new(index, 300, 5, 7);
    let spec = StoreSpec {
        index,
        agent: "vain".parse().unwrap(),
    };
    let remote = local.ensure(&spec, None).await.unwrap();
    local.upsert(&remote, &wiki.documents).await.unwrap();
    let query = question("walrus tickets");
    assert_eq!(local.search(&remote, &query).await.unwrap(), []);
    // One page of hundreds: far too little for all that is known of the collection to be counted anew.
    for (number, page) in ["9001", "9002", "9003"].into_iter().enumerate() {
        let sample = Sample::new(page, "Zoo", "The walrus counts its tickets.");
        let document = sample.document(index);
        local.upsert(&remote, &[document]).await.unwrap();
        let found = local.search(&remote, &query).await.unwrap();
        assert_eq!(found.len(), number + 1);
    }
}
