//! What is sent, and what an answer holds. Pure.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ports::embedding::Recipe;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Dimensions that a vector may have; the largest models give 8,192.
const MAX_DIMENSIONS: usize = 16_384;
/// Characters of a refusal that are told.
const TOLD: usize = 300;

#[derive(Serialize)]
struct Request<'t> {
    model: &'t str,
    input: &'t [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

/// The body of a request.
pub(crate) fn request(recipe: &Recipe, input: &[String]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Request {
        model: &recipe.model,
        input,
        dimensions: recipe.dimensions,
    })
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: Option<usize>,
    embedding: Numbers,
}

/// Numbers, as an array or as base64 of little-endian floats.
struct Numbers(Vec<f32>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Numbers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of numbers, or base64 of them")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Numbers, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = seq.next_element()? {
                    if numbers.len() == MAX_DIMENSIONS {
                        return Err(A::Error::custom(
                            "a vector of more dimensions than any model has",
                        ));
                    }
                    numbers.push(number);
                }
                Ok(Numbers(numbers))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Numbers, E> {
                let bytes = STANDARD.decode(text).map_err(E::custom)?;
                if bytes.len() % 4 != 0 || bytes.len() / 4 > MAX_DIMENSIONS {
                    return Err(E::custom("base64 of something else than floats"));
                }
                let float = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                Ok(Numbers(bytes.chunks_exact(4).map(float).collect()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The vectors of an answer, each of length 1, in the order of the texts. In words what is wrong with it, and what would help.
pub(crate) fn vectors(body: &[u8], texts: usize, recipe: &Recipe) -> Result<Vec<Vec<f32>>, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        if upstream::is_html(body) {
            "HTML instead of JSON; does EMBEDDINGS_URL lead to the API (…/v1)?".to_owned()
        } else {
            format!("no answer of OpenAI's form: {error}; does EMBEDDINGS_URL lead to one (…/v1)?")
        }
    })?;
    if answer.data.len() != texts {
        return Err(format!("{} vectors for {texts} texts", answer.data.len()));
    }
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
    for (at, item) in answer.data.into_iter().enumerate() {
        let place = vectors.get_mut(item.index.unwrap_or(at));
        let place = place.filter(|place| place.is_none());
        let place = place.ok_or_else(|| "vectors with wrong numbers".to_owned())?;
        *place = Some(of_length_one(item.embedding.0)?);
    }
    let vectors: Vec<Vec<f32>> = vectors.into_iter().flatten().collect();
    let dimensions = vectors.first().map_or(0, Vec::len);
    if vectors.iter().any(|vector| vector.len() != dimensions) {
        return Err("vectors of different dimensions".to_owned());
    }
    match recipe.dimensions {
        Some(wanted) if dimensions != wanted as usize && texts > 0 => Err(format!(
            "vectors of {dimensions} dimensions, while EMBEDDINGS_DIMENSIONS asks for {wanted}: leave it out, or write {dimensions}"
        )),
        _ => Ok(vectors),
    }
}

fn of_length_one(mut vector: Vec<f32>) -> Result<Vec<f32>, String> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !length.is_finite() || length <= f32::MIN_POSITIVE {
        return Err("a vector that points nowhere".to_owned());
    }
    for number in &mut vector {
        *number /= length;
    }
    Ok(vector)
}

/// What a refusal says, in one line, without the key.
pub(crate) fn detail(status: u16, body: &[u8], key: Option<&str>) -> String {
    let said = serde_json::from_slice::<Value>(body).ok().and_then(|body| {
        ["/error/message", "/error", "/detail", "/message"]
            .iter()
            .find_map(|place| body.pointer(place)?.as_str().map(str::to_owned))
    });
    let mut said: String = said
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if let Some(key) = key {
        said = said.replace(key, "[key]");
    }
    if let Some((end, _)) = said.char_indices().nth(TOLD) {
        said.truncate(end);
        said.push('…');
    }
    if said.is_empty() {
        format!("status {status}")
    } else {
        format!("status {status}: {said}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(dimensions: Option<u32>) -> Recipe {
        Recipe {
            model: "m".to_owned(),
            dimensions,
            question_prefix: String::new(),
            passage_prefix: String::new(),
        }
    }

    #[test]
    fn dimensions_are_only_asked_for_where_they_are_set() {
        let sent = |dimensions| {
            let body = request(&recipe(dimensions), &["a".to_owned()]).unwrap();
            String::from_utf8(body).unwrap()
        };
        assert_eq!(sent(None), r#"{"model":"m","input":["a"]}"#);
        assert_eq!(
            sent(Some(2)),
            r#"{"model":"m","input":["a"],"dimensions":2}"#
        );
    }

    #[test]
    fn numbers_are_read_in_both_forms_and_in_the_order_of_the_texts() {
        let two: Vec<u8> = [0.0_f32, -2.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let body = format!(
            r#"{{"object":"list","usage":{{}},"data":[{{"index":1,"embedding":"{}"}},{{"index":0,"embedding":[3,4]}}]}}"#,
            STANDARD.encode(two)
        );
        let read = vectors(body.as_bytes(), 2, &recipe(Some(2))).unwrap();
        assert_eq!(read, [[0.6, 0.8], [0.0, -1.0]]);
    }

    #[test]
    fn what_was_not_asked_for_is_named() {
        for (body, texts, dimensions, words) in [
            ("<html>", 1, None, "HTML instead of JSON"),
            ("{}", 1, None, "no answer of OpenAI's form"),
            (r#"{"data":[]}"#, 1, None, "0 vectors for 1 texts"),
            (
                r#"{"data":[{"embedding":[]}]}"#,
                1,
                None,
                "a vector that points nowhere",
            ),
            (
                r#"{"data":[{"embedding":[0,0]}]}"#,
                1,
                None,
                "a vector that points nowhere",
            ),
            (
                r#"{"data":[{"embedding":"AAA="}]}"#,
                1,
                None,
                "no answer of OpenAI's form",
            ),
            (
                r#"{"data":[{"index":7,"embedding":[1]}]}"#,
                1,
                None,
                "vectors with wrong numbers",
            ),
            (
                r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
                2,
                None,
                "vectors with wrong numbers",
            ),
            (
                r#"{"data":[{"embedding":[1]},{"embedding":[1,2]}]}"#,
                2,
                None,
                "vectors of different dimensions",
            ),
            (
                r#"{"data":[{"embedding":[1,2,3]}]}"#,
                1,
                Some(2),
                "vectors of 3 dimensions, while EMBEDDINGS_DIMENSIONS asks for 2",
            ),
        ] {
            let refused = vectors(body.as_bytes(), texts, &recipe(dimensions)).unwrap_err();
            assert!(refused.starts_with(words), "{refused}");
        }
    }

    #[test]
    fn refusals_are_told_in_one_line_without_the_key() {
        for (body, told) in [
            (
                r#"{"error":{"message":"no model\n m"}}"#,
                "status 400: no model m",
            ),
            (r#"{"error":"bad sk-hush"}"#, "status 400: bad [key]"),
            (r#"{"detail":"x"}"#, "status 400: x"),
            ("<html>", "status 400"),
        ] {
            assert_eq!(detail(400, body.as_bytes(), Some("sk-hush")), told);
        }
        let long = format!(r#"{{"error":"{}"}}"#, "ä".repeat(900));
        assert!(detail(400, long.as_bytes(), None).chars().count() < 330);
    }
}
