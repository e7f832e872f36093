//! `/api/spaces`: the spaces that the service's account can see.

use actix_web::web;
use domain::content::Space;

use super::auth::Editor;
use super::indexes::in_time;
use super::list::List;
use super::problem::ApiResult;
use super::routes;
use crate::state::AppState;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(routes::resource(
        "/api/spaces",
        [(routes::GET, web::get().to(list_spaces))],
    ));
}

/// Lists spaces.
#[utoipa::path(get, path = "/api/spaces", operation_id = "list_confluence_spaces", tag = "spaces",
    summary = "List the Confluence spaces that an index could be made of.",
    responses((status = 200, body = List<Space>), (status = 503)))]
pub async fn list_spaces(
    _: Editor,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<List<Space>>> {
    let mut spaces = in_time(state.source.visible_spaces()).await?;
    spaces.sort_by_key(|space| (space.name.to_lowercase(), space.key.clone()));
    Ok(web::Json(List::whole(spaces)))
}
