//! Indexes over a directory, and their one-at-a-time sync (Index v2).

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::call::{Answer, Call, detail, invalid, missing, not_found, when};
use super::directories::make;
use super::model::{Index, ParsedFile, State};
use super::ranking::cut;
use super::switches::{IndexIds, Switches};
use crate::server::Reply;

fn index_json(call: &Call<'_>, index: &Index) -> Value {
    let stale = Duration::from_std(call.switches.stale_ready_for).unwrap_or_default();
    let visible_sync = index
        .syncing_since
        .filter(|since| call.now >= *since + stale);
    let status = match (&visible_sync, &index.failed, index.last_exported_at) {
        (Some(_), _, _) => "syncing",
        (None, Some(_), _) => "failed",
        (None, None, Some(_)) => "ready",
        (None, None, None) => "pending",
    };
    let mut metadata = json!({"status": status});
    if let (Some(error), None) = (&index.failed, visible_sync) {
        metadata["error_message"] = json!(error);
    }
    let expand = call.request.many("expand").contains(&"sync_in_progress");
    json!({
        "id": index.id, "export_config_id": index.export_config_id, "sync_config_id": index.sync_config_id,
        "source_directory_id": index.source_directory_id, "output_directory_id": index.output_directory_id,
        "project_id": call.state.project_id, "name": index.name, "description": null, "metadata": metadata,
        "sync_in_progress": if expand { json!(index.syncing_since.is_some()) } else { Value::Null },
        "last_synced_at": index.last_synced_at.map(when), "last_exported_at": index.last_exported_at.map(when),
        "created_at": when(index.created_at), "updated_at": when(index.updated_at),
    })
}

pub(crate) fn create(call: &mut Call<'_>) -> Answer {
    let body = call.body()?;
    let source = body
        .get("source_directory_id")
        .ok_or_else(|| missing("source_directory_id"))?;
    let source = source.as_str().unwrap_or_default().to_owned();
    if let Some(frequency) = body.get("sync_frequency").and_then(Value::as_str)
        && !["manual", "daily", "on_source_change"].contains(&frequency)
    {
        return Err(invalid(
            json!(["body", "sync_frequency"]),
            "Input should be 'manual', 'daily' or 'on_source_change'",
            "enum",
        ));
    }
    let directory = call
        .state
        .directories
        .iter()
        .find(|d| d.id == source && d.deleted_at.is_none());
    let name = directory
        .ok_or_else(|| not_found("Directory"))?
        .name
        .clone();
    if call
        .state
        .indexes
        .iter()
        .any(|i| i.source_directory_id == source)
    {
        return Err(detail(409, "An index already exists for this directory"));
    }
    let name = body
        .get("name")
        .and_then(Value::as_str)
        .map_or(name, str::to_owned);
    let output = make(call, &format!("{name} (output)"), "index");
    let number = call.state.fresh();
    let index = Index {
        id: format!("idx-{:08x}", number * 7919),
        export_config_id: format!("exc-{:08x}", number * 6007),
        sync_config_id: format!("syc-{:08x}", number * 5003),
        source_directory_id: source,
        output_directory_id: output,
        name,
        created_at: call.now,
        updated_at: call.now,
        last_synced_at: None,
        last_exported_at: None,
        // Creation starts the first sync.
        syncing_since: Some(call.now),
        failed: None,
        parsed: Vec::new(),
    };
    let value = index_json(call, &index);
    call.state.indexes.push(index);
    Ok(Reply::ok(value))
}

pub(crate) fn list(call: &mut Call<'_>) -> Answer {
    let source = call.request.one("source_directory_id");
    let wanted = |i: &&Index| source.is_none_or(|s| s == i.source_directory_id);
    let all: Vec<Value> = call
        .state
        .indexes
        .iter()
        .filter(wanted)
        .map(|i| index_json(call, i))
        .collect();
    let (items, next, total) = call.page(all)?;
    Ok(Reply::ok(
        json!({"items": items, "next_page_token": next, "total_size": total}),
    ))
}

/// The index with this id, by the id the switch accepts here.
pub(crate) fn position(call: &Call<'_>, id: &str, retrieving: bool) -> Result<usize, Reply> {
    let (by_id, by_export) = match call.switches.index_ids {
        IndexIds::Both => (true, true),
        IndexIds::IdOnly => (true, false),
        IndexIds::ExportOnly => (false, true),
        IndexIds::ByOperation => (!retrieving, retrieving),
    };
    let found = call
        .state
        .indexes
        .iter()
        .position(|i| (by_id && i.id == id) || (by_export && i.export_config_id == id));
    found.ok_or_else(|| not_found("Index"))
}

pub(crate) fn get(call: &mut Call<'_>) -> Answer {
    let at = position(call, call.param(0), false)?;
    Ok(Reply::ok(index_json(call, &call.state.indexes[at])))
}

pub(crate) fn delete(call: &mut Call<'_>) -> Answer {
    let at = position(call, call.param(0), false)?;
    call.state.indexes.remove(at);
    Ok(Reply::empty(204))
}

pub(crate) fn sync(call: &mut Call<'_>) -> Answer {
    let at = position(call, call.param(0), false)?;
    if call.state.indexes[at].syncing_since.is_some() {
        return Err(detail(
            call.switches.sync_running_status,
            "A sync is already in progress for this index",
        ));
    }
    let now = call.now;
    call.state.indexes[at].syncing_since = Some(now);
    Ok(Reply::ok(json!({})))
}

pub(crate) fn cancel(call: &mut Call<'_>) -> Answer {
    let at = position(call, call.param(0), false)?;
    match call.state.indexes[at].syncing_since.take() {
        Some(_) => Ok(Reply::ok(json!({}))),
        None => Err(detail(409, "No sync is in progress for this index")),
    }
}

/// Ends the syncs whose time has come: parses what changed, drops what was removed.
pub(crate) fn settle(state: &mut State, now: DateTime<Utc>, switches: &Switches) {
    let takes = Duration::from_std(switches.index_sync_takes).unwrap_or_default();
    let State {
        indexes,
        directories,
        next,
        ..
    } = state;
    for index in indexes.iter_mut() {
        if index.syncing_since.is_none_or(|since| now < since + takes) {
            continue;
        }
        index.syncing_since = None;
        index.updated_at = now;
        if switches.index_sync_fails {
            index.failed = Some("Export failed".into());
            continue;
        }
        index.failed = None;
        let source = directories
            .iter()
            .find(|d| d.id == index.source_directory_id && d.deleted_at.is_none());
        let old = std::mem::take(&mut index.parsed);
        for file in source
            .into_iter()
            .flat_map(|d| d.files.values())
            .filter(|f| f.deleted_at.is_none())
        {
            if let Some(same) = old
                .iter()
                .find(|p| p.source_id == file.id && p.source_updated_at == file.updated_at)
            {
                index.parsed.push(same.clone());
                continue;
            }
            *next += 1;
            let mut text = file.text.clone();
            if let Some(most) = switches.parser_page_bytes.filter(|most| *most < text.len()) {
                let end = (0..=most)
                    .rev()
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap_or(0);
                text.truncate(end);
            }
            index.parsed.push(ParsedFile {
                id: format!("dfl-{:08x}", *next * 7919),
                source_id: file.id.clone(),
                source_updated_at: file.updated_at,
                name: file.display_name.clone(),
                chunks: cut(&text, 2000, 200),
                text,
                metadata: file.metadata.clone(),
            });
        }
        index.last_synced_at = Some(now);
        index.last_exported_at = Some(now);
    }
}
