//! However documents came in and went, the same is found.

use std::collections::BTreeSet;
use std::sync::Arc;

use backend_conformance::samples::{Sample, question};
use chrono::TimeDelta;
use domain::access::{self, Guards, Restricted, UnknownPeople, ViewFacts};
use domain::document::Document;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::query::{Passage, Readable, RetrievalQuery};
use domain::{IndexId, PageId, SpaceKey, Timestamp};
use local_index::{LocalIndex, LocalIndexOptions, Place};

use crate::hits;
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

#[tokio::test]
async fn a_document_that_comes_twice_in_a_batch_is_there_as_it_came_last() {
    let index = LocalIndex::open(Place::Memory, LocalIndexOptions::default()).unwrap();
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "twice".parse().unwrap(),
    };
    let remote = index.ensure(&spec, None).await.unwrap();
    let page = |id: &str, text: &str| Sample::new(id, "Lantern", text).document(spec.index);
    let twice = [page("1", "About a walrus."), page("1", "About a narwhal.")];
    index.upsert(&remote, &twice).await.unwrap();
    // Merged with what comes behind it.
    for id in ["2", "3", "4", "5"] {
        let other = page(id, "About a door.");
        index.upsert(&remote, &[other]).await.unwrap();
    }
    index.commit(&remote).await.unwrap();
    assert_eq!(hits(&index, &remote, "walrus").await, 0);
    assert_eq!(hits(&index, &remote, "narwhal").await, 1);
    assert_eq!(hits(&index, &remote, "door").await, 4);
}

#[tokio::test]
async fn what_is_left_is_found_behind_many_that_are_gone() {
    let index = LocalIndex::open(Place::Memory, LocalIndexOptions::default()).unwrap();
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "gone".parse().unwrap(),
    };
    let remote = index.ensure(&spec, None).await.unwrap();
    let pages = |ids: std::ops::Range<u32>, text: &str| -> Vec<_> {
        ids.map(|id| Sample::new(&id.to_string(), "Page", text).document(spec.index))
            .collect()
    };
    // Those that are deleted say more of it than those that stay, and are more than are looked at in the first place.
    let short = pages(0..60, "A lantern.");
    let long = pages(
        100..103,
        "A lantern hangs above the door of the house, and it is lit in the evening.",
    );
    index.upsert(&remote, &short).await.unwrap();
    index.upsert(&remote, &long).await.unwrap();
    let ids: Vec<_> = short.iter().map(|document| document.id.clone()).collect();
    index.delete(&remote, &ids).await.unwrap();
    let found = index.search(&remote, &question("lantern")).await.unwrap();
    assert_eq!(found.passages.len(), 3);
    assert_eq!(found.diagnostics.candidates, Some(3));
}

#[tokio::test]
async fn who_may_read_less_is_answered_as_by_an_index_of_that() {
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "people".parse().unwrap(),
    };
    let mut wiki = Wiki::new(spec.index, 40, 3, 11);
    let page_of = |document: &Document| document.id.page().unwrap().1;
    let hidden: Vec<PageId> = wiki.documents.iter().step_by(3).map(page_of).collect();
    let guarded = hidden.iter().map(|page| (page.clone(), Guards::Unknown));
    let facts = ViewFacts {
        restricted: Arc::new(Restricted::new(Vec::new(), guarded)),
        ..ViewFacts::default()
    };
    let view = access::view(
        &facts,
        Timestamp::UNIX_EPOCH,
        TimeDelta::hours(1),
        UnknownPeople::default(),
    );
    let spaces: BTreeSet<SpaceKey> = ["S0", "S1", "S3"].map(SpaceKey::from).into();
    let may_read = |document: &&Document| {
        spaces.contains(&document.metadata.space) && !hidden.contains(&page_of(document))
    };
    let of = async |documents: &[Document]| {
        let index = LocalIndex::open(Place::Memory, LocalIndexOptions::default()).unwrap();
        let remote = index.ensure(&spec, None).await.unwrap();
        for some in documents.chunks(7) {
            index.upsert(&remote, some).await.unwrap();
        }
        (index, remote)
    };
    let (all, remote_of_all) = of(&wiki.documents).await;
    let readable: Vec<Document> = wiki.documents.iter().filter(may_read).cloned().collect();
    assert!(readable.len() > 10);
    let (own, remote_of_own) = of(&readable).await;
    let mut unknown = 0;
    for item in wiki.questions(60) {
        // With a letter too much in one word, and a word that may stand in hidden pages only.
        let text = item.question.replacen("ea", "eaa", 1);
        let mut query = RetrievalQuery {
            top_k: 8,
            ..question(&text)
        };
        let expected = own.search(&remote_of_own, &query).await.unwrap();
        query.filters.readable = Some(Readable {
            spaces: spaces.clone(),
            all_spaces: 5,
            hidden: Arc::clone(view.hidden()),
        });
        let found = all.search(&remote_of_all, &query).await.unwrap();
        unknown += found.diagnostics.unknown_words.len();
        assert_eq!(found, expected, "{text}");
    }
    assert!(unknown > 5);
}
