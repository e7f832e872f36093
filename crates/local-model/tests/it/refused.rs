//! Folders that cannot be used, each with file, cause and remedy.

use local_model::{LocalModel, LocalModelConfig};
use serde_json::json;

use crate::tiny::Tiny;

#[track_caller]
fn refused(change: impl FnOnce(&Tiny) -> LocalModelConfig, file: &str, said: [&str; 2]) {
    let tiny = Tiny::new();
    let config = change(&tiny);
    let error = LocalModel::open(&config).err().unwrap();
    assert_eq!(error.path, tiny.path().join(file), "{error}");
    for words in said {
        assert!(error.to_string().contains(words), "{error}");
    }
}

fn changed(tiny: &Tiny) -> LocalModelConfig {
    LocalModelConfig::new(tiny.path())
}

#[test]
fn a_folder_that_is_not_there_or_no_folder() {
    let beside =
        |name: &'static str| move |tiny: &Tiny| LocalModelConfig::new(tiny.path().join(name));
    let remedy = "EMBEDDINGS_MODEL_DIR names the folder";
    refused(beside("none"), "none", ["does not exist", remedy]);
    refused(
        beside("model.safetensors"),
        "model.safetensors",
        ["is no folder", remedy],
    );
}

#[test]
fn files_that_are_missing_or_damaged() {
    let copy = "copy the model's folder again";
    for name in ["config.json", "tokenizer.json"] {
        let missing = |tiny: &Tiny| {
            tiny.remove(name);
            changed(tiny)
        };
        refused(missing, name, ["cannot be read: No such file", copy]);
        let damaged = |tiny: &Tiny| {
            tiny.write(name, "{\"version\": ");
            changed(tiny)
        };
        refused(damaged, name, ["cannot be read: EOF", copy]);
    }
    let tensors = "model.safetensors";
    let only_onnx = |tiny: &Tiny| {
        tiny.remove(tensors);
        tiny.write("onnx/model.onnx", "");
        changed(tiny)
    };
    let said = [
        "is missing (onnx/model.onnx cannot be used)",
        "copy this file",
    ];
    refused(only_onnx, tensors, said);
    let text = |tiny: &Tiny| {
        tiny.write(tensors, "version https://git-lfs.github.com/spec/v1\n");
        changed(tiny)
    };
    refused(text, tensors, ["is no file of tensors, or cut off", copy]);
    let cut = |tiny: &Tiny| {
        let bytes = tiny.read(tensors);
        tiny.write(tensors, &bytes[..bytes.len() - 1]);
        changed(tiny)
    };
    refused(
        cut,
        tensors,
        ["is cut off: encoder.layer.1.output.LayerNorm.bias", copy],
    );
    let header = |tiny: &Tiny| {
        let mut bytes = tiny.read(tensors);
        bytes[8] = b'[';
        tiny.write(tensors, bytes);
        changed(tiny)
    };
    refused(header, tensors, ["has a header that cannot be read", copy]);
}

#[test]
fn files_of_two_models() {
    let copy = "all files of one model";
    for (name, value, cause) in [
        (
            "hidden_size",
            json!(4),
            "while config.json asks for [16, 4]",
        ),
        ("num_hidden_layers", json!(3), "holds no encoder.layer.2."),
        (
            "intermediate_size",
            json!(32),
            "while config.json asks for [32, 8]",
        ),
    ] {
        let other = |tiny: &Tiny| {
            tiny.config(name, value);
            changed(tiny)
        };
        refused(other, "model.safetensors", [cause, copy]);
    }
    let heads = |tiny: &Tiny| {
        tiny.config("num_attention_heads", json!(3));
        changed(tiny)
    };
    refused(heads, "config.json", ["do not go together", copy]);
    let words = |tiny: &Tiny| {
        tiny.config("vocab_size", json!(11));
        changed(tiny)
    };
    refused(
        words,
        "tokenizer.json",
        ["knows 12 tokens, while the model knows 11", copy],
    );
}

#[test]
fn models_of_another_kind() {
    let remedy = "take a model of the BERT kind";
    for (name, value, cause) in [
        ("model_type", "nomic_bert", "model_type is nomic_bert"),
        ("hidden_act", "gelu_new", "hidden_act is gelu_new"),
        (
            "position_embedding_type",
            "rotary",
            "position_embedding_type is rotary",
        ),
    ] {
        let other = |tiny: &Tiny| {
            tiny.config(name, value.into());
            changed(tiny)
        };
        refused(other, "config.json", [cause, remedy]);
    }
    let dense = |tiny: &Tiny| {
        let modules = json!([{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Dense"}]);
        tiny.write("modules.json", modules.to_string());
        changed(tiny)
    };
    refused(dense, "modules.json", ["has a step Dense", remedy]);
    let greatest = |tiny: &Tiny| {
        tiny.write(
            "1_Pooling/config.json",
            r#"{"pooling_mode_max_tokens": true}"#,
        );
        changed(tiny)
    };
    refused(
        greatest,
        "1_Pooling/config.json",
        ["another pooling", remedy],
    );
    let whole_numbers = |tiny: &Tiny| {
        let tensors = tiny.read("model.safetensors");
        let text = String::from_utf8_lossy(&tensors[..20_000.min(tensors.len())])
            .find("F32")
            .unwrap();
        let mut tensors = tensors;
        tensors[text..text + 3].copy_from_slice(b"I32");
        tiny.write("model.safetensors", tensors);
        changed(tiny)
    };
    refused(
        whole_numbers,
        "model.safetensors",
        ["numbers of type I32", remedy],
    );
}

#[test]
fn other_dimensions_than_were_asked_for() {
    let dimensions = |tiny: &Tiny| LocalModelConfig {
        dimensions: Some(384),
        ..changed(tiny)
    };
    let said = [
        "gives vectors of 8 dimensions, while EMBEDDINGS_DIMENSIONS asks for 384",
        "leave it out, or write 8",
    ];
    refused(dimensions, "", said);
}
