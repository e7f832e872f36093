//! Questions to a pipeline.

use domain::DocumentId;
use domain::document::keys;
use domain::index::Remote;
use domain::ports::retrieval::BackendError;
use domain::query::{Filters, Passage, RetrievalQuery};
use reqwest::Method;
use serde_json::{Value, json};

use super::Pipelines;
use crate::passages::{self, MOST, wanted};

impl Pipelines {
    /// Asks by meaning and by words at once, reranked.
    pub(crate) async fn search(
        &self,
        remote: &Remote,
        query: &RetrievalQuery,
    ) -> Result<Vec<Passage>, BackendError> {
        let call = self
            .below(Method::POST, remote, ["retrieve"])
            .json(&question(query))
            .urgent();
        let answer = self
            .http
            .send(&call)
            .await
            .map_err(|failure| self.told(remote, failure))?;
        let nodes = answer.get("retrieval_nodes").and_then(Value::as_array);
        let nodes = nodes.ok_or_else(|| BackendError::Unavailable {
            detail: "an answer came without passages".to_owned(),
        })?;
        let mut passages: Vec<Passage> = nodes.iter().filter_map(to_passage).collect();
        passages.sort_by(|a, b| b.score.total_cmp(&a.score));
        passages.truncate(wanted(query) as usize);
        Ok(passages)
    }
}

fn question(query: &RetrievalQuery) -> Value {
    let wanted = wanted(query);
    // Candidates by meaning and by words, before they are merged and reranked.
    let candidates = (wanted * 3).clamp(30, MOST);
    let mut body = json!({
        "query": query.text,
        "retrieval_mode": "chunks",
        "dense_similarity_top_k": candidates,
        "sparse_similarity_top_k": candidates,
        "alpha": 0.5,
        "enable_reranking": true,
        "rerank_top_n": wanted,
    });
    if let Some(filters) = filters(&query.filters) {
        body["search_filters"] = filters;
    }
    body
}

/// Values keep their types: the service compares strictly.
fn filters(filters: &Filters) -> Option<Value> {
    let mut all = Vec::new();
    if let Some(space) = &filters.space {
        all.push(json!({"key": keys::SPACE, "operator": "==", "value": space.as_str()}));
    }
    if let Some(after) = filters.updated_after {
        all.push(json!({"key": keys::UPDATED, "operator": ">", "value": after.timestamp()}));
    }
    if let Some((texts, numbers)) = passages::only_pages(filters) {
        let one_of = |value: Value| json!({"key": keys::PAGE_ID, "operator": "in", "value": value});
        all.push(
            json!({"condition": "or", "filters": [one_of(json!(texts)), one_of(json!(numbers))]}),
        );
    }
    if let Some(spaces) = passages::only_spaces(filters) {
        all.push(json!({"key": keys::SPACE, "operator": "in", "value": spaces}));
    }
    if let Some((texts, numbers)) = passages::hidden_pages(filters) {
        for value in [json!(texts), json!(numbers)] {
            all.push(json!({"key": keys::PAGE_ID, "operator": "nin", "value": value}));
        }
    }
    (!all.is_empty()).then(|| json!({"condition": "and", "filters": all}))
}

/// Our own metadata leads back to the page; the relationship to the source document is the second way.
fn to_passage(scored: &Value) -> Option<Passage> {
    let node = scored.get("node")?;
    let by_metadata = || {
        ["extra_info", "metadata"]
            .iter()
            .find_map(|map| passages::document(node.get(map)?))
    };
    let by_source = || {
        let source = DocumentId::from(node.pointer("/relationships/1/node_id")?.as_str()?);
        source.page().is_some().then_some(source)
    };
    Some(Passage {
        document: by_metadata().or_else(by_source)?,
        text: node.get("text")?.as_str()?.trim().to_owned(),
        score: scored.get("score").and_then(Value::as_f64).unwrap_or(0.0),
        heading_path: Vec::new(),
        anchor: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use chrono::DateTime;
    use domain::SpaceKey;
    use domain::query::Under;

    fn query(filters: Filters) -> RetrievalQuery {
        RetrievalQuery {
            text: "roll back".into(),
            top_k: 8,
            filters,
            room: 0,
        }
    }

    #[test]
    fn filters_keep_their_types() {
        let filters = Filters {
            space: Some(SpaceKey::from("ENG")),
            label: None,
            updated_after: DateTime::from_timestamp(1_700_000_000, 0),
            under: Some(Under {
                page: "12".into(),
                pages: Arc::new(["12".into(), "att7".into()].into()),
            }),
            readable: None,
        };
        let body = question(&query(filters));
        assert_eq!(
            body["search_filters"],
            json!({"condition": "and", "filters": [
                {"key": "cf_space", "operator": "==", "value": "ENG"},
                {"key": "cf_updated", "operator": ">", "value": 1_700_000_000},
                {"condition": "or", "filters": [
                    {"key": "cf_page_id", "operator": "in", "value": ["12", "att7"]},
                    {"key": "cf_page_id", "operator": "in", "value": [12]},
                ]},
            ]})
        );
        assert_eq!(
            (&body["rerank_top_n"], &body["dense_similarity_top_k"]),
            (&json!(40), &json!(100))
        );
        assert_eq!(
            question(&query(Filters::default())).get("search_filters"),
            None
        );
    }

    #[test]
    fn a_label_asks_for_more_and_never_for_too_much() {
        let labelled = Filters {
            label: Some("a".into()),
            ..Filters::default()
        };
        let many = RetrievalQuery {
            top_k: 50,
            ..query(labelled.clone())
        };
        assert_eq!(question(&query(labelled))["rerank_top_n"], 40);
        let body = question(&many);
        assert_eq!(
            (&body["rerank_top_n"], &body["sparse_similarity_top_k"]),
            (&json!(100), &json!(100))
        );
    }

    #[test]
    fn metadata_leads_back_to_the_page_whatever_it_is_called() {
        let metadata = json!({"cf_kind": "page", "cf_page_id": "12"});
        let page = DocumentId::from("confluence-page-12");
        for node in [
            json!({"text": "t", "extra_info": metadata}),
            json!({"text": "t", "metadata": metadata}),
            json!({"text": "t", "extra_info": {}, "metadata": {"cf_kind": "page", "cf_page_id": 12}}),
            json!({"text": "t", "extra_info": {}, "relationships": {"1": {"node_id": "confluence-page-12"}}}),
        ] {
            let passage = to_passage(&json!({"node": node, "score": null})).unwrap();
            assert_eq!((passage.document, passage.score), (page.clone(), 0.0));
        }
        let foreign = json!({"node": {"text": "t", "extra_info": {}, "relationships": {"1": {"node_id": "file-1"}}}});
        assert_eq!(to_passage(&foreign), None);
    }
}
