//! The web page's session: it trades the administrator's key, a key with a role, or the word of an issuer (`oidc`) for a cookie that
//! scripts cannot read.
//!
//! Sessions are rows, so that a restart signs nobody out. What is kept of one is a hash of its cookie and of the key that it was
//! traded for: it opens nothing, and another key knows none of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ports::store::{AdminStore, PageSession, StoreResult};
use domain::token::{Role, Token};
use domain::{Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::lease::Lease;
use super::oidc::OidcView;
use super::{Authenticator, TOKEN_PREFIX, random_text, token_hash};
use crate::http::fields::{Body, Check, Field, Unknown};
use crate::http::problem::{ApiError, ApiResult};
use crate::http::routes;
use crate::state::AppState;

/// The cookie's name.
pub const COOKIE: &str = "mcp_confluence_session";
/// How long a session lasts.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// Sessions kept at most; the oldest goes first.
const MAX_SESSIONS: usize = 256;

/// The open sessions, by what is kept of their cookie.
pub(super) struct Sessions {
    /// The digest of the first key, where there is one: with another, no session is known.
    key: Option<[u8; 32]>,
    open: Mutex<HashMap<String, Open>>,
}

/// An open session.
struct Open {
    until: SystemTime,
    /// The token that was traded for it; `None`: the first key.
    token: Option<TokenId>,
    /// Fires when this is dropped: whatever the browser has open ends with its session.
    over: DropGuard,
}

impl Open {
    fn new(until: SystemTime, token: Option<TokenId>) -> Self {
        Self {
            until,
            token,
            over: CancellationToken::new().drop_guard(),
        }
    }
}

/// The session of a request.
pub(super) struct Known {
    /// How long it is open.
    pub(super) lease: Lease,
    /// The token that was traded for it, which is to be good by itself; `None`: the first key.
    pub(super) token: Option<TokenId>,
}

impl Sessions {
    /// Those for which this key, by its digest, was traded.
    pub(super) fn of_key(key: Option<[u8; 32]>) -> Self {
        Self {
            key,
            open: Mutex::default(),
        }
    }

    /// Takes up the sessions that an earlier process kept, and forgets those that are over. Those of another key stay unknown, and
    /// are forgotten when their time is over.
    pub(super) async fn restore(&self, store: &dyn AdminStore) -> StoreResult<()> {
        let now = SystemTime::now();
        let mut over = Vec::new();
        for session in store.page_sessions().await? {
            let until = SystemTime::from(session.until);
            if until > now {
                let open = Open::new(until, session.token);
                self.open().insert(session.hash, open);
            } else {
                over.push(session.hash);
            }
        }
        store.end_page_sessions(&over).await
    }

    /// Opens a session: it is kept before its cookie is answered.
    async fn begin(&self, store: &dyn AdminStore, token: Option<TokenId>) -> StoreResult<String> {
        let secret = random_text();
        let hash = self.hash(&secret);
        let until = SystemTime::now() + LIFETIME;
        store
            .keep_page_session(&PageSession {
                hash: hash.clone(),
                until: Timestamp::from(until),
                token,
            })
            .await?;
        let over = {
            let mut open = self.open();
            let mut over: Vec<String> = open
                .extract_if(|_, session| session.until <= SystemTime::now())
                .map(|(hash, _)| hash)
                .collect();
            if open.len() >= MAX_SESSIONS {
                let oldest = open
                    .iter()
                    .min_by_key(|(_, session)| session.until)
                    .map(|(hash, _)| hash.clone());
                open.retain(|hash, _| Some(hash) != oldest.as_ref());
                over.extend(oldest);
            }
            open.insert(hash, Open::new(until, token));
            over
        };
        if let Err(error) = store.end_page_sessions(&over).await {
            tracing::warn!(%error, "sessions of the web page that are over could not be forgotten; the next start does");
        }
        Ok(secret)
    }

    /// The open session of which the request carries the cookie.
    pub(super) fn of(&self, request: &HttpRequest) -> Option<Known> {
        let hash = self.hash_of(request)?;
        let open = self.open();
        let session = open.get(&hash)?;
        (session.until > SystemTime::now()).then(|| Known {
            lease: Lease::of(session.over.token().clone(), session.until),
            token: session.token,
        })
    }

    /// Knows the session of the request no longer: its token is gone, and its row went with that.
    pub(super) fn forget(&self, request: &HttpRequest) {
        if let Some(hash) = self.hash_of(request) {
            self.open().remove(&hash);
        }
    }

    /// Ends the session of the request: at once here, and for the next process when its row is gone.
    async fn end(&self, request: &HttpRequest, store: &dyn AdminStore) -> StoreResult<()> {
        let Some(hash) = self.hash_of(request) else {
            return Ok(());
        };
        self.open().remove(&hash);
        store.end_page_sessions(&[hash]).await
    }

    /// Ends every session of a token.
    pub(super) async fn end_of(&self, token: TokenId, store: &dyn AdminStore) -> StoreResult<()> {
        let over: Vec<String> = self
            .open()
            .extract_if(|_, session| session.token == Some(token))
            .map(|(hash, _)| hash)
            .collect();
        store.end_page_sessions(&over).await
    }

    fn hash_of(&self, request: &HttpRequest) -> Option<String> {
        Some(self.hash(request.cookie(COOKIE)?.value()))
    }

    fn hash(&self, secret: &str) -> String {
        // The secret is random, so nobody learns anything of the key from this.
        let hash = Sha256::new()
            .chain_update(self.key.unwrap_or_default())
            .chain_update(secret.as_bytes())
            .finalize();
        URL_SAFE_NO_PAD.encode(hash)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signing in.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct SignIn {
    /// The administrator's key, or a key of a reader, an editor or an administrator.
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
    /// Whether this browser is let in now.
    signed_in: bool,
    /// What it may do; null when it is not let in.
    role: Option<Role>,
    /// The name of the key, or of who signed in at the issuer; null of the first key, and when it is not let in.
    name: Option<String>,
    /// How one signs in at an OpenID Connect issuer; null where that is not in use.
    oidc: Option<OidcView>,
}

impl SessionView {
    /// Of a browser that is let in: by a token, or by the first key, or because nobody is asked.
    fn of(auth: &Authenticator, token: Option<Token>) -> Self {
        Self {
            required: auth.is_on(),
            signed_in: true,
            role: Some(
                token
                    .as_ref()
                    .map_or(Role::Administrator, |token| token.role),
            ),
            oidc: auth.oidc.as_ref().map(|oidc| oidc.view(token.as_ref())),
            name: token.map(|token| token.name),
        }
    }

    /// Of a browser that is not.
    fn outside(auth: &Authenticator) -> Self {
        Self {
            required: true,
            signed_in: false,
            role: None,
            name: None,
            oidc: auth.oidc.as_ref().map(|oidc| oidc.view(None)),
        }
    }
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
pub async fn show_session(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<SessionView>> {
    let auth = &state.auth;
    if !auth.is_on() {
        return Ok(web::Json(SessionView::of(auth, None)));
    }
    let signed_in = match auth.sessions.of(&request) {
        None => None,
        Some(Known { token: None, .. }) => Some(None),
        Some(Known {
            token: Some(id), ..
        }) => {
            let token = state.store.token(id).await?;
            token.filter(|token| auth.knows(token)).map(Some)
        }
    };
    Ok(web::Json(match signed_in {
        Some(token) => SessionView::of(auth, token),
        None => SessionView::outside(auth),
    }))
}

/// Trades the key for a cookie.
#[utoipa::path(post, path = "/api/session", operation_id = "open_session", tag = "session",
    summary = "Trade the administrator's key, or a key with a role, for a session cookie.",
    request_body = SignIn, responses((status = 200, body = SessionView), (status = 401), (status = 403), (status = 429)))]
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
        return Ok(HttpResponse::Ok().json(SessionView::of(auth, None)));
    }
    let key = key.trim();
    let token = if super::is(auth.key, key) {
        None
    } else {
        let known = if key.starts_with(TOKEN_PREFIX) {
            state.store.token_by_hash(&token_hash(key)).await?
        } else {
            None
        };
        match known {
            Some(token) if token.role == Role::Agent => {
                return Err(ApiError::new(
                    "forbidden",
                    "This is an agent's token; the web page takes a key of a reader, an editor or an administrator.",
                ));
            }
            Some(token) => Some(token),
            None => return Err(auth.wrong(&request, "That key is not correct.", None)),
        }
    };
    let id = token.as_ref().map(|token| token.id);
    Ok(HttpResponse::Ok()
        .cookie(opened(&state, id).await?)
        .json(SessionView::of(auth, token)))
}

/// Opens a session; answers its cookie.
pub(super) async fn opened(
    state: &AppState,
    token: Option<TokenId>,
) -> StoreResult<Cookie<'static>> {
    let secret = state
        .auth
        .sessions
        .begin(state.store.as_ref(), token)
        .await?;
    Ok(cookie(state, secret, LIFETIME))
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/session", operation_id = "close_session", tag = "session",
    summary = "End the session.", responses((status = 204)))]
pub async fn close_session(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let sessions = &state.auth.sessions;
    sessions.end(&request, state.store.as_ref()).await?;
    Ok(HttpResponse::NoContent()
        .cookie(cookie(&state, String::new(), Duration::ZERO))
        .finish())
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
