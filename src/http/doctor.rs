//! `GET /api/doctor`: the checks of `doctor`, for the administrator.

use actix_web::web;

use super::auth::Admin;
use super::list::List;
use super::routes;
use crate::diagnosis::{self, Finding};
use crate::state::AppState;

/// Registers the route.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(routes::resource(
        "/api/doctor",
        [(routes::GET, web::get().to(show_checks))],
    ));
}

/// Looks at everything that a run needs.
#[utoipa::path(get, path = "/api/doctor", operation_id = "check_everything", tag = "health",
    summary = "Check settings, database, Confluence with every scope that the indexes need, and the retrieval stores.",
    responses((status = 200, body = List<Finding>)))]
pub async fn show_checks(_: Admin, state: web::Data<AppState>) -> web::Json<List<Finding>> {
    let mut findings = vec![diagnosis::of_settings(&state.settings)];
    findings.extend(diagnosis::of_database(&state.settings, state.store.as_ref()).await);
    let needs = diagnosis::needs(state.store.as_ref()).await;
    findings.extend(diagnosis::of_confluence(state.source.as_ref(), needs).await);
    findings.extend(diagnosis::of_stores(&state.backends).await);
    web::Json(List::whole(findings))
}
