//! OAuth 2.1 as a resource server: checks access tokens of the configured [`Issuer`], never passes one on.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use actix_web::{HttpResponse, web};
use domain::access::Email;
use serde::Deserialize;
use upstream::ConfigError;

use super::issuer::{Issuer, Kind, LEEWAY, MAX_AGE, Refused};
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

/// What an access token lets its bearer do.
pub(super) struct Access {
    /// `sub` of the token.
    pub(super) subject: String,
    /// `email` of the token, unless the issuer says that it is not verified.
    pub(super) email: Option<Email>,
    /// When it is over.
    pub(super) ends: SystemTime,
}

/// Checks access tokens.
pub(super) struct Verifier {
    issuer: Issuer,
    audiences: BTreeSet<String>,
    scope_required: bool,
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
    #[serde(flatten)]
    email: EmailClaims,
}

/// What a token says of an address.
#[derive(Deserialize, Default)]
pub(super) struct EmailClaims {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Said,
    /// Entra ID's word for it, an optional claim: the address is of a domain that somebody has proven to own.
    #[serde(default)]
    xms_edov: Said,
}

impl EmailClaims {
    /// Whose address it is, where the issuer says that it is verified. An address of which it does not say so may be one that
    /// anybody chose.
    pub(super) fn verified(&self) -> Option<Email> {
        let is_verified = self.email_verified.is_yes() || self.xms_edov.is_yes();
        let email = self.email.as_deref().filter(|_| is_verified)?;
        Email::parse(email)
    }

    /// The address as it stands there.
    pub(super) fn written(&self) -> Option<&str> {
        self.email.as_deref()
    }
}

/// Yes or no; some write it as a text or a number.
#[derive(Deserialize, Default)]
#[serde(transparent)]
struct Said(serde_json::Value);

impl Said {
    fn is_yes(&self) -> bool {
        match &self.0 {
            serde_json::Value::Bool(said) => *said,
            serde_json::Value::String(said) => said == "true" || said == "1",
            serde_json::Value::Number(said) => said.as_i64() == Some(1),
            _ => false,
        }
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

/// The scope that a token must have.
const SCOPE: &str = "confluence:read";

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
            issuer: Issuer::new(&settings.issuer, "OAUTH_ISSUER", client),
            audiences,
            scope_required: settings.scope_required,
        }
    }

    /// Who bears a good token, and for how long.
    pub(super) async fn access(&self, token: &str) -> Result<Access, Refused> {
        let unfit = |why: &str| Refused::Unfit(Kind::Access.because(why));
        let audiences: Vec<&str> = self.audiences.iter().map(String::as_str).collect();
        let verified = self.issuer.verified(token, Kind::Access, &audiences);
        let claims: Claims = verified.await?;
        if claims.sub.trim().is_empty() {
            return Err(unfit("its `sub` names nobody"));
        }
        if self.scope_required && !claims.scope.hold(SCOPE) && !claims.scp.hold(SCOPE) {
            return Err(unfit(
                "it lacks the scope confluence:read in `scope` or `scp`",
            ));
        }
        Ok(Access {
            email: claims.email.verified(),
            subject: claims.sub,
            ends: Duration::try_from_secs_f64(claims.exp)
                .ok()
                .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since + LEEWAY))
                .unwrap_or_else(|| SystemTime::now() + MAX_AGE),
        })
    }
}
