//! Retrieval and the file tools (Index v2).

use regex::Regex;
use serde_json::{Map, Value, json};

use super::call::{Answer, Call, detail, invalid, missing, not_found};
use super::filters::{check_v2, passes_v2};
use super::indexes::position;
use super::model::{Index, ParsedFile};
use super::ranking::{Chunk, bm25, cosine};
use crate::server::Reply;

fn text<'b>(body: &'b Value, name: &str) -> Result<&'b str, Reply> {
    let value = body.get(name).ok_or_else(|| missing(name))?;
    value.as_str().ok_or_else(|| {
        invalid(
            json!(["body", name]),
            "Input should be a valid string",
            "string_type",
        )
    })
}

fn index<'c>(call: &'c Call<'_>, body: &Value) -> Result<&'c Index, Reply> {
    let at = position(call, text(body, "index_id")?, true)?;
    Ok(&call.state.indexes[at])
}

pub(crate) fn retrieve(call: &mut Call<'_>) -> Answer {
    let body = call.body()?;
    let index = index(call, &body)?;
    if index.last_exported_at.is_none() {
        return Err(detail(409, "The index has not been built yet"));
    }
    let query = text(&body, "query")?;
    let top_k = body
        .get("top_k")
        .and_then(Value::as_u64)
        .unwrap_or(10)
        .clamp(1, 500);
    let weight = |name: &str| body.get(name).and_then(Value::as_f64).unwrap_or(0.5);
    let (vector, full_text) = (
        weight("vector_pipeline_weight"),
        weight("full_text_pipeline_weight"),
    );
    let threshold = body.get("score_threshold").and_then(Value::as_f64);
    let rerank = body
        .pointer("/rerank/enabled")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let top_n = body
        .pointer("/rerank/top_n")
        .and_then(Value::as_u64)
        .unwrap_or(top_k);
    let empty = Map::new();
    let filters = match body.get("custom_filters").filter(|f| !f.is_null()) {
        None => &empty,
        Some(filters) => {
            check_v2(filters)?;
            filters.as_object().unwrap_or(&empty)
        }
    };
    let only_file = body.pointer("/static_filters/parsed_directory_file_id");
    let found: Vec<(&ParsedFile, usize)> = index
        .parsed
        .iter()
        .filter(|f| {
            passes_v2(filters, &f.metadata)
                && only_file.is_none_or(|filter| file_passes(filter, &f.id))
        })
        .flat_map(|f| (0..f.chunks.len()).map(move |at| (f, at)))
        .collect();
    let chunks: Vec<&Chunk> = found.iter().map(|(f, at)| &f.chunks[*at]).collect();
    let words = bm25(&chunks, query);
    let highest = words
        .iter()
        .copied()
        .fold(0.0, f64::max)
        .max(f64::MIN_POSITIVE);
    let mut scored: Vec<(usize, f64)> = (0..chunks.len())
        .map(|i| {
            (
                i,
                vector * cosine(chunks[i], query) + full_text * words[i] / highest,
            )
        })
        .filter(|(_, score)| *score > 0.0 && threshold.is_none_or(|t| *score >= t))
        .collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.truncate(
        usize::try_from(if rerank { top_k.min(top_n) } else { top_k }).unwrap_or(usize::MAX),
    );
    let results: Vec<Value> = scored
        .iter()
        .map(|(i, score)| {
            let (file, at) = found[*i];
            let chunk = &file.chunks[at];
            json!({
                "content": chunk.text, "score": score, "rerank_score": if rerank { json!(words[*i] / highest) } else { Value::Null },
                "metadata": file.metadata,
                "static_fields": {
                    "parsed_directory_file_id": file.id, "chunk_index": at, "chunk_start_char": chunk.start,
                    "chunk_end_char": chunk.end, "chunk_token_count": chunk.text.len() / 4,
                    "page_range_start": 1, "page_range_end": 1, "attachments": [],
                },
            })
        })
        .collect();
    Ok(Reply::ok(json!({"results": results})))
}

fn file_passes(filter: &Value, id: &str) -> bool {
    let value = filter.get("value").unwrap_or(&Value::Null);
    let is = value.as_str() == Some(id)
        || value
            .as_array()
            .is_some_and(|l| l.iter().any(|v| v.as_str() == Some(id)));
    match filter.get("operator").and_then(Value::as_str) {
        Some("ne" | "nin") => !is,
        _ => is,
    }
}

fn listed(call: &Call<'_>, body: &Value, all: Vec<Value>) -> Answer {
    let size = body.get("page_size").and_then(Value::as_u64).unwrap_or(50);
    if !(1..=1000).contains(&size) {
        return Err(invalid(
            json!(["body", "page_size"]),
            "Input should be between 1 and 1000",
            "less_than_equal",
        ));
    }
    let token = body
        .get("page_token")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let (items, next, total) = call.page_from(all, size, token)?;
    // The end of these lists is an empty string as often as a null.
    let next = if next.is_null() { json!("") } else { next };
    Ok(Reply::ok(
        json!({"items": items, "next_page_token": next, "total_size": total}),
    ))
}

pub(crate) fn find_files(call: &mut Call<'_>) -> Answer {
    let body = call.body()?;
    let index = index(call, &body)?;
    let part = |name: &str| body.get(name).and_then(Value::as_str);
    let (exact, contains) = (part("file_name"), part("file_name_contains"));
    let all = index
        .parsed
        .iter()
        .filter(|f| {
            exact.is_none_or(|e| f.name == e) && contains.is_none_or(|c| f.name.contains(c))
        })
        .map(|f| json!({"file_id": f.id, "file_name": f.name}))
        .collect();
    listed(call, &body, all)
}

fn file<'c>(call: &'c Call<'_>, body: &Value) -> Result<&'c ParsedFile, Reply> {
    let id = text(body, "file_id")?;
    index(call, body)?
        .parsed
        .iter()
        .find(|f| f.id == id)
        .ok_or_else(|| not_found("File"))
}

/// Matches of a regular expression, with characters around them.
pub(crate) fn grep(call: &mut Call<'_>) -> Answer {
    let body = call.body()?;
    let file = file(call, &body)?;
    let pattern = Regex::new(text(&body, "pattern")?)
        .map_err(|e| detail(400, &format!("Invalid pattern: {e}")))?;
    let context = body
        .get("context_chars")
        .and_then(Value::as_u64)
        .and_then(|n| usize::try_from(n).ok());
    let context = context.unwrap_or(80);
    let chars: Vec<char> = file.text.chars().collect();
    let offset = |byte: usize| file.text[..byte].chars().count();
    let all = pattern
        .find_iter(&file.text)
        .map(|found| {
            let from = offset(found.start()).saturating_sub(context);
            let to = (offset(found.end()) + context).min(chars.len());
            let content: String = chars[from..to].iter().collect();
            json!({"content": content, "start_char": from, "end_char": to})
        })
        .collect();
    listed(call, &body, all)
}

pub(crate) fn read(call: &mut Call<'_>) -> Answer {
    let body = call.body()?;
    let file = file(call, &body)?;
    let number = |name: &str| {
        body.get(name)
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok())
    };
    let content: String = file
        .text
        .chars()
        .skip(number("offset").unwrap_or(0))
        .take(number("max_length").unwrap_or(usize::MAX))
        .collect();
    Ok(Reply::ok(json!({"content": content})))
}
