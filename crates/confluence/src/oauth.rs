//! OAuth 2.0 (3LO): an administrator lets an app read one site; the app then works with access tokens of about an hour, each got for a
//! refresh token that is good once.
//!
//! * **Promises**: one refresher works at a time, in this process and in all others that share the [`Vault`]; whoever waits for it
//!   takes what it got. The next refresh token is in the vault before the access token that came with it is given to anybody: killed
//!   in between, the old one is used again, which Atlassian takes for some ten minutes. A refresh that is refused for good is asked
//!   for once and never again until somebody connects anew. A passing failure is told to all who wait for it, and is theirs to retry.
//! * It must not know where tokens are kept, nor how; secrets are in no error and no log.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use upstream::{Answer, Bounds, ConfigError, Network, Target, check_address, secret_header};
use url::Url;

use crate::config::Place;

/// Where Atlassian asks for consent and gives tokens, unless a setting says otherwise.
pub const AUTHORIZATION_SERVER: &str = "https://auth.atlassian.com";
/// What the consent is for.
const AUDIENCE: &str = "api.atlassian.com";
/// Without it, Atlassian gives no refresh token.
const OFFLINE: &str = "offline_access";
/// No exchange of tokens takes longer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes read of an answer with tokens or sites.
const BOUNDS: Bounds = Bounds {
    answer: 256 * 1024,
    error: 16 * 1024,
};
/// An access token is replaced so long before its end, and sooner where it lives shorter than an hour.
const EARLY: TimeDelta = TimeDelta::minutes(5);
/// A token that is refused within this time of its making is not at fault; sooner where it lives shorter than an hour.
const NEW: TimeDelta = TimeDelta::minutes(1);
/// How long a token that is good still goes on after a refresh that failed, before the next is tried.
const AGAIN: Duration = Duration::from_secs(20);

/// The app, and the site that it is to read.
#[derive(Clone, Debug)]
pub struct OAuthConfig {
    /// The app's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// What it asks for, with blanks between; `offline_access` need not be named.
    pub scopes: String,
    /// Another authorization server than Atlassian's.
    pub authorization_server: Option<Url>,
    /// The site, or its address at the gateway.
    pub base_url: Url,
    /// Its cloud id, where the settings name it.
    pub cloud_id: Option<String>,
    /// Another gateway than Atlassian's.
    pub gateway_url: Option<Url>,
    /// The operator's proxy and certificate authority.
    pub network: Network,
}

/// What Atlassian gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// What requests show.
    pub access_token: SecretString,
    /// What the next access token is got for.
    pub refresh_token: SecretString,
    /// When they came.
    pub since: DateTime<Utc>,
    /// When the access token ends.
    pub access_ends_at: DateTime<Utc>,
    /// What they are good for, with blanks between.
    pub scopes: String,
}

/// A site that a token reaches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reached {
    /// Its cloud id.
    pub cloud_id: String,
    /// Its address.
    pub url: String,
}

/// What the vault holds.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The site at the gateway.
    pub cloud_id: String,
    /// The tokens that came last.
    pub tokens: Tokens,
    /// Why Atlassian gives no more, where it has said so.
    pub refused: Option<String>,
}

/// Why the vault does not answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VaultError {
    /// What it holds cannot be read with the settings as they are. Cause and remedy.
    #[error("{0}")]
    Unreadable(String),
    /// It cannot be reached now.
    #[error("{0}")]
    Passing(String),
}

/// Where tokens are kept, encrypted.
#[async_trait]
pub trait Vault: Send + Sync {
    /// For as long as what this gives lives, no process but this one refreshes.
    async fn alone(&self) -> Result<Box<dyn Any + Send>, VaultError>;
    /// What it holds.
    async fn load(&self) -> Result<Option<Connected>, VaultError>;
    /// Keeps the tokens of a refresh; returns when they are safe.
    async fn keep(&self, tokens: &Tokens) -> Result<(), VaultError>;
    /// Keeps that Atlassian refuses to refresh, and why.
    async fn refuse(&self, why: &str) -> Result<(), VaultError>;
}

/// Why there is no access token.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoAccess {
    /// Nobody connected, or what was given is no longer good: only an administrator can help. Cause and remedy.
    #[error("{0}")]
    Refused(String),
    /// Another time, perhaps.
    #[error("no access token: {0}")]
    Passing(String),
}

impl From<VaultError> for NoAccess {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Unreadable(why) => Self::Refused(why),
            VaultError::Passing(why) => Self::Passing(why),
        }
    }
}

/// Why nobody is connected who came back from Atlassian.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotConnected {
    /// What came back is not good, or not for this site. Cause and remedy.
    #[error("{0}")]
    Refused(String),
    /// Atlassian does not answer as it should.
    #[error("{0}")]
    Unavailable(String),
}

/// An access token, with what has to be known to use it.
#[derive(Clone)]
pub(crate) struct AccessToken {
    secret: Arc<SecretString>,
    cloud_id: Arc<str>,
    since: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

impl AccessToken {
    fn of(connected: &Connected) -> Self {
        Self {
            secret: Arc::new(connected.tokens.access_token.clone()),
            cloud_id: connected.cloud_id.as_str().into(),
            since: connected.tokens.since,
            ends_at: connected.tokens.access_ends_at,
        }
    }

    pub(crate) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    pub(crate) fn cloud_id(&self) -> Arc<str> {
        Arc::clone(&self.cloud_id)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.secret() == other.secret()
    }

    /// A twelfth of its life, which is five minutes of an hour.
    fn early(&self) -> TimeDelta {
        ((self.ends_at - self.since) / 12).min(EARLY)
    }

    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        now < self.ends_at - self.early()
    }

    /// Refused so soon that another one would be refused as well: within a minute, of an hour.
    fn is_brand_new(&self, now: DateTime<Utc>) -> bool {
        let new = ((self.ends_at - self.since) / 60).min(NEW);
        (TimeDelta::zero()..new).contains(&(now - self.since))
    }
}

/// What went wrong with the last refresh, and when.
struct Failed {
    at: Instant,
    why: NoAccess,
}

/// What only the one refresher touches.
#[derive(Default)]
struct Refresher {
    failed: Option<Failed>,
    /// Tokens that Atlassian gave and the vault has not taken yet; what they replace may no longer be good.
    unkept: Option<Tokens>,
}

/// The app's way to access tokens; one for all clients of a site.
pub struct OAuth {
    config: OAuthConfig,
    place: Place,
    server: Url,
    /// Where a token is told which sites it reaches.
    resources: Url,
    http: Client,
    vault: Arc<dyn Vault>,
    current: RwLock<Option<AccessToken>>,
    refresher: tokio::sync::Mutex<Refresher>,
    trouble: Mutex<Option<String>>,
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Given {
    access_token: SecretString,
    refresh_token: Option<SecretString>,
    expires_in: i64,
    #[serde(default)]
    scope: String,
}

#[derive(Deserialize)]
struct Said {
    error: String,
    #[serde(default)]
    error_description: String,
}

#[derive(Deserialize)]
struct Resource {
    id: String,
    #[serde(default)]
    url: String,
}

/// Why Atlassian gave no tokens.
enum NoTokens {
    /// What was shown is no longer good.
    Grant(String),
    /// The app itself is refused, or the request is.
    App(String),
    Passing(String),
}

/// Said wherever only a new connection helps.
const CONNECT: &str = "an administrator has to connect Confluence again, on the page under Checks or at \
                       /api/confluence/oauth/authorize; nothing is deleted meanwhile";

impl OAuth {
    /// Checks the configuration; asks nobody.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that cannot be used.
    pub fn new(config: OAuthConfig, vault: Arc<dyn Vault>) -> Result<Self, ConfigError> {
        let place = Place::of(&config.base_url, config.cloud_id.as_deref())?;
        let mut resources = place.gateway(config.gateway_url.as_ref())?;
        resources.set_path("/oauth/token/accessible-resources");
        let server = match &config.authorization_server {
            Some(url) => url.clone(),
            None => Url::parse(AUTHORIZATION_SERVER)
                .map_err(|error| ConfigError::new("CONFLUENCE_OAUTH_URL", error.to_string()))?,
        };
        check_address("CONFLUENCE_OAUTH_URL", &server)?;
        if config.client_secret.expose_secret().trim().is_empty() {
            return Err(ConfigError::new(
                "CONFLUENCE_OAUTH_CLIENT_SECRET",
                "is empty; developer.atlassian.com shows it among the app's settings",
            ));
        }
        let http = config.network.client(TIMEOUT, TIMEOUT, |builder| builder)?;
        Ok(Self {
            config,
            place,
            server,
            resources,
            http,
            vault,
            current: RwLock::default(),
            refresher: tokio::sync::Mutex::default(),
            trouble: Mutex::default(),
        })
    }

    /// Where an administrator is sent to consent; comes back to `redirect_uri` with a code and this `state`.
    #[must_use]
    pub fn authorize_url(&self, redirect_uri: &str, state: &str) -> Url {
        let scopes = self.config.scopes.split_whitespace();
        let scopes: Vec<&str> = scopes.filter(|scope| *scope != OFFLINE).collect();
        let scopes = format!("{} {OFFLINE}", scopes.join(" "));
        let mut url = self.at("authorize");
        url.query_pairs_mut()
            .append_pair("audience", AUDIENCE)
            .append_pair("client_id", &self.config.client_id)
            .append_pair("scope", scopes.trim())
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", state)
            .append_pair("response_type", "code")
            .append_pair("prompt", "consent");
        url
    }

    /// What a code is good for: tokens, and the site of the settings among those that they reach. Nothing is kept yet.
    ///
    /// # Errors
    /// [`NotConnected`] in words for the administrator.
    pub async fn exchange(
        &self,
        code: &str,
        redirect_uri: &str,
    ) -> Result<(Tokens, Reached), NotConnected> {
        let body =
            json!({"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri});
        let given = self.tokens(body, None).await.map_err(|none| match none {
            NoTokens::Grant(why) => NotConnected::Refused(format!(
                "Atlassian does not take the code that you came back with ({why})."
            )),
            NoTokens::App(why) | NoTokens::Passing(why) => {
                NotConnected::Unavailable(format!("Atlassian gives no tokens: {why}."))
            }
        })?;
        let reached = self.reached(&given).await?;
        let urls = || -> String {
            let urls: Vec<&str> = reached.iter().map(|one| one.url.as_str()).collect();
            if urls.is_empty() {
                "none".to_owned()
            } else {
                urls.join(", ")
            }
        };
        // A token may reach several sites: never the first, always the one of the settings.
        let ours = reached
            .iter()
            .find(|one| self.place.is(&one.cloud_id, &one.url));
        let Some(ours) = ours.cloned() else {
            return Err(NotConnected::Refused(format!(
                "The consent is for another site than {}: it reaches {}. Choose the right site when Atlassian asks, or set \
                 CONFLUENCE_BASE_URL to the site that is meant.",
                self.place.shown(),
                urls()
            )));
        };
        Ok((given, ours))
    }

    /// Forgets what it knows: the vault holds something else, put there by `put` while nobody refreshes.
    ///
    /// # Errors
    /// Those of the vault.
    pub async fn replaced<T, E: From<VaultError>>(
        &self,
        put: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut refresher = self.refresher.lock().await;
        let _alone = self.vault.alone().await?;
        let done = put.await?;
        *refresher = Refresher::default();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.note(None);
        Ok(done)
    }

    /// Why the last refresh failed, where it did.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn current(&self) -> Option<AccessToken> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, token: &AccessToken) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(token.clone());
    }

    /// A token that is good now; another than `refused`, which Confluence has just answered with 401, unless that is brand new.
    pub(crate) async fn access(
        &self,
        refused: Option<&AccessToken>,
    ) -> Result<AccessToken, NoAccess> {
        let fits = |token: &AccessToken, now| {
            let is_refused = refused.is_some_and(|refused| token.is(refused));
            token.is_fresh(now) && (!is_refused || token.is_brand_new(now))
        };
        let asked = Instant::now();
        if let Some(token) = self.current().filter(|token| fits(token, Utc::now())) {
            return Ok(token);
        }
        let mut refresher = self.refresher.lock().await;
        // Another one may have got it meanwhile, or failed to.
        let current = self.current();
        if let Some(token) = current.clone().filter(|token| fits(token, Utc::now())) {
            return Ok(token);
        }
        let usable = |token: &AccessToken| {
            refused.is_none_or(|refused| !token.is(refused)) && Utc::now() < token.ends_at
        };
        if let Some(failed) = &refresher.failed {
            let is_recent = failed.at.elapsed() < AGAIN;
            match (&failed.why, &current) {
                // Nothing changes it but what forgets it.
                (NoAccess::Refused(_), _) if is_recent => return Err(failed.why.clone()),
                (NoAccess::Passing(_), Some(token)) if is_recent && usable(token) => {
                    return Ok(token.clone());
                }
                // Somebody tried while this one waited.
                _ if failed.at >= asked => return Err(failed.why.clone()),
                _ => {}
            }
        }
        match self.refreshed(&mut refresher, fits).await {
            Ok(token) => {
                self.hold(&token);
                refresher.failed = None;
                self.note(None);
                Ok(token)
            }
            Err(why) => {
                self.note(Some(why.to_string()));
                refresher.failed = Some(Failed {
                    at: Instant::now(),
                    why: why.clone(),
                });
                let passing = matches!(why, NoAccess::Passing(_));
                match self.current().filter(|token| passing && usable(token)) {
                    Some(token) => {
                        tracing::warn!(%why, "the access token could not be refreshed yet; it is good for a while");
                        Ok(token)
                    }
                    None => Err(why),
                }
            }
        }
    }

    /// The vault's token if it fits, or else the next one, which is kept first.
    async fn refreshed(
        &self,
        refresher: &mut Refresher,
        fits: impl Fn(&AccessToken, DateTime<Utc>) -> bool,
    ) -> Result<AccessToken, NoAccess> {
        let look = |connected: Option<Connected>| {
            let none = || {
                NoAccess::Refused(format!(
                    "Confluence is not connected yet (CONFLUENCE_OAUTH_CLIENT_ID): {}",
                    CONNECT.replace("connect Confluence again", "connect Confluence")
                ))
            };
            let connected = connected.ok_or_else(none)?;
            match &connected.refused {
                Some(why) => Err(NoAccess::Refused(format!(
                    "Atlassian gives no more access tokens ({why}): {CONNECT}"
                ))),
                None => Ok(connected),
            }
        };
        let fitting = |connected: &Connected| {
            let token = AccessToken::of(connected);
            fits(&token, Utc::now()).then_some(token)
        };
        let connected = look(self.vault.load().await?)?;
        if refresher.unkept.is_none()
            && let Some(token) = fitting(&connected)
        {
            return Ok(token);
        }
        let _alone = self.vault.alone().await?;
        let mut connected = look(self.vault.load().await?)?;
        // Due is not ended: it goes on where no other can be had.
        self.hold(&AccessToken::of(&connected));
        if let Some(tokens) = refresher.unkept.take() {
            // Another process may have gone on from the old ones meanwhile.
            if connected.tokens.since < tokens.since {
                self.keep(refresher, &tokens).await?;
                connected.tokens = tokens;
            }
        }
        if let Some(token) = fitting(&connected) {
            return Ok(token);
        }
        let old = &connected.tokens;
        let body = json!({
            "grant_type": "refresh_token",
            "refresh_token": old.refresh_token.expose_secret(),
        });
        let tokens = match self.tokens(body, Some(old)).await {
            Ok(tokens) => tokens,
            Err(NoTokens::Grant(why)) => {
                self.vault.refuse(&why).await?;
                tracing::error!(why, "Atlassian gives no more access tokens: {CONNECT}");
                return look(Some(Connected {
                    refused: Some(why),
                    ..connected
                }))
                .map(|connected| AccessToken::of(&connected));
            }
            Err(NoTokens::App(why)) => {
                return Err(NoAccess::Refused(format!(
                    "Atlassian refuses the app: {why}; check CONFLUENCE_OAUTH_CLIENT_ID and CONFLUENCE_OAUTH_CLIENT_SECRET"
                )));
            }
            Err(NoTokens::Passing(why)) => return Err(NoAccess::Passing(why)),
        };
        self.keep(refresher, &tokens).await?;
        connected.tokens = tokens;
        Ok(AccessToken::of(&connected))
    }

    /// Keeps tokens; those that the vault does not take are tried again before anything else.
    async fn keep(&self, refresher: &mut Refresher, tokens: &Tokens) -> Result<(), NoAccess> {
        let kept = self.vault.keep(tokens).await;
        refresher.unkept = kept.is_err().then(|| tokens.clone());
        Ok(kept?)
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url
    }

    /// Asks for tokens; those that take the place of `old` may lack what stays as it is.
    async fn tokens(
        &self,
        mut body: serde_json::Value,
        old: Option<&Tokens>,
    ) -> Result<Tokens, NoTokens> {
        body["client_id"] = json!(self.config.client_id);
        body["client_secret"] = json!(self.config.client_secret.expose_secret().trim());
        let request = self.http.post(self.at("oauth/token")).json(&body);
        let since = Utc::now();
        let answer = upstream::send(request, BOUNDS, Target::new("atlassian", "token")).await;
        let answer = answer.map_err(|broken| NoTokens::Passing(broken.to_string()))?;
        if answer.status.is_client_error() && answer.status.as_u16() != 429 {
            return Err(refusal(&answer));
        }
        let answer = answer.good().map_err(NoTokens::Passing)?;
        let given: Given = answer.json().map_err(NoTokens::Passing)?;
        let refresh_token = given
            .refresh_token
            .or_else(|| old.map(|old| old.refresh_token.clone()));
        let refresh_token = refresh_token.ok_or_else(|| {
            NoTokens::App(format!(
                "no refresh token came with the access token; the scope {OFFLINE} was not granted"
            ))
        })?;
        let lives = TimeDelta::try_seconds(given.expires_in.clamp(1, 86_400)).unwrap_or(EARLY);
        let scopes = match old {
            Some(old) if given.scope.is_empty() => old.scopes.clone(),
            _ => given.scope,
        };
        Ok(Tokens {
            access_token: given.access_token,
            refresh_token,
            since,
            access_ends_at: since + lives,
            scopes,
        })
    }

    /// The sites that tokens reach.
    async fn reached(&self, tokens: &Tokens) -> Result<Vec<Reached>, NotConnected> {
        let away = |why: String| {
            NotConnected::Unavailable(format!(
                "Atlassian does not say which sites the consent is for: {why}."
            ))
        };
        let bearer = secret_header(&format!("Bearer {}", tokens.access_token.expose_secret()))
            .map_err(|error| away(error.to_string()))?;
        let request = self
            .http
            .get(self.resources.clone())
            .header(reqwest::header::AUTHORIZATION, bearer)
            .header(reqwest::header::ACCEPT, "application/json");
        let target = Target::new("atlassian", "accessible-resources");
        let answer = upstream::send(request, BOUNDS, target).await;
        let answer = answer.map_err(|broken| away(broken.to_string()))?;
        let answer = answer.good().map_err(away)?;
        let all: Vec<Resource> = answer.json().map_err(away)?;
        let reached = all.into_iter().map(|resource| Reached {
            cloud_id: resource.id,
            url: resource.url,
        });
        Ok(reached.collect())
    }
}

/// What a refusal of tokens is about, in Atlassian's own words as far as they are words.
fn refusal(answer: &Answer) -> NoTokens {
    let status = answer.status;
    let Ok(said) = answer.json::<Said>() else {
        return NoTokens::Passing(format!("status {status}"));
    };
    let is_word = |error: &str| {
        let mut bytes = error.bytes();
        error.len() <= 60 && bytes.all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    if !is_word(&said.error) {
        return NoTokens::Passing(format!("status {status}"));
    }
    match said.error.as_str() {
        "invalid_grant" => NoTokens::Grant(said.error),
        // So an ended refresh token was answered, too.
        "unauthorized_client" if said.error_description.contains("refresh_token") => {
            NoTokens::Grant(said.error)
        }
        "temporarily_unavailable" | "server_error" | "slow_down" => NoTokens::Passing(said.error),
        _ => NoTokens::App(said.error),
    }
}

#[cfg(test)]
mod tests;
