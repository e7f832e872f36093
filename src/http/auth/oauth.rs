//! OAuth 2.1 as a resource server: checks access tokens of the configured issuer, never passes one on.
//!
//! The issuer's keys are found by its metadata (RFC 8414, OpenID Connect discovery) and kept; an unknown key id makes us
//! look again, at most once a minute, and keeps nobody waiting whose key is known.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use actix_web::{HttpResponse, web};
use domain::access::Email;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use tokio::sync::Mutex;
use upstream::{Bounds, ConfigError, Target};
use url::Url;

use super::signatures::{self, ALGORITHMS};
use crate::http::problem::{ApiError, ApiResult};
use crate::http::routes;
use crate::settings::OAuthSettings;
use crate::state::AppState;

/// Where clients learn which authorization server to ask (RFC 9728), for the service and for each endpoint below it.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/{endpoint:.+}",
    ] {
        config.service(routes::resource(
            path,
            [(routes::GET, routes::get_or_head().to(show_metadata))],
        ));
    }
}

/// Only where OAuth is on: its mere presence makes clients use it.
async fn show_metadata(
    request: actix_web::HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let Some(oauth) = &state.settings.auth.oauth else {
        return Err(ApiError::new("not_found", "OAuth is not in use here."));
    };
    let endpoint = request
        .match_info()
        .get("endpoint")
        .map(|path| format!("/{path}"));
    Ok(HttpResponse::Ok().json(serde_json::json!({
        "resource": format!("{}{}", state.base_url, endpoint.unwrap_or_default()),
        "authorization_servers": [oauth.issuer.as_str().trim_end_matches('/')],
        "scopes_supported": [SCOPE],
        "bearer_methods_supported": ["header"],
    })))
}

/// After a failure the issuer is left alone for so long, and who asks meanwhile hears of that failure.
const LEAVE_ALONE: Duration = Duration::from_secs(10);
/// How long the issuer may take; everyone who needs a key waits.
const FETCH_PATIENCE: Duration = Duration::from_secs(5);
/// Keys are not asked for more often than this.
const LEAST_REFRESH: Duration = Duration::from_secs(60);
/// Keys older than this are asked for again.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);
/// How far the issuer's clock and ours may be apart: a token, and what is open by it, is good for so long after its end.
const LEEWAY: Duration = Duration::from_secs(10);
/// Bytes read of the issuer's metadata and keys.
const BOUNDS: Bounds = Bounds {
    answer: 1 << 20,
    error: 0,
};
/// Why nobody was recognised.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is no token, or none that the issuer signed; in words that may be shown.
    Forged(String),
    /// The issuer signed it, but it is over or not for us; in words that may be shown.
    Unfit(String),
    /// The issuer's keys cannot be had.
    Unavailable(String),
}

/// What an access token lets its bearer do.
pub(super) struct Access {
    /// `sub` of the token.
    pub(super) subject: String,
    /// `email` of the token, unless the issuer says that it is not verified.
    pub(super) email: Option<Email>,
    /// When it is over.
    pub(super) ends: SystemTime,
}

/// Checks access tokens. Clones are the same one.
#[derive(Clone)]
pub(super) struct Verifier(Arc<Inner>);

struct Inner {
    issuer: Url,
    audiences: BTreeSet<String>,
    scope_required: bool,
    /// Held for a look or an exchange only: known keys are used while others are fetched.
    known: StdMutex<Known>,
    /// Held while the keys are fetched: one asks, and who needs a key that is not known waits for what it finds.
    fetching: Mutex<()>,
    client: Result<reqwest::Client, ConfigError>,
}

/// What is known of the issuer's keys.
#[derive(Default)]
struct Known {
    keys: Option<(Arc<JwkSet>, Instant)>,
    failed: Option<(String, Instant)>,
}

impl Known {
    /// The key of this id, if it is known; the second says that it is old.
    fn find(&self, id: Option<&str>) -> Option<(Jwk, bool)> {
        let (keys, since) = self.keys.as_ref()?;
        let found = match id {
            Some(id) => keys.find(id),
            None => keys.keys.first(),
        };
        found.map(|key| (key.clone(), since.elapsed() > MAX_AGE))
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Seconds since 1970; RFC 7519 allows fractions.
    exp: f64,
    #[serde(default)]
    scope: Scopes,
    /// Where Microsoft and Okta write it.
    #[serde(default)]
    scp: Scopes,
    #[serde(default)]
    email: Option<String>,
    /// Some write it as a text.
    #[serde(default)]
    email_verified: Option<serde_json::Value>,
}

impl Claims {
    /// Whose address it is, where the issuer vouches for it. One that leaves out whether it is verified (Entra ID) has only such.
    fn verified_email(&self) -> Option<Email> {
        let verified = match &self.email_verified {
            None => true,
            Some(value) => value.as_bool() == Some(true) || value.as_str() == Some("true"),
        };
        let email = self.email.as_deref().filter(|_| verified)?;
        Email::parse(email)
    }
}

/// Words in one text, or each by itself.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Scopes {
    Text(String),
    List(Vec<String>),
    #[default]
    None,
}

impl Scopes {
    fn hold(&self, wanted: &str) -> bool {
        match self {
            Self::Text(text) => text.split_whitespace().any(|scope| scope == wanted),
            Self::List(scopes) => scopes.iter().any(|scope| scope == wanted),
            Self::None => false,
        }
    }
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Url,
}

/// The scope that a token must have.
const SCOPE: &str = "confluence:read";

/// Whether a token of this kind is an access token: RFC 9068 names it, others write `JWT` or nothing.
fn is_access_token(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| {
        let kind = kind.to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        matches!(kind, "jwt" | "at+jwt")
    })
}

impl Verifier {
    pub(super) fn new(
        settings: &OAuthSettings,
        base_url: &str,
        client: Result<reqwest::Client, ConfigError>,
    ) -> Self {
        signatures::install();
        let audiences = match &settings.audience {
            Some(audience) => BTreeSet::from([audience.clone()]),
            // RFC 8707: clients name the resource by its address, that of the service or of one of its MCP endpoints.
            None => ["", "/", "/mcp", "/mcp/sse"]
                .into_iter()
                .map(|path| format!("{base_url}{path}"))
                .collect(),
        };
        Self(Arc::new(Inner {
            issuer: settings.issuer.clone(),
            audiences,
            scope_required: settings.scope_required,
            known: StdMutex::default(),
            fetching: Mutex::default(),
            client,
        }))
    }

    /// Who bears a good token, and for how long.
    pub(super) async fn access(&self, token: &str) -> Result<Access, Refused> {
        let because = |why: &str| format!("The access token is refused: {why}.");
        let forged = |why: &str| Refused::Forged(because(why));
        let unfit = |why: &str| Refused::Unfit(because(why));
        let header = decode_header(token)
            .map_err(|_| forged("it is neither our key nor an access token"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(forged("its signature algorithm is not accepted"));
        }
        if header.crit.is_some() {
            return Err(forged("its header demands what is not known here (`crit`)"));
        }
        if !is_access_token(header.typ.as_deref()) {
            return Err(forged("its `typ` is that of no access token"));
        }
        let key = self
            .key(header.kid.as_deref())
            .await?
            .ok_or_else(|| forged("its key is not one of the issuer's"))?;
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&self.0.audiences.iter().collect::<Vec<_>>());
        let issuer = self.0.issuer.as_str();
        validation.set_issuer(&[issuer, issuer.trim_end_matches('/')]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.as_secs();
        let claims = decode::<Claims>(token, &key, &validation)
            .map_err(|error| {
                let why = because(&error.to_string());
                // The signature is looked at before the claims.
                match error.kind() {
                    ErrorKind::ExpiredSignature
                    | ErrorKind::ImmatureSignature
                    | ErrorKind::InvalidAudience
                    | ErrorKind::InvalidIssuer
                    | ErrorKind::MissingRequiredClaim(_) => Refused::Unfit(why),
                    _ => Refused::Forged(why),
                }
            })?
            .claims;
        if claims.sub.trim().is_empty() {
            return Err(unfit("its `sub` names nobody"));
        }
        if self.0.scope_required && !claims.scope.hold(SCOPE) && !claims.scp.hold(SCOPE) {
            return Err(unfit(
                "it lacks the scope confluence:read in `scope` or `scp`",
            ));
        }
        Ok(Access {
            email: claims.verified_email(),
            subject: claims.sub,
            ends: Duration::try_from_secs_f64(claims.exp)
                .ok()
                .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since + LEEWAY))
                .unwrap_or_else(|| SystemTime::now() + MAX_AGE),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The issuer's key of this id. One that is known is used at once; old keys are asked for again meanwhile, and go on to be
    /// good while the issuer is away.
    async fn key(&self, id: Option<&str>) -> Result<Option<DecodingKey>, Refused> {
        let found = self.known().find(id);
        if let Some((key, is_old)) = found {
            if is_old {
                let refreshing = self.clone();
                actix_web::rt::spawn(async move {
                    // Somebody else is at it already.
                    if let Ok(_turn) = refreshing.0.fetching.try_lock() {
                        refreshing.refresh().await;
                    }
                });
            }
            return Ok(DecodingKey::from_jwk(&key).ok());
        }
        let _turn = self.0.fetching.lock().await;
        let fresh = |known: &Known| {
            let age = known.keys.as_ref().map(|(_, since)| since.elapsed());
            age.is_some_and(|age| age <= LEAST_REFRESH)
        };
        if !fresh(&self.known()) {
            self.refresh().await;
        }
        let known = self.known();
        match (known.find(id), &known.keys, &known.failed) {
            (Some((key, _)), _, _) => Ok(DecodingKey::from_jwk(&key).ok()),
            (None, None, Some((why, _))) => Err(Refused::Unavailable(why.clone())),
            (None, _, _) => Ok(None),
        }
    }

    /// Fetches the keys, unless that failed a moment ago.
    async fn refresh(&self) {
        let left_alone = |known: &Known| {
            let failed = known.failed.as_ref().map(|(_, at)| at.elapsed());
            failed.is_some_and(|since| since < LEAVE_ALONE)
        };
        if left_alone(&self.known()) {
            return;
        }
        let fetched = tokio::time::timeout(FETCH_PATIENCE, self.fetch()).await;
        match fetched.unwrap_or_else(|_| Err("The OAuth issuer does not answer.".to_owned())) {
            Ok(keys) => {
                *self.known() = Known {
                    keys: Some((Arc::new(keys), Instant::now())),
                    failed: None,
                };
            }
            Err(why) => {
                tracing::warn!(why, "the issuer's keys could not be had");
                self.known().failed = Some((why, Instant::now()));
            }
        }
    }

    async fn fetch(&self) -> Result<JwkSet, String> {
        let client = self.0.client.as_ref().map_err(ToString::to_string)?;
        let base = self.0.issuer.as_str().trim_end_matches('/');
        let mut last = String::new();
        for document in ["openid-configuration", "oauth-authorization-server"] {
            let address = format!("{base}/.well-known/{document}");
            let metadata = match get::<Metadata>(client, &address).await {
                Ok(metadata) => metadata,
                Err(why) => {
                    last = why;
                    continue;
                }
            };
            self.vouch(&metadata)?;
            let keys = get(client, metadata.jwks_uri.as_str()).await;
            return keys.map_err(|why| {
                format!("The keys of the OAuth issuer {base} cannot be fetched: {why}")
            });
        }
        Err(format!(
            "The metadata of the OAuth issuer {base} cannot be fetched: {last}"
        ))
    }

    /// Whether the metadata are those of our issuer (RFC 8414, section 3.3), and lead to keys that nobody can exchange on the
    /// way.
    fn vouch(&self, metadata: &Metadata) -> Result<(), String> {
        let base = self.0.issuer.as_str().trim_end_matches('/');
        if metadata.issuer.trim_end_matches('/') != base {
            return Err(format!(
                "The metadata of the OAuth issuer {base} name another issuer; OAUTH_ISSUER has to be written as the issuer \
                 writes itself."
            ));
        }
        let keys = &metadata.jwks_uri;
        if keys.scheme() != "https" && keys.origin() != self.0.issuer.origin() {
            return Err(format!(
                "The metadata of the OAuth issuer {base} lead to keys that are neither on https nor at the issuer itself."
            ));
        }
        Ok(())
    }
}

async fn get<T: serde::de::DeserializeOwned>(
    client: &reqwest::Client,
    address: &str,
) -> Result<T, String> {
    let answer = upstream::send(
        client.get(address),
        BOUNDS,
        Target::new("issuer", "documents"),
    )
    .await;
    answer.map_err(|broken| broken.to_string())?.good()?.json()
}
