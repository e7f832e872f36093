//! Models in folders: a tiny one that the tests write, and real ones where `LOCAL_MODELS_DIR` names what `tests/models/fetch.py` makes.

#![allow(clippy::unwrap_used)]

mod published;
mod refused;
mod tiny;

use std::sync::Arc;
use std::time::Duration;

use domain::ports::embedding::{Embedder, EmbeddingError, Recipe};
use local_model::{LocalModel, LocalModelConfig};

use crate::tiny::Tiny;

fn open(tiny: &Tiny) -> LocalModel {
    LocalModel::open(&LocalModelConfig::new(tiny.path())).unwrap()
}

async fn question(model: &LocalModel, text: &str) -> Result<Vec<f32>, EmbeddingError> {
    model.question(text, model.recipe()).await
}

async fn passages(model: &LocalModel, texts: &[&str]) -> Vec<Vec<f32>> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let vectors = model.passages(&texts).await.unwrap();
    vectors.into_iter().map(Result::unwrap).collect()
}

#[track_caller]
fn assert_near(vector: &[f32], expected: &[f32], within: f32) {
    let apart = vector.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let most = apart.fold(0.0, f32::max);
    assert!(most < within, "{vector:?} is {most} from {expected:?}");
}

type Change = fn(&Tiny);

/// The numbers are those of a reference in double precision, by other code than this.
#[tokio::test]
async fn vectors_are_those_of_a_reference() {
    const MEAN: [f32; 8] = [
        -0.339145, 0.022691, 0.162972, 0.140393, -0.072871, -0.326226, -0.610368, -0.594905,
    ];
    const FIRST: [f32; 8] = [
        -0.327811, 0.018494, 0.157143, 0.137863, -0.070782, -0.323491, -0.607978, -0.607621,
    ];
    const ROBERTA: [f32; 8] = [
        -0.343399, 0.024446, 0.164903, 0.141336, -0.073744, -0.327145, -0.611049, -0.590312,
    ];
    let first_token = |tiny: &Tiny| {
        tiny.write(
            "1_Pooling/config.json",
            r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#,
        );
    };
    // Padding is token 1, so the first position is 2.
    let roberta = |tiny: &Tiny| {
        tiny.config("model_type", "xlm-roberta".into());
        tiny.config("pad_token_id", 1.into());
    };
    let changes: [(Change, [f32; 8]); 3] =
        [(|_| {}, MEAN), (first_token, FIRST), (roberta, ROBERTA)];
    for (change, expected) in changes {
        let tiny = Tiny::new();
        change(&tiny);
        let model = open(&tiny);
        let vector = question(&model, "Alpha beta GAMMA").await.unwrap();
        assert_near(&vector, &expected, 2e-5);
        assert_eq!(passages(&model, &["alpha beta gamma"]).await, [vector]);
        assert!(model.probe().await.unwrap().ends_with("in 8 dimensions"));
    }
}

#[tokio::test]
async fn prefixes_are_put_before_questions_and_passages() {
    let tiny = Tiny::new();
    let plain = open(&tiny);
    let model = LocalModel::open(&LocalModelConfig {
        question_prefix: "query: ".to_owned(),
        passage_prefix: "passage: ".to_owned(),
        dimensions: Some(8),
        ..LocalModelConfig::new(tiny.path())
    })
    .unwrap();
    assert_eq!(
        question(&model, "alpha").await.unwrap(),
        question(&plain, "query: alpha").await.unwrap()
    );
    assert_eq!(
        passages(&model, &["alpha", "beta"]).await,
        passages(&plain, &["passage: alpha", "passage: beta"]).await
    );
}

#[tokio::test]
async fn texts_that_are_too_long_are_cut_and_empty_ones_have_a_vector() {
    let model = open(&Tiny::new());
    let long = "alpha ".repeat(1_000);
    // 16 positions, of which two are those of the beginning and the end.
    let vectors = passages(&model, &[&long, &"alpha ".repeat(14), ""]).await;
    assert_eq!(vectors[0], vectors[1]);
    assert_ne!(vectors[0], vectors[2]);
}

#[test]
fn a_models_name_is_that_of_its_numbers_wherever_they_lie() {
    let name = |tiny: &Tiny| open(tiny).recipe().model.clone();
    let (one, other) = (Tiny::new(), Tiny::new());
    assert_eq!(name(&one), name(&other));
    assert!(name(&one).starts_with("bert 2x8 "), "{}", name(&one));
    let before = name(&other);
    let mut tensors = other.read("model.safetensors");
    // A number of the last layer.
    let at = tensors.len() - 4;
    tensors[at] ^= 1;
    other.write("model.safetensors", tensors);
    assert_ne!(name(&other), before);
}

#[tokio::test]
async fn vectors_of_another_model_are_not_compared_with() {
    let model = open(&Tiny::new());
    let recipe = Recipe {
        model: "text-embedding-3-small".to_owned(),
        ..model.recipe().clone()
    };
    let error = model.question("alpha", &recipe).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("still have the vectors of text-embedding-3-small"),
        "{error}"
    );
}

#[tokio::test]
async fn a_question_does_not_wait_for_passages_and_dropped_work_ends() {
    let model = Arc::new(open(&Tiny::new()));
    let many: Vec<String> = (0..100_000).map(|n| format!("alpha {n}")).collect();
    let filling = tokio::spawn({
        let model = model.clone();
        async move { model.passages(&many).await }
    });
    while model.health().requests < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..20 {
        question(&model, "beta").await.unwrap();
    }
    assert!(!filling.is_finished(), "questions were answered meanwhile");
    filling.abort();
    _ = filling.await;
    let last = tokio::time::timeout(Duration::from_secs(20), passages(&model, &["gamma"]));
    assert_eq!(last.await.unwrap().len(), 1);
}

/// Otherwise passages would get vectors of two models, or be noted as refused.
#[tokio::test]
async fn a_file_that_was_changed_in_use_gives_no_vectors() {
    let tiny = Tiny::new();
    let model = open(&tiny);
    let mut tensors = tiny.read("model.safetensors");
    tensors.push(0);
    tiny.write("model.safetensors", tensors);
    let error = model.passages(&["alpha".to_owned()]).await.unwrap_err();
    assert!(
        error.to_string().ends_with("restart the service"),
        "{error}"
    );
    assert_eq!(question(&model, "alpha").await.unwrap_err(), error);
    assert_eq!(model.health().trouble, Some(error.to_string()));
}
