//! The one endpoint.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::meaning;
use super::switches::{Encoding, Switches};
use crate::server::{Buckets, Reply, Request, Service, locked, over_rate};

const TEMPLATE: &str = "/v1/embeddings";

pub(crate) struct EmbeddingsService {
    pub key: Option<String>,
    pub models: Vec<String>,
    pub synonyms: Vec<Vec<String>>,
    pub switches: Mutex<Switches>,
    pub buckets: Mutex<Buckets>,
    /// Every text that was embedded, in order.
    pub texts: Mutex<Vec<String>>,
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}}),
    )
}

impl EmbeddingsService {
    fn embed(&self, request: &Request, switches: &Switches) -> Result<Reply, Reply> {
        let wanted = self.key.as_ref().map(|key| format!("Bearer {key}"));
        if wanted.is_some() && request.header("authorization") != wanted.as_deref() {
            return Err(refusal(401, "Incorrect API key provided"));
        }
        if let Some(limit) = &switches.rate_limit
            && let Some(seconds) = over_rate(
                &mut locked(&self.buckets),
                limit,
                TEMPLATE,
                chrono::Utc::now(),
            )
        {
            return Err(limit
                .retry_after
                .apply_with(refusal(429, "Rate limit reached"), seconds));
        }
        let body = request
            .json()
            .ok_or_else(|| refusal(400, "We could not parse the JSON body of your request."))?;
        let model = body
            .get("model")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !self.models.iter().any(|known| known == model) {
            return Err(refusal(
                404,
                &format!("The model `{model}` does not exist or you do not have access to it."),
            ));
        }
        let texts: Vec<String> = match body.get("input") {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(texts)) => texts
                .iter()
                .map(|text| text.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or_else(|| refusal(400, "'$.input' is invalid."))?,
            _ => return Err(refusal(400, "'$.input' is missing.")),
        };
        if let Some(most) = switches.max_inputs.filter(|most| texts.len() > *most) {
            let message = format!(
                "batch size {} > maximum allowed batch size {most}",
                texts.len()
            );
            return Err(Reply::json(
                422,
                json!({"error": message, "error_type": "Validation"}),
            ));
        }
        let bad = |text: &String| {
            text.is_empty()
                || switches
                    .max_characters
                    .is_some_and(|most| text.chars().count() > most)
                || switches
                    .refuses
                    .as_ref()
                    .is_some_and(|part| text.contains(part.as_str()))
        };
        if texts.is_empty() || texts.iter().any(bad) {
            return Err(refusal(
                400,
                "This model's maximum context length is exceeded, or an input is not valid.",
            ));
        }
        let asked = body.get("dimensions").and_then(Value::as_u64);
        let dimensions = asked
            .filter(|_| !switches.ignores_dimensions)
            .map_or(switches.dimensions, |n| usize::try_from(n).unwrap_or(1));
        let encoding = match body.get("encoding_format").and_then(Value::as_str) {
            Some("base64") => Encoding::Base64,
            Some(_) => Encoding::Float,
            None => switches.encoding,
        };
        // Models do not agree on where a word points.
        let base = if model == self.models[0] { "" } else { model };
        let mut data: Vec<Value> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let vector = meaning::vector(&format!("{base} {text}"), dimensions, &self.synonyms);
                let embedding = match encoding {
                    Encoding::Float => json!(vector),
                    Encoding::Base64 => {
                        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                        json!(STANDARD.encode(bytes))
                    }
                };
                json!({"object": "embedding", "index": index, "embedding": embedding})
            })
            .collect();
        if switches.one_too_few {
            data.pop();
        }
        if switches.shuffled {
            data.reverse();
        }
        let tokens: usize = texts
            .iter()
            .map(|text| text.split_whitespace().count())
            .sum();
        locked(&self.texts).extend(texts);
        Ok(Reply::ok(json!({
            "object": "list", "model": model, "data": data,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        })))
    }
}

impl Service for EmbeddingsService {
    fn template(&self, request: &Request) -> String {
        request.path.clone()
    }

    fn respond(&self, request: &Request, template: &str) -> Reply {
        let switches = locked(&self.switches).clone();
        if template != TEMPLATE {
            return refusal(404, "Invalid URL");
        }
        if request.method != "POST" {
            return refusal(405, "Not allowed");
        }
        self.embed(request, &switches)
            .unwrap_or_else(|refused| refused)
    }

    fn error(&self, status: u16, _: &Request, _: &str) -> Reply {
        refusal(status, "The server had an error processing your request.")
    }

    fn latency(&self) -> Duration {
        locked(&self.switches).latency
    }
}
