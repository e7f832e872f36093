//! Documents of a pipeline (Index v1).

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call, detail, invalid, not_found};
use super::model::{Document, IngestionStatus, Job};
use super::pipelines::find;
use super::ranking::Chunk;
use super::switches::NodeMetadata;
use crate::server::{Reply, percent_decode};

fn document_json(document: &Document) -> Value {
    json!({
        "id": document.id, "text": document.text, "metadata": document.metadata,
        "excluded_embed_metadata_keys": document.excluded_embed, "excluded_llm_metadata_keys": document.excluded_llm,
        "page_positions": document.page_positions, "status_metadata": {},
    })
}

/// The array both POST and PUT take.
fn documents_of(call: &Call<'_>) -> Result<Vec<Map<String, Value>>, Reply> {
    let body = call.body()?;
    let Value::Array(items) = body else {
        return Err(invalid(
            json!(["body"]),
            "Input should be a valid list",
            "list_type",
        ));
    };
    if call
        .switches
        .max_documents
        .is_some_and(|most| items.len() > most)
    {
        return Err(detail(413, "Request Entity Too Large"));
    }
    let mut out = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let place = |field: &str| json!(["body", at, field]);
        let Value::Object(map) = item else {
            return Err(invalid(
                json!(["body", at]),
                "Input should be a valid dictionary",
                "model_attributes_type",
            ));
        };
        match map.get("text") {
            Some(Value::String(_)) => {}
            Some(_) => {
                return Err(invalid(
                    place("text"),
                    "Input should be a valid string",
                    "string_type",
                ));
            }
            None => return Err(invalid(place("text"), "Field required", "missing")),
        }
        match map.get("metadata") {
            Some(Value::Object(_)) => {}
            Some(_) => {
                return Err(invalid(
                    place("metadata"),
                    "Input should be a valid dictionary",
                    "dict_type",
                ));
            }
            None => return Err(invalid(place("metadata"), "Field required", "missing")),
        }
        if map
            .get("id")
            .is_some_and(|id| !id.is_string() && !id.is_null())
        {
            return Err(invalid(
                place("id"),
                "Input should be a valid string",
                "string_type",
            ));
        }
        out.push(map);
    }
    Ok(out)
}

fn strings(map: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = map.get(name).and_then(Value::as_array);
    list.map(|l| {
        l.iter()
            .filter_map(|s| s.as_str().map(str::to_owned))
            .collect()
    })
    .unwrap_or_default()
}

/// Create (POST) and create-or-update by id (PUT). An update keeps the old chunks until its job is over.
pub(crate) fn upsert(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let items = documents_of(call)?;
    let (now, needs_sync) = (call.now, call.switches.needs_sync);
    let pipeline = &mut call.state.pipelines[at];
    let mut answers = Vec::with_capacity(items.len());
    for map in items {
        let id = map
            .get("id")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .unwrap_or_else(|| Uuid::new_v4().to_string());
        let old = pipeline.documents.remove(&id);
        if old.is_none() {
            pipeline.order.push(id.clone());
        }
        let mut document = Document {
            id: id.clone(),
            text: map
                .get("text")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            metadata: map
                .get("metadata")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
            excluded_embed: strings(&map, "excluded_embed_metadata_keys"),
            excluded_llm: strings(&map, "excluded_llm_metadata_keys"),
            page_positions: map
                .get("page_positions")
                .and_then(Value::as_array)
                .map(|l| l.iter().filter_map(Value::as_i64).collect()),
            job: Job::Waiting,
            job_id: Uuid::new_v4(),
            chunks: old.map(|o| o.chunks).unwrap_or_default(),
            error: None,
            deleted_at: None,
        };
        if !needs_sync {
            document.start(now);
        }
        answers.push(document_json(&document));
        pipeline.documents.insert(id, document);
    }
    Ok(Reply::ok(json!(answers)))
}

fn window(call: &Call<'_>) -> Result<(usize, usize), Reply> {
    let most = 1 << 40;
    let (skip, limit) = (
        call.number("skip", 0, 0, most)?,
        call.number("limit", 10, 0, most)?,
    );
    Ok((
        usize::try_from(skip).unwrap_or(usize::MAX),
        usize::try_from(limit).unwrap_or(usize::MAX),
    ))
}

pub(crate) fn paginated(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let (skip, limit) = window(call)?;
    let pipeline = &call.state.pipelines[at];
    let page: Vec<Value> = pipeline
        .order
        .iter()
        .skip(skip)
        .take(limit)
        .filter_map(|id| pipeline.documents.get(id))
        .map(document_json)
        .collect();
    Ok(Reply::ok(
        json!({"documents": page, "limit": limit, "offset": skip, "total_count": pipeline.order.len()}),
    ))
}

/// The older list: a plain array.
pub(crate) fn list(call: &mut Call<'_>) -> Answer {
    let mut reply = paginated(call)?;
    if let crate::server::Body::Json(value) = &mut reply.body {
        *value = value["documents"].take();
    }
    Ok(reply)
}

/// The document of the path: the router decoded once, the service decodes once more.
fn document_id(call: &Call<'_>) -> Result<String, Reply> {
    let once = call.param(1);
    let twice = percent_decode(&once.replace('+', " "));
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if call.switches.odd_ids_need_double_encoding && twice == once && !once.chars().all(plain) {
        return Err(not_found("Document"));
    }
    Ok(twice)
}

fn document<'c>(call: &'c mut Call<'_>) -> Result<&'c mut Document, Reply> {
    let at = find(call)?;
    let id = document_id(call)?;
    let found = call.state.pipelines[at].documents.get_mut(&id);
    found
        .filter(|d| d.deleted_at.is_none())
        .ok_or_else(|| not_found("Document"))
}

pub(crate) fn get(call: &mut Call<'_>) -> Answer {
    Ok(Reply::ok(document_json(document(call)?)))
}

pub(crate) fn delete(call: &mut Call<'_>) -> Answer {
    let now = call.now;
    document(call)?.deleted_at = Some(now);
    Ok(Reply::empty(204))
}

pub(crate) fn status(call: &mut Call<'_>) -> Answer {
    let (now, switches) = (call.now, call.switches);
    let document = document(call)?;
    Ok(Reply::ok(status_json(document, now, switches)))
}

pub(crate) fn status_json(
    document: &Document,
    now: chrono::DateTime<chrono::Utc>,
    switches: &super::switches::Switches,
) -> Value {
    let status = document.status(now, switches);
    let name = match status {
        IngestionStatus::NotStarted if switches.unknown_enums => "QUEUED",
        status => status.name(),
    };
    let error = document
        .error
        .as_ref()
        .filter(|_| status == IngestionStatus::Error)
        .map(
            |message| json!([{"job_id": document.job_id, "message": message, "step": "INGESTION"}]),
        );
    json!({"status": name, "job_id": document.job_id, "deployment_date": null, "effective_at": null, "error": error})
}

pub(crate) fn sync(call: &mut Call<'_>) -> Answer {
    let now = call.now;
    document(call)?.start(now);
    Ok(Reply::ok(json!({})))
}

pub(crate) fn chunks(call: &mut Call<'_>) -> Answer {
    let form = call.switches.node_metadata;
    let document = document(call)?;
    let nodes: Vec<Value> = (0..document.chunks.len())
        .map(|at| node_json(document, at, form, None))
        .collect();
    Ok(Reply::ok(json!(nodes)))
}

/// A TextNode: chunk id, text, offsets, the document's metadata, relationships to the document and its neighbours.
pub(crate) fn node_json(
    document: &Document,
    at: usize,
    form: NodeMetadata,
    pipeline: Option<Uuid>,
) -> Value {
    let chunk: &Chunk = &document.chunks[at];
    let mut metadata = document.metadata.clone();
    metadata.insert("document_id".into(), json!(document.id));
    if let Some(pipeline) = pipeline {
        metadata.insert("pipeline_id".into(), json!(pipeline));
    }
    let related = |id: &str, kind: &str| json!({"node_id": id, "node_type": kind, "metadata": {}, "hash": null, "class_name": "RelatedNodeInfo"});
    let mut relationships = json!({"1": related(&document.id, "4")});
    if at > 0 {
        relationships["2"] = related(&document.chunks[at - 1].id, "1");
    }
    if let Some(next) = document.chunks.get(at + 1) {
        relationships["3"] = related(&next.id, "1");
    }
    let mut node = json!({
        "id_": chunk.id, "embedding": null, "text": chunk.text, "mimetype": "text/plain",
        "start_char_idx": chunk.start, "end_char_idx": chunk.end, "relationships": relationships,
        "excluded_embed_metadata_keys": document.excluded_embed, "excluded_llm_metadata_keys": document.excluded_llm,
        "metadata_template": "{key}: {value}", "metadata_seperator": "\n",
        "text_template": "{metadata_str}\n\n{content}", "class_name": "TextNode",
    });
    if form != NodeMetadata::Metadata {
        node["extra_info"] = json!(metadata);
    }
    if form != NodeMetadata::ExtraInfo {
        node["metadata"] = json!(metadata);
    }
    node
}

pub(crate) fn status_counts(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let pipeline = &call.state.pipelines[at];
    let mut counts: Map<String, Value> = Map::new();
    for document in pipeline.documents.values() {
        let name = document.status(call.now, call.switches).name();
        let before = counts.get(name).and_then(Value::as_u64).unwrap_or(0);
        counts.insert(name.to_owned(), json!(before + 1));
    }
    Ok(Reply::ok(json!({
        "pipeline_id": pipeline.id, "counts": counts, "total_count": pipeline.documents.len(),
        "data_source_id": null, "file_id": null, "only_direct_upload": call.request.flag("only_direct_upload"),
    })))
}

/// Starts again what failed, was cancelled, never started or hangs; everything with `only_failed=false`.
pub(crate) fn force_sync_all(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    call.number("batch_size", 50, 1, 1000)?;
    let only_failed = call.request.one("only_failed") != Some("false");
    let now = call.now;
    for document in call.state.pipelines[at].documents.values_mut() {
        if !only_failed || document.job != Job::Done(IngestionStatus::Success) {
            document.start(now);
        }
    }
    Ok(Reply::json(202, json!({})))
}
