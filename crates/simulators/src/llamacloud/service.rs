//! From a request to an answer: key, limits, endpoint.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Call, Handler, detail, not_found};
use super::model::State;
use super::switches::{Serving, Switches};
use super::{directories, documents, files, indexes, pipelines, retrieval, retrieve};
use crate::server::{
    Body, Buckets, Clock, Reply, Request, Route, Service, find_route, locked, over_rate,
};

const fn route(method: &'static str, template: &'static str, handler: Handler) -> Route<Handler> {
    Route {
        method,
        template,
        handler,
    }
}

static ROUTES: &[Route<Handler>] = &[
    route("GET", "/api/v1/projects", pipelines::projects),
    route("GET", "/api/v1/projects/{project_id}", pipelines::project),
    route("GET", "/api/v2/projects", pipelines::projects_v2),
    route("GET", "/api/v2/projects/{project_id}", pipelines::project),
    route("GET", "/api/v2/pipelines", pipelines::list_v2),
    route("GET", "/api/v1/pipelines", pipelines::list),
    route("POST", "/api/v1/pipelines", pipelines::create),
    route("PUT", "/api/v1/pipelines", pipelines::upsert),
    route("GET", "/api/v1/pipelines/{pipeline_id}", pipelines::get),
    route("PUT", "/api/v1/pipelines/{pipeline_id}", pipelines::update),
    route(
        "DELETE",
        "/api/v1/pipelines/{pipeline_id}",
        pipelines::delete,
    ),
    route(
        "POST",
        "/api/v1/pipelines/{pipeline_id}/force-delete",
        pipelines::delete,
    ),
    route(
        "GET",
        "/api/v1/pipelines/{pipeline_id}/status",
        pipelines::status,
    ),
    route(
        "POST",
        "/api/v1/pipelines/{pipeline_id}/sync",
        pipelines::sync,
    ),
    route(
        "POST",
        "/api/v1/pipelines/{pipeline_id}/sync/cancel",
        pipelines::cancel,
    ),
    route(
        "POST",
        "/api/v1/pipelines/{pipeline_id}/retrieve",
        retrieve::retrieve,
    ),
    route(
        "POST",
        "/api/v1/pipelines/{pipeline_id}/documents",
        documents::upsert,
    ),
    route(
        "PUT",
        "/api/v1/pipelines/{pipeline_id}/documents",
        documents::upsert,
    ),
    route(
        "GET",
        "/api/v1/pipelines/{pipeline_id}/documents",
        documents::list,
    ),
    route(
        "GET",
        "/api/v1/pipelines/{pipeline_id}/documents/paginated",
        documents::paginated,
    ),
    route(
        "GET",
        "/api/v1/pipelines/{pipeline_id}/documents/status-counts",
        documents::status_counts,
    ),
    route(
        "POST",
        "/api/v1/pipelines/{pipeline_id}/documents/force-sync-all",
        documents::force_sync_all,
    ),
    route(
        "GET",
        "/api/v1/pipelines/{pipeline_id}/documents/{document_id}",
        documents::get,
    ),
    route(
        "DELETE",
        "/api/v1/pipelines/{pipeline_id}/documents/{document_id}",
        documents::delete,
    ),
    route(
        "GET",
        "/api/v1/pipelines/{pipeline_id}/documents/{document_id}/status",
        documents::status,
    ),
    route(
        "GET",
        "/api/v1/pipelines/{pipeline_id}/documents/{document_id}/chunks",
        documents::chunks,
    ),
    route(
        "POST",
        "/api/v1/pipelines/{pipeline_id}/documents/{document_id}/sync",
        documents::sync,
    ),
    route(
        "PUT",
        "/api/v1/pipelines/{pipeline_id}/files",
        files::attach,
    ),
    route(
        "GET",
        "/api/v1/pipelines/{pipeline_id}/files2",
        files::of_pipeline,
    ),
    route(
        "GET",
        "/api/v1/pipelines/{pipeline_id}/files/{file_id}/status",
        files::status,
    ),
    route(
        "DELETE",
        "/api/v1/pipelines/{pipeline_id}/files/{file_id}",
        files::detach,
    ),
    route("POST", "/api/v1/files", files::upload_v1),
    route("GET", "/api/v1/files/{id}", files::get),
    route("DELETE", "/api/v1/files/{id}", files::delete),
    route("POST", "/api/v1/beta/files", files::upload),
    route("GET", "/api/v1/beta/files", files::list),
    route("GET", "/api/v1/beta/files/{file_id}", files::get),
    route("DELETE", "/api/v1/beta/files/{file_id}", files::delete),
    route("POST", "/api/v1/beta/directories", directories::create),
    route("GET", "/api/v1/beta/directories", directories::list),
    route(
        "GET",
        "/api/v1/beta/directories/{directory_id}",
        directories::get,
    ),
    route(
        "PATCH",
        "/api/v1/beta/directories/{directory_id}",
        directories::update,
    ),
    route(
        "DELETE",
        "/api/v1/beta/directories/{directory_id}",
        directories::delete,
    ),
    route(
        "GET",
        "/api/v1/beta/directories/{directory_id}/files",
        directories::files,
    ),
    route(
        "POST",
        "/api/v1/beta/directories/{directory_id}/files",
        directories::add_file,
    ),
    route(
        "POST",
        "/api/v1/beta/directories/{directory_id}/files/upload",
        directories::upload,
    ),
    route(
        "GET",
        "/api/v1/beta/directories/{directory_id}/files/{directory_file_id}",
        directories::file,
    ),
    route(
        "PATCH",
        "/api/v1/beta/directories/{directory_id}/files/{directory_file_id}",
        directories::update_file,
    ),
    route(
        "DELETE",
        "/api/v1/beta/directories/{directory_id}/files/{directory_file_id}",
        directories::delete_file,
    ),
    route("POST", "/api/v1/indexes", indexes::create),
    route("GET", "/api/v1/indexes", indexes::list),
    route("GET", "/api/v1/indexes/{index_id}", indexes::get),
    route("DELETE", "/api/v1/indexes/{index_id}", indexes::delete),
    route("POST", "/api/v1/indexes/{index_id}/sync", indexes::sync),
    route(
        "POST",
        "/api/v1/indexes/{index_id}/sync/cancel",
        indexes::cancel,
    ),
    route("POST", "/api/v1/retrieval/retrieve", retrieval::retrieve),
    route(
        "POST",
        "/api/v1/retrieval/files/find",
        retrieval::find_files,
    ),
    route("POST", "/api/v1/retrieval/files/grep", retrieval::grep),
    route("POST", "/api/v1/retrieval/files/read", retrieval::read),
];

pub(crate) fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|r| (r.method, r.template))
}

pub(crate) struct LlamaCloudService {
    pub keys: Vec<String>,
    pub clock: Clock,
    pub state: Mutex<State>,
    pub switches: Mutex<Switches>,
    pub buckets: Mutex<Buckets>,
}

fn is_v2(template: &str) -> bool {
    [
        "/api/v1/beta/directories",
        "/api/v1/indexes",
        "/api/v1/retrieval",
    ]
    .iter()
    .any(|p| template.starts_with(p))
}

fn is_v1(template: &str) -> bool {
    template.starts_with("/api/v1/pipelines")
}

impl LlamaCloudService {
    fn refusal(&self, request: &Request, template: &str, sw: &Switches) -> Option<Reply> {
        let key = request
            .header("authorization")
            .and_then(|h| h.strip_prefix("Bearer "))
            .unwrap_or_default();
        let used = {
            let mut state = locked(&self.state);
            state.requests += 1;
            state.requests
        };
        let expired = sw.key_expires_after.is_some_and(|n| used > n);
        if sw.wrong_region || expired || !self.keys.iter().any(|k| k == key) {
            return Some(detail(401, "Invalid API Key"));
        }
        if sw.out_of_credits {
            return Some(detail(
                402,
                "You've exceeded the maximum number of credits for your plan",
            ));
        }
        if let Some(limit) = &sw.rate_limit
            && let Some(seconds) = over_rate(
                &mut locked(&self.buckets),
                limit,
                &format!("{} {template}", request.method),
                self.clock.now(),
            )
        {
            return Some(
                limit
                    .retry_after
                    .apply_with(detail(429, "Too Many Requests"), seconds),
            );
        }
        if sw
            .max_body_bytes
            .is_some_and(|most| request.body.len() > most)
        {
            return Some(detail(413, "Request Entity Too Large"));
        }
        let serving = match template {
            template if is_v1(template) => sw.v1,
            template if is_v2(template) => sw.v2,
            _ => Serving::Full,
        };
        match serving {
            Serving::Full => {}
            Serving::ReadOnly if request.method == "GET" => {}
            Serving::ReadOnly | Serving::Refused => {
                return Some(detail(403, "Your plan does not include this API"));
            }
            Serving::Absent => return Some(detail(404, "Not Found")),
        }
        let project = locked(&self.state).project_id.to_string();
        match request.one("project_id") {
            Some("") if sw.empty_project_is_selector => Some(not_found("Project")),
            Some(id) if !id.is_empty() && id != project => {
                Some(detail(403, "You don't have access to this project"))
            }
            _ => None,
        }
    }
}

impl Service for LlamaCloudService {
    fn template(&self, request: &Request) -> String {
        match find_route(ROUTES, &request.method, &request.path) {
            Ok((route, _)) => route.template.to_owned(),
            Err(Some(template)) => template.to_owned(),
            Err(None) => request.path.clone(),
        }
    }

    fn respond(&self, request: &Request, template: &str) -> Reply {
        let switches = locked(&self.switches).clone();
        if let Some(reply) = self.refusal(request, template, &switches) {
            return reply;
        }
        let (route, params) = match find_route(ROUTES, &request.method, &request.path) {
            Ok(found) => found,
            Err(Some(_)) => return detail(405, "Method Not Allowed"),
            Err(None) => return detail(404, "Not Found"),
        };
        let now = self.clock.now();
        let mut state = locked(&self.state);
        settle(&mut state, now, &switches);
        let mut call = Call {
            request,
            params,
            state: &mut state,
            switches: &switches,
            now,
        };
        let mut reply = (route.handler)(&mut call).unwrap_or_else(|reply| reply);
        // What takes no time at all is over before the answer leaves.
        settle(&mut state, now, &switches);
        drop(state);
        if switches.unknown_fields
            && let Body::Json(value) = &mut reply.body
        {
            sprinkle(value);
        }
        reply
    }

    fn error(&self, status: u16, _: &Request, _: &str) -> Reply {
        detail(
            status,
            match status {
                401 => "Invalid API Key",
                402 => "You've exceeded the maximum number of credits for your plan",
                404 => "Not Found",
                413 => "Request Entity Too Large",
                429 => "Too Many Requests",
                _ => "Internal Server Error",
            },
        )
    }

    fn latency(&self) -> Duration {
        locked(&self.switches).latency
    }
}

pub(crate) fn settle(state: &mut State, now: chrono::DateTime<chrono::Utc>, switches: &Switches) {
    for pipeline in &mut state.pipelines {
        pipeline.settle(now, switches);
    }
    indexes::settle(state, now, switches);
}

/// Unknown fields in every object that is not the client's own metadata.
fn sprinkle(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, field) in map.iter_mut() {
                if !matches!(name.as_str(), "metadata" | "extra_info" | "counts") {
                    sprinkle(field);
                }
            }
            map.insert(
                "future_field".into(),
                json!({"since": "2027", "values": [1, null]}),
            );
        }
        Value::Array(list) => list.iter_mut().for_each(sprinkle),
        _ => {}
    }
}
