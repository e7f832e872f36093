//! Who asks, and what they may.
//!
//! Credentials are `Authorization: Bearer …` or `X-API-Key: …`, or the session cookie for which the web page trades the
//! administrator's key, a key with a role, or the word of an issuer. [`gate`] stands before every route and closes all that is not
//! named as open; handlers take a [`Principal`] (anyone known), an [`Editor`] or [`Admin`].

mod asker;
pub(crate) mod attempt;
mod failures;
mod issuer;
mod lease;
mod oauth;
pub mod oidc;
pub(super) mod page;
mod principal;
pub mod session;
mod signatures;

use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::access::Asker;
use domain::audit::Actor;
use domain::ports::store::{AdminStore, StoreResult};
use domain::token::Token;
use governor::Quota;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use self::asker::Named;
pub use self::asker::{AskedFor, HEADER as USER_EMAIL};
use self::issuer::Refused;
use self::lease::{Lease, Leases};
pub use self::principal::{Admin, Bearer, Editor, Principal};
use super::confluence;
use super::fairness::Requester;
use super::hooks;
use super::limit::{Budgets, client};
use super::placeholder::unexpanded;
use super::problem::{ApiError, ApiResult};
use crate::mcp::caller::Owner;
use crate::outgoing;
use crate::settings::Settings;
use crate::state::AppState;

/// Registers the routes of sessions and of OAuth's metadata.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .configure(session::configure)
        .configure(oidc::configure)
        .configure(oauth::configure);
}

/// Whether people could sign in at the issuer of the settings, by what it says of itself: that, or what is wrong; `None` where there is
/// none. It may take twice as long as a request to it may.
pub async fn look_at_issuer(settings: &Settings) -> Option<Result<String, String>> {
    let oidc = settings.auth.oidc.as_ref()?;
    Some(oidc::look(oidc, outgoing::client(&settings.network)).await)
}

/// Refusals of one principal that are kept in an hour.
const REFUSALS_PER_HOUR: NonZeroU32 = NonZeroU32::new(60).expect("not zero");

/// Lines in a minute that tell of one principal that the person whom it names is ignored.
const IGNORED_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN;

/// How every token begins, so that people and scanners know one when they see it.
const TOKEN_PREFIX: &str = "mcs_";

/// The secret of a new token.
pub struct NewSecret {
    /// The secret; shown once.
    pub secret: SecretString,
    /// Its first characters, kept to tell tokens apart.
    pub prefix: String,
    /// What is kept instead of the secret.
    pub hash: String,
}

/// Makes the secret of a token, of 256 random bits.
#[must_use]
pub fn new_secret() -> NewSecret {
    let secret = format!("{TOKEN_PREFIX}{}", random_text());
    NewSecret {
        prefix: secret.chars().take(TOKEN_PREFIX.len() + 6).collect(),
        hash: token_hash(&secret),
        secret: SecretString::from(secret),
    }
}

/// 256 random bits, as 43 characters that no URL and no cookie changes.
fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// What is kept of a token: SHA-256, in hex. The token is random, so a slow hash would add nothing.
#[must_use]
pub fn token_hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A secret that opens one path.
struct Single {
    secret: [u8; 32],
    path: &'static str,
}

/// Knows credentials.
pub struct Authenticator {
    key: Option<[u8; 32]>,
    /// Secrets that open one path each, and nothing else: for collectors, and for Confluence.
    single: Vec<Single>,
    /// What commands on this machine show, from its own addresses only.
    local_key: [u8; 32],
    oauth: Option<oauth::Verifier>,
    oidc: Option<oidc::SignIn>,
    sessions: session::Sessions,
    failures: failures::Failures,
    leases: Leases,
    /// How many refusals of each are kept in the audit: whoever is refused again and again fills no disk.
    refusals: Budgets<Owner>,
    /// How often the log tells of each that a person it names is ignored.
    ignored: Budgets<Owner>,
    trusted_proxies: Vec<IpNet>,
    resource_metadata: Option<String>,
}

impl Authenticator {
    /// For these settings; `base_url` without a slash at the end. `local_key` is what the lock file holds.
    #[must_use]
    pub fn new(settings: &Settings, base_url: &str, local_key: &SecretString) -> Self {
        let auth = &settings.auth;
        let digest = |secret: &SecretString| Sha256::digest(secret.expose_secret().as_bytes());
        let key = auth.api_key.as_ref().map(|key| digest(key).into());
        Self {
            key,
            single: [
                (&auth.metrics_token, "/metrics"),
                (&auth.hook_secret, hooks::PATH),
            ]
            .into_iter()
            .filter_map(|(secret, path)| {
                let secret = digest(secret.as_ref()?).into();
                Some(Single { secret, path })
            })
            .collect(),
            local_key: Sha256::digest(local_key.expose_secret().as_bytes()).into(),
            oauth: auth.oauth.as_ref().map(|oauth| {
                oauth::Verifier::new(oauth, base_url, outgoing::client(&settings.network))
            }),
            oidc: auth
                .oidc
                .as_ref()
                .map(|oidc| oidc::SignIn::new(oidc, base_url, outgoing::client(&settings.network))),
            sessions: session::Sessions::of_key(key),
            failures: failures::Failures::default(),
            leases: Leases::default(),
            refusals: Budgets::new(Quota::per_hour(REFUSALS_PER_HOUR)),
            ignored: Budgets::new(Quota::per_minute(IGNORED_PER_MINUTE)),
            trusted_proxies: settings.http.trusted_proxies.clone(),
            resource_metadata: auth
                .oauth
                .as_ref()
                .map(|_| format!("{base_url}/.well-known/oauth-protected-resource")),
        }
    }

    /// Takes up the sessions of the web page that an earlier process kept: a restart signs nobody out.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn restore(&self, store: &dyn AdminStore) -> StoreResult<()> {
        self.sessions.restore(store).await
    }

    /// Gets ready for people who sign in at an issuer.
    pub async fn prepare(&self) {
        if let Some(oidc) = &self.oidc {
            oidc.prepare().await;
        }
    }

    /// Whether one more refusal of somebody is to be kept.
    #[must_use]
    pub fn keeps_refusal(&self, principal: &Principal) -> bool {
        self.refusals.take(&Owner::from(principal))
    }

    /// Who asks, for people, and how that is known.
    #[must_use]
    pub fn actor(&self, request: &HttpRequest, principal: &Principal) -> String {
        let how = match presented(request) {
            Presented::Nothing if !self.is_on() => "no key is asked for",
            Presented::Nothing => "signed in to the web page",
            Presented::Secret(secret) if self.is_local_key(&secret, request) => "by a command here",
            _ => match principal {
                Principal::Admin => "by the API key",
                Principal::Reader { .. } => "by an access token",
                Principal::Bearer(_) => "by a key",
            },
        };
        format!("{} ({how})", principal.name())
    }

    /// The address of who asks.
    #[must_use]
    pub fn address(&self, request: &HttpRequest) -> Option<String> {
        client(request, &self.trusted_proxies).map(|address| address.to_string())
    }

    /// Who asks, by which token and from where, for an entry of the audit.
    #[must_use]
    pub fn audited(&self, request: &HttpRequest, principal: &Principal) -> Actor {
        Actor {
            name: self.actor(request, principal),
            token: principal.token(),
            address: self.address(request),
        }
    }

    /// Who asks, and from where, for people.
    #[must_use]
    pub fn actor_and_address(&self, request: &HttpRequest, principal: &Principal) -> String {
        let actor = self.actor(request, principal);
        match self.address(request) {
            Some(address) => format!("{actor} from {address}"),
            None => actor,
        }
    }

    /// The bearer of a living token, for as long as it lives.
    fn bearer(&self, token: &Token) -> (Principal, Lease) {
        let bearer = Bearer::of(token);
        let lease = self.leases.of_token(&bearer, token.expires_at);
        (Principal::Bearer(bearer), lease)
    }

    /// Whether credentials are asked for.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.key.is_some() || self.oauth.is_some() || self.oidc.is_some()
    }

    /// Whether a token still counts: somebody who signed in at an issuer does for as long as that is the one of the settings.
    fn knows(&self, token: &Token) -> bool {
        token.subject.as_ref().is_none_or(|subject| {
            let issuer = self.oidc.as_ref();
            issuer.is_some_and(|issuer| issuer.names(subject))
        })
    }

    /// Whether a text is the key of the lock file, shown by this machine itself.
    fn is_local_key(&self, text: &str, request: &HttpRequest) -> bool {
        is(Some(self.local_key), text)
            && request
                .peer_addr()
                .is_some_and(|peer| peer.ip().is_loopback())
    }

    /// Who asks, and for how long that holds.
    ///
    /// # Errors
    /// 400 for several credentials at once; 401 for wrong credentials, and for none where some are asked for; 429 for wrong ones
    /// beyond the budget; 503 when they cannot be checked.
    async fn principal(
        &self,
        request: &HttpRequest,
        store: &Arc<dyn AdminStore>,
    ) -> ApiResult<(Principal, Lease)> {
        let admin = |lease| Ok((Principal::Admin, lease));
        match presented(request) {
            Presented::Secret(secret) if self.is_local_key(&secret, request) => {
                admin(Lease::default())
            }
            Presented::Secret(secret) => self.of_secret(&secret, request, store).await,
            // Which of them counts, a proxy in front and we could see differently.
            Presented::Twice(name) => Err(ApiError::new(
                "bad_request",
                format!("The request has two {name} headers; send one."),
            )),
            Presented::Unreadable => Err(self.wrong(
                request,
                "The Authorization header cannot be read; send `Authorization: Bearer KEY`.",
                None,
            )),
            Presented::Nothing if !self.is_on() => admin(Lease::default()),
            Presented::Nothing => match self.sessions.of(request) {
                Some(session::Known { lease, token: None }) => admin(lease),
                Some(session::Known {
                    lease,
                    token: Some(token),
                }) => match store.token(token).await?.filter(|token| self.knows(token)) {
                    Some(token) => {
                        let (principal, own) = self.bearer(&token);
                        Ok((principal, own.and(lease)))
                    }
                    None => {
                        self.sessions.forget(request);
                        Err(self.unauthorized(
                            "What was traded for this session has ended or was revoked; sign in again.",
                            false,
                        ))
                    }
                },
                None => Err(self.unauthorized(
                    "Send `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
                    false,
                )),
            },
        }
    }

    /// For whom somebody asks who is known.
    ///
    /// # Errors
    /// 400 for a person named twice.
    fn asked_for(&self, principal: &Principal, request: &HttpRequest) -> ApiResult<AskedFor> {
        Ok(AskedFor(match asker::asker(principal, request)? {
            Named::Asker(asker) => asker,
            Named::Ignored(why) => {
                if self.ignored.take(&Owner::from(principal)) {
                    tracing::warn!(
                        principal = principal.name(),
                        why,
                        "the header X-User-Email is ignored: the answer is for nobody in particular"
                    );
                }
                Asker::Unnamed
            }
        }))
    }

    /// Who asks where nobody has to say so; `None`: somebody who did not.
    ///
    /// # Errors
    /// As [`Self::principal`] for whoever does say so.
    pub(super) async fn visitor(
        &self,
        request: &HttpRequest,
        store: &Arc<dyn AdminStore>,
    ) -> ApiResult<Option<Principal>> {
        let says_nothing = matches!(presented(request), Presented::Nothing)
            && self.is_on()
            && self.sessions.of(request).is_none();
        if says_nothing {
            return Ok(None);
        }
        let (principal, _) = self.principal(request, store).await?;
        Ok(Some(principal))
    }

    async fn of_secret(
        &self,
        secret: &str,
        request: &HttpRequest,
        store: &Arc<dyn AdminStore>,
    ) -> ApiResult<(Principal, Lease)> {
        if is(self.key, secret) {
            return Ok((Principal::Admin, Lease::default()));
        }
        let single = self.single.iter().filter(|s| is(Some(s.secret), secret));
        let opened: Vec<&str> = single.map(|single| single.path).collect();
        if !opened.is_empty() {
            // For this request: it needs no more than that.
            if opened.contains(&request.path().trim_end_matches('/')) {
                return Ok((Principal::Admin, Lease::default()));
            }
            let why = format!("This secret opens {} and nothing else.", opened.join(", "));
            return Err(ApiError::new("forbidden", why));
        }
        if let Some(variable) = unexpanded(secret) {
            let why = format!(
                "The key is {variable} itself: whoever sends it did not fill in that variable. Set it where the client takes its \
                 variables from (for LibreChat its .env), and restart the client."
            );
            return Err(self.wrong(request, &why, Some(variable)));
        }
        if secret.starts_with(TOKEN_PREFIX) {
            if let Some(token) = store.token_by_hash(&token_hash(secret)).await? {
                return Ok(self.bearer(&token));
            }
        } else if let Some(oauth) = &self.oauth {
            let refused = match oauth.access(secret).await {
                Ok(oauth::Access {
                    subject,
                    email,
                    ends,
                }) => {
                    return Ok((Principal::Reader { subject, email }, Lease::until(ends)));
                }
                Err(refused) => refused,
            };
            return Err(match refused {
                Refused::Forged(why) => self.wrong(request, &why, None),
                Refused::Unfit(why) => self.unauthorized(&why, true),
                Refused::Unavailable(why) => {
                    ApiError::new("issuer_unreachable", why).with_header(header::RETRY_AFTER, "10")
                }
            });
        }
        Err(self.wrong(
            request,
            "The key or token is wrong, has expired, or was revoked.",
            None,
        ))
    }

    /// Ends whatever revoked tokens have open, until the service stops.
    pub async fn watch(&self, store: &dyn AdminStore, shutdown: &CancellationToken) {
        self.leases.watch(store, shutdown).await;
    }

    /// The answer to a wrong credential, which is counted: 401, or 429 beyond the budget. `variable`: what it still is.
    fn wrong(&self, request: &HttpRequest, detail: &str, variable: Option<&str>) -> ApiError {
        let client = client(request, &self.trusted_proxies);
        if self.failures.count(client, variable) {
            return self.unauthorized(detail, true);
        }
        ApiError::new(
            "rate_limited",
            "Too many wrong credentials came from this address, or from all together, and this one is wrong too; wait a \
             minute before the next. A right one is accepted at any time.",
        )
        .with_header(header::RETRY_AFTER, "60")
    }

    fn unauthorized(&self, detail: &str, wrong: bool) -> ApiError {
        let mut challenge = "Bearer realm=\"mcp-confluence\"".to_owned();
        if let Some(metadata) = &self.resource_metadata {
            challenge.push_str(&format!(
                ", resource_metadata=\"{metadata}\", scope=\"confluence:read\""
            ));
        }
        if wrong {
            challenge.push_str(", error=\"invalid_token\"");
        }
        ApiError::new("unauthorized", detail).with_header(header::WWW_AUTHENTICATE, &challenge)
    }
}

/// Whether a text is the secret of this digest; takes the same time whatever the text.
fn is(secret: Option<[u8; 32]>, text: &str) -> bool {
    secret.is_some_and(|secret| {
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        secret.ct_eq(&digest).into()
    })
}

enum Presented {
    Nothing,
    Unreadable,
    /// A header that may stand once stands there again.
    Twice(&'static str),
    Secret(String),
}

fn presented(request: &HttpRequest) -> Presented {
    let headers = request.headers();
    for name in ["Authorization", "X-API-Key"] {
        if headers.get_all(name).nth(1).is_some() {
            return Presented::Twice(name);
        }
    }
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return value
            .to_str()
            .ok()
            .and_then(|text| text.trim().split_once(' '))
            .filter(|(scheme, secret)| {
                scheme.eq_ignore_ascii_case("bearer") && !secret.trim().is_empty()
            })
            .map_or(Presented::Unreadable, |(_, secret)| {
                Presented::Secret(secret.trim().to_owned())
            });
    }
    match headers.get("x-api-key").map(|value| value.to_str()) {
        None => Presented::Nothing,
        Some(Ok(key)) => Presented::Secret(key.trim().to_owned()),
        Some(Err(_)) => Presented::Unreadable,
    }
}

/// Paths that answer without credentials: what probes, generators of clients and the web page's shell need. Everything
/// under `/api` but the session, all of MCP and `/metrics` is closed.
fn is_open(method: &Method, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    match path {
        ""
        | "/health"
        | "/health/live"
        | "/health/ready"
        | "/openapi.json"
        | "/openapi-tools.json"
        | "/docs"
        | "/api/session"
        | "/favicon.ico"
        | "/robots.txt" => true,
        // A client that probes for Streamable HTTP here must learn before anything else that this is the other transport.
        "/mcp/sse" => *method == Method::HEAD || *method == Method::POST,
        _ => {
            oidc::is_open(path)
                || path == confluence::CALLBACK
                || path.starts_with("/docs/")
                || path.starts_with("/assets/")
                // Clients look for what they might use; a challenge would send them to sign in for what is not there.
                || path.starts_with("/.well-known/")
        }
    }
}

/// Never 429, which LibreChat takes for the end.
fn too_many() -> ApiError {
    let why = "Too many requests of these credentials, or of this address, are under way; come again when some are answered.";
    ApiError::new("engine_busy", why).with_header(header::RETRY_AFTER, "5")
}

/// Middleware: finds out who asks, lets nobody unknown through to what is not open, nor anybody beyond his share, and ends what is
/// under way and what stays open when the credentials do.
///
/// # Errors
/// Those of the inner service; a refusal is an answer.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<BoxBody>>, actix_web::Error> {
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let mut lease = Lease::default();
    let mut who = None;
    if !is_open(request.method(), request.path()) {
        let known = match &state {
            Some(state) => state.auth.principal(request.request(), &state.store).await,
            None => Err(ApiError::new("internal", "The service is not set up.")),
        };
        let known = known.and_then(|(principal, until)| {
            let asked_for = state
                .as_ref()
                .map(|state| state.auth.asked_for(&principal, request.request()));
            Ok((principal, asked_for.transpose()?, until))
        });
        match known {
            Ok((principal, asked_for, until)) => {
                lease = until;
                who = Some(Requester::Owner(Owner::from(&principal)));
                let mut extensions = request.extensions_mut();
                extensions.insert(principal);
                if let Some(asked_for) = asked_for {
                    extensions.insert(asked_for);
                }
            }
            Err(refusal) => {
                return Ok(request
                    .into_response(refusal.response())
                    .map_into_right_body());
            }
        };
    }
    let place = state.map(|state| {
        let client =
            || client(request.request(), &state.auth.trusted_proxies).map(Requester::client);
        let who = who.or_else(client);
        who.map(|who| state.fairness.request(&who)).transpose()
    });
    let place = match place.transpose() {
        Ok(place) => place.flatten(),
        Err(_) => {
            return Ok(request
                .into_response(too_many().response())
                .map_into_right_body());
        }
    };
    let over = lease.clone().ended();
    let answered = tokio::select! {
        biased;
        answered = next.call(request) => answered?,
        () = over => {
            let why = "The credentials ended while the answer was made.";
            return Err(ApiError::new("unauthorized", why).into());
        }
    };
    Ok(answered
        .map_into_boxed_body()
        .map_body(|_, body| lease::bounded(body, lease, place))
        .map_into_left_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_open() {
        for open in [
            "/",
            "/health",
            "/health/",
            "/health/ready",
            "/openapi.json",
            "/docs",
            "/docs/problems",
            "/api/session/oidc/callback",
            "/api/confluence/oauth/callback",
            "/assets/app.js",
            "/.well-known/oauth-authorization-server",
        ] {
            assert!(is_open(&Method::GET, open), "{open}");
        }
        for closed in [
            "/metrics",
            "/api/indexes",
            "/api",
            "/api/session/other",
            "/api/confluence/oauth",
            "/api/confluence/oauth/authorize",
            "/mcp",
            "/mcp/sse",
            "/mcp/messages",
            "/healthy",
            "/docsx",
        ] {
            assert!(!is_open(&Method::GET, closed), "{closed}");
        }
        assert!(is_open(&Method::POST, "/mcp/sse") && !is_open(&Method::POST, "/mcp"));
    }

    #[test]
    fn tokens_are_random_and_kept_as_a_hash() {
        let (a, b) = (new_secret(), new_secret());
        assert_ne!(a.hash, b.hash);
        assert_eq!(a.hash, token_hash(a.secret.expose_secret()));
        assert_eq!(a.hash.len(), 64);
        assert!(a.secret.expose_secret().starts_with(&a.prefix) && a.prefix.len() == 10);
        assert!(a.secret.expose_secret().len() > 40);
    }
}
