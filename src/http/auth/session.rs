//! The web page's session: it trades the administrator's key for a cookie that scripts cannot read.
//!
//! Sessions live in memory: a restart asks for the key again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::lease::Lease;
use crate::http::fields::{Body, Check, Field, Unknown};
use crate::http::problem::ApiResult;
use crate::http::routes;
use crate::state::AppState;

/// The cookie's name.
pub const COOKIE: &str = "mcp_confluence_session";
/// How long a session lasts.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// Sessions kept at most; the oldest goes first.
const MAX_SESSIONS: usize = 256;

/// The open sessions, by the hash of their cookie.
#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<[u8; 32], Open>>,
}

/// An open session.
struct Open {
    until: SystemTime,
    /// Fires when this is dropped: whatever the browser has open ends with its session.
    over: DropGuard,
}

impl Sessions {
    fn open(&self) -> String {
        let mut random = [0_u8; 32];
        rand::rng().fill_bytes(&mut random);
        let secret = URL_SAFE_NO_PAD.encode(random);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, session| session.until > SystemTime::now());
        if open.len() >= MAX_SESSIONS {
            let oldest = open
                .iter()
                .min_by_key(|(_, session)| session.until)
                .map(|(hash, _)| *hash);
            if let Some(oldest) = oldest {
                open.remove(&oldest);
            }
        }
        let session = Open {
            until: SystemTime::now() + LIFETIME,
            over: CancellationToken::new().drop_guard(),
        };
        open.insert(hash(&secret), session);
        secret
    }

    /// How long the session is open of which the request carries the cookie; `None`: of none.
    pub(super) fn lease(&self, request: &HttpRequest) -> Option<Lease> {
        let cookie = request.cookie(COOKIE)?;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let session = open.get(&hash(cookie.value()))?;
        (session.until > SystemTime::now())
            .then(|| Lease::of(session.over.token().clone(), session.until))
    }

    fn close(&self, request: &HttpRequest) {
        if let Some(cookie) = request.cookie(COOKIE) {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.remove(&hash(cookie.value()));
        }
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Signing in.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct SignIn {
    /// The administrator's key.
    #[serde(default)]
    #[schema(value_type = String, required = true)]
    key: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// How the browser stands.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionView {
    /// Whether credentials are asked for at all.
    required: bool,
    /// Whether this browser may act as the administrator now.
    signed_in: bool,
}

/// Registers the routes.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(routes::resource(
        "/api/session",
        [
            (routes::GET, web::get().to(show_session)),
            (routes::POST, web::post().to(open_session)),
            (routes::DELETE, web::delete().to(close_session)),
        ],
    ));
}

/// Whether this browser is signed in.
#[utoipa::path(get, path = "/api/session", operation_id = "get_session", tag = "session",
    summary = "Whether credentials are asked for, and whether this browser has a session.",
    responses((status = 200, body = SessionView)))]
pub async fn show_session(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let required = state.auth.is_on();
    HttpResponse::Ok().json(SessionView {
        required,
        signed_in: !required || state.auth.sessions.lease(&request).is_some(),
    })
}

/// Trades the key for a cookie.
#[utoipa::path(post, path = "/api/session", operation_id = "open_session", tag = "session",
    summary = "Trade the administrator's key for a session cookie.",
    request_body = SignIn, responses((status = 200, body = SessionView), (status = 401), (status = 429)))]
pub async fn open_session(
    request: HttpRequest,
    state: web::Data<AppState>,
    Body(body): Body<SignIn>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let key = check.required("key", body.key);
    check.unknown("", &body.unknown, &["key"]);
    check.done()?;
    let (key, auth) = (key.unwrap_or_default(), &state.auth);
    if !auth.is_on() {
        return Ok(show_session(request, state).await);
    }
    if !super::is(auth.key, key.trim()) {
        return Err(auth.wrong(&request, "That key is not correct.", None));
    }
    let view = SessionView {
        required: true,
        signed_in: true,
    };
    Ok(HttpResponse::Ok()
        .cookie(cookie(&state, auth.sessions.open(), LIFETIME))
        .json(view))
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/session", operation_id = "close_session", tag = "session",
    summary = "End the session.", responses((status = 204)))]
pub async fn close_session(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    state.auth.sessions.close(&request);
    HttpResponse::NoContent()
        .cookie(cookie(&state, String::new(), Duration::ZERO))
        .finish()
}

fn cookie(state: &AppState, value: String, lifetime: Duration) -> Cookie<'static> {
    Cookie::build(COOKIE, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(state.base_url.starts_with("https://"))
        .max_age(time::Duration::seconds(
            i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX),
        ))
        .finish()
}
