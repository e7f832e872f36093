//! The connection to Confluence by OAuth: its tokens in the database, sealed, for [`confluence::oauth`] to work with.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;
use confluence::oauth::{Connected, OAuth, Reached, Tokens, Vault, VaultError};
use domain::grant::{Grant, SealedTokens};
use domain::ports::store::{AdminStore as _, StoreError};
use metastore::Metastore;

use crate::http::auth::attempt::Attempts;
use crate::secrets::SecretsKey;
use crate::settings::OAuthAppSettings;

/// What the sealed texts are for.
const REFRESH: &str = "confluence refresh token";
const ACCESS: &str = "confluence access token";

/// Tokens in the database.
pub struct GrantVault {
    store: Metastore,
    key: SecretsKey,
    client_id: String,
}

impl GrantVault {
    /// Of this database, with the key and the app of the settings.
    #[must_use]
    pub fn new(store: Metastore, app: &OAuthAppSettings) -> Self {
        Self {
            store,
            key: app.secrets_key.clone(),
            client_id: app.client_id.clone(),
        }
    }

    fn seal(&self, tokens: &Tokens) -> SealedTokens {
        use secrecy::ExposeSecret as _;
        let seal = |what, text: &secrecy::SecretString| self.key.seal(what, text.expose_secret());
        SealedTokens {
            refresh_token: seal(REFRESH, &tokens.refresh_token),
            access_token: seal(ACCESS, &tokens.access_token),
            refreshed_at: tokens.since,
            access_ends_at: tokens.access_ends_at,
            scopes: tokens.scopes.clone(),
        }
    }

    /// What a grant holds, opened.
    fn open(&self, grant: &Grant) -> Result<Connected, VaultError> {
        if grant.client_id != self.client_id {
            return Err(VaultError::Unreadable(
                "Confluence is connected by another app than that of CONFLUENCE_OAUTH_CLIENT_ID: set the one before, or connect again, \
                 on the page under Checks or at /api/confluence/oauth/authorize"
                    .to_owned(),
            ));
        }
        let tokens = &grant.tokens;
        let wrong = |_| {
            VaultError::Unreadable(
                "SECRETS_KEY is not the key with which the connection to Confluence was kept: set that key again, or connect again, on \
                 the page under Checks or at /api/confluence/oauth/authorize"
                    .to_owned(),
            )
        };
        Ok(Connected {
            cloud_id: grant.cloud_id.clone(),
            tokens: Tokens {
                refresh_token: self
                    .key
                    .open(REFRESH, &tokens.refresh_token)
                    .map_err(wrong)?,
                access_token: self.key.open(ACCESS, &tokens.access_token).map_err(wrong)?,
                since: tokens.refreshed_at,
                access_ends_at: tokens.access_ends_at,
                scopes: tokens.scopes.clone(),
            },
            refused: grant.refused.clone(),
        })
    }
}

/// The database, as far as tokens are concerned.
fn away(error: StoreError) -> VaultError {
    VaultError::Passing(error.to_string())
}

#[async_trait]
impl Vault for GrantVault {
    async fn alone(&self) -> Result<Box<dyn Any + Send>, VaultError> {
        let lock = self.store.refreshing().await.map_err(away)?;
        Ok(Box::new(lock))
    }

    async fn load(&self) -> Result<Option<Connected>, VaultError> {
        let grant = self.store.grant().await.map_err(away)?;
        grant.map(|grant| self.open(&grant)).transpose()
    }

    async fn keep(&self, tokens: &Tokens) -> Result<(), VaultError> {
        let sealed = self.seal(tokens);
        self.store.refresh_grant(&sealed).await.map_err(away)
    }

    async fn refuse(&self, why: &str) -> Result<(), VaultError> {
        self.store.refuse_grant(why).await.map_err(away)
    }
}

/// The connection, as those see it who make, look at or end it.
pub struct Connection {
    /// The way to tokens.
    pub oauth: Arc<OAuth>,
    /// Consents that are under way.
    pub(crate) attempts: Attempts,
    vault: Arc<GrantVault>,
}

/// What the settings and the database say of the connection.
pub enum State {
    /// Nobody connected.
    Missing,
    /// There is one, which works as far as is known.
    Connected(Grant),
    /// There is one that only an administrator can help; why, and how.
    Refused(Grant, String),
}

impl State {
    /// What is wrong with it, and what helps.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Missing => Some(
                "Confluence is not connected: an administrator connects it on the page under Checks, or at \
                 /api/confluence/oauth/authorize"
                    .to_owned(),
            ),
            Self::Refused(_, why) => Some(why.clone()),
            Self::Connected(_) => None,
        }
    }
}

impl Connection {
    /// Of these parts, which belong together.
    #[must_use]
    pub fn new(oauth: Arc<OAuth>, vault: Arc<GrantVault>) -> Self {
        Self {
            oauth,
            attempts: Attempts::at("connect"),
            vault,
        }
    }

    /// The app of the settings.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.vault.client_id
    }

    /// How it stands.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn state(&self) -> Result<State, StoreError> {
        let Some(grant) = self.vault.store.grant().await? else {
            return Ok(State::Missing);
        };
        let why = match self.vault.open(&grant) {
            Err(error) => Some(error.to_string()),
            Ok(Connected {
                refused: Some(why), ..
            }) => Some(format!(
                "Atlassian gives no more access tokens ({why}): connect again"
            )),
            Ok(_) => None,
        };
        Ok(match why {
            Some(why) => State::Refused(grant, why),
            None => State::Connected(grant),
        })
    }

    /// Keeps a new connection in the place of the one before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn connect(
        &self,
        tokens: &Tokens,
        site: &Reached,
        by: &str,
    ) -> Result<Grant, VaultError> {
        let grant = Grant {
            client_id: self.vault.client_id.clone(),
            cloud_id: site.cloud_id.clone(),
            site_url: site.url.clone(),
            granted_by: by.to_owned(),
            granted_at: Utc::now(),
            tokens: self.vault.seal(tokens),
            refused: None,
        };
        let put = async { self.vault.store.put_grant(&grant).await.map_err(away) };
        self.oauth.replaced(put).await?;
        Ok(grant)
    }

    /// Forgets it; whether there was one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget(&self) -> Result<bool, VaultError> {
        let forget = async { self.vault.store.forget_grant().await.map_err(away) };
        self.oauth.replaced(forget).await
    }
}
