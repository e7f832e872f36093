//! Retrieval from a pipeline (Index v1).

use serde_json::{Value, json};

use super::call::{Answer, Call, invalid, missing};
use super::documents::node_json;
use super::filters::{check_v1, passes_v1};
use super::model::Document;
use super::pipelines::find;
use super::ranking::{Chunk, bm25, cosine};
use crate::server::Reply;

/// A number of the body within bounds; `None` when absent or null.
fn bounded(
    body: &Value,
    name: &str,
    low: f64,
    high: f64,
    whole: bool,
) -> Result<Option<f64>, Reply> {
    let place = json!(["body", name]);
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value
                .as_f64()
                .filter(|_| !whole || value.is_u64() || value.is_i64());
            let number = number.ok_or_else(|| {
                invalid(
                    place.clone(),
                    "Input should be a valid number",
                    "number_type",
                )
            })?;
            if number < low {
                return Err(invalid(
                    place,
                    &format!("Input should be greater than or equal to {low}"),
                    "greater_than_equal",
                ));
            }
            if number > high {
                return Err(invalid(
                    place,
                    &format!("Input should be less than or equal to {high}"),
                    "less_than_equal",
                ));
            }
            Ok(Some(number))
        }
    }
}

pub(crate) fn retrieve(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let body = call.body()?;
    let query = body.get("query").ok_or_else(|| missing("query"))?;
    let query = query.as_str().ok_or_else(|| {
        invalid(
            json!(["body", "query"]),
            "Input should be a valid string",
            "string_type",
        )
    })?;
    if query.is_empty() {
        return Err(invalid(
            json!(["body", "query"]),
            "String should have at least 1 character",
            "string_too_short",
        ));
    }
    let top = |name: &str, default: f64| {
        Ok(bounded(&body, name, 1.0, 100.0, true)?.unwrap_or(default) as usize)
    };
    let dense_top: usize = top("dense_similarity_top_k", 30.0)?;
    let sparse_top: usize = top("sparse_similarity_top_k", 30.0)?;
    let rerank_top: usize = top("rerank_top_n", 6.0)?;
    bounded(&body, "files_top_k", 1.0, 5.0, true)?;
    let cutoff = bounded(&body, "dense_similarity_cutoff", 0.0, 1.0, false)?.unwrap_or(0.0);
    let alpha = bounded(&body, "alpha", 0.0, 1.0, false)?.unwrap_or(0.5);
    let mode = body
        .get("retrieval_mode")
        .and_then(Value::as_str)
        .unwrap_or("chunks");
    if ![
        "chunks",
        "files_via_metadata",
        "files_via_content",
        "auto_routed",
    ]
    .contains(&mode)
    {
        return Err(invalid(
            json!(["body", "retrieval_mode"]),
            "Input should be 'chunks', 'files_via_metadata', 'files_via_content' or 'auto_routed'",
            "enum",
        ));
    }
    let reranking = body
        .get("enable_reranking")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let filters = body.get("search_filters").filter(|f| !f.is_null());
    if let Some(filters) = filters {
        check_v1(filters, &mut vec![json!("body"), json!("search_filters")])?;
    }

    let pipeline = &call.state.pipelines[at];
    let found: Vec<(&Document, usize)> = pipeline
        .searchable()
        .filter(|d| filters.is_none_or(|f| passes_v1(f, &d.metadata)))
        .flat_map(|d| (0..d.chunks.len()).map(move |at| (d, at)))
        .collect();
    let chunks: Vec<&Chunk> = found.iter().map(|(d, at)| &d.chunks[*at]).collect();
    let sparse = bm25(&chunks, query);
    let dense: Vec<f64> = chunks.iter().map(|c| cosine(c, query)).collect();
    let highest = sparse
        .iter()
        .copied()
        .fold(0.0, f64::max)
        .max(f64::MIN_POSITIVE);
    let chosen = |scores: &[f64], top: usize, least: f64| {
        let mut order: Vec<usize> = (0..scores.len())
            .filter(|i| scores[*i] > 0.0 && scores[*i] >= least)
            .collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order.truncate(top);
        order
    };
    let mut candidates = Vec::new();
    if alpha > 0.0 {
        candidates.extend(chosen(&dense, dense_top, cutoff));
    }
    if alpha < 1.0 {
        candidates.extend(chosen(&sparse, sparse_top, 0.0));
    }
    candidates.sort_unstable();
    candidates.dedup();
    let score = |i: usize| alpha * dense[i] + (1.0 - alpha) * sparse[i] / highest;
    candidates.sort_by(|a, b| score(*b).total_cmp(&score(*a)).then(a.cmp(b)));
    candidates.truncate(if reranking {
        rerank_top
    } else {
        dense_top.max(sparse_top)
    });
    let nodes: Vec<Value> = candidates
        .iter()
        .map(|i| {
            let (document, chunk) = found[*i];
            json!({
                "node": node_json(document, chunk, call.switches.node_metadata, Some(pipeline.id)),
                "score": (score(*i) * 1e6).round() / 1e6, "class_name": "NodeWithScore",
            })
        })
        .collect();
    Ok(Reply::ok(json!({
        "pipeline_id": pipeline.id, "retrieval_nodes": nodes, "image_nodes": [], "page_figure_nodes": [],
        "retrieval_latency": {"retrieval": 0.021, "reranking": 0.012}, "metadata": {},
        "inferred_search_filters": null, "class_name": "RetrieveResults",
    })))
}
