//! The API's description: `/openapi.json`, a page to try it at `/docs`, and the table of problem codes.
//!
//! Assistants make a function of each operation: `operationId`s are short, summaries say what a model needs to know, and
//! path, query and body names of one operation do not clash.

mod requests;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use domain::problem::{CODES, FieldError, Problem};
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::problem::{ApiError, ApiResult};
use super::{
    audit, auth, changes, confluence, doctor, evaluation, events, health, hooks, indexes, keys,
    metrics, notices, pages, people, query, questions, routes, runs, spaces, tokens,
};
use crate::state::AppState;

/// Operations that only read, or answer a question: assistants need not ask before calling them.
const HARMLESS: &[&str] = &["query_index"];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "MCP Confluence Sync",
        description = "Keeps retrieval indexes in step with Confluence and answers questions from them. Errors are RFC 9457 \
                       problems with a stable `code`; `/docs/problems` lists the codes. Lists come as `{items, next_cursor}`; \
                       times are RFC 3339 in UTC.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        query::query_index,
        indexes::create_index,
        indexes::list_indexes,
        indexes::get_index,
        indexes::get_index_by_agent,
        indexes::change_index,
        indexes::delete_index,
        runs::sync_agent,
        runs::sync_index,
        runs::list_runs,
        runs::get_run,
        runs::run_pages,
        runs::show_question,
        runs::cancel_run,
        runs::confirm_run,
        questions::list_questions,
        questions::delete_questions,
        questions::delete_question,
        evaluation::get_evaluation,
        evaluation::set_evaluation,
        evaluation::delete_evaluation,
        evaluation::run_evaluation,
        evaluation::list_evaluation_results,
        changes::list_changes,
        pages::list_pages,
        pages::get_page,
        pages::retry_page,
        pages::page_markdown,
        pages::page_passages,
        events::all_events,
        events::index_events,
        spaces::list_spaces,
        tokens::create_token,
        tokens::list_tokens,
        tokens::revoke_token,
        keys::list_keys,
        keys::create_key,
        keys::replace_key,
        keys::revoke_key,
        keys::admit_person,
        keys::forget_person,
        people::get_people,
        people::map_people,
        people::explain_access,
        audit::list_audit,
        audit::export_audit,
        auth::session::show_session,
        auth::session::open_session,
        auth::session::close_session,
        auth::oidc::begin_oidc,
        auth::oidc::sign_in_by_oidc,
        auth::oidc::sign_out_of_oidc,
        hooks::confluence_changed,
        confluence::get_connection,
        confluence::connect_confluence,
        confluence::confluence_connected,
        confluence::disconnect_confluence,
        notices::test_notice,
        doctor::show_checks,
        health::health_live,
        health::health_ready,
        health::health_summary,
        metrics::show_metrics,
    ),
    components(schemas(indexes::IndexFields, Problem, FieldError))
)]
struct Described;

/// Operations that mean nothing to an assistant: they belong to a browser, to Confluence, or to the administrator's own set-up.
const NOT_FOR_TOOLS: &[&str] = &[
    "get_session",
    "open_session",
    "close_session",
    "begin_oidc",
    "sign_in_by_oidc",
    "sign_out_of_oidc",
    "confluence_changed",
    "get_connection",
    "connect_confluence",
    "confluence_connected",
    "disconnect_confluence",
    "test_notice",
    "list_keys",
    "create_key",
    "replace_key",
    "revoke_key",
    "admit_person",
    "forget_person",
    "list_audit",
    "get_people",
    "map_people",
];

/// The whole document, for a service that is reached at `server` (without a slash at the end, or relative to the document).
#[must_use]
pub fn document(server: &str) -> Value {
    static MADE: LazyLock<Value> = LazyLock::new(made);
    let mut document = MADE.clone();
    document["servers"] = json!([{ "url": server }]);
    document
}

/// What the document calls the operation behind a route: by its method and the pattern of its path.
#[must_use]
pub fn operation(method: &Method, pattern: &str) -> Option<&'static str> {
    static KNOWN: LazyLock<HashMap<(&'static str, String), String>> = LazyLock::new(|| {
        let paths = Described::openapi().paths.paths;
        let each = paths.into_iter().flat_map(|(path, item)| {
            let path = path.trim_end_matches('/').to_owned();
            let methods = [
                (routes::GET, item.get),
                (routes::POST, item.post),
                (routes::PUT, item.put),
                (routes::PATCH, item.patch),
                (routes::DELETE, item.delete),
            ];
            methods.into_iter().filter_map(move |(method, operation)| {
                Some(((method, path.clone()), operation?.operation_id?))
            })
        });
        each.collect()
    });
    let method = [
        routes::GET,
        routes::POST,
        routes::PUT,
        routes::PATCH,
        routes::DELETE,
    ]
    .into_iter()
    .find(|known| method == *known)?;
    let pattern = pattern.trim_end_matches('/').to_owned();
    KNOWN.get(&(method, pattern)).map(String::as_str)
}

/// The document for readers that turn every operation into a function: without streams, which would never return, without what
/// is no JSON, and without null, which such readers do not know. They need the whole address, with scheme and host.
#[must_use]
pub fn tools(base_url: &str) -> Value {
    let mut document = document(base_url);
    let is_tool = |operation: &Value| {
        let id = operation["operationId"].as_str().unwrap_or_default();
        let answers = operation["responses"].as_object().into_iter().flatten();
        let mut good = answers.filter(|(status, _)| status.starts_with('2'));
        let is_json = |answer: &Value| {
            let content = answer["content"].as_object();
            content.is_none_or(|kinds| kinds.contains_key("application/json"))
        };
        !NOT_FOR_TOOLS.contains(&id) && good.all(|(_, answer)| is_json(answer))
    };
    if let Some(paths) = document["paths"].as_object_mut() {
        for methods in paths.values_mut().filter_map(Value::as_object_mut) {
            methods.retain(|_, operation| is_tool(operation));
        }
        paths.retain(|_, methods| {
            methods
                .as_object()
                .is_some_and(|methods| !methods.is_empty())
        });
    }
    requests::drop_unused(&mut document);
    requests::without_null(&mut document);
    document
}

/// Every operation of a document, with its method.
fn operations(document: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    let paths = document["paths"].as_object_mut().into_iter();
    paths
        .flat_map(|paths| paths.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|methods| methods.iter_mut())
}

fn made() -> Value {
    let mut document = serde_json::to_value(Described::openapi()).unwrap_or_default();
    let components = &mut document["components"];
    components["securitySchemes"] = json!({
        "key": {"type": "http", "scheme": "bearer", "description": "The administrator's key, an agent token or an OAuth access token."},
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    });
    let mut fields = components["schemas"]["IndexFields"].take();
    if let Some(schemas) = components["schemas"].as_object_mut() {
        schemas.remove("IndexFields");
        fields["additionalProperties"] = json!(false);
        let mut create = fields.clone();
        create["required"] = json!(["name", "agent_id", "confluence_spaces"]);
        schemas.insert("CreateIndex".to_owned(), create);
        schemas.insert("ChangeIndex".to_owned(), fields);
    }
    document["security"] = json!([{ "key": [] }, { "api_key": [] }]);
    let problem = json!({
        "description": "A problem; `code` says which.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    for (method, operation) in operations(&mut document) {
        let id = operation["operationId"].as_str().unwrap_or_default();
        operation["x-openai-isConsequential"] = json!(method != "get" && !HARMLESS.contains(&id));
        if let Some(responses) = operation["responses"].as_object_mut() {
            for (status, response) in responses.iter_mut() {
                if status.starts_with(['4', '5']) && response.get("content").is_none() {
                    let said = response["description"]
                        .as_str()
                        .filter(|said| !said.is_empty());
                    let said =
                        said.map_or_else(|| problem["description"].clone(), |said| json!(said));
                    *response = problem.clone();
                    response["description"] = said;
                }
            }
            responses.insert("default".to_owned(), problem.clone());
        }
    }
    requests::make_plain(&mut document);
    document
}

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    let get = |path: &str, route| routes::resource(path, [(routes::GET, route)]);
    config
        .service(get(
            "/openapi.json",
            routes::get_or_head().to(show_document),
        ))
        .service(get(
            "/openapi-tools.json",
            routes::get_or_head().to(show_tools),
        ))
        .service(get("/docs", routes::get_or_head().to(show_page)))
        .service(get(
            "/docs/problems",
            routes::get_or_head().to(show_problems),
        ))
        .service(get("/docs/{file:.+}", routes::get_or_head().to(show_file)));
}

/// Where nobody said how the service is reached, a reader of the document knows: by the way that it came.
async fn show_document(state: web::Data<AppState>) -> web::Json<Value> {
    let is_known = state.settings.http.public_base_url.is_some();
    web::Json(document(if is_known { &state.base_url } else { "." }))
}

async fn show_tools(state: web::Data<AppState>) -> web::Json<Value> {
    web::Json(tools(&state.base_url))
}

/// A file of the page. `base`: what the page's own addresses are relative to.
fn swagger_file(name: &str, base: &str) -> ApiResult<HttpResponse> {
    let config = utoipa_swagger_ui::Config::from("../openapi.json");
    let found = utoipa_swagger_ui::serve(name, Arc::new(config))
        .map_err(|error| ApiError::new("internal", format!("The page cannot be made: {error}.")))?;
    let file = found.ok_or_else(|| ApiError::not_found("file", name))?;
    let mut response = HttpResponse::Ok();
    response.content_type(file.content_type.as_str());
    if file.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    if name != "index.html" {
        return Ok(response.body(crate::web::bytes(file.bytes)));
    }
    let page = String::from_utf8_lossy(&file.bytes).replacen(
        "<head>",
        &format!("<head><base href=\"{base}\">"),
        1,
    );
    Ok(response.body(page))
}

/// The page is served with and without a slash at the end, and names everything relative to itself, so that it holds under any
/// prefix of a proxy.
async fn show_page(request: HttpRequest) -> ApiResult<HttpResponse> {
    let at_folder = routes::ended_in_slash(&request);
    swagger_file("index.html", if at_folder { "./" } else { "docs/" })
}

async fn show_file(path: web::Path<String>) -> ApiResult<HttpResponse> {
    swagger_file(&path, "./")
}

/// The table of problem codes, made from the one that the service answers by.
async fn show_problems() -> HttpResponse {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Problem codes</title>\
         <style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:50rem;padding:0 1rem}\
         td,th{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid #8884}\
         :target{background:#fd08}</style>\
         <h1>Problem codes</h1><p>Every error is <code>application/problem+json</code> with one of these codes.</p>\
         <table><tr><th>code</th><th>status</th><th>title</th></tr>",
    );
    for (code, status, title) in CODES {
        // Writing into a String cannot fail.
        let _ = write!(
            page,
            "<tr id=\"{code}\"><td><code>{code}</code></td><td>{status}</td><td>{title}</td></tr>"
        );
    }
    page.push_str("</table></html>");
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page)
}
