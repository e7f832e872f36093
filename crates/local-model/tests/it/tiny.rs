//! A model of two layers of eight dimensions, twelve words, and numbers from a sine.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

const HIDDEN: usize = 8;
const INNER: usize = 16;
const POSITIONS: usize = 16;
const WORDS: [&str; 12] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "alpha", "beta", "gamma", "delta", "query", ":",
    "passage",
];

pub struct Tiny(TempDir);

impl Tiny {
    pub fn new() -> Self {
        let tiny = Self(tempfile::tempdir().unwrap());
        let config = json!({
            "model_type": "bert", "hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": INNER,
            "vocab_size": WORDS.len(), "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "pad_token_id": 0, "hidden_act": "gelu",
        });
        tiny.write("config.json", config.to_string());
        tiny.write("tokenizer.json", tokenizer().to_string());
        tiny.write("model.safetensors", tensors());
        tiny
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }

    /// Changes a value of `config.json`.
    pub fn config(&self, name: &str, value: Value) {
        let mut config: Value = serde_json::from_slice(&self.read("config.json")).unwrap();
        config[name] = value;
        self.write("config.json", config.to_string());
    }
}

fn tokenizer() -> Value {
    let vocabulary: serde_json::Map<String, Value> = WORDS
        .iter()
        .enumerate()
        .map(|(id, word)| ((*word).to_owned(), id.into()))
        .collect();
    let special = |id: usize| json!({"id": WORDS[id], "ids": [id], "tokens": [WORDS[id]]});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "pair": [],
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            ],
            "special_tokens": {"[CLS]": special(2), "[SEP]": special(3)},
        },
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    })
}

/// Names and shapes of all tensors, as they stand in the file.
fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = Vec::new();
    let mut add = |name: String, shape: &[usize]| shapes.push((name, shape.to_vec()));
    let embeddings = |name: &str| format!("embeddings.{name}_embeddings.weight");
    add(embeddings("word"), &[WORDS.len(), HIDDEN]);
    add(embeddings("position"), &[POSITIONS, HIDDEN]);
    add(embeddings("token_type"), &[2, HIDDEN]);
    add("embeddings.LayerNorm.weight".to_owned(), &[HIDDEN]);
    add("embeddings.LayerNorm.bias".to_owned(), &[HIDDEN]);
    for layer in 0..2 {
        for (name, inputs, outputs) in [
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", HIDDEN, INNER),
            ("output.dense", INNER, HIDDEN),
        ] {
            let name = format!("encoder.layer.{layer}.{name}");
            add(format!("{name}.weight"), &[outputs, inputs]);
            add(format!("{name}.bias"), &[outputs]);
        }
        for name in ["attention.output", "output"] {
            let name = format!("encoder.layer.{layer}.{name}.LayerNorm");
            add(format!("{name}.weight"), &[HIDDEN]);
            add(format!("{name}.bias"), &[HIDDEN]);
        }
    }
    shapes
}

fn tensors() -> Vec<u8> {
    let (mut header, mut numbers) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in shapes() {
        let from = numbers.len();
        for _ in 0..shape.iter().product::<usize>() {
            let number = (numbers.len() as f64 / 4.0 * 0.37).sin() as f32;
            numbers.extend(number.to_le_bytes());
        }
        let place = json!({"dtype": "F32", "shape": shape, "data_offsets": [from, numbers.len()]});
        header.insert(name, place);
    }
    let header = Value::from(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(numbers);
    file
}
