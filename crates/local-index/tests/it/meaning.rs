//! Passages found by what they mean, over the simulated endpoint.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backend_conformance::samples::{Sample, question};
use domain::IndexId;
use domain::index::Remote;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec, VectorsHealth};
use domain::query::{Found, Meaning, RetrievalQuery};
use embeddings::{Embeddings, EmbeddingsConfig};
use local_index::{LocalIndex, LocalIndexOptions, Place};
use simulators::Fault;
use simulators::embeddings::EmbeddingsSim;
use tokio::task::JoinHandle;

const PATH: &str = "/v1/embeddings";

async fn sim() -> EmbeddingsSim {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    EmbeddingsSim::builder()
        .model("other")
        .start()
        .await
        .unwrap()
}

/// An index with an endpoint, and what fills it, once it is let.
struct Meaningful {
    index: LocalIndex,
    filling: Option<JoinHandle<()>>,
}

impl Drop for Meaningful {
    fn drop(&mut self) {
        if let Some(filling) = &self.filling {
            filling.abort();
        }
    }
}

impl Meaningful {
    fn open(place: Place, sim: &EmbeddingsSim, model: &str) -> Self {
        let config = EmbeddingsConfig {
            max_requests_per_second: 1_000,
            ..EmbeddingsConfig::new(sim.url().parse().unwrap(), model)
        };
        let client = Embeddings::new(&config).unwrap();
        let index = LocalIndex::open(place, LocalIndexOptions::default()).unwrap();
        Self {
            index: index.with_embedder(Arc::new(client)),
            filling: None,
        }
    }

    fn in_memory(sim: &EmbeddingsSim) -> Self {
        Self::open(Place::Memory, sim, EmbeddingsSim::MODEL)
    }

    async fn collection(&self, agent: &str) -> (StoreSpec, Remote) {
        let spec = StoreSpec {
            index: IndexId::generate(),
            agent: agent.parse().unwrap(),
        };
        let remote = self.index.ensure(&spec, None).await.unwrap();
        (spec, remote)
    }

    async fn put(&self, (spec, remote): &(StoreSpec, Remote), samples: &[Sample<'_>]) {
        let documents: Vec<_> = samples
            .iter()
            .map(|sample| sample.document(spec.index))
            .collect();
        self.index.upsert(remote, &documents).await.unwrap();
    }

    /// Lets it fill until so many passages have their vector and none waits.
    async fn filled(&mut self, embedded: u64) -> VectorsHealth {
        if self.filling.is_none() {
            let work = self.index.background().unwrap();
            self.filling = Some(tokio::spawn(work));
        }
        let began = Instant::now();
        loop {
            let vectors = self.index.health().vectors.unwrap();
            if vectors.embedded == embedded && vectors.waiting == 0 {
                return vectors;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{vectors:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn ask(&self, remote: &Remote, text: &str) -> Found {
        self.index.search(remote, &question(text)).await.unwrap()
    }
}

fn pages(found: &Found) -> Vec<String> {
    let ids = found.passages.iter();
    ids.map(|passage| passage.document.page().unwrap().1.to_string())
        .collect()
}

fn wiki() -> [Sample<'static>; 4] {
    [
        Sample::new(
            "1",
            "Leave",
            "Each year has 28 days of leave, asked for in the portal.",
        ),
        Sample::new("2", "Cleaning", "The vacuum cleaner stands in the cellar."),
        Sample::new("3", "Ticket INC-2041", "A fault of the gateway in March."),
        Sample::new("4", "Parking", "A vehicle is parked behind the house."),
    ]
}

#[tokio::test]
async fn a_paraphrase_is_found_by_its_meaning_alone_and_words_keep_their_place() {
    let sim = sim().await;
    let mut index = Meaningful::in_memory(&sim);
    let place = index.collection("a").await;
    index.put(&place, &wiki()).await;
    let before = index.ask(&place.1, "vacation").await;
    assert_eq!(before.passages, []);
    assert_eq!(before.diagnostics.meaning, Some(Meaning::Filling));

    index.filled(4).await;
    for (question, page) in [
        ("vacation", "1"),
        ("where do I put my automobile", "4"),
        ("INC-2041", "3"),
        ("vacuum", "2"),
    ] {
        let found = index.ask(&place.1, question).await;
        assert_eq!(pages(&found)[0], page, "{question}");
        assert_eq!(found.diagnostics.meaning, Some(Meaning::Used));
    }
    let found = index.ask(&place.1, "vacation").await;
    assert_eq!(found.diagnostics.unknown_words[0].word, "vacation");
    assert!(found.passages.is_sorted_by(|a, b| a.score >= b.score));
}

#[tokio::test]
async fn a_text_is_embedded_once_over_edits_rebuilds_and_indexes() {
    let sim = sim().await;
    let mut index = Meaningful::in_memory(&sim);
    let place = index.collection("a").await;
    let text = |second: &str| format!("## One\n\nAbout leave.\n\n## Two\n\n{second}");
    let (old, new) = (text("About vehicles."), text("About the doctor."));
    index.put(&place, &[Sample::new("1", "Page", &old)]).await;
    index.filled(2).await;
    let texts = sim.texts();
    assert_eq!(texts.len(), 2);
    assert!(
        texts.contains(&"Page > One\n\n## One\n\nAbout leave.".to_owned()),
        "{texts:?}"
    );

    let edited = Sample {
        version: 2,
        ..Sample::new("1", "Page", &new)
    };
    index.put(&place, std::slice::from_ref(&edited)).await;
    index.filled(2).await;
    while sim.texts().len() < 3 {
        tokio::task::yield_now().await;
    }
    let other = index.collection("b").await;
    index.put(&other, std::slice::from_ref(&edited)).await;
    index.filled(4).await;
    index.index.remove(&place.0, &place.1).await.unwrap();
    let again = index.index.ensure(&place.0, None).await.unwrap();
    let place = (place.0.clone(), again);
    index.put(&place, &[edited]).await;
    // Both of its passages have the vectors that are known.
    let began = Instant::now();
    loop {
        let found = index.ask(&place.1, "physician").await;
        if found.diagnostics.meaning == Some(Meaning::Used)
            && found.passages[0].heading_path == ["Two"]
        {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{found:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let texts: Vec<String> = sim
        .texts()
        .into_iter()
        .filter(|text| text.starts_with("Page"))
        .collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
}

#[tokio::test]
async fn filters_hold_and_what_is_gone_is_not_found_by_meaning() {
    let sim = sim().await;
    let mut index = Meaningful::in_memory(&sim);
    let place = index.collection("a").await;
    let elsewhere = Sample {
        space: "OPS",
        ..Sample::new("5", "Absence", "Holidays of the operators.")
    };
    index.put(&place, &wiki()).await;
    index.put(&place, &[elsewhere]).await;
    index.filled(5).await;
    let mut only = question("vacation");
    only.filters.space = Some("OPS".into());
    let found = index.index.search(&place.1, &only).await.unwrap();
    assert_eq!(pages(&found), ["5"]);
    only.filters.space = Some("NONE".into());
    let found = index.index.search(&place.1, &only).await.unwrap();
    assert_eq!(found.passages, []);

    let gone = ["1", "2", "3"].map(|id| Sample::new(id, "", "").document_id());
    index.index.delete(&place.1, &gone).await.unwrap();
    let found = index.ask(&place.1, "vacation").await;
    assert_eq!(pages(&found), ["5", "4"]);
    // Asked for one only, while most that are near are gone.
    let one = RetrievalQuery {
        top_k: 1,
        ..question("vacation")
    };
    let found = index.index.search(&place.1, &one).await.unwrap();
    assert_eq!(pages(&found), ["5"]);
}

#[tokio::test]
async fn a_new_model_is_filled_in_beside_the_old_one_which_answers_meanwhile() {
    let sim = sim().await;
    let folder = tempfile::tempdir().unwrap();
    let file = || Place::File(folder.path().join("index.db"));
    let place = {
        let mut index = Meaningful::open(file(), &sim, EmbeddingsSim::MODEL);
        let place = index.collection("a").await;
        index.put(&place, &wiki()).await;
        index.filled(4).await;
        place
    };
    let mut index = Meaningful::open(file(), &sim, "other");
    sim.reset_log();
    let found = index.ask(&place.1, "vacation").await;
    assert_eq!(pages(&found)[0], "1");
    assert_eq!(found.diagnostics.meaning, Some(Meaning::Used));
    assert_eq!(sim.count_of(PATH), 1, "of the old model");

    index.filled(4).await;
    let found = index.ask(&place.1, "vacation").await;
    assert_eq!(pages(&found)[0], "1");
    // The old vectors are gone once the new ones are there.
    drop(index);
    let index = Meaningful::open(file(), &sim, EmbeddingsSim::MODEL);
    let documents: Vec<_> = wiki()
        .iter()
        .map(|sample| sample.document(place.0.index))
        .collect();
    let to_embed = index.index.passages_to_embed(&documents).await.unwrap();
    assert_eq!(to_embed, 4);
}

#[tokio::test]
async fn without_the_endpoint_words_answer_and_say_so() {
    let sim = sim().await;
    let mut index = Meaningful::in_memory(&sim);
    let place = index.collection("a").await;
    index.put(&place, &wiki()).await;
    index.filled(4).await;
    sim.fail_always(PATH, Fault::Status(503));
    let found = index.ask(&place.1, "vacuum").await;
    assert_eq!(pages(&found), ["2"]);
    assert_eq!(found.diagnostics.meaning, Some(Meaning::Unavailable));
    assert_eq!(index.index.health().vectors.unwrap().unanswered, 1);
    // A question that was asked before needs no endpoint.
    sim.clear_faults();
    assert_eq!(pages(&index.ask(&place.1, "vacation").await)[0], "1");
    sim.fail_always(PATH, Fault::Status(503));
    assert_eq!(pages(&index.ask(&place.1, "vacation").await)[0], "1");
}

#[tokio::test]
async fn a_passage_that_is_refused_is_found_by_words() {
    let sim = sim().await;
    sim.switches(|s| s.refuses = Some("Clea".to_owned()));
    let mut index = Meaningful::in_memory(&sim);
    let place = index.collection("a").await;
    index.put(&place, &wiki()).await;
    assert_eq!(index.filled(3).await.refused, 1);
    assert_eq!(
        pages(&index.ask(&place.1, "cleaner in the cellar").await)[0],
        "2"
    );
}

#[tokio::test]
async fn what_has_no_vector_yet_can_be_counted() {
    let sim = sim().await;
    let mut index = Meaningful::in_memory(&sim);
    let place = index.collection("a").await;
    let documents = |samples: &[Sample<'_>]| -> Vec<_> {
        let documents = samples.iter().map(|one| one.document(place.0.index));
        documents.collect()
    };
    let all = documents(&wiki());
    assert_eq!(index.index.passages_to_embed(&all).await.unwrap(), 4);
    index.put(&place, &wiki()[..3]).await;
    index.filled(3).await;
    assert_eq!(index.index.passages_to_embed(&all).await.unwrap(), 1);
}
