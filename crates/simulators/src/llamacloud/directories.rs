//! Directories and their files (Index v2).

use serde_json::{Map, Value, json};

use super::call::{Answer, Call, detail, invalid, missing, not_found, when};
use super::files::{field, form, store};
use super::model::{Directory, DirectoryFile};
use super::switches::DuplicateId;
use crate::server::Reply;

fn directory_json(call: &Call<'_>, directory: &Directory) -> Value {
    json!({
        "id": directory.id, "name": directory.name, "description": directory.description, "project_id": call.state.project_id, "type": directory.kind,
        "connector_subscription_id": null, "system_metadata": null, "expires_at": null,
        "created_at": when(directory.created_at), "updated_at": when(directory.updated_at),
        "deleted_at": directory.deleted_at.map(when),
    })
}

fn file_json(call: &Call<'_>, directory: &str, file: &DirectoryFile) -> Value {
    json!({
        "id": file.id, "unique_id": file.unique_id, "directory_id": directory, "project_id": call.state.project_id,
        "file_id": file.file_id, "display_name": file.display_name, "metadata": file.metadata, "download_url": null,
        "created_at": when(file.created_at), "updated_at": when(file.updated_at), "deleted_at": file.deleted_at.map(when),
    })
}

/// A directory of this kind; the service makes `index` ones for an index's output.
pub(crate) fn make(call: &mut Call<'_>, name: &str, kind: &str) -> String {
    let id = format!("dir-{:08x}", call.state.fresh() * 7919);
    call.state.directories.push(Directory {
        id: id.clone(),
        name: name.to_owned(),
        description: None,
        kind: kind.to_owned(),
        created_at: call.now,
        updated_at: call.now,
        deleted_at: None,
        files: Default::default(),
    });
    id
}

pub(crate) fn create(call: &mut Call<'_>) -> Answer {
    let body = call.body()?;
    let name = body.get("name").ok_or_else(|| missing("name"))?;
    let name = name.as_str().filter(|n| !n.is_empty());
    let name = name.ok_or_else(|| {
        invalid(
            json!(["body", "name"]),
            "Input should be a valid string",
            "string_type",
        )
    })?;
    let kind = body.get("type").and_then(Value::as_str).unwrap_or("user");
    if !["user", "ephemeral"].contains(&kind) {
        return Err(invalid(
            json!(["body", "type"]),
            "Input should be 'user' or 'ephemeral'",
            "enum",
        ));
    }
    let id = make(call, name, kind);
    let at = position(call, &id)?;
    call.state.directories[at].description = description(&body);
    Ok(Reply::json(
        201,
        directory_json(call, &call.state.directories[at]),
    ))
}

fn description(body: &Value) -> Option<String> {
    body.get("description")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn position(call: &Call<'_>, id: &str) -> Result<usize, Reply> {
    let found = call
        .state
        .directories
        .iter()
        .position(|d| d.id == id && d.deleted_at.is_none());
    found.ok_or_else(|| not_found("Directory"))
}

fn find(call: &Call<'_>) -> Result<usize, Reply> {
    position(call, call.param(0))
}

pub(crate) fn list(call: &mut Call<'_>) -> Answer {
    let name = call.request.one("name");
    let mut kinds = call.request.many("types");
    kinds.extend(call.request.one("type"));
    let deleted = call.request.flag("include_deleted");
    let all: Vec<Value> = call
        .state
        .directories
        .iter()
        .filter(|d| {
            name.is_none_or(|n| d.name == n)
                && (kinds.is_empty() || kinds.contains(&d.kind.as_str()))
                && (deleted || d.deleted_at.is_none())
        })
        .map(|d| directory_json(call, d))
        .collect();
    let (items, next, total) = call.page(all)?;
    Ok(Reply::ok(
        json!({"items": items, "next_page_token": next, "total_size": total}),
    ))
}

pub(crate) fn get(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    Ok(Reply::ok(directory_json(call, &call.state.directories[at])))
}

pub(crate) fn update(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let body = call.body()?;
    let now = call.now;
    let directory = &mut call.state.directories[at];
    if let Some(name) = body.get("name").and_then(Value::as_str) {
        directory.name = name.to_owned();
    }
    if let Some(description) = description(&body) {
        directory.description = Some(description);
    }
    directory.updated_at = now;
    Ok(Reply::ok(directory_json(call, &call.state.directories[at])))
}

pub(crate) fn delete(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    call.state.directories[at].deleted_at = Some(call.now);
    Ok(Reply::empty(204))
}

/// Metadata must be flat: strings, numbers, booleans, null, lists of strings.
fn flat(metadata: Value) -> Result<Map<String, Value>, Reply> {
    let place = json!(["body", "metadata"]);
    let Value::Object(map) = metadata else {
        return Err(invalid(
            place,
            "Input should be a valid dictionary",
            "dict_type",
        ));
    };
    let fine = map.values().all(|v| match v {
        Value::Object(_) => false,
        Value::Array(list) => list.iter().all(Value::is_string),
        _ => true,
    });
    if fine {
        Ok(map)
    } else {
        Err(invalid(place, "Metadata values must be flat", "union"))
    }
}

struct NewFile {
    unique_id: String,
    file_id: String,
    display_name: String,
    metadata: Map<String, Value>,
    text: String,
}

fn insert(call: &mut Call<'_>, at: usize, new: NewFile) -> Answer {
    let taken = call.state.directories[at]
        .files
        .values()
        .any(|f| f.deleted_at.is_none() && f.unique_id == new.unique_id);
    if taken && call.switches.duplicate_unique_id == DuplicateId::Conflict {
        return Err(detail(
            409,
            &format!(
                "A file with unique_id {} already exists in this directory",
                new.unique_id
            ),
        ));
    }
    let number = call.state.fresh();
    let file = DirectoryFile {
        id: format!("dfl-{:08x}", number * 7919),
        unique_id: new.unique_id,
        file_id: new.file_id,
        display_name: new.display_name,
        metadata: new.metadata,
        text: new.text,
        created_at: call.now,
        updated_at: call.now,
        deleted_at: None,
    };
    let value = file_json(call, &call.state.directories[at].id, &file);
    call.state.directories[at].files.insert(number, file);
    Ok(Reply::json(201, value))
}

pub(crate) fn upload(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let form = form(call)?;
    let metadata = match field(&form, "metadata").filter(|m| !m.is_empty()) {
        None => Map::new(),
        Some(text) => flat(serde_json::from_str(&text).map_err(|_| {
            invalid(
                json!(["body", "metadata"]),
                "metadata must be a JSON object",
                "json_invalid",
            )
        })?)?,
    };
    let stored = store(call, &form, "upload_file")?;
    let file = &call.state.files[&stored];
    let external = field(&form, "external_file_id");
    let new = NewFile {
        unique_id: field(&form, "unique_id")
            .or(external)
            .unwrap_or_else(|| file.name.clone()),
        file_id: stored.to_string(),
        display_name: field(&form, "display_name").unwrap_or_else(|| file.name.clone()),
        metadata,
        text: String::from_utf8_lossy(&file.data).into_owned(),
    };
    insert(call, at, new)
}

pub(crate) fn add_file(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let body = call.body()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let file_id = text("file_id").ok_or_else(|| missing("file_id"))?;
    let metadata = match body.get("metadata").filter(|m| !m.is_null()) {
        None => Map::new(),
        Some(metadata) => flat(metadata.clone())?,
    };
    let stored = file_id
        .parse()
        .ok()
        .and_then(|id| call.state.files.get(&id))
        .ok_or_else(|| not_found("File"))?;
    let new = NewFile {
        unique_id: text("unique_id")
            .or_else(|| stored.external_id.clone())
            .unwrap_or_else(|| stored.name.clone()),
        display_name: text("display_name").unwrap_or_else(|| stored.name.clone()),
        file_id,
        metadata,
        text: String::from_utf8_lossy(&stored.data).into_owned(),
    };
    insert(call, at, new)
}

pub(crate) fn files(call: &mut Call<'_>) -> Answer {
    let at = find(call)?;
    let directory = &call.state.directories[at];
    let is = |name: &str, value: &str| call.request.one(name).is_none_or(|w| w == value);
    let moment = |name: &str| {
        call.request
            .one(name)
            .and_then(|t| t.parse::<chrono::DateTime<chrono::Utc>>().ok())
    };
    let (after, before) = (
        moment("updated_at_on_or_after"),
        moment("updated_at_on_or_before"),
    );
    let part = call.request.one("display_name_contains");
    let deleted = call.request.flag("include_deleted");
    let all: Vec<Value> = directory
        .files
        .values()
        .filter(|f| {
            (deleted || f.deleted_at.is_none())
                && is("unique_id", &f.unique_id)
                && is("file_id", &f.file_id)
                && is("display_name", &f.display_name)
                && part.is_none_or(|p| f.display_name.contains(p))
                && after.is_none_or(|a| f.updated_at >= a)
                && before.is_none_or(|b| f.updated_at <= b)
        })
        .map(|f| file_json(call, &directory.id, f))
        .collect();
    let (items, next, total) = call.page(all)?;
    Ok(Reply::ok(
        json!({"items": items, "next_page_token": next, "total_size": total}),
    ))
}

/// Directory and file number of the path. By the file's handle only.
fn locate(call: &Call<'_>) -> Result<(usize, u64), Reply> {
    let at = find(call)?;
    let id = call.param(1);
    let found = call.state.directories[at]
        .files
        .iter()
        .find(|(_, f)| f.id == id && f.deleted_at.is_none());
    found
        .map(|(number, _)| (at, *number))
        .ok_or_else(|| not_found("File"))
}

pub(crate) fn file(call: &mut Call<'_>) -> Answer {
    let (at, number) = locate(call)?;
    let directory = &call.state.directories[at];
    Ok(Reply::ok(file_json(
        call,
        &directory.id,
        &directory.files[&number],
    )))
}

pub(crate) fn update_file(call: &mut Call<'_>) -> Answer {
    let (at, number) = locate(call)?;
    let body = call.body()?;
    let metadata = match body.get("metadata").filter(|m| !m.is_null()) {
        None => None,
        Some(metadata) => Some(flat(metadata.clone())?),
    };
    let mut target = at;
    if let Some(id) = body.get("target_directory_id").and_then(Value::as_str) {
        target = position(call, id)?;
    }
    let now = call.now;
    let Some(mut file) = call.state.directories[at].files.remove(&number) else {
        return Err(not_found("File"));
    };
    if let Some(name) = body.get("display_name").and_then(Value::as_str) {
        file.display_name = name.to_owned();
    }
    if let Some(id) = body.get("unique_id").and_then(Value::as_str) {
        file.unique_id = id.to_owned();
    }
    if let Some(metadata) = metadata {
        file.metadata = metadata;
    }
    file.updated_at = now;
    call.state.directories[target].files.insert(number, file);
    let directory = &call.state.directories[target];
    Ok(Reply::ok(file_json(
        call,
        &directory.id,
        &directory.files[&number],
    )))
}

pub(crate) fn delete_file(call: &mut Call<'_>) -> Answer {
    let (at, number) = locate(call)?;
    let now = call.now;
    if let Some(file) = call.state.directories[at].files.get_mut(&number) {
        file.deleted_at = Some(now);
        file.updated_at = now;
    }
    Ok(Reply::empty(204))
}
