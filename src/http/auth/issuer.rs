//! An issuer of tokens: what it says of itself, by which keys it signs, and whether a token is one of its own.
//!
//! Its metadata (RFC 8414, OpenID Connect discovery) and keys are found by its address and kept. A key id that is not known makes us
//! look again, and keeps nobody waiting whose key is known. It must not know what a token is good for.

use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use upstream::{Bounds, ConfigError, Target};
use url::Url;

use super::signatures::{self, ALGORITHMS};

/// After a failure the issuer is left alone for so long, and who asks meanwhile hears of that failure.
const LEAVE_ALONE: Duration = Duration::from_secs(10);
/// How long the issuer may take; everyone who needs a key waits.
const FETCH_PATIENCE: Duration = Duration::from_secs(5);
/// For a token that anybody may have made up, keys are not asked for more often than this.
const LEAST_REFRESH: Duration = Duration::from_secs(60);
/// Keys older than this are asked for again.
pub(super) const MAX_AGE: Duration = Duration::from_secs(60 * 60);
/// How far the issuer's clock and ours may be apart: a token, and what is open by it, is good for so long after its end.
pub(super) const LEEWAY: Duration = Duration::from_secs(10);
/// Bytes read of the issuer's metadata and keys.
const BOUNDS: Bounds = Bounds {
    answer: 1 << 20,
    error: 0,
};

/// Why a token is not believed.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is no token, or none that the issuer signed; in words that may be shown.
    Forged(String),
    /// The issuer signed it, but it is over or not for us; in words that may be shown.
    Unfit(String),
    /// The issuer's keys cannot be had.
    Unavailable(String),
}

/// What a token was made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// To be let in here with it.
    Access,
    /// To say who signed in; the issuer gave it to us itself.
    Id,
}

impl Kind {
    /// As people are told.
    const fn name(self) -> &'static str {
        match self {
            Self::Access => "access token",
            Self::Id => "ID token",
        }
    }

    /// Why it is refused.
    pub(super) fn because(self, why: &str) -> String {
        format!("The {} is refused: {why}.", self.name())
    }

    /// Whether a token may call itself so in its header: RFC 9068 names access tokens, others write `JWT` or nothing.
    fn is(self, typ: Option<&str>) -> bool {
        typ.is_none_or(|typ| {
            let typ = typ.to_ascii_lowercase();
            let typ = typ.strip_prefix("application/").unwrap_or(&typ);
            typ == "jwt" || (self == Self::Access && typ == "at+jwt")
        })
    }

    /// How old keys may be when one is asked for that is not among them.
    const fn least_refresh(self) -> Duration {
        match self {
            Self::Access => LEAST_REFRESH,
            // The issuer has just signed it.
            Self::Id => Duration::ZERO,
        }
    }
}

/// What an issuer says of itself, as far as anybody here asks.
#[derive(Deserialize, Clone, Debug)]
pub(super) struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl Metadata {
    /// How a client may say who it is when it exchanges a code; nothing said means `client_secret_basic`.
    pub(super) fn takes_secret_by(&self, method: &str) -> bool {
        match &self.token_endpoint_auth_methods_supported {
            Some(methods) => methods.iter().any(|known| known == method),
            None => method == "client_secret_basic",
        }
    }

    /// Whether it names itself whenever it sends somebody back (RFC 9207).
    pub(super) fn names_itself(&self) -> bool {
        self.authorization_response_iss_parameter_supported == Some(true)
    }
}

/// An address that an issuer names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Endpoint {
    /// Where its keys are.
    Keys,
    /// Where people sign in.
    Authorization,
    /// Where codes are exchanged.
    Token,
    /// Where people sign out.
    EndSession,
}

/// An issuer. Clones are the same one.
#[derive(Clone)]
pub(super) struct Issuer(Arc<Inner>);

struct Inner {
    url: Url,
    /// The setting that names it.
    setting: &'static str,
    /// Held for a look or an exchange only: known keys are used while others are fetched.
    known: StdMutex<Known>,
    /// Held while the keys are fetched: one asks, and who needs a key that is not known waits for what it finds.
    fetching: Mutex<()>,
    client: Result<reqwest::Client, ConfigError>,
}

/// What is known of an issuer.
#[derive(Default)]
struct Known {
    fetched: Option<Fetched>,
    failed: Option<(String, Instant)>,
}

#[derive(Clone)]
struct Fetched {
    metadata: Arc<Metadata>,
    keys: Arc<JwkSet>,
    at: Instant,
}

impl Fetched {
    /// The key of this id.
    fn key(&self, id: Option<&str>) -> Option<Jwk> {
        let found = match id {
            Some(id) => self.keys.find(id),
            None => self.keys.keys.first(),
        };
        found.cloned()
    }
}

impl Issuer {
    pub(super) fn new(
        url: &Url,
        setting: &'static str,
        client: Result<reqwest::Client, ConfigError>,
    ) -> Self {
        signatures::install();
        Self(Arc::new(Inner {
            url: url.clone(),
            setting,
            known: StdMutex::default(),
            fetching: Mutex::default(),
            client,
        }))
    }

    /// Its address, without a slash at the end.
    pub(super) fn address(&self) -> &str {
        self.0.url.as_str().trim_end_matches('/')
    }

    /// What is sent to it, is sent with this.
    pub(super) fn client(&self) -> Result<&reqwest::Client, String> {
        self.0.client.as_ref().map_err(ToString::to_string)
    }

    /// The claims of a token that it signed, that is not over, and that is made out for one of `audiences`.
    pub(super) async fn verified<C: DeserializeOwned>(
        &self,
        token: &str,
        kind: Kind,
        audiences: &[&str],
    ) -> Result<C, Refused> {
        let forged = |why: &str| Refused::Forged(kind.because(why));
        let header = decode_header(token).map_err(|_| {
            forged(match kind {
                Kind::Access => "it is neither our key nor an access token",
                Kind::Id => "it is not signed, or no token at all",
            })
        })?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(forged("its signature algorithm is not accepted"));
        }
        if header.crit.is_some() {
            return Err(forged("its header demands what is not known here (`crit`)"));
        }
        if !kind.is(header.typ.as_deref()) {
            let why = format!("its `typ` is that of no {}", kind.name());
            return Err(forged(&why));
        }
        let key = self
            .key(header.kid.as_deref(), kind.least_refresh())
            .await?
            .ok_or_else(|| forged("its key is not one of the issuer's"))?;
        let mut validation = Validation::new(header.alg);
        validation.set_audience(audiences);
        validation.set_issuer(&[self.0.url.as_str(), self.address()]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.as_secs();
        let decoded = decode::<C>(token, &key, &validation).map_err(|error| {
            let why = kind.because(&error.to_string());
            // The signature is looked at before the claims.
            match error.kind() {
                ErrorKind::ExpiredSignature
                | ErrorKind::ImmatureSignature
                | ErrorKind::InvalidAudience
                | ErrorKind::InvalidIssuer
                | ErrorKind::MissingRequiredClaim(_) => Refused::Unfit(why),
                _ => Refused::Forged(why),
            }
        })?;
        Ok(decoded.claims)
    }

    /// What it says of itself.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, String> {
        let found = self.find(|fetched| Some(Arc::clone(&fetched.metadata)), MAX_AGE);
        match found.await {
            Ok(Some(metadata)) => Ok(metadata),
            Ok(None) => Err(self.about("say nothing of themselves")),
            Err(why) => Err(why),
        }
    }

    /// Whether it is known to have such an address; nobody is asked.
    pub(super) fn is_known_to_have(&self, endpoint: Endpoint) -> bool {
        let known = self.known().fetched.clone();
        known.is_some_and(|fetched| self.endpoint(&fetched.metadata, endpoint).is_ok())
    }

    /// One of its addresses: on https or at the issuer itself, since people and secrets are sent there.
    pub(super) fn endpoint(&self, metadata: &Metadata, endpoint: Endpoint) -> Result<Url, String> {
        let (name, text) = match endpoint {
            Endpoint::Keys => ("jwks_uri", &metadata.jwks_uri),
            Endpoint::Authorization => ("authorization_endpoint", &metadata.authorization_endpoint),
            Endpoint::Token => ("token_endpoint", &metadata.token_endpoint),
            Endpoint::EndSession => ("end_session_endpoint", &metadata.end_session_endpoint),
        };
        let url = text.as_deref().and_then(|text| Url::parse(text).ok());
        let url = url.filter(|url| url.scheme() == "https" || url.origin() == self.0.url.origin());
        url.ok_or_else(|| {
            self.about(&format!(
                "name no usable {name}, which must be on https or at the issuer itself"
            ))
        })
    }

    pub(super) fn about(&self, what: &str) -> String {
        format!("The metadata of the issuer {} {what}.", self.address())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The issuer's key of this id.
    async fn key(&self, id: Option<&str>, least: Duration) -> Result<Option<DecodingKey>, Refused> {
        let found = self.find(|fetched| fetched.key(id), least).await;
        let found = found.map_err(Refused::Unavailable)?;
        Ok(found.and_then(|key| DecodingKey::from_jwk(&key).ok()))
    }

    /// Finds something in what is known. What is there is used at once; what is old is asked for again meanwhile, and goes on to be good
    /// while the issuer is away. What is not there is asked for, unless that was done within `least`.
    ///
    /// # Errors
    /// Why the issuer could not be asked, in words that may be shown.
    async fn find<T>(
        &self,
        find: impl Fn(&Fetched) -> Option<T>,
        least: Duration,
    ) -> Result<Option<T>, String> {
        let found = {
            let known = self.known();
            let fetched = known.fetched.as_ref();
            fetched.and_then(|fetched| Some((find(fetched)?, fetched.at)))
        };
        if let Some((found, at)) = found {
            if at.elapsed() > MAX_AGE {
                let refreshing = self.clone();
                actix_web::rt::spawn(async move {
                    // Somebody else is at it already.
                    if let Ok(_turn) = refreshing.0.fetching.try_lock() {
                        refreshing.refresh().await;
                    }
                });
            }
            return Ok(Some(found));
        }
        let asked = Instant::now();
        let _turn = self.0.fetching.lock().await;
        let is_fresh = {
            let known = self.known();
            let at = known.fetched.as_ref().map(|fetched| fetched.at);
            // Fetched while this one waited for its turn, or not long ago.
            at.is_some_and(|at| at >= asked || at.elapsed() <= least)
        };
        if !is_fresh {
            self.refresh().await;
        }
        let known = self.known();
        match (&known.fetched, &known.failed) {
            (None, Some((why, _))) => Err(why.clone()),
            (fetched, _) => Ok(fetched.as_ref().and_then(find)),
        }
    }

    /// Asks the issuer, unless that failed a moment ago.
    async fn refresh(&self) {
        let left_alone = |known: &Known| {
            let failed = known.failed.as_ref().map(|(_, at)| at.elapsed());
            failed.is_some_and(|since| since < LEAVE_ALONE)
        };
        if left_alone(&self.known()) {
            return;
        }
        let fetched = tokio::time::timeout(FETCH_PATIENCE, self.fetch()).await;
        let silent = || Err(format!("The issuer {} does not answer.", self.address()));
        match fetched.unwrap_or_else(|_| silent()) {
            Ok((metadata, keys)) => {
                *self.known() = Known {
                    fetched: Some(Fetched {
                        metadata: Arc::new(metadata),
                        keys: Arc::new(keys),
                        at: Instant::now(),
                    }),
                    failed: None,
                };
            }
            Err(why) => {
                tracing::warn!(why, "the issuer's keys could not be had");
                self.known().failed = Some((why, Instant::now()));
            }
        }
    }

    /// Asks what it says of itself, and for its keys; nothing of it is kept.
    pub(super) async fn fetch(&self) -> Result<(Metadata, JwkSet), String> {
        let client = self.client()?;
        let base = self.address();
        // Both are told: the second is often not there, and says nothing of what is wrong with the first.
        let mut failed: Vec<String> = Vec::new();
        for document in ["openid-configuration", "oauth-authorization-server"] {
            let address = format!("{base}/.well-known/{document}");
            let metadata = match get::<Metadata>(client, &address).await {
                Ok(metadata) => metadata,
                Err(why) => {
                    if !failed.contains(&why) {
                        failed.push(why);
                    }
                    continue;
                }
            };
            self.vouch(&metadata)?;
            // Nobody can exchange them on the way.
            let keys = self.endpoint(&metadata, Endpoint::Keys)?;
            let keys = get(client, keys.as_str()).await;
            let keys = keys
                .map_err(|why| format!("The keys of the issuer {base} cannot be fetched: {why}"))?;
            return Ok((metadata, keys));
        }
        Err(format!(
            "The metadata of the issuer {base} cannot be fetched: {}",
            failed.join("; ")
        ))
    }

    /// Whether the metadata are those of our issuer (RFC 8414, section 3.3).
    fn vouch(&self, metadata: &Metadata) -> Result<(), String> {
        if metadata.issuer.trim_end_matches('/') != self.address() {
            return Err(self.about(&format!(
                "name another issuer; {} has to be written as the issuer writes itself",
                self.0.setting
            )));
        }
        Ok(())
    }
}

async fn get<T: DeserializeOwned>(client: &reqwest::Client, address: &str) -> Result<T, String> {
    let answer = upstream::send(
        client.get(address),
        BOUNDS,
        Target::new("issuer", "documents"),
    )
    .await;
    answer.map_err(|broken| broken.to_string())?.good()?.json()
}
