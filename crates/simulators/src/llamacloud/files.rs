//! Uploaded files, and files as members of a pipeline (Index v1).

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call, invalid, missing, not_found, when};
use super::documents::status_json;
use super::model::{Document, Job, PipelineFile, StoredFile};
use super::multipart::{Part, parts};
use super::pipelines::find;
use crate::server::Reply;

fn file_json(call: &Call<'_>, file: &StoredFile) -> Value {
    json!({
        "id": file.id, "name": file.name, "external_file_id": file.external_id, "file_size": file.data.len(),
        "file_type": file.name.rsplit_once('.').map(|(_, e)| e), "project_id": call.state.project_id,
        "last_modified_at": when(file.created_at), "created_at": when(file.created_at), "updated_at": when(file.created_at),
        "purpose": file.purpose, "expires_at": null,
    })
}

pub(crate) fn form(call: &Call<'_>) -> Result<Vec<Part>, Reply> {
    parts(call.request)
        .ok_or_else(|| invalid(json!(["body"]), "Expected multipart/form-data", "multipart"))
}

pub(crate) fn field(form: &[Part], name: &str) -> Option<String> {
    form.iter().find(|p| p.name == name).map(Part::text)
}

pub(crate) fn store(call: &mut Call<'_>, form: &[Part], file_field: &str) -> Result<Uuid, Reply> {
    let part = form
        .iter()
        .find(|p| p.name == file_field)
        .ok_or_else(|| missing(file_field))?;
    let file = StoredFile {
        id: Uuid::new_v4(),
        name: part.file_name.clone().unwrap_or_else(|| "file".into()),
        external_id: field(form, "external_file_id")
            .or_else(|| call.request.one("external_file_id").map(str::to_owned)),
        purpose: field(form, "purpose").unwrap_or_else(|| "user_data".into()),
        data: part.data.clone(),
        created_at: call.now,
    };
    let id = file.id;
    call.state.files.insert(id, file);
    Ok(id)
}

pub(crate) fn upload_v1(call: &mut Call<'_>) -> Answer {
    let form = form(call)?;
    let id = store(call, &form, "upload_file")?;
    Ok(Reply::ok(file_json(call, &call.state.files[&id])))
}

pub(crate) fn upload(call: &mut Call<'_>) -> Answer {
    let form = form(call)?;
    if field(&form, "purpose").is_none() {
        return Err(missing("purpose"));
    }
    let id = store(call, &form, "file")?;
    Ok(Reply::ok(file_json(call, &call.state.files[&id])))
}

pub(crate) fn list(call: &mut Call<'_>) -> Answer {
    let (name, external) = (
        call.request.one("file_name"),
        call.request.one("external_file_id"),
    );
    let all: Vec<Value> = call
        .state
        .files
        .values()
        .filter(|f| {
            name.is_none_or(|n| f.name == n)
                && external.is_none_or(|e| f.external_id.as_deref() == Some(e))
        })
        .map(|f| file_json(call, f))
        .collect();
    let (items, next, total) = call.page(all)?;
    Ok(Reply::ok(
        json!({"items": items, "next_page_token": next, "total_size": total}),
    ))
}

fn uuid(call: &Call<'_>, at: usize) -> Result<Uuid, Reply> {
    call.param(at).parse().map_err(|_| {
        invalid(
            json!(["path", "file_id"]),
            "Input should be a valid UUID",
            "uuid_parsing",
        )
    })
}

pub(crate) fn get(call: &mut Call<'_>) -> Answer {
    let id = uuid(call, 0)?;
    let file = call.state.files.get(&id).ok_or_else(|| not_found("File"))?;
    Ok(Reply::ok(file_json(call, file)))
}

pub(crate) fn delete(call: &mut Call<'_>) -> Answer {
    let id = uuid(call, 0)?;
    call.state
        .files
        .remove(&id)
        .ok_or_else(|| not_found("File"))?;
    Ok(Reply::empty(204))
}

fn member_json(call: &Call<'_>, pipeline: Uuid, file_id: Uuid, file: &PipelineFile) -> Value {
    json!({
        "id": file_id, "file_id": file_id, "pipeline_id": pipeline, "name": file.name,
        "project_id": call.state.project_id, "file_size": file.document.text.len(), "file_type": "md",
        "custom_metadata": file.custom_metadata, "created_at": when(file.created_at), "updated_at": when(file.created_at),
        "status": file.document.status(call.now, call.switches).name(),
    })
}

/// PUT `/pipelines/{id}/files`.
pub(crate) fn attach(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let Value::Array(items) = call.body()? else {
        return Err(invalid(
            json!(["body"]),
            "Input should be a valid list",
            "list_type",
        ));
    };
    let now = call.now;
    let mut answers = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let id = item
            .get("file_id")
            .and_then(Value::as_str)
            .and_then(|i| i.parse::<Uuid>().ok());
        let id = id.ok_or_else(|| {
            invalid(
                json!(["body", n, "file_id"]),
                "Input should be a valid UUID",
                "uuid_parsing",
            )
        })?;
        let stored = call.state.files.get(&id).ok_or_else(|| not_found("File"))?;
        let (name, text) = (
            stored.name.clone(),
            String::from_utf8_lossy(&stored.data).into_owned(),
        );
        let custom = item
            .get("custom_metadata")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let mut metadata: Map<String, Value> = custom.clone();
        metadata.insert("file_id".into(), json!(id));
        metadata.insert("file_name".into(), json!(name));
        let document = Document {
            id: id.to_string(),
            text,
            metadata,
            excluded_embed: Vec::new(),
            excluded_llm: Vec::new(),
            page_positions: None,
            job: Job::Running(now),
            job_id: Uuid::new_v4(),
            chunks: Vec::new(),
            error: None,
            deleted_at: None,
        };
        let file = PipelineFile {
            document,
            name,
            custom_metadata: custom,
            created_at: now,
        };
        answers.push(member_json(call, call.state.pipelines[at].id, id, &file));
        call.state.pipelines[at].files.insert(id, file);
    }
    Ok(Reply::ok(json!(answers)))
}

pub(crate) fn of_pipeline(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let (offset, limit) = (
        call.number("offset", 0, 0, 1 << 40)?,
        call.number("limit", 10, 0, 1 << 40)?,
    );
    let pipeline = &call.state.pipelines[at];
    let files: Vec<Value> = pipeline
        .files
        .iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .map(|(id, f)| member_json(call, pipeline.id, *id, f))
        .collect();
    Ok(Reply::ok(
        json!({"files": files, "limit": limit, "offset": offset, "total_count": pipeline.files.len()}),
    ))
}

pub(crate) fn status(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let id = uuid(call, 1)?;
    let file = call.state.pipelines[at]
        .files
        .get(&id)
        .ok_or_else(|| not_found("File"))?;
    Ok(Reply::ok(status_json(
        &file.document,
        call.now,
        call.switches,
    )))
}

pub(crate) fn detach(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let id = uuid(call, 1)?;
    call.state.pipelines[at]
        .files
        .remove(&id)
        .ok_or_else(|| not_found("File"))?;
    Ok(Reply::empty(204))
}
