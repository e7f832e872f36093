//! A text's vector: tokens, the encoder, one vector of length 1.

use std::path::Path;

use domain::ports::embedding::Embedded;
use ndarray::Axis;
use tokenizers::{Tokenizer, TruncationParams};

use crate::encoder::Encoder;
use crate::folder::{self, COPY_AGAIN, FolderError, Pooling};
use crate::weights::Weights;

/// Bytes of a text for each token that is looked at, at most: more are not even cut into tokens.
const BYTES_A_TOKEN: usize = 32;

/// A model that was read from its folder.
pub(crate) struct Model {
    tokenizer: Tokenizer,
    encoder: Encoder,
    pooling: Pooling,
    most_bytes: usize,
    /// Its kind, its size, and a fingerprint of its files: the same numbers have the same name, wherever they lie.
    pub name: String,
    /// Numbers of a vector.
    pub dimensions: usize,
}

impl Model {
    /// Reads a folder, and computes one vector to see that it can.
    pub(crate) fn read(folder: &Path) -> Result<Self, FolderError> {
        let shape = folder::shape(folder)?;
        let path = folder.join("tokenizer.json");
        let described = folder::bytes(&path)?;
        let damaged = |cause: String| FolderError::new(&path, cause, COPY_AGAIN);
        let mut tokenizer = Tokenizer::from_bytes(&described)
            .map_err(|error| damaged(format!("cannot be read: {error}")))?;
        let known = tokenizer.get_vocab_size(true);
        if known > shape.words {
            return Err(damaged(format!(
                "knows {known} tokens, while the model knows {}",
                shape.words
            )));
        }
        let truncation = TruncationParams {
            max_length: shape.most_tokens,
            ..TruncationParams::default()
        };
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|error| damaged(error.to_string()))?;
        let (encoder, mut hash) = Encoder::read(Weights::open(folder)?, &shape)?;
        hash.update(&described);
        hash.update(format!("{shape:?}").as_bytes());
        let fingerprint = hash.finalize().to_hex();
        let model = Self {
            tokenizer,
            encoder,
            pooling: shape.pooling,
            most_bytes: shape.most_tokens * BYTES_A_TOKEN,
            name: format!(
                "{} {}x{} {}",
                shape.kind,
                shape.layers,
                shape.hidden,
                &fingerprint[..12]
            ),
            dimensions: shape.hidden,
        };
        match model.vector("test").and_then(|vector| vector) {
            Ok(_) => Ok(model),
            Err(why) => Err(FolderError::new(
                folder,
                format!("gives no vector: {why}"),
                COPY_AGAIN,
            )),
        }
    }

    /// The vector of a text, of length 1, or in words why this text has none. The error is the model's, whatever the text.
    pub(crate) fn vector(&self, text: &str) -> Result<Embedded, String> {
        let text = &text[..text.floor_char_boundary(self.most_bytes)];
        let encoding = match self.tokenizer.encode_fast(text, true) {
            Ok(encoding) => encoding,
            Err(error) => return Ok(Err(format!("it cannot be cut into tokens: {error}"))),
        };
        let tokens = self.encoder.of(encoding.get_ids())?;
        let pooled = match self.pooling {
            Pooling::Mean => tokens.mean_axis(Axis(0)).unwrap_or_default(),
            Pooling::First => tokens.row(0).to_owned(),
        };
        let length = pooled.dot(&pooled).sqrt();
        if !length.is_finite() || length <= f32::MIN_POSITIVE {
            return Ok(Err("its vector points nowhere".to_owned()));
        }
        Ok(Ok((pooled / length).to_vec()))
    }
}
