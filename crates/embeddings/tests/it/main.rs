//! The client against the simulated endpoint, with each of its quirks.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use domain::backoff::Backoff;
use domain::ports::embedding::{Embedder, EmbeddingError};
use domain::refusals::Pauses;
use embeddings::{Embeddings, EmbeddingsConfig, Timeouts};
use simulators::embeddings::{EmbeddingsSim, Encoding};
use simulators::{Fault, RetryAfter};

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

fn config(sim: &EmbeddingsSim) -> EmbeddingsConfig {
    EmbeddingsConfig {
        max_requests_per_second: 1_000,
        timeouts: Timeouts {
            attempts: 3,
            backoff: Backoff {
                base: Duration::from_millis(1),
                cap: Duration::from_millis(1),
            },
            pauses: Pauses {
                burst: Duration::from_millis(1),
                minute: Duration::from_millis(1),
            },
            ..Timeouts::default()
        },
        ..EmbeddingsConfig::new(sim.url().parse().unwrap(), EmbeddingsSim::MODEL)
    }
}

fn client(config: &EmbeddingsConfig) -> Embeddings {
    Embeddings::new(config).unwrap()
}

fn texts(number: usize) -> Vec<String> {
    (0..number).map(|n| format!("text number {n}")).collect()
}

async fn question(client: &Embeddings) -> Result<Vec<f32>, EmbeddingError> {
    client.question("salary", client.recipe()).await
}

#[tokio::test]
async fn passages_go_in_batches_and_come_in_order_whatever_the_answer_looks_like() {
    let sim = sim().await;
    let client = client(&config(&sim));
    let plain = client.passages(&texts(70)).await.unwrap();
    assert_eq!((plain.len(), sim.count_of(PATH)), (70, 3));
    assert_eq!(plain[0].as_ref().unwrap().len(), 96);
    sim.switches(|s| {
        s.shuffled = true;
        s.encoding = Encoding::Base64;
    });
    assert_eq!(client.passages(&texts(70)).await.unwrap(), plain);
    assert_eq!(client.passages(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn prefixes_are_put_before_questions_and_passages() {
    let sim = sim().await;
    let mut config = config(&sim);
    config.recipe.question_prefix = "query: ".to_owned();
    config.recipe.passage_prefix = "passage: ".to_owned();
    let client = client(&config);
    client.passages(&texts(1)).await.unwrap();
    question(&client).await.unwrap();
    assert_eq!(sim.texts(), ["passage: text number 0", "query: salary"]);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_and_the_next_ones_are_smaller() {
    let sim = sim().await;
    sim.switches(|s| s.max_inputs = Some(8));
    let client = client(&config(&sim));
    let vectors = client.passages(&texts(32)).await.unwrap();
    assert!(vectors.iter().all(Result::is_ok));
    sim.reset_log();
    while client.batch() > 8 {
        client.passages(&texts(32)).await.unwrap();
    }
    sim.reset_log();
    client.passages(&texts(32)).await.unwrap();
    assert_eq!(sim.count_of(PATH), 4);
}

#[tokio::test]
async fn a_long_text_is_shortened_and_a_refused_one_costs_no_other_its_vector() {
    let sim = sim().await;
    sim.switches(|s| {
        s.max_characters = Some(100);
        s.refuses = Some("poison".to_owned());
    });
    let client = client(&config(&sim));
    let texts = [
        "salary".to_owned(),
        "word ".repeat(60),
        "poison ".repeat(20),
        "outage".to_owned(),
    ];
    let vectors = client.passages(&texts).await.unwrap();
    let with: Vec<bool> = vectors.iter().map(Result::is_ok).collect();
    assert_eq!(with, [true, true, false, true]);
    assert_eq!(client.batch(), 32, "the batch was not too large");
    assert_eq!(client.health().trouble, None);
}

#[tokio::test]
async fn passing_trouble_is_waited_for() {
    let sim = sim().await;
    let client = client(&config(&sim));
    for fault in [
        Fault::Status(500),
        Fault::HtmlStatus(502),
        Fault::RateLimited(RetryAfter::Missing),
        Fault::CutBody,
        Fault::Reset,
    ] {
        sim.fail_next(PATH, 2, fault.clone());
        assert!(client.passages(&texts(1)).await.is_ok(), "{fault:?}");
    }
    sim.fail_always(PATH, Fault::Status(500));
    let error = client.passages(&texts(1)).await.unwrap_err();
    assert!(
        matches!(error, EmbeddingError::Unavailable { .. }),
        "{error}"
    );
    assert!(client.health().trouble.is_some());
}

#[tokio::test]
async fn what_is_wrong_for_good_is_said_at_once_with_its_remedy() {
    let sim = sim().await;
    let refusal = |client: Embeddings| async move {
        sim_free(&client).await;
        client.passages(&texts(2)).await.unwrap_err().to_string()
    };
    let unknown = {
        let mut config = config(&sim);
        config.recipe.model = "none".to_owned();
        refusal(client(&config)).await
    };
    assert!(
        unknown.contains("does not exist") && unknown.contains("EMBEDDINGS_MODEL (none)"),
        "{unknown}"
    );
    let dimensions = {
        sim.switches(|s| s.ignores_dimensions = true);
        let mut config = config(&sim);
        config.recipe.dimensions = Some(64);
        refusal(client(&config)).await
    };
    assert!(
        dimensions.contains("96 dimensions, while EMBEDDINGS_DIMENSIONS asks for 64"),
        "{dimensions}"
    );
    sim.switches(|s| s.one_too_few = true);
    let few = refusal(client(&config(&sim))).await;
    assert!(few.contains("1 vectors for 2 texts"), "{few}");
    sim.fail_always(PATH, Fault::Html200);
    let html = refusal(client(&config(&sim))).await;
    assert!(html.contains("HTML instead of JSON"), "{html}");
    sim.clear_faults();
    sim.fail_always(PATH, Fault::Status(401));
    let key = refusal(client(&config(&sim))).await;
    assert!(key.contains("check EMBEDDINGS_API_KEY"), "{key}");
    sim.clear_faults();
    sim.fail_always(PATH, Fault::Status(400));
    sim.reset_log();
    let all = refusal(client(&config(&sim))).await;
    assert!(all.contains("refuses the request"), "{all}");
    assert_eq!(
        sim.count_of(PATH),
        2,
        "an endpoint that takes nothing is not asked for each half"
    );
}

/// Nothing was asked yet.
async fn sim_free(client: &Embeddings) {
    assert_eq!(client.health().requests, 0);
}

#[tokio::test]
async fn the_key_is_sent_and_never_told() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let sim = EmbeddingsSim::builder()
        .api_key("sk-good")
        .start()
        .await
        .unwrap();
    let with = |key: &str| EmbeddingsConfig {
        api_key: Some(key.to_owned().into()),
        ..config(&sim)
    };
    assert!(client(&with("sk-good")).passages(&texts(1)).await.is_ok());
    let error = client(&with("sk-hush")).passages(&texts(1)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, EmbeddingError::Unauthorized { .. }));
    assert!(!format!("{error:?} {error}").contains("hush"));
}

#[tokio::test]
async fn a_question_is_not_kept_waiting_and_an_endpoint_that_is_down_is_not_asked_by_each() {
    let sim = sim().await;
    let client = client(&EmbeddingsConfig {
        timeouts: Timeouts {
            question: Duration::from_millis(40),
            ..config(&sim).timeouts
        },
        ..config(&sim)
    });
    sim.fail_always(PATH, Fault::Slow(Duration::from_secs(20)));
    for _ in 0..3 {
        let error = question(&client).await.unwrap_err().to_string();
        assert!(error.contains("no vector within 40 ms"), "{error}");
    }
    sim.clear_faults();
    let error = question(&client).await.unwrap_err().to_string();
    assert!(
        error.contains("the last 3 questions got no vector"),
        "{error}"
    );
    // That one put the question as a probe beside.
    while question(&client).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_question_may_be_asked_of_an_earlier_model() {
    let sim = sim().await;
    let client = client(&config(&sim));
    let mut earlier = client.recipe().clone();
    earlier.model = "other".to_owned();
    let now = question(&client).await.unwrap();
    let before = client.question("salary", &earlier).await.unwrap();
    assert_ne!(now, before);
}

#[tokio::test]
async fn a_probe_says_what_answers() {
    let sim = sim().await;
    let said = client(&config(&sim)).probe().await.unwrap();
    assert!(
        said.ends_with("answers with sim-embedding in 96 dimensions"),
        "{said}"
    );
}
