//! Pruning changes the time a search takes, never its answer.

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
