//! The files of a model's folder, and what they say about the model.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The longest file that is read as JSON, in bytes; the tokenizers of the largest vocabularies have 17 MB.
const MAX_JSON_BYTES: u64 = 64 << 20;
/// Tokens that a model has to look at.
const LEAST_TOKENS: usize = 8;

/// A folder that cannot be used: which file, why, and what would help.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}: {cause}; {remedy}", path.display())]
pub struct FolderError {
    /// The folder, or the file in it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub cause: String,
    /// What would help.
    pub remedy: String,
}

/// What helps where a file is damaged or of another model.
pub(crate) const COPY_AGAIN: &str = "copy the model's folder again, all files of one model";
/// What helps where the model is of another kind.
pub(crate) const OTHER_MODEL: &str = "take a model of the BERT kind, such as all-MiniLM-L6-v2 or multilingual-e5-small, or serve this one with an endpoint (EMBEDDINGS_URL)";

impl FolderError {
    pub(crate) fn new(
        path: impl Into<PathBuf>,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            cause: cause.into(),
            remedy: remedy.into(),
        }
    }
}

/// How the vectors of the tokens become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pooling {
    Mean,
    /// The first token's.
    First,
}

/// What a folder says about its model.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Shape {
    /// `bert`, `roberta`, `xlm-roberta`.
    pub kind: String,
    /// Numbers of a vector.
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    /// Numbers within a layer.
    pub inner: usize,
    /// Rows of the table of words.
    pub words: usize,
    /// Rows of the table of positions.
    pub positions: usize,
    /// The position of the first token.
    pub first_position: usize,
    /// Rows of the table of text types.
    pub types: usize,
    pub epsilon: f32,
    pub pooling: Pooling,
    /// Tokens of a text that are looked at.
    pub most_tokens: usize,
}

#[derive(Deserialize)]
struct Config {
    model_type: String,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    #[serde(default)]
    pad_token_id: usize,
    #[serde(default = "usual_epsilon")]
    layer_norm_eps: f32,
    #[serde(default = "usual_activation")]
    hidden_act: String,
    #[serde(default = "usual_positions")]
    position_embedding_type: String,
}

fn usual_epsilon() -> f32 {
    1e-12
}

fn usual_activation() -> String {
    "gelu".to_owned()
}

fn usual_positions() -> String {
    "absolute".to_owned()
}

/// `1_Pooling/config.json`; a mode that is not named is off.
#[derive(Deserialize, Default)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode_mean_tokens: bool,
    pooling_mode_cls_token: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

/// One of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

/// Reads what a folder says about its model.
pub(crate) fn shape(folder: &Path) -> Result<Shape, FolderError> {
    if !folder.is_dir() {
        let cause = match folder.exists() {
            true => "is no folder",
            false => "does not exist",
        };
        let remedy = "EMBEDDINGS_MODEL_DIR names the folder that holds config.json, tokenizer.json and model.safetensors";
        return Err(FolderError::new(folder, cause, remedy));
    }
    let path = folder.join("config.json");
    let config: Config = required(&path)?;
    let refused = |cause: String| FolderError::new(&path, cause, OTHER_MODEL);
    let first_position = match config.model_type.as_str() {
        "bert" => 0,
        // As in fairseq: padding takes the positions up to its own number.
        "roberta" | "xlm-roberta" => config.pad_token_id + 1,
        other => {
            return Err(refused(format!(
                "model_type is {other}, while bert, roberta and xlm-roberta can be used"
            )));
        }
    };
    if config.hidden_act != "gelu" {
        return Err(refused(format!(
            "hidden_act is {}, while gelu can be used",
            config.hidden_act
        )));
    }
    if config.position_embedding_type != "absolute" {
        return Err(refused(format!(
            "position_embedding_type is {}, while absolute can be used",
            config.position_embedding_type
        )));
    }
    let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
    let positions = config.max_position_embeddings;
    let sizes = [
        hidden,
        heads,
        config.num_hidden_layers,
        config.type_vocab_size,
    ];
    if sizes.contains(&0) || hidden % heads != 0 || positions < first_position + LEAST_TOKENS {
        let cause = format!(
            "{} layers, {hidden} dimensions, {heads} heads and {positions} positions do not go together",
            config.num_hidden_layers
        );
        return Err(FolderError::new(&path, cause, COPY_AGAIN));
    }
    let sentences: Option<SentenceConfig> = optional(&folder.join("sentence_bert_config.json"))?;
    let most = sentences.and_then(|config| config.max_seq_length);
    Ok(Shape {
        kind: config.model_type,
        hidden,
        layers: config.num_hidden_layers,
        heads,
        inner: config.intermediate_size,
        words: config.vocab_size,
        positions,
        first_position,
        types: config.type_vocab_size,
        epsilon: config.layer_norm_eps,
        pooling: pooling(folder)?,
        most_tokens: most
            .unwrap_or(usize::MAX)
            .clamp(LEAST_TOKENS, positions - first_position),
    })
}

fn pooling(folder: &Path) -> Result<Pooling, FolderError> {
    let path = folder.join("modules.json");
    let modules: Vec<Module> = optional(&path)?.unwrap_or_default();
    for module in modules {
        let name = module.kind.rsplit('.').next().unwrap_or_default();
        if !matches!(name, "Transformer" | "Pooling" | "Normalize") {
            let cause = format!("the model has a step {name}, which cannot be used");
            return Err(FolderError::new(path, cause, OTHER_MODEL));
        }
    }
    let path = folder.join("1_Pooling").join("config.json");
    let Some(config) = optional::<PoolingConfig>(&path)? else {
        return Ok(Pooling::Mean);
    };
    let others = config.pooling_mode_max_tokens
        || config.pooling_mode_mean_sqrt_len_tokens
        || config.pooling_mode_weightedmean_tokens
        || config.pooling_mode_lasttoken;
    match (
        config.pooling_mode_mean_tokens,
        config.pooling_mode_cls_token,
        others,
    ) {
        (true, false, false) => Ok(Pooling::Mean),
        (false, true, false) => Ok(Pooling::First),
        _ => {
            let cause =
                "asks for another pooling than that of the mean, or that of the first token";
            Err(FolderError::new(path, cause, OTHER_MODEL))
        }
    }
}

/// The bytes of a file that has to be there.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, FolderError> {
    let unreadable = |error: std::io::Error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => COPY_AGAIN.to_owned(),
            _ => "see to it that the service may read it".to_owned(),
        };
        FolderError::new(path, format!("cannot be read: {error}"), remedy)
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_JSON_BYTES {
        let cause = format!("has {length} bytes, more than any such file");
        return Err(FolderError::new(path, cause, COPY_AGAIN));
    }
    std::fs::read(path).map_err(unreadable)
}

fn required<T: DeserializeOwned>(path: &Path) -> Result<T, FolderError> {
    serde_json::from_slice(&bytes(path)?)
        .map_err(|error| FolderError::new(path, format!("cannot be read: {error}"), COPY_AGAIN))
}

fn optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FolderError> {
    path.exists().then(|| required(path)).transpose()
}
