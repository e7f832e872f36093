//! `POST /api/notices/test`: whether a notice arrives where trouble is told.

use actix_web::web;
use domain::problem::Problem;
use serde::Serialize;

use super::auth::Admin;
use super::problem::ApiResult;
use super::routes;
use crate::notify;
use crate::state::AppState;

/// Registers the route.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(routes::resource(
        "/api/notices/test",
        [(routes::POST, web::post().to(test_notice))],
    ));
}

/// What came of a test.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NoticeTest {
    /// Whether the receiver took it.
    pub delivered: bool,
    /// Why it did not, in words; null when it did.
    pub reason: Option<String>,
}

/// Sends a notice that says that it is a test.
#[utoipa::path(post, path = "/api/notices/test", operation_id = "test_notice", tag = "health",
    summary = "Send a test to where trouble is told (`NOTIFY_WEBHOOK_URL`), and say whether it was taken.",
    responses((status = 200, body = NoticeTest), (status = 422, description = "`needs_settings`.")))]
pub async fn test_notice(_: Admin, state: web::Data<AppState>) -> ApiResult<web::Json<NoticeTest>> {
    let sent = notify::test(&state).await.ok_or_else(|| {
        Problem::new(
            "needs_settings",
            "Nobody is told of trouble: set NOTIFY_WEBHOOK_URL.",
        )
    })?;
    Ok(web::Json(NoticeTest {
        delivered: sent.is_ok(),
        reason: sent.err(),
    }))
}
