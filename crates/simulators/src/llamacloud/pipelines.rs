//! Projects and pipelines (Index v1).

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call, invalid, missing, not_found, when};
use super::model::{IngestionStatus, Job, Pipeline};
use crate::server::Reply;

pub(crate) fn projects(call: &mut Call<'_>) -> Answer {
    let wanted = call
        .request
        .one("project_name")
        .is_none_or(|n| n == "Default");
    Ok(Reply::ok(if wanted {
        json!([project_json(call)])
    } else {
        json!([])
    }))
}

fn project_json(call: &Call<'_>) -> Value {
    json!({
        "id": call.state.project_id, "name": "Default", "organization_id": call.state.organization_id,
        "is_default": true, "created_at": "2026-01-05T09:00:00.000000Z", "updated_at": "2026-01-05T09:00:00.000000Z",
        "ad_hoc_eval_dataset_id": null,
    })
}

pub(crate) fn project(call: &mut Call<'_>) -> Answer {
    if call.param(0) == call.state.project_id.to_string() {
        Ok(Reply::ok(project_json(call)))
    } else {
        Err(not_found("Project"))
    }
}

pub(crate) fn projects_v2(call: &mut Call<'_>) -> Answer {
    let wanted = call.request.one("name").is_none_or(|n| n == "Default");
    let all = if wanted {
        vec![project_json(call)]
    } else {
        Vec::new()
    };
    let (items, next, total) = call.page(all)?;
    Ok(Reply::ok(
        json!({"items": items, "next_page_token": next, "total_size": total}),
    ))
}

pub(crate) fn pipeline_json(call: &Call<'_>, pipeline: &Pipeline) -> Value {
    let set = |name: &str| pipeline.settings.get(name).cloned().unwrap_or(Value::Null);
    let embedding = match set("embedding_config") {
        Value::Null => json!({
            "type": "MANAGED_OPENAI_EMBEDDING",
            "component": {"model_name": "openai-text-embedding-3-small", "embed_batch_size": 10, "num_workers": null,
                "class_name": "ManagedOpenAIEmbedding"},
        }),
        mut own => {
            if let Some(key) = own.pointer_mut("/component/api_key") {
                *key = json!("********");
            }
            own
        }
    };
    let transform = match set("transform_config") {
        Value::Null => json!({"mode": "auto", "chunk_size": 1024, "chunk_overlap": 200}),
        own => own,
    };
    let mut presets = match set("preset_retrieval_parameters") {
        Value::Null => json!({"retrieval_mode": "chunks", "class_name": "base_component"}),
        own => own,
    };
    if call.switches.unknown_enums {
        presets["retrieval_mode"] = json!("telepathic");
    }
    json!({
        "id": pipeline.id, "name": pipeline.name, "project_id": pipeline.project_id,
        "pipeline_type": if call.switches.unknown_enums { "HYPERMANAGED" } else { "MANAGED" },
        "created_at": when(pipeline.created_at), "updated_at": when(pipeline.updated_at),
        "embedding_config": embedding, "embedding_model_config_id": null, "embedding_model_config": null,
        "sparse_model_config": set("sparse_model_config"), "managed_pipeline_id": null,
        "transform_config": transform, "preset_retrieval_parameters": presets,
        "config_hash": {"embedding_config_hash": hash(&embedding), "parsing_config_hash": "", "transform_config_hash": hash(&transform)},
        "llama_parse_parameters": null, "data_sink": null, "status": "CREATED",
        "metadata_config": set("metadata_config"),
    })
}

fn hash(value: &Value) -> String {
    let sum = value
        .to_string()
        .bytes()
        .fold(5381_u64, |h, b| h.wrapping_mul(33) ^ u64::from(b));
    format!("{sum:016x}")
}

/// A `PipelineCreate` that passes.
fn settings(body: Value) -> Result<(String, Map<String, Value>), Reply> {
    let Value::Object(map) = body else {
        return Err(invalid(
            json!(["body"]),
            "Input should be a valid dictionary",
            "model_attributes_type",
        ));
    };
    let name = map.get("name").ok_or_else(|| missing("name"))?;
    let name = name.as_str().ok_or_else(|| {
        invalid(
            json!(["body", "name"]),
            "Input should be a valid string",
            "string_type",
        )
    })?;
    if name.is_empty() || name.chars().count() > 3000 {
        return Err(invalid(
            json!(["body", "name"]),
            "String should have 1 to 3000 characters",
            "string_too_short",
        ));
    }
    if let Some(size) = map
        .get("transform_config")
        .and_then(|t| t.get("chunk_size"))
        && size.as_u64().is_none_or(|s| s == 0)
    {
        return Err(invalid(
            json!(["body", "transform_config", "auto", "chunk_size"]),
            "Input should be greater than 0",
            "greater_than",
        ));
    }
    if let Some(embedding) = map.get("embedding_config").filter(|e| !e.is_null()) {
        const TYPES: &[&str] = &[
            "AZURE_EMBEDDING",
            "COHERE_EMBEDDING",
            "GEMINI_EMBEDDING",
            "HUGGINGFACE_API_EMBEDDING",
            "OPENAI_EMBEDDING",
            "VERTEXAI_EMBEDDING",
            "BEDROCK_EMBEDDING",
        ];
        if !embedding
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|t| TYPES.contains(&t))
        {
            return Err(invalid(
                json!(["body", "embedding_config"]),
                "Input tag found using 'type' does not match any of the expected tags",
                "union_tag_invalid",
            ));
        }
        let key = embedding
            .pointer("/component/api_key")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if embedding.get("type") == Some(&json!("OPENAI_EMBEDDING")) && !key.starts_with("sk-") {
            return Err(super::call::detail(
                400,
                "There was an error while validating the embedding connection: Incorrect API key provided",
            ));
        }
    }
    Ok((name.to_owned(), map))
}

fn insert(call: &mut Call<'_>, name: String, settings: Map<String, Value>) -> Reply {
    let pipeline = Pipeline {
        id: Uuid::new_v4(),
        name,
        project_id: call.state.project_id,
        settings,
        created_at: call.now,
        updated_at: call.now,
        documents: Default::default(),
        order: Vec::new(),
        files: Default::default(),
    };
    let value = pipeline_json(call, &pipeline);
    call.state.pipelines.push(pipeline);
    Reply::ok(value)
}

pub(crate) fn create(call: &mut Call<'_>) -> Answer {
    let (name, settings) = settings(call.body()?)?;
    if call.state.pipelines.iter().any(|p| p.name == name) {
        return Err(super::call::detail(
            400,
            &format!("Pipeline with name {name} already exists"),
        ));
    }
    Ok(insert(call, name, settings))
}

/// PUT by (name, project).
pub(crate) fn upsert(call: &mut Call<'_>) -> Answer {
    let (name, settings) = settings(call.body()?)?;
    let Some(at) = call.state.pipelines.iter().position(|p| p.name == name) else {
        return Ok(insert(call, name, settings));
    };
    let now = call.now;
    change(&mut call.state.pipelines[at], settings, now);
    Ok(Reply::ok(pipeline_json(call, &call.state.pipelines[at])))
}

/// Takes new settings; a change of embedding or transform ingests every document again.
fn change(
    pipeline: &mut Pipeline,
    settings: Map<String, Value>,
    now: chrono::DateTime<chrono::Utc>,
) {
    let part = |s: &Map<String, Value>, name: &str| s.get(name).cloned().unwrap_or(Value::Null);
    let again = ["embedding_config", "transform_config"]
        .iter()
        .any(|name| part(&pipeline.settings, name) != part(&settings, name));
    pipeline.settings.extend(settings);
    pipeline.updated_at = now;
    if again {
        pipeline.documents.values_mut().for_each(|d| d.start(now));
    }
}

pub(crate) fn list(call: &mut Call<'_>) -> Answer {
    let name = call.request.one("pipeline_name");
    let kind = call.request.one("pipeline_type");
    if kind.is_some_and(|k| k != "MANAGED" && k != "PLAYGROUND") {
        return Err(invalid(
            json!(["query", "pipeline_type"]),
            "Input should be 'PLAYGROUND' or 'MANAGED'",
            "enum",
        ));
    }
    // The name matches loosely: exactness is the client's business.
    let wanted =
        |p: &&Pipeline| name.is_none_or(|n| p.name.contains(n)) && kind != Some("PLAYGROUND");
    let list: Vec<Value> = call
        .state
        .pipelines
        .iter()
        .filter(wanted)
        .map(|p| pipeline_json(call, p))
        .collect();
    Ok(Reply::ok(json!(list)))
}

pub(crate) fn list_v2(call: &mut Call<'_>) -> Answer {
    let name = call.request.one("name");
    let all: Vec<Value> = call
        .state
        .pipelines
        .iter()
        .filter(|p| name.is_none_or(|n| p.name == n))
        .map(|p| {
            json!({"id": p.id, "name": p.name, "project_id": p.project_id, "pipeline_type": "MANAGED",
                "created_at": when(p.created_at), "updated_at": when(p.updated_at), "status": "CREATED"})
        })
        .collect();
    let (items, next, total) = call.page(all)?;
    Ok(Reply::ok(
        json!({"items": items, "next_page_token": next, "total_size": total}),
    ))
}

/// Position of the pipeline of the path's first parameter.
pub(crate) fn find(call: &Call<'_>) -> Result<usize, Reply> {
    let id: Uuid = call.param(0).parse().map_err(|_| {
        invalid(
            json!(["path", "pipeline_id"]),
            "Input should be a valid UUID, invalid character",
            "uuid_parsing",
        )
    })?;
    call.state
        .pipelines
        .iter()
        .position(|p| p.id == id)
        .ok_or_else(|| not_found("Pipeline"))
}

pub(crate) fn get(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    Ok(Reply::ok(pipeline_json(call, &call.state.pipelines[at])))
}

pub(crate) fn update(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let Value::Object(map) = call.body()? else {
        return Err(invalid(
            json!(["body"]),
            "Input should be a valid dictionary",
            "model_attributes_type",
        ));
    };
    let now = call.now;
    if let Some(name) = map.get("name").and_then(Value::as_str) {
        call.state.pipelines[at].name = name.to_owned();
    }
    let mut settings = call.state.pipelines[at].settings.clone();
    settings.extend(map);
    change(&mut call.state.pipelines[at], settings, now);
    Ok(Reply::ok(pipeline_json(call, &call.state.pipelines[at])))
}

pub(crate) fn delete(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    call.state.pipelines.remove(at);
    Ok(Reply::empty(204))
}

/// Starts what waits or has failed.
pub(crate) fn sync(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let now = call.now;
    for document in call.state.pipelines[at].documents.values_mut() {
        if document.job == Job::Waiting {
            document.start(now);
        }
    }
    Ok(Reply::ok(pipeline_json(call, &call.state.pipelines[at])))
}

pub(crate) fn cancel(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    for document in call.state.pipelines[at].documents.values_mut() {
        if matches!(document.job, Job::Running(_)) {
            document.job = Job::Waiting;
        }
    }
    Ok(Reply::ok(pipeline_json(call, &call.state.pipelines[at])))
}

pub(crate) fn status(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let pipeline = &call.state.pipelines[at];
    let statuses: Vec<IngestionStatus> = pipeline
        .searchable()
        .map(|d| d.status(call.now, call.switches))
        .collect();
    let count = |status| statuses.iter().filter(|s| **s == status).count();
    let (waiting, running, failed) = (
        count(IngestionStatus::NotStarted),
        count(IngestionStatus::InProgress),
        count(IngestionStatus::Error),
    );
    let deleting = pipeline.documents.values().any(|d| d.deleted_at.is_some());
    let overall = if running == 0 && deleting && call.switches.deletions_not_started {
        "NOT_STARTED"
    } else if running > 0 || deleting {
        "IN_PROGRESS"
    } else if waiting > 0 {
        if call.switches.unknown_enums {
            "QUEUED"
        } else {
            "NOT_STARTED"
        }
    } else if failed > 0 && failed < statuses.len() {
        "PARTIAL_SUCCESS"
    } else if failed > 0 {
        "ERROR"
    } else {
        "SUCCESS"
    };
    let errors: Vec<Value> = pipeline
        .searchable()
        .filter_map(|d| {
            let message = format!("{}: {}", d.id, d.error.as_ref()?);
            Some(json!({"job_id": d.job_id, "message": message, "step": "INGESTION"}))
        })
        .collect();
    let detailed = call.request.flag("full_details") && !errors.is_empty();
    Ok(Reply::ok(json!({
        "status": overall, "job_id": pipeline.searchable().last().map(|d| d.job_id),
        "deployment_date": when(pipeline.updated_at), "effective_at": when(pipeline.updated_at),
        "error": if detailed { json!(errors) } else { Value::Null },
    })))
}
