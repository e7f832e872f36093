//! The running simulator and how it is built.

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use super::media::MediaHost;
use super::service::{Account, ConfluenceService, Meters};
use super::site::Site;
use super::switches::Switches;
use super::truth::TruePage;
use crate::atlassian::{AtlassianSim, Grants};
use crate::server::{Clock, Control, Server, locked};

/// A running Confluence. Dropping it frees its ports. Log, counters and faults are reached through [`Control`].
pub struct ConfluenceSim {
    service: Arc<ConfluenceService>,
    control: Control,
    media_control: Control,
    server: Server,
    _media: Server,
}

/// Builds a [`ConfluenceSim`].
#[derive(Debug, Default)]
pub struct Builder {
    site: Option<Site>,
    accounts: Vec<Account>,
    cloud_id: Option<String>,
    public_url: Option<String>,
    port: u16,
    switches: Option<Switches>,
    grants: Option<Grants>,
}

impl Builder {
    /// Adds credentials. Without any, `bot@example.com` with token `sim-token` works.
    pub fn account(mut self, account: Account) -> Builder {
        self.accounts.push(account);
        self
    }

    /// Takes the access tokens that this authorization server gives, at the gateway; they act as the first account.
    pub fn authorized_by(mut self, atlassian: &AtlassianSim) -> Builder {
        self.grants = Some(atlassian.grants());
        self
    }

    /// Serves this site; without it, an empty one.
    pub fn site(mut self, site: Site) -> Builder {
        self.site = Some(site);
        self
    }

    /// An empty site on this clock.
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.site = Some(Site::with_clock(clock));
        self
    }

    /// The site's cloud id; a fixed UUID without it.
    pub fn cloud_id(mut self, cloud_id: &str) -> Builder {
        self.cloud_id = Some(cloud_id.into());
        self
    }

    /// The address links begin with, when it should not be the simulator's own, e.g. `https://example.atlassian.net`.
    pub fn public_url(mut self, url: &str) -> Builder {
        self.public_url = Some(url.trim_end_matches('/').into());
        self
    }

    /// A fixed port on loopback; 0, the default, takes a free one.
    pub fn port(mut self, port: u16) -> Builder {
        self.port = port;
        self
    }

    /// Starts with these switches.
    pub fn switches(mut self, switches: Switches) -> Builder {
        self.switches = Some(switches);
        self
    }

    /// Starts serving. Works under any async runtime. The error is a port that cannot be had.
    pub async fn start(self) -> io::Result<ConfluenceSim> {
        self.start_blocking()
    }

    /// Starts serving, without an async runtime.
    pub fn start_blocking(self) -> io::Result<ConfluenceSim> {
        let site = self.site.unwrap_or_default();
        if let Some(switches) = self.switches {
            site.set_switches(|s| *s = switches);
        }
        let mut accounts = self.accounts;
        if accounts.is_empty() {
            accounts.push(Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN));
        }
        for account in &accounts {
            if !site.read().users.contains_key(&account.account_id) {
                site.add_user(&account.account_id, "Sync Bot", &account.email);
            }
        }
        let (listener, base_url) = Server::bind(self.port)?;
        let (media_listener, media_url) = Server::bind(0)?;
        let site_url = self.public_url.unwrap_or_else(|| base_url.clone());
        let cloud_id = self
            .cloud_id
            .unwrap_or_else(|| "11223344-a1b2-4c3d-8e9f-0a1b2c3d4e5f".into());
        if let Some(grants) = &self.grants {
            grants.add_site(&cloud_id, &site_url);
        }
        let service = Arc::new(ConfluenceService {
            site: site.clone(),
            accounts: Mutex::new(accounts),
            site_url,
            media_url: media_url.clone(),
            cloud_id,
            grants: self.grants,
            meters: Mutex::new(Meters::default()),
        });
        let (control, media_control) = (Control::default(), Control::default());
        let media = Server::start(
            media_listener,
            media_url,
            Arc::new(MediaHost { site }),
            media_control.clone(),
        )?;
        let server = Server::start(listener, base_url, service.clone(), control.clone())?;
        Ok(ConfluenceSim {
            service,
            control,
            media_control,
            server,
            _media: media,
        })
    }
}

impl ConfluenceSim {
    /// The email that works when no account was given.
    pub const EMAIL: &str = "bot@example.com";
    /// The token that works when no account was given.
    pub const TOKEN: &str = "sim-token";

    /// Describes a simulator to start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The site's address, `http://127.0.0.1:PORT`; also the gateway's host.
    pub fn base_url(&self) -> &str {
        self.server.base_url()
    }

    /// The gateway form: `http://127.0.0.1:PORT/ex/confluence/{cloudId}`.
    pub fn gateway_url(&self) -> String {
        format!(
            "{}/ex/confluence/{}",
            self.server.base_url(),
            self.service.cloud_id
        )
    }

    /// The site's cloud id.
    pub fn cloud_id(&self) -> &str {
        &self.service.cloud_id
    }

    /// The site, to change it.
    pub fn site(&self) -> &Site {
        &self.service.site
    }

    /// Changes switches; the next request sees them.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        self.service.site.set_switches(change);
    }

    /// The account id of the first account.
    pub fn account_id(&self) -> String {
        locked(&self.service.accounts)
            .first()
            .map(|a| a.account_id.clone())
            .unwrap_or_default()
    }

    /// Adds credentials while it runs.
    pub fn add_account(&self, account: Account) {
        self.service
            .site
            .add_user(&account.account_id, "Sync Bot", &account.email);
        locked(&self.service.accounts).push(account);
    }

    /// Takes all credentials with this token away.
    pub fn revoke_token(&self, token: &str) {
        locked(&self.service.accounts).retain(|a| a.token != token);
    }

    /// The current pages the first account may view: what an index of everything should hold.
    pub fn truth(&self) -> Vec<TruePage> {
        self.site().truth_for(&self.account_id())
    }

    /// Points spent since the start, by the rules of the OAuth quota: 1 a request, 1 an object, 2 an identity.
    pub fn points_used(&self) -> u64 {
        locked(&self.service.meters).points_total
    }

    /// Method and template of every API endpoint that is served (withdrawn ones and web pages left out).
    pub fn endpoints() -> Vec<(&'static str, &'static str)> {
        super::routes::served().collect()
    }

    /// Log and faults of the media host.
    pub fn media(&self) -> &Control {
        &self.media_control
    }
}

impl Deref for ConfluenceSim {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}
