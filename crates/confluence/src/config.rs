//! What the client has to be told, and the addresses that follow from it.
//!
//! Checks everything at the start, so that no request ever leaves for a wrong place. Knows nothing of answers.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use secrecy::SecretString;
use upstream::{ConfigError, Network, check_address, is_loopback};
use url::Url;

use crate::credentials::Credentials;

/// Where Atlassian's gateway is, unless a setting says otherwise.
pub const GATEWAY: &str = "https://api.atlassian.com/ex/confluence";

/// Where Confluence is and how to behave towards it.
#[derive(Clone)]
pub struct ConfluenceConfig {
    /// The site: `https://your-domain.atlassian.net`, or an address below it; `http` only for loopback. The address of a site at
    /// the gateway, `https://api.atlassian.com/ex/confluence/{cloudId}`, is understood: it names the gateway and the cloud id.
    pub base_url: Url,
    /// What requests are let in with.
    pub credentials: Credentials,
    /// When set, requests go through the gateway, as scoped tokens need; with OAuth they always do.
    pub cloud_id: Option<String>,
    /// Another gateway than Atlassian's; used only where requests go through one.
    pub gateway_url: Option<Url>,
    /// Steady quota per site.
    pub max_requests_per_second: u32,
    /// Ceiling of the adaptive limit of requests in flight.
    pub max_concurrent_requests: u32,
    /// The most points an hour, where the operator gives the service a share of the quota.
    pub max_points_per_hour: Option<u64>,
    /// The operator's proxy and certificate authority.
    pub network: Network,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long one request may take as a whole.
    pub request_timeout: Duration,
    /// Bytes (after decompression) that one answer may have; a larger one is `TooLarge`.
    pub max_answer_bytes: usize,
    /// How passing trouble is met.
    pub retry: crate::RetryPolicy,
}

impl ConfluenceConfig {
    /// The usual settings for a site and an API token.
    #[must_use]
    pub fn new(base_url: Url, email: impl Into<String>, api_token: SecretString) -> Self {
        let email = email.into();
        Self::with(base_url, Credentials::Basic { email, api_token })
    }

    /// The usual settings for a site and credentials.
    #[must_use]
    pub fn with(base_url: Url, credentials: Credentials) -> Self {
        Self {
            base_url,
            credentials,
            cloud_id: None,
            gateway_url: None,
            max_requests_per_second: 10,
            max_concurrent_requests: 8,
            max_points_per_hour: None,
            network: Network::default(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            max_answer_bytes: 16 << 20,
            retry: crate::RetryPolicy::default(),
        }
    }
}

impl fmt::Debug for ConfluenceConfig {
    /// Everything but the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfluenceConfig")
            .field("base_url", &self.base_url.as_str())
            .field("credentials", &self.credentials)
            .field("cloud_id", &self.cloud_id)
            .field("gateway_url", &self.gateway_url.as_ref().map(Url::as_str))
            .field("max_requests_per_second", &self.max_requests_per_second)
            .field("max_concurrent_requests", &self.max_concurrent_requests)
            .field("max_points_per_hour", &self.max_points_per_hour)
            .field("network", &self.network)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("max_answer_bytes", &self.max_answer_bytes)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// The addresses of one site: where requests go, and what people open.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Root below which `/wiki/...` paths stand; ends without a slash.
    root: Url,
    /// The site itself, which the settings do not tell when they name the gateway alone.
    site: Option<Url>,
    /// The first base of addresses for people that an answer told.
    told: OnceLock<String>,
    /// Whether requests go through the gateway.
    pub gateway: bool,
    /// Whether they are let in by OAuth; the cloud id comes with the access token then.
    pub by_oauth: bool,
    /// Whether the site is on this machine, as in tests and the demonstration.
    pub loopback: bool,
}

/// Where the settings say that a site is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The address that they name.
    named: Url,
    /// Its gateway, where that is what they name.
    at_gateway: Option<Url>,
    cloud_id: Option<String>,
}

impl Place {
    /// Reads and checks an address and a cloud id.
    pub fn of(base_url: &Url, cloud_id: Option<&str>) -> Result<Self, ConfigError> {
        let mut named = checked("CONFLUENCE_BASE_URL", base_url)?;
        let gateway = at_gateway(&named);
        if gateway.is_none() {
            // People copy the address with a page at the end; the site is what counts.
            named.set_path("/");
        }
        let set = cloud_id.map(str::trim).filter(|id| !id.is_empty());
        let cloud_id = match (&gateway, set) {
            (Some(gateway), Some(other)) if gateway.cloud_id != other => {
                return Err(ConfigError::new(
                    "CONFLUENCE_CLOUD_ID",
                    "is another than the cloud id in CONFLUENCE_BASE_URL; name the site there, or leave one of them out",
                ));
            }
            (Some(gateway), _) => Some(gateway.cloud_id.as_str()),
            (None, set) => set,
        };
        if cloud_id.is_some_and(|id| !is_cloud_id(id)) {
            return Err(ConfigError::new(
                "CONFLUENCE_CLOUD_ID",
                "is not a cloud id; the site answers it at /_edge/tenant_info",
            ));
        }
        Ok(Self {
            cloud_id: cloud_id.map(str::to_owned),
            at_gateway: gateway.map(|gateway| gateway.prefix),
            named,
        })
    }

    /// The gateway without a cloud id.
    pub fn gateway(&self, other: Option<&Url>) -> Result<Url, ConfigError> {
        let setting = "CONFLUENCE_GATEWAY_URL";
        match (other, &self.at_gateway) {
            (Some(url), _) => {
                let mut url = checked(setting, url)?;
                // A host alone means the path that gateways have.
                if url.path() == "/" {
                    url.set_path("/ex/confluence");
                }
                Ok(url)
            }
            (None, Some(gateway)) => Ok(gateway.clone()),
            (None, None) => {
                Url::parse(GATEWAY).map_err(|error| ConfigError::new(setting, error.to_string()))
            }
        }
    }

    /// The site itself, which the settings do not tell when they name the gateway alone.
    fn site(&self) -> Option<&Url> {
        self.at_gateway.is_none().then_some(&self.named)
    }

    /// Whether a site that Atlassian names is this one.
    pub fn is(&self, cloud_id: &str, url: &str) -> bool {
        if self.cloud_id.as_deref().is_some_and(|id| id != cloud_id) || !is_cloud_id(cloud_id) {
            return false;
        }
        match self.site() {
            Some(site) => Url::parse(url).is_ok_and(|url| url.origin() == site.origin()),
            None => self.cloud_id.is_some(),
        }
    }

    /// As the settings name it.
    pub fn shown(&self) -> &str {
        self.named.as_str().trim_end_matches('/')
    }
}

impl Site {
    /// Works out and checks the addresses.
    pub fn of(config: &ConfluenceConfig) -> Result<Self, ConfigError> {
        let place = Place::of(&config.base_url, config.cloud_id.as_deref())?;
        let by_oauth = matches!(config.credentials, Credentials::OAuth(_));
        let gateway = by_oauth || place.cloud_id.is_some();
        let mut root = if gateway {
            place.gateway(config.gateway_url.as_ref())?
        } else {
            place.named.clone()
        };
        // By OAuth it comes with the access token.
        if let Some(id) = place.cloud_id.as_deref().filter(|_| !by_oauth)
            && let Ok(mut path) = root.path_segments_mut()
        {
            path.pop_if_empty().push(id);
        }
        Ok(Self {
            loopback: is_loopback(&place.named) && is_loopback(&root),
            site: place.site().cloned(),
            told: OnceLock::new(),
            gateway,
            by_oauth,
            root,
        })
    }

    /// Base of addresses for people where an answer tells none: `https://…/wiki`.
    pub fn public_base(&self) -> String {
        match (&self.site, self.told.get()) {
            (None, Some(told)) => told.clone(),
            (site, _) => {
                let base = site.as_ref().unwrap_or(&self.root);
                format!("{}/wiki", base.as_str().trim_end_matches('/'))
            }
        }
    }

    /// Hears the base that an answer tells (`_links.base`), for answers that tell none.
    pub fn hear(&self, base: &str) {
        if base.starts_with("https://") || base.starts_with("http://") {
            self.told.get_or_init(|| base.to_owned());
        }
    }

    /// Where the site tells its cloud id to anyone who asks.
    pub fn tenant_info(&self) -> String {
        let site = self.site.as_ref().map_or("https://SITE", Url::as_str);
        format!("{}/_edge/tenant_info", site.trim_end_matches('/'))
    }

    /// The address of an API path given in segments, which are encoded as needed; of the site with this cloud id, where that comes
    /// with the credentials.
    pub fn api<'a>(
        &self,
        cloud_id: Option<&str>,
        segments: impl IntoIterator<Item = &'a str>,
    ) -> Url {
        let mut url = self.root.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty()
                .extend(cloud_id)
                .push("wiki")
                .extend(segments);
        }
        url
    }
}

/// The address of a site at the gateway, taken apart.
struct Gateway {
    /// What stands before the cloud id.
    prefix: Url,
    cloud_id: String,
}

/// Whether an address is one of the gateway: `…/ex/confluence/{cloudId}`, and what people copy after it.
fn at_gateway(url: &Url) -> Option<Gateway> {
    let mut segments = url.path_segments()?;
    if (segments.next()?, segments.next()?) != ("ex", "confluence") {
        return None;
    }
    let cloud_id = segments.next().unwrap_or_default().to_owned();
    let mut prefix = url.clone();
    prefix.set_path("/ex/confluence");
    Some(Gateway { prefix, cloud_id })
}

fn is_cloud_id(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !text.is_empty() && text.bytes().all(fits)
}

fn checked(setting: &'static str, url: &Url) -> Result<Url, ConfigError> {
    check_address(setting, url)?;
    if !url.username().is_empty() || url.password().is_some() {
        let cause = "must not hold credentials; settings of their own do";
        return Err(ConfigError::new(setting, cause));
    }
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(path.strip_suffix("/wiki").unwrap_or(&path));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(base: &str) -> ConfluenceConfig {
        ConfluenceConfig::new(
            Url::parse(base).unwrap(),
            "a@b.c",
            "secret".to_owned().into(),
        )
    }

    #[test]
    fn addresses_follow_from_the_mode() {
        for base in [
            "https://x.atlassian.net",
            "https://x.atlassian.net/",
            "https://x.atlassian.net/wiki/",
        ] {
            let site = Site::of(&config(base)).unwrap();
            assert_eq!(
                site.api(None, ["api", "v2", "pages"]).as_str(),
                "https://x.atlassian.net/wiki/api/v2/pages"
            );
            assert_eq!(site.public_base(), "https://x.atlassian.net/wiki");
            assert_eq!(
                site.tenant_info(),
                "https://x.atlassian.net/_edge/tenant_info"
            );
        }
        let mut scoped = config("https://x.atlassian.net");
        scoped.cloud_id = Some("11-22".to_owned());
        let site = Site::of(&scoped).unwrap();
        let url = site.api(None, ["rest", "api", "content", "a/b~c", "x"]);
        assert_eq!(
            url.as_str(),
            "https://api.atlassian.com/ex/confluence/11-22/wiki/rest/api/content/a%2Fb~c/x"
        );
        assert_eq!(site.public_base(), "https://x.atlassian.net/wiki");
        scoped.gateway_url = Some(Url::parse("http://127.0.0.1:99/ex/confluence/").unwrap());
        let site = Site::of(&scoped).unwrap();
        assert_eq!(
            site.api(None, ["a"]).as_str(),
            "http://127.0.0.1:99/ex/confluence/11-22/wiki/a"
        );
    }

    #[test]
    fn an_address_at_the_gateway_names_gateway_and_cloud_id() {
        for base in [
            "https://api.atlassian.com/ex/confluence/11-22",
            "https://api.atlassian.com/ex/confluence/11-22/",
            "https://api.atlassian.com/ex/confluence/11-22/wiki",
            "https://api.atlassian.com/ex/confluence/11-22/wiki/api/v2?limit=1",
        ] {
            let mut config = config(base);
            for cloud_id in [None, Some("11-22")] {
                config.cloud_id = cloud_id.map(str::to_owned);
                let site = Site::of(&config).unwrap();
                assert_eq!(
                    site.api(None, ["api", "v2", "pages"]).as_str(),
                    "https://api.atlassian.com/ex/confluence/11-22/wiki/api/v2/pages"
                );
                assert!(site.gateway);
                site.hear("https://x.atlassian.net/wiki");
                assert_eq!(site.public_base(), "https://x.atlassian.net/wiki");
                assert_eq!(site.tenant_info(), "https://SITE/_edge/tenant_info");
            }
            config.cloud_id = Some("33".to_owned());
            let error = Site::of(&config).unwrap_err().to_string();
            assert!(error.contains("CONFLUENCE_CLOUD_ID"), "{error}");
        }
        // The gateway without a site is none, and any other path belongs to a page.
        let bare = Site::of(&config("https://api.atlassian.com/ex/confluence/")).unwrap_err();
        assert!(bare.to_string().contains("CONFLUENCE_CLOUD_ID"), "{bare}");
        let page = Site::of(&config(
            "https://x.atlassian.net/wiki/spaces/ENG/pages/1/Home?x=1",
        ));
        assert_eq!(page.unwrap().public_base(), "https://x.atlassian.net/wiki");
    }

    #[test]
    fn wrong_addresses_are_refused_by_name() {
        for (base, word) in [
            ("http://x.atlassian.net", "loopback"),
            ("ftp://x.atlassian.net", "https"),
            ("https://u:p@x.atlassian.net", "credentials"),
        ] {
            let error = Site::of(&config(base)).unwrap_err().to_string();
            assert!(
                error.contains("CONFLUENCE_BASE_URL") && error.contains(word),
                "{error}"
            );
            assert!(!error.contains("u:p"), "{error}");
        }
        for good in [
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:1",
        ] {
            assert!(Site::of(&config(good)).is_ok(), "{good}");
        }
        let mut bad = config("https://x.atlassian.net");
        bad.cloud_id = Some("../x".to_owned());
        assert!(
            Site::of(&bad)
                .unwrap_err()
                .to_string()
                .contains("CONFLUENCE_CLOUD_ID")
        );
    }

    #[test]
    fn debugging_shows_no_secret() {
        let mut config = config("https://x.atlassian.net");
        config.credentials = Credentials::Basic {
            email: "a@b.c".to_owned(),
            api_token: "hush-token".to_owned().into(),
        };
        config.network.proxy = Some(Url::parse("http://me:hush-proxy@proxy.example:3128").unwrap());
        let told = format!("{config:?}");
        assert!(
            told.contains("proxy.example") && !told.contains("hush"),
            "{told}"
        );
    }
}
