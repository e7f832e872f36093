//! Everything about the endpoint's behaviour that can be turned while it runs.

use std::time::Duration;

use crate::server::RateLimit;

/// The switches of an embeddings simulator.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Added to every answer.
    pub latency: Duration,
    /// Refuse bursts.
    pub rate_limit: Option<RateLimit>,
    /// Numbers of a vector where the request does not say.
    pub dimensions: usize,
    /// `dimensions` of a request is not looked at, as by older servers.
    pub ignores_dimensions: bool,
    /// Texts of one request at most; more is 422, as text-embeddings-inference has it.
    pub max_inputs: Option<usize>,
    /// Characters of one text at most; more is 400, as OpenAI has it.
    pub max_characters: Option<usize>,
    /// Texts that hold this are 400, however short.
    pub refuses: Option<String>,
    /// How numbers are written.
    pub encoding: Encoding,
    /// One vector too few.
    pub one_too_few: bool,
    /// Vectors in another order, with their right numbers.
    pub shuffled: bool,
}

/// How an answer writes numbers where the request does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As arrays.
    Float,
    /// As base64 of little-endian floats.
    Base64,
}

impl Default for Switches {
    fn default() -> Self {
        Switches {
            latency: Duration::ZERO,
            rate_limit: None,
            dimensions: 96,
            ignores_dimensions: false,
            max_inputs: None,
            max_characters: None,
            refuses: None,
            encoding: Encoding::Float,
            one_too_few: false,
            shuffled: false,
        }
    }
}
