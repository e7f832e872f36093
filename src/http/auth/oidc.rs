//! Signing in to the web page at an OpenID Connect issuer: authorization code with PKCE.
//!
//! The browser is sent to the issuer and comes back with a code, which we exchange there for an ID token. Whoever that names, and the
//! settings give a role, is a row of the tokens without a secret, and gets the same session as for a key. The URL, PKCE and the one
//! exchange are by hand: the crate `oauth2` would bring a second `rand` and types of another HTTP client, for some forty lines, and
//! would read answers without a bound.

mod claims;

use std::fmt::Display;
use std::net::IpAddr;
use std::num::NonZeroU32;

use actix_web::cookie::Cookie;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use domain::audit::{EntryKind, EntryOutcome, NewEntry};
use domain::ports::store::StoreError;
use domain::token::{Person, Token};
use governor::Quota;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use upstream::{Bounds, ConfigError, Target, secret_header};
use url::{Url, form_urlencoded};

use self::claims::Claims;
use super::attempt::{Attempt, Attempts, Return};
use super::issuer::{Endpoint, Issuer, Kind, Metadata, Refused};
use super::page::{Refusal, Tried};
use super::session;
use crate::http::limit::{Budgets, client, network};
use crate::http::problem::{ApiError, ApiResult};
use crate::http::routes;
use crate::mcp::caller::Owner;
use crate::settings::OidcSettings;
use crate::state::AppState;

/// Where signing in begins.
const PATH: &str = "/api/session/oidc";
/// Where the issuer sends people back to.
const CALLBACK: &str = "/api/session/oidc/callback";
/// Where they are sent on to sign out at the issuer.
const LOGOUT: &str = "/api/session/oidc/logout";
/// Codes a minute from one client that the issuer is asked about: it is to hear of no stranger's guesses without a bound. Many may come
/// from one address in the morning.
const CODES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");
/// Bytes read of an answer to a code.
const BOUNDS: Bounds = Bounds {
    answer: 256 * 1024,
    error: 16 * 1024,
};

/// Registers the routes.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    let get = |path: &str, route| routes::resource(path, [(routes::GET, route)]);
    config
        .service(get(PATH, web::get().to(begin_oidc)))
        .service(get(CALLBACK, web::get().to(sign_in_by_oidc)))
        .service(get(LOGOUT, web::get().to(sign_out_of_oidc)));
}

/// Whether a path is one of these: whoever is to sign in has no credentials yet.
pub(super) fn is_open(path: &str) -> bool {
    [PATH, CALLBACK, LOGOUT].contains(&path)
}

/// Signs people in at an issuer.
pub(super) struct SignIn {
    issuer: Issuer,
    settings: OidcSettings,
    attempts: Attempts,
    codes: Budgets<IpAddr>,
    base_url: String,
}

/// What the page is told of it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OidcView {
    /// What the issuer is called.
    name: String,
    /// Whether this browser is signed in by it.
    used: bool,
    /// Whether one can sign out there, too.
    signs_out: bool,
}

/// What the issuer gives for a code.
#[derive(Deserialize)]
struct Exchanged {
    id_token: Option<String>,
}

/// What it says when it gives nothing.
#[derive(Deserialize)]
struct NotExchanged {
    error: String,
}

/// Why the issuer sends nobody, if it does not.
fn refusal(back: &Return) -> Option<Refusal> {
    Some(Refusal::new(
        StatusCode::FORBIDDEN,
        format!("The issuer lets you not sign in {}.", back.refusal()?),
        "Try again; if it stays so, ask whoever looks after the issuer whether this service is assigned to you.",
    ))
}

/// The page of somebody who is not let in.
fn refused_page(refusal: &Refusal, state: &AppState, oidc: &SignIn) -> HttpResponse {
    let again = format!("Try again with {}", oidc.settings.name);
    let tried = Tried {
        title: "Not signed in",
        heading: "You are not signed in",
        again: (PATH, &again),
        home: "To the sign-in",
    };
    refusal.page(state, tried)
}

/// What helps when the issuer or its settings are at fault.
const ASK_OPERATOR: &str = "Try again in a minute. If it stays so, tell whoever runs this service: the log says more. The key (API_KEY) goes on \
                            to sign in.";

impl SignIn {
    pub(super) fn new(
        settings: &OidcSettings,
        base_url: &str,
        client: Result<reqwest::Client, ConfigError>,
    ) -> Self {
        tracing::info!(
            issuer = settings.issuer.as_str(),
            "people sign in at this issuer; the address to register there is {base_url}{CALLBACK}"
        );
        Self {
            issuer: Issuer::new(&settings.issuer, "OIDC_ISSUER", client),
            settings: settings.clone(),
            attempts: Attempts::at("oidc"),
            codes: Budgets::new(Quota::per_minute(CODES_PER_MINUTE)),
            base_url: base_url.to_owned(),
        }
    }

    /// As the page is told of it, for a browser with this token.
    pub(super) fn view(&self, token: Option<&Token>) -> OidcView {
        OidcView {
            name: self.settings.name.clone(),
            used: token.is_some_and(|token| token.subject.is_some()),
            signs_out: self.issuer.is_known_to_have(Endpoint::EndSession),
        }
    }

    /// Whether somebody of this identity signs in here.
    pub(super) fn names(&self, subject: &str) -> bool {
        let rest = subject.strip_prefix(self.issuer.address());
        rest.is_some_and(|rest| rest.starts_with('|'))
    }

    /// Asks the issuer what it says of itself, so that who signs in first need not wait.
    pub(super) async fn prepare(&self) {
        if let Err(why) = self.issuer.metadata().await {
            tracing::warn!(why, "nobody can sign in at the issuer for now");
        }
    }

    fn redirect(&self) -> String {
        format!("{}{CALLBACK}", self.base_url)
    }

    /// Where the browser is sent.
    fn authorization(&self, metadata: &Metadata, attempt: &Attempt) -> Result<Url, String> {
        let mut url = self.issuer.endpoint(metadata, Endpoint::Authorization)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect())
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Who came back, by the issuer's own word.
    async fn claims(&self, attempt: &Attempt, back: &Return) -> Result<Claims, Failed> {
        let metadata = self.issuer.metadata().await.map_err(Failed::Issuer)?;
        let named = back
            .issuer
            .as_deref()
            .map(|name| name.trim_end_matches('/'));
        match named {
            Some(name) if name != self.issuer.address() => {
                let why =
                    "Another issuer has sent you back than the one that you were sent to (`iss`).";
                return Err(Failed::Forged(why.to_owned()));
            }
            None if metadata.names_itself() => {
                let why = "The issuer has not said that it was it who sent you back (`iss`).";
                return Err(Failed::Forged(why.to_owned()));
            }
            _ => {}
        }
        if let Some(refusal) = refusal(back) {
            return Err(Failed::Denied(refusal));
        }
        let Some(code) = &back.code else {
            let why = "The issuer has sent you back with neither a code nor a reason.";
            return Err(Failed::Forged(why.to_owned()));
        };
        let token = self.exchange(&metadata, code, attempt).await?;
        let audience = [self.settings.client_id.as_str()];
        let verified = self.issuer.verified(&token, Kind::Id, &audience).await;
        let claims: Claims = verified.map_err(|refused| match refused {
            Refused::Forged(why) | Refused::Unfit(why) => Failed::Forged(why),
            Refused::Unavailable(why) => Failed::Issuer(why),
        })?;
        claims
            .fit(&self.settings.client_id, &attempt.nonce)
            .map_err(|why| Failed::Forged(Kind::Id.because(why)))?;
        Ok(claims)
    }

    /// The ID token for a code.
    async fn exchange(
        &self,
        metadata: &Metadata,
        code: &str,
        attempt: &Attempt,
    ) -> Result<String, Failed> {
        let address = self.issuer.endpoint(metadata, Endpoint::Token);
        let address = address.map_err(Failed::Issuer)?;
        let redirect = self.redirect();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect),
            ("code_verifier", &attempt.verifier),
        ];
        let id = self.settings.client_id.as_str();
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.map(ExposeSecret::expose_secret);
        let client = self.issuer.client().map_err(Failed::Issuer)?;
        let mut request = client.post(address);
        match secret {
            // RFC 6749 wants every server to take it so, and this keeps it out of bodies.
            Some(secret)
                if metadata.takes_secret_by("client_secret_basic")
                    || !metadata.takes_secret_by("client_secret_post") =>
            {
                request = request.header(header::AUTHORIZATION.as_str(), basic(id, secret)?);
            }
            Some(secret) => form.extend([("client_id", id), ("client_secret", secret)]),
            None => form.push(("client_id", id)),
        }
        let about = |why: &str| format!("The issuer gave no ID token for the code: {why}.");
        let request = request
            .header(header::ACCEPT.as_str(), "application/json")
            .form(&form);
        let answer = upstream::send(request, BOUNDS, Target::new("issuer", "token")).await;
        let answer = answer.map_err(|broken| Failed::Issuer(about(&broken.to_string())))?;
        if answer.status.is_client_error() {
            let said: Option<NotExchanged> = answer.json().ok();
            let is_word = |error: &String| {
                let mut bytes = error.bytes();
                error.len() <= 60 && bytes.all(|b| b.is_ascii_lowercase() || b == b'_')
            };
            let error = said.map(|said| said.error).filter(is_word);
            return Err(match error.as_deref() {
                Some(error @ "invalid_grant") => Failed::Forged(about(error)),
                Some(error @ ("invalid_client" | "unauthorized_client")) => {
                    Failed::Issuer(about(&format!(
                        "{error}; OIDC_CLIENT_ID, OIDC_CLIENT_SECRET or the registered address is not right"
                    )))
                }
                Some(error) => Failed::Issuer(about(error)),
                None => Failed::Issuer(about(&format!("status {}", answer.status))),
            });
        }
        let answer = answer.good().map_err(|why| Failed::Issuer(about(&why)))?;
        let exchanged: Exchanged = answer.json().map_err(|why| Failed::Issuer(about(&why)))?;
        let none = || Failed::Issuer(about("none is in its answer"));
        exchanged.id_token.ok_or_else(none)
    }
}

/// Whether people could sign in at this issuer, by what it says of itself: that, or what is wrong.
pub(super) async fn look(
    settings: &OidcSettings,
    client: Result<reqwest::Client, ConfigError>,
) -> Result<String, String> {
    let issuer = Issuer::new(&settings.issuer, "OIDC_ISSUER", client);
    let (metadata, keys) = issuer.fetch().await?;
    let people = issuer.endpoint(&metadata, Endpoint::Authorization)?;
    let codes = issuer.endpoint(&metadata, Endpoint::Token)?;
    if keys.keys.is_empty() {
        return Err(issuer.about("lead to no keys"));
    }
    let host = |url: &Url| url.host_str().unwrap_or_default().to_owned();
    Ok(format!(
        "{} names itself so; people sign in at {}, codes are exchanged at {}, keys: {}",
        issuer.address(),
        host(&people),
        host(&codes),
        keys.keys.len()
    ))
}

/// Name and secret of a client as a header (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &str) -> Result<reqwest::header::HeaderValue, Failed> {
    use base64::Engine as _;
    let both = format!("{}:{}", encoded(id), encoded(secret));
    let both = base64::engine::general_purpose::STANDARD.encode(both);
    secret_header(&format!("Basic {both}")).map_err(|error| Failed::Issuer(error.to_string()))
}

/// Percent-encoded but for what nobody encodes: some issuers decode, others do not, and of most secrets nothing changes.
fn encoded(text: &str) -> impl Display {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, PLAIN)
}

/// Why nobody came back whom the issuer names.
enum Failed {
    /// It is away, or answers what nobody can use.
    Issuer(String),
    /// What came back is not of this sign-in.
    Forged(String),
    /// It said no itself.
    Denied(Refusal),
}

impl Failed {
    fn refusal(self) -> Refusal {
        match self {
            Self::Issuer(why) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why, ASK_OPERATOR),
            Self::Forged(why) => Refusal::new(StatusCode::UNAUTHORIZED, why, ASK_OPERATOR),
            Self::Denied(refusal) => refusal,
        }
    }
}

fn sign_in(state: &AppState) -> ApiResult<&SignIn> {
    let off = || {
        ApiError::new(
            "not_found",
            "OpenID Connect is not in use here (OIDC_ISSUER).",
        )
    };
    state.auth.oidc.as_ref().ok_or_else(off)
}

/// Sends somebody to the issuer.
#[utoipa::path(get, path = "/api/session/oidc", operation_id = "begin_oidc", tag = "session",
    summary = "For browsers: go to the OpenID Connect issuer to sign in to the web page.",
    params(("to" = Option<String>, Query, description = "The view of the page to come back to: what stands behind its `#`.")),
    responses((status = 303, description = "To the issuer."), (status = 404), (status = 503, content_type = "text/html", body = String)))]
pub async fn begin_oidc(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let oidc = sign_in(&state)?;
    let query = form_urlencoded::parse(request.query_string().as_bytes());
    let to = query.filter(|(name, _)| name == "to").last();
    let attempt = oidc
        .attempts
        .begin(&to.map(|(_, to)| to).unwrap_or_default(), "");
    let metadata = oidc.issuer.metadata().await;
    let url = metadata.and_then(|metadata| oidc.authorization(&metadata, &attempt));
    let url = match url {
        Ok(url) => url,
        Err(why) => {
            let refusal = Failed::Issuer(why).refusal();
            return Ok(refused_page(&refusal, &state, oidc));
        }
    };
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((header::LOCATION, url.as_str()));
    for cookie in oidc.attempts.cookies(&state, &request, &attempt) {
        answer.cookie(cookie);
    }
    Ok(answer.finish())
}

/// Takes somebody back from the issuer.
#[utoipa::path(get, path = "/api/session/oidc/callback", operation_id = "sign_in_by_oidc", tag = "session",
    summary = "For browsers: come back from the issuer, and be signed in.",
    responses((status = 303, description = "Signed in: to the page."), (status = 400, content_type = "text/html", body = String),
        (status = 401, content_type = "text/html", body = String), (status = 403, content_type = "text/html", body = String),
        (status = 404), (status = 503, content_type = "text/html", body = String)))]
pub async fn sign_in_by_oidc(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let oidc = sign_in(&state)?;
    let back = Return::of(&request);
    let Some((attempt, over)) = oidc.attempts.come_back(&state, &request, &back) else {
        let refusal = Refusal::new(
            StatusCode::BAD_REQUEST,
            "This browser has no such sign-in under way: it was used already, is older than ten minutes, or began elsewhere.",
            "Sign in again, beginning at this service's own address. Cookies have to be allowed for it.",
        );
        return Ok(refused_page(&refusal, &state, oidc));
    };
    let mut answer = match let_in(oidc, &state, &request, &attempt, &back).await {
        Ok(session) => {
            let mut home = Url::parse(&format!("{}/", state.base_url))
                .map_err(|error| ApiError::new("internal", error.to_string()))?;
            home.set_fragment(
                Some(&attempt.view)
                    .filter(|view| !view.is_empty())
                    .map(|view| &**view),
            );
            // The page itself is for everybody; what it asks for carries the new cookie, which this navigation would not.
            HttpResponse::SeeOther()
                .insert_header((header::LOCATION, home.as_str()))
                .cookie(session)
                .finish()
        }
        Err(Stopped::Refused(refusal)) => {
            tracing::warn!(
                why = refusal.why,
                address = state.auth.address(&request),
                "somebody could not sign in at the issuer"
            );
            refused_page(&refusal, &state, oidc)
        }
        Err(Stopped::Store(error)) => return Err(error.into()),
    };
    answer.add_cookie(&over).ok();
    Ok(answer)
}

/// Why nobody is let in.
enum Stopped {
    Refused(Refusal),
    Store(StoreError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Lets in who came back; answers the cookie of their session.
async fn let_in(
    oidc: &SignIn,
    state: &AppState,
    request: &HttpRequest,
    attempt: &Attempt,
    back: &Return,
) -> Result<Cookie<'static>, Stopped> {
    let refused = |refusal| Err(Stopped::Refused(refusal));
    let client = client(request, &state.auth.trusted_proxies);
    let may_ask = |client| oidc.codes.take(&network(client));
    if !client.is_none_or(may_ask) {
        return refused(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many sign-ins came from this address within a minute.",
            "Try again in a minute.",
        ));
    }
    let claims = match oidc.claims(attempt, back).await {
        Ok(claims) => claims,
        Err(failed) => {
            if matches!(failed, Failed::Forged(_)) {
                state.auth.failures.count(client, None);
            }
            return refused(failed.refusal());
        }
    };
    let identity = claims.identity(oidc.issuer.address(), &oidc.settings);
    let (subject, name) = (identity.subject.clone(), identity.name.clone());
    let known = state.store.person(&subject).await?;
    let note = async |person: Option<&Token>, outcome| {
        let entry = NewEntry {
            kind: EntryKind::Change,
            actor: format!("{name} (signs in at the issuer)"),
            token: person.map(|person| person.id),
            address: state.auth.address(request),
            person: person.and_then(|person| person.email.clone()),
            action: "sign_in_by_oidc".to_owned(),
            outcome,
            index: None,
            subject: person.map(|person| person.id.to_string()),
            detail: Some(json!({"subject": subject, "role": person.map(|person| person.role)})),
        };
        // Whoever is refused again and again fills no disk.
        let is_kept =
            outcome == EntryOutcome::Done || state.auth.refusals.take(&Owner::new(&subject));
        if is_kept && let Err(error) = state.store.note(&entry).await {
            tracing::error!(%error, actor = entry.actor, "a sign-in could not be kept in the audit");
        }
    };
    let person = match identity.person() {
        Ok(person) => person,
        Err(identity) => {
            // What they were before they are no longer.
            if let Some(known) = &known {
                let sessions = &state.auth.sessions;
                sessions.end_of(known.id, state.store.as_ref()).await?;
            }
            note(None, EntryOutcome::Refused).await;
            return refused(Refusal::new(
                StatusCode::FORBIDDEN,
                format!("{name} has no role here. {}", identity.why_no_role()),
                "Ask whoever runs this service for access: a group or address of yours has to stand in OIDC_ADMINISTRATORS, OIDC_EDITORS or \
                 OIDC_READERS, and the issuer has to send it in the ID token.",
            ));
        }
    };
    let token = kept(state, &person, known.as_ref()).await?;
    if token.is_kept_out() {
        note(Some(&token), EntryOutcome::Refused).await;
        return refused(Refusal::new(
            StatusCode::FORBIDDEN,
            format!("{name} is kept out of this service."),
            "An administrator has revoked this access, and can let you in again under People.",
        ));
    }
    note(Some(&token), EntryOutcome::Done).await;
    tracing::info!(
        name = token.name,
        role = token.role.as_str(),
        token = %token.id,
        address = state.auth.address(request),
        "somebody signed in at the issuer"
    );
    Ok(session::opened(state, Some(token.id)).await?)
}

/// The row of somebody, brought up to date. What they have open with other rights ends.
async fn kept(
    state: &AppState,
    person: &Person,
    known: Option<&Token>,
) -> Result<Token, StoreError> {
    let token = state.store.keep_person(person).await?;
    let changed =
        known.is_some_and(|known| (known.role, &known.email) != (token.role, &token.email));
    if changed {
        let sessions = &state.auth.sessions;
        sessions.end_of(token.id, state.store.as_ref()).await?;
    }
    Ok(token)
}

/// Sends somebody on to sign out at the issuer.
#[utoipa::path(get, path = "/api/session/oidc/logout", operation_id = "sign_out_of_oidc", tag = "session",
    summary = "For browsers: go to the issuer to sign out there, too.",
    responses((status = 303, description = "To the issuer."), (status = 404), (status = 503, content_type = "text/html", body = String)))]
pub async fn sign_out_of_oidc(state: web::Data<AppState>) -> ApiResult<HttpResponse> {
    let oidc = sign_in(&state)?;
    let metadata = oidc.issuer.metadata().await;
    let url = metadata.and_then(|metadata| oidc.issuer.endpoint(&metadata, Endpoint::EndSession));
    let mut url = match url {
        Ok(url) => url,
        Err(why) => {
            let refusal = Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                why,
                "Here you are signed out all the same. Sign out at the issuer itself.",
            );
            return Ok(refused_page(&refusal, &state, oidc));
        }
    };
    // Without the ID token, which is not kept, the issuer may ask first.
    url.query_pairs_mut()
        .append_pair("client_id", &oidc.settings.client_id)
        .append_pair("post_logout_redirect_uri", &format!("{}/", state.base_url));
    Ok(HttpResponse::SeeOther()
        .insert_header((header::LOCATION, url.as_str()))
        .finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_odd_characters_is_encoded() {
        assert_eq!(encoded("aB8~x._-").to_string(), "aB8~x._-");
        assert_eq!(encoded("a:b c/ü").to_string(), "a%3Ab%20c%2F%C3%BC");
    }
}
