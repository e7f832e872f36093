//! `GET /api/doctor`: the checks of `doctor`, for the administrator.

use actix_web::web;
use domain::index::BackendKind;
use futures_util::StreamExt as _;

use super::auth::Admin;
use super::list::List;
use super::routes;
use crate::diagnosis::{self, Finding, Subject};
use crate::state::AppState;

/// Registers the route.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(routes::resource(
        "/api/doctor",
        [(routes::GET, web::get().to(show_checks))],
    ));
}

/// Looks at everything that a run needs; takes ten seconds where something does not answer.
#[utoipa::path(get, path = "/api/doctor", operation_id = "check_everything", tag = "health",
    summary = "Check settings, machine, network, database, Confluence with every scope that the indexes need, and the retrieval stores.",
    responses((status = 200, body = List<Finding>)))]
pub async fn show_checks(_: Admin, state: web::Data<AppState>) -> web::Json<List<Finding>> {
    let local = state.backends.get(&BackendKind::Local);
    let subject = Subject {
        settings: &state.settings,
        store: Some(state.store.as_ref()),
        source: Some(state.source.as_ref()),
        connection: state.connection.clone(),
        backends: &state.backends,
        embedder: local.and_then(|local| local.embedder()),
        beforehand: vec![diagnosis::of_settings(&state.settings)],
    };
    web::Json(List::whole(diagnosis::checks(&subject).collect().await))
}
