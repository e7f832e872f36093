//! Questions to an index.

use domain::document::keys;
use domain::index::Remote;
use domain::ports::retrieval::BackendError;
use domain::query::{Filters, Passage, RetrievalQuery};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::Directories;
use super::index_id::Operation;
use crate::answer::Failure;
use crate::call::Call;
use crate::passages::{self, wanted};

impl Directories {
    /// Asks by meaning and by words at once, reranked, which is this generation's default.
    pub(crate) async fn search(
        &self,
        remote: &Remote,
        query: &RetrievalQuery,
    ) -> Result<Vec<Passage>, BackendError> {
        let call = |id: &str| {
            Call::new(Method::POST, ["v1", "retrieval", "retrieve"])
                .json(&question(id, query))
                .conflict_is_an_answer()
                .urgent()
        };
        match self.try_index(remote, Operation::Retrieve, call).await {
            Ok(answer) => {
                let results = answer.get("results").and_then(Value::as_array);
                let results = results.ok_or_else(|| BackendError::Unavailable {
                    detail: "an answer came without results".to_owned(),
                })?;
                let mut passages: Vec<Passage> = results.iter().filter_map(to_passage).collect();
                passages.sort_by(|a, b| b.score.total_cmp(&a.score));
                passages.truncate(wanted(query) as usize);
                Ok(passages)
            }
            // Not built yet: there is nothing in it.
            Err(Failure::Refused { status: 409, .. }) => Ok(Vec::new()),
            Err(failure) => Err(self.told(remote, failure)),
        }
    }
}

fn question(index: &str, query: &RetrievalQuery) -> Value {
    let wanted = wanted(query);
    let mut body = json!({
        "index_id": index,
        "query": query.text,
        "top_k": (wanted * 3).clamp(30, 500),
        "rerank": {"enabled": true, "top_n": wanted},
    });
    let filters = filters(&query.filters);
    if !filters.is_empty() {
        body["custom_filters"] = Value::Object(filters);
    }
    body
}

fn filters(filters: &Filters) -> Map<String, Value> {
    let mut all = Map::new();
    if let Some(space) = &filters.space {
        all.insert(
            keys::SPACE.to_owned(),
            json!({"operator": "eq", "value": space.as_str()}),
        );
    }
    if let Some(after) = filters.updated_after {
        all.insert(
            keys::UPDATED.to_owned(),
            json!({"operator": "gt", "value": after.timestamp()}),
        );
    }
    if let Some((texts, numbers)) = passages::only_pages(filters) {
        let both = texts.into_iter().map(Value::from);
        let both: Vec<Value> = both.chain(numbers.into_iter().map(Value::from)).collect();
        all.insert(
            keys::PAGE_ID.to_owned(),
            json!({"operator": "in", "value": both}),
        );
    }
    if let Some(spaces) = passages::only_spaces(filters) {
        let one_of = json!({"operator": "in", "value": spaces});
        all.insert(keys::SPACE.to_owned(), one_of);
    }
    if let Some((texts, numbers)) = passages::hidden_pages(filters) {
        let both = texts.into_iter().map(Value::from);
        let both: Vec<Value> = both.chain(numbers.into_iter().map(Value::from)).collect();
        let none_of = json!({"operator": "nin", "value": both});
        all.insert(keys::PAGE_ID.to_owned(), none_of);
    }
    all
}

/// The id of the parsed file is not that of our file: only our own metadata leads back to the page.
fn to_passage(result: &Value) -> Option<Passage> {
    let score = ["rerank_score", "score"]
        .iter()
        .find_map(|name| result.get(name)?.as_f64());
    Some(Passage {
        document: passages::document(result.get("metadata")?)?,
        text: result.get("content")?.as_str()?.trim().to_owned(),
        score: score.unwrap_or(0.0),
        heading_path: Vec::new(),
        anchor: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use domain::SpaceKey;
    use domain::query::Under;

    #[test]
    fn filters_speak_in_words_and_keep_their_types() {
        let filters = Filters {
            space: Some(SpaceKey::from("~me")),
            label: Some("a".into()),
            updated_after: chrono::DateTime::from_timestamp(86_400, 0),
            under: Some(Under {
                page: "12".into(),
                pages: Arc::new(["12".into()].into()),
            }),
            readable: None,
        };
        let body = question(
            "exc-1",
            &RetrievalQuery {
                text: "x".into(),
                top_k: 8,
                filters,
                room: 0,
            },
        );
        assert_eq!(
            body,
            json!({
                "index_id": "exc-1", "query": "x", "top_k": 120, "rerank": {"enabled": true, "top_n": 40},
                "custom_filters": {
                    "cf_space": {"operator": "eq", "value": "~me"},
                    "cf_updated": {"operator": "gt", "value": 86_400},
                    "cf_page_id": {"operator": "in", "value": ["12", 12]},
                },
            })
        );
    }

    #[test]
    fn the_reranker_has_the_last_word() {
        let result = json!({"content": " t ", "score": 0.9, "rerank_score": 0.2, "metadata": {"cf_kind": "page", "cf_page_id": "1"}});
        let passage = to_passage(&result).unwrap();
        assert_eq!((passage.score, passage.text.as_str()), (0.2, "t"));
        assert_eq!(
            to_passage(&json!({"content": "t", "score": 0.9, "metadata": {"file_name": "x"}})),
            None
        );
    }
}
