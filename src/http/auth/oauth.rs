//! OAuth 2.1 as a resource server: checks access tokens of the configured issuer, never passes one on.
//!
//! The issuer's keys are found by its metadata (RFC 8414, OpenID Connect discovery) and kept; an unknown key id makes us
//! look again, at most once a minute.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use tokio::sync::Mutex;
use upstream::{Bounds, ConfigError};
use url::Url;

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
        "scopes_supported": ["confluence:read"],
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
/// Bytes read of the issuer's metadata and keys.
const BOUNDS: Bounds = Bounds {
    answer: 1 << 20,
    error: 0,
};
/// Only signatures by a key pair: with a shared secret, whoever checks could sign.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

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

/// Checks access tokens.
pub(super) struct Verifier {
    issuer: Url,
    audiences: BTreeSet<String>,
    /// Held while the keys are fetched: one asks, the others wait for what it finds.
    keys: Mutex<Keys>,
    client: Result<reqwest::Client, ConfigError>,
}

/// What is known of the issuer's keys.
#[derive(Default)]
struct Keys {
    known: Option<(JwkSet, Instant)>,
    failed: Option<(String, Instant)>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    scope: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    jwks_uri: Url,
}

impl Verifier {
    pub(super) fn new(
        settings: &OAuthSettings,
        base_url: &str,
        client: Result<reqwest::Client, ConfigError>,
    ) -> Self {
        let audiences = match &settings.audience {
            Some(audience) => BTreeSet::from([audience.clone()]),
            // RFC 8707: clients name the resource by its address, that of the service or of one of its MCP endpoints.
            None => ["", "/", "/mcp", "/mcp/sse"]
                .into_iter()
                .map(|path| format!("{base_url}{path}"))
                .collect(),
        };
        Self {
            issuer: settings.issuer.clone(),
            audiences,
            keys: Mutex::default(),
            client,
        }
    }

    /// The subject of a good token.
    pub(super) async fn subject(&self, token: &str) -> Result<String, Refused> {
        let because = |why: &str| format!("The access token is refused: {why}.");
        let forged = |why: &str| Refused::Forged(because(why));
        let header = decode_header(token)
            .map_err(|_| forged("it is neither our key nor an access token"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(forged("its signature algorithm is not accepted"));
        }
        let key = self
            .key(header.kid.as_deref())
            .await?
            .ok_or_else(|| forged("its key is not one of the issuer's"))?;
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&self.audiences.iter().collect::<Vec<_>>());
        let issuer = self.issuer.as_str();
        validation.set_issuer(&[issuer, issuer.trim_end_matches('/')]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.validate_nbf = true;
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
        // A token without scopes is one for the whole resource.
        let scope_missing = claims.scope.is_some_and(|scopes| {
            !scopes.is_empty() && !scopes.split(' ').any(|scope| scope == "confluence:read")
        });
        if scope_missing {
            return Err(Refused::Unfit(because(
                "it lacks the scope confluence:read",
            )));
        }
        Ok(claims.sub)
    }

    async fn key(&self, id: Option<&str>) -> Result<Option<DecodingKey>, Refused> {
        let mut kept = self.keys.lock().await;
        for again in [false, true] {
            let age = kept.known.as_ref().map(|(_, since)| since.elapsed());
            let stale = match age {
                None => true,
                Some(age) if again => age > LEAST_REFRESH,
                Some(age) => age > MAX_AGE,
            };
            if stale
                && let Err(why) = self.refresh(&mut kept).await
                && kept.known.is_none()
            {
                return Err(Refused::Unavailable(why));
            }
            let found = kept.known.as_ref().and_then(|(keys, _)| match id {
                Some(id) => keys.find(id),
                None => keys.keys.first(),
            });
            if let Some(found) = found {
                return Ok(DecodingKey::from_jwk(found).ok());
            }
        }
        Ok(None)
    }

    /// Fetches the keys, unless that failed a moment ago. Known keys go on to be good while the issuer is away.
    async fn refresh(&self, kept: &mut Keys) -> Result<(), String> {
        if let Some((why, at)) = &kept.failed
            && at.elapsed() < LEAVE_ALONE
        {
            return Err(why.clone());
        }
        let fetched = tokio::time::timeout(FETCH_PATIENCE, self.fetch()).await;
        match fetched.unwrap_or_else(|_| Err("The OAuth issuer does not answer.".to_owned())) {
            Ok(keys) => {
                *kept = Keys {
                    known: Some((keys, Instant::now())),
                    failed: None,
                };
                Ok(())
            }
            Err(why) => {
                tracing::warn!(why, "the issuer's keys could not be had");
                kept.failed = Some((why.clone(), Instant::now()));
                Err(why)
            }
        }
    }

    async fn fetch(&self) -> Result<JwkSet, String> {
        let client = self.client.as_ref().map_err(ToString::to_string)?;
        let base = self.issuer.as_str().trim_end_matches('/');
        let mut last = String::new();
        for document in ["openid-configuration", "oauth-authorization-server"] {
            let address = format!("{base}/.well-known/{document}");
            match get::<Metadata>(client, &address).await {
                Ok(metadata) => {
                    let keys = get(client, metadata.jwks_uri.as_str()).await;
                    return keys.map_err(|why| {
                        format!("The keys of the OAuth issuer {base} cannot be fetched: {why}")
                    });
                }
                Err(why) => last = why,
            }
        }
        Err(format!(
            "The metadata of the OAuth issuer {base} cannot be fetched: {last}"
        ))
    }
}

async fn get<T: serde::de::DeserializeOwned>(
    client: &reqwest::Client,
    address: &str,
) -> Result<T, String> {
    let answer = upstream::send(client.get(address), BOUNDS).await;
    answer.map_err(|broken| broken.to_string())?.good()?.json()
}
