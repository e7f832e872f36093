//! Published models, from the folders that `tests/models/fetch.py FOLDER` makes: `LOCAL_MODELS_DIR=FOLDER`.

use std::path::PathBuf;

use domain::ports::embedding::Embedder;
use local_model::{LocalModel, LocalModelConfig};

use crate::{assert_near, passages, question};

fn folder(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("LOCAL_MODELS_DIR").map(|all| PathBuf::from(all).join(name));
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        println!(
            "skipped: LOCAL_MODELS_DIR names no folder with {name}; tests/models/fetch.py makes it"
        );
    }
    folder
}

fn likeness(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

const QUESTION: &str = "how many vacation days do I have?";
const ABOUT_LEAVE: &str = "Annual leave > Everybody has 28 days of paid leave a year.";
const ABOUT_ELSE: &str = "Calendars > The release calendar lists the days on which we deploy.";

#[tokio::test]
async fn all_minilm_l6_v2_gives_the_numbers_of_a_reference() {
    let Some(folder) = folder("minilm") else {
        return;
    };
    let model = LocalModel::open(&LocalModelConfig::new(folder)).unwrap();
    let asked = question(&model, QUESTION).await.unwrap();
    assert_eq!(asked.len(), 384);
    let expected = [0.05942, 0.01613, 0.04482, 0.07144, -0.03103, 0.0033];
    assert_near(&asked, &expected, 5e-5);
    let found = passages(&model, &[ABOUT_LEAVE, ABOUT_ELSE]).await;
    assert!(likeness(&asked, &found[0]) > likeness(&asked, &found[1]));
}

#[tokio::test]
async fn multilingual_e5_small_finds_english_text_in_german() {
    let Some(folder) = folder("e5") else { return };
    let model = LocalModel::open(&LocalModelConfig {
        question_prefix: "query: ".to_owned(),
        passage_prefix: "passage: ".to_owned(),
        ..LocalModelConfig::new(folder)
    })
    .unwrap();
    assert!(model.recipe().model.starts_with("bert 12x384 "));
    let asked = question(&model, "Wie viele Urlaubstage habe ich?")
        .await
        .unwrap();
    let expected = [0.07641, -0.03588, -0.07329, -0.06085, 0.0708, -0.07545];
    assert_near(&asked, &expected, 5e-5);
    let found = passages(&model, &[ABOUT_LEAVE, ABOUT_ELSE]).await;
    assert!(likeness(&asked, &found[0]) > likeness(&asked, &found[1]));
}
