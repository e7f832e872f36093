//! `/api/confluence/oauth`: an administrator connects Confluence by OAuth, sees how the connection stands, and ends it.
//!
//! The browser is sent to Atlassian to consent and comes back with a code. What it comes back to is open, since its session's cookie
//! does not come along from another site: that an administrator began stands in the attempt's own cookie.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use confluence::oauth::{NotConnected, VaultError};
use domain::audit::NewEntry;
use domain::grant::Grant;
use domain::{Timestamp, TokenId};
use serde::Serialize;
use serde_json::json;
use url::{Url, form_urlencoded};

use super::auth::attempt::{Attempt, Return};
use super::auth::page::{Refusal, Tried};
use super::auth::{Admin, Principal};
use super::problem::{ApiError, ApiResult};
use super::routes;
use crate::connection::{Connection, State};
use crate::state::AppState;

const PATH: &str = "/api/confluence/oauth";
const BEGIN: &str = "/api/confluence/oauth/authorize";
/// Where Atlassian sends people back to.
pub const CALLBACK: &str = "/api/confluence/oauth/callback";
/// Where the page tells of the connection.
const VIEW: &str = "/checks";

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    let get = |path: &str, route| routes::resource(path, [(routes::GET, route)]);
    config
        .service(routes::resource(
            PATH,
            [
                (routes::GET, web::get().to(get_connection)),
                (routes::DELETE, web::delete().to(disconnect_confluence)),
            ],
        ))
        .service(get(BEGIN, web::get().to(connect_confluence)))
        .service(get(CALLBACK, web::get().to(confluence_connected)));
}

/// How the connection stands.
#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Nobody has connected Confluence.
    Missing,
    /// It works, as far as is known.
    Connected,
    /// It was refused, or cannot be read with these settings: somebody has to connect again.
    Refused,
}

impl ConnectionState {
    /// Of what the settings and the database say.
    #[must_use]
    pub const fn of(state: &State) -> Self {
        match state {
            State::Missing => Self::Missing,
            State::Connected(_) => Self::Connected,
            State::Refused(..) => Self::Refused,
        }
    }
}

/// The connection to Confluence by OAuth.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ConnectionView {
    /// How it stands.
    state: ConnectionState,
    /// The app that it belongs to.
    client_id: String,
    /// The site, as Atlassian names it.
    site: Option<String>,
    /// The site's cloud id.
    cloud_id: Option<String>,
    /// Who connected, for people.
    connected_by: Option<String>,
    /// When.
    connected_at: Option<DateTime<Utc>>,
    /// What was granted.
    scopes: Vec<String>,
    /// When the last access token came.
    refreshed_at: Option<DateTime<Utc>>,
    /// When it ends; another one is got before.
    access_ends_at: Option<DateTime<Utc>>,
    /// The last trouble, in words, with the remedy; null after a success.
    trouble: Option<String>,
}

impl ConnectionView {
    fn of(connection: &Connection, state: State) -> Self {
        let passing = connection.oauth.trouble();
        let word = ConnectionState::of(&state);
        let (grant, trouble) = match state {
            State::Missing => (None, None),
            State::Connected(grant) => (Some(grant), passing),
            State::Refused(grant, why) => (Some(grant), Some(why)),
        };
        let of = |take: fn(&Grant) -> String| grant.as_ref().map(take);
        let at = |take: fn(&Grant) -> Timestamp| grant.as_ref().map(take);
        let scopes = of(|grant| grant.tokens.scopes.clone()).unwrap_or_default();
        Self {
            state: word,
            client_id: connection.client_id().to_owned(),
            site: of(|grant| grant.site_url.clone()),
            cloud_id: of(|grant| grant.cloud_id.clone()),
            connected_by: of(|grant| grant.granted_by.clone()),
            connected_at: at(|grant| grant.granted_at),
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            refreshed_at: at(|grant| grant.tokens.refreshed_at),
            access_ends_at: at(|grant| grant.tokens.access_ends_at),
            trouble,
        }
    }
}

fn in_use(state: &AppState) -> ApiResult<&Connection> {
    let off = || {
        ApiError::new(
            "not_found",
            "Confluence is asked with an API token here; OAuth is not in use (CONFLUENCE_OAUTH_CLIENT_ID).",
        )
    };
    state.connection.as_deref().ok_or_else(off)
}

/// Shows the connection.
#[utoipa::path(get, path = "/api/confluence/oauth", operation_id = "get_connection", tag = "health",
    summary = "Whether Confluence is connected by OAuth, by whom, with which scopes, and until when its access token is good.",
    responses((status = 200, body = ConnectionView), (status = 404, description = "OAuth is not in use.")))]
pub async fn get_connection(
    _: Admin,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<ConnectionView>> {
    let connection = in_use(&state)?;
    let found = connection.state().await?;
    Ok(web::Json(ConnectionView::of(connection, found)))
}

/// Forgets the connection.
#[utoipa::path(delete, path = "/api/confluence/oauth", operation_id = "disconnect_confluence", tag = "health",
    summary = "Forget the connection to Confluence; nothing is read from there until somebody connects again, and nothing is deleted.",
    responses((status = 204), (status = 404, description = "OAuth is not in use, or nobody is connected."), (status = 503)))]
pub async fn disconnect_confluence(
    _: Admin,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let connection = in_use(&state)?;
    let forgotten = connection.forget().await.map_err(away)?;
    if !forgotten {
        return Err(ApiError::new("not_found", "Confluence is not connected."));
    }
    tracing::info!("the connection to Confluence was forgotten");
    Ok(HttpResponse::NoContent().finish())
}

fn away(error: VaultError) -> ApiError {
    ApiError::new("engine_busy", error.to_string()).with_header(header::RETRY_AFTER, "5")
}

/// Sends an administrator to Atlassian.
#[utoipa::path(get, path = "/api/confluence/oauth/authorize", operation_id = "connect_confluence", tag = "health",
    summary = "For browsers of administrators: go to Atlassian to let the service read Confluence.",
    params(("to" = Option<String>, Query, description = "The view of the page to come back to: what stands behind its `#`.")),
    responses((status = 303, description = "To Atlassian."), (status = 404, description = "OAuth is not in use.")))]
pub async fn connect_confluence(
    _: Admin,
    principal: Principal,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let connection = in_use(&state)?;
    let query = form_urlencoded::parse(request.query_string().as_bytes());
    let to = query.filter(|(name, _)| name == "to").last();
    let to = to.map_or_else(|| VIEW.to_owned(), |(_, to)| to.into_owned());
    let by = By {
        token: principal.token(),
        actor: state.auth.actor(&request, &principal),
    };
    let attempt = connection.attempts.begin(&to, &by.written());
    let url = connection
        .oauth
        .authorize_url(&callback(&state), &attempt.state);
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((header::LOCATION, url.as_str()));
    for cookie in connection.attempts.cookies(&state, &request, &attempt) {
        answer.cookie(cookie);
    }
    Ok(answer.finish())
}

fn callback(state: &AppState) -> String {
    format!("{}{CALLBACK}", state.base_url)
}

/// Who began, as the attempt carries it.
struct By {
    token: Option<TokenId>,
    actor: String,
}

impl By {
    fn written(&self) -> String {
        let token = self.token.map(|token| token.to_string());
        // The cookie has to stay small.
        let actor: String = self.actor.chars().take(200).collect();
        format!("{} {actor}", token.unwrap_or_default())
    }

    fn read(text: &str) -> Self {
        let (token, actor) = text.split_once(' ').unwrap_or_default();
        Self {
            token: token.parse().ok(),
            actor: actor.to_owned(),
        }
    }
}

const TRIED: Tried<'static> = Tried {
    title: "Not connected",
    heading: "Confluence is not connected",
    again: (BEGIN, "Try again"),
    home: "To the page",
};

/// Takes an administrator back from Atlassian.
#[utoipa::path(get, path = "/api/confluence/oauth/callback", operation_id = "confluence_connected", tag = "health", security(()),
    summary = "For browsers of administrators: come back from Atlassian, and Confluence is connected.",
    responses((status = 303, description = "Connected: to the page."), (status = 400, content_type = "text/html", body = String),
        (status = 403, content_type = "text/html", body = String), (status = 404, description = "OAuth is not in use."),
        (status = 503, content_type = "text/html", body = String)))]
pub async fn confluence_connected(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let connection = in_use(&state)?;
    let back = Return::of(&request);
    let Some((attempt, over)) = connection.attempts.come_back(&state, &request, &back) else {
        let refusal = Refusal::new(
            StatusCode::BAD_REQUEST,
            "This browser has no such attempt to connect under way: it was used already, is older than ten minutes, or began elsewhere.",
            "Begin again at this service's own address. Cookies have to be allowed for it.",
        );
        return Ok(refusal.page(&state, TRIED));
    };
    let mut answer = match connected(connection, &state, &request, &attempt, &back).await {
        Ok(()) => {
            let mut home = Url::parse(&format!("{}/", state.base_url))
                .map_err(|error| ApiError::new("internal", error.to_string()))?;
            home.set_fragment(Some(attempt.view.as_str()).filter(|view| !view.is_empty()));
            HttpResponse::SeeOther()
                .insert_header((header::LOCATION, home.as_str()))
                .finish()
        }
        Err(refusal) => {
            tracing::warn!(why = refusal.why, "Confluence could not be connected");
            refusal.page(&state, TRIED)
        }
    };
    answer.add_cookie(&over).ok();
    Ok(answer)
}

const AGAIN_LATER: &str =
    "Try again in a minute. If it stays so, tell whoever runs this service: the log says more.";

/// Connects with what came back.
async fn connected(
    connection: &Connection,
    state: &AppState,
    request: &HttpRequest,
    attempt: &Attempt,
    back: &Return,
) -> Result<(), Refusal> {
    let unavailable = |why: String| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why, AGAIN_LATER);
    let by = By::read(&attempt.by);
    if let Some(id) = by.token {
        let token = state.store.token(id).await;
        let token = token.map_err(|error| unavailable(error.to_string()))?;
        if token.is_none_or(|token| !token.may_administer(Utc::now())) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "You are no administrator here any more.",
                "Somebody who is one can connect Confluence.",
            ));
        }
    }
    if let Some(said) = back.refusal() {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            format!("Atlassian gives no access {said}."),
            "Try again, and accept what Atlassian asks. The app of CONFLUENCE_OAUTH_CLIENT_ID must have every scope of \
             CONFLUENCE_OAUTH_SCOPES, and this service's address of return.",
        ));
    }
    let Some(code) = &back.code else {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "Atlassian has sent you back with neither a code nor a reason.",
            AGAIN_LATER,
        ));
    };
    let exchanged = connection.oauth.exchange(code, &callback(state)).await;
    let (tokens, site) = exchanged.map_err(|error| match error {
        NotConnected::Refused(why) => Refusal::new(StatusCode::FORBIDDEN, why, "Then try again."),
        NotConnected::Unavailable(why) => unavailable(why),
    })?;
    let kept = connection.connect(&tokens, &site, &by.actor).await;
    kept.map_err(|error| unavailable(error.to_string()))?;
    tracing::info!(site = site.url, by = by.actor, "Confluence is connected");
    let entry = NewEntry {
        token: by.token,
        address: state.auth.address(request),
        subject: Some(site.url),
        detail: Some(json!({"cloud_id": site.cloud_id, "scopes": tokens.scopes})),
        ..NewEntry::done(&by.actor, "confluence_connected")
    };
    if let Err(error) = state.store.note(&entry).await {
        tracing::error!(%error, actor = entry.actor, "that Confluence was connected could not be kept in the audit");
    }
    Ok(())
}
