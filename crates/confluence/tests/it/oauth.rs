//! Access by OAuth: one refresher however many ask, tokens kept before they are used, and no storm when Atlassian refuses.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use confluence::oauth::{Connected, NotConnected, OAuth, OAuthConfig, Tokens, Vault, VaultError};
use confluence::{ConfluenceClient, ConfluenceConfig, Credentials};
use domain::ports::source::{ContentSource, SourceError};
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use simulators::Fault;
use simulators::atlassian::AtlassianSim;
use simulators::confluence::{ConfluenceSim, Site};
use url::Url;

use crate::support::{config, name};

const BACK: &str = "http://127.0.0.1:1/back";
const SCOPES: &str = "read:space:confluence read:content-details:confluence";
const TOKEN: &str = "/oauth/token";

/// Tokens in memory.
#[derive(Default)]
struct Memory {
    held: Mutex<Option<Connected>>,
    full: AtomicBool,
    kept: AtomicUsize,
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[async_trait]
impl Vault for Memory {
    async fn alone(&self) -> Result<Box<dyn Any + Send>, VaultError> {
        Ok(Box::new(Arc::clone(&self.turn).lock_owned().await))
    }

    async fn load(&self) -> Result<Option<Connected>, VaultError> {
        Ok(self.held.lock().unwrap().clone())
    }

    async fn keep(&self, tokens: &Tokens) -> Result<(), VaultError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(VaultError::Passing("the disk is full".to_owned()));
        }
        self.kept.fetch_add(1, Ordering::SeqCst);
        if let Some(held) = self.held.lock().unwrap().as_mut() {
            held.tokens = tokens.clone();
        }
        Ok(())
    }

    async fn refuse(&self, why: &str) -> Result<(), VaultError> {
        if let Some(held) = self.held.lock().unwrap().as_mut() {
            held.refused = Some(why.to_owned());
        }
        Ok(())
    }
}

struct World {
    atlassian: AtlassianSim,
    sim: ConfluenceSim,
    vault: Arc<Memory>,
    oauth: Arc<OAuth>,
    client: Arc<ConfluenceClient>,
}

fn app(atlassian: &AtlassianSim, sim: &ConfluenceSim) -> OAuthConfig {
    OAuthConfig {
        client_id: AtlassianSim::CLIENT_ID.to_owned(),
        client_secret: AtlassianSim::CLIENT_SECRET.to_owned().into(),
        scopes: SCOPES.to_owned(),
        authorization_server: Some(atlassian.base_url().parse().unwrap()),
        base_url: sim.base_url().parse().unwrap(),
        cloud_id: None,
        gateway_url: Some(sim.base_url().parse().unwrap()),
        network: Default::default(),
    }
}

fn oauth(app: OAuthConfig, vault: &Arc<Memory>) -> Arc<OAuth> {
    Arc::new(OAuth::new(app, Arc::clone(vault) as Arc<dyn Vault>).unwrap())
}

/// A client of an app; another process, if the vault is shared.
fn client(oauth: &Arc<OAuth>, sim: &ConfluenceSim) -> Arc<ConfluenceClient> {
    let usual = config(sim.base_url());
    let config = ConfluenceConfig {
        credentials: Credentials::OAuth(Arc::clone(oauth)),
        gateway_url: Some(sim.base_url().parse().unwrap()),
        ..usual
    };
    Arc::new(ConfluenceClient::new(&config).unwrap())
}

/// What a browser brings back that was sent there.
async fn code(oauth: &OAuth) -> String {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let sent = http.get(oauth.authorize_url(BACK, "s1")).send().await;
    let sent = sent.unwrap();
    assert_eq!(sent.status(), 302);
    let back: Url = sent.headers()["location"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let value = |name| back.query_pairs().find(|(n, _)| n == name).unwrap().1;
    assert_eq!(value("state"), "s1");
    value("code").into_owned()
}

async fn world(lives: Duration) -> World {
    let atlassian = AtlassianSim::builder()
        .site("another", "https://another.atlassian.net")
        .start()
        .await
        .unwrap();
    atlassian.switches(|s| s.access_lives = lives);
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    let sim = ConfluenceSim::builder()
        .site(site)
        .authorized_by(&atlassian)
        .start()
        .await
        .unwrap();
    let vault = Arc::new(Memory::default());
    // Installs what makes clients possible.
    drop(config(sim.base_url()));
    let oauth = oauth(app(&atlassian, &sim), &vault);
    let client = client(&oauth, &sim);
    World {
        atlassian,
        sim,
        vault,
        oauth,
        client,
    }
}

impl World {
    async fn connect(&self) {
        let code = code(&self.oauth).await;
        let (tokens, site) = self.oauth.exchange(&code, BACK).await.unwrap();
        assert_eq!(site.url, self.sim.base_url());
        let held = Connected {
            cloud_id: site.cloud_id,
            tokens,
            refused: None,
        };
        let put = async {
            *self.vault.held.lock().unwrap() = Some(held);
            Ok::<_, VaultError>(())
        };
        self.oauth.replaced(put).await.unwrap();
    }

    async fn asks(&self) -> Result<(), SourceError> {
        self.client.visible_spaces().await.map(drop)
    }

    fn asked_for_tokens(&self) -> u64 {
        self.atlassian.count_of(TOKEN)
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn requests_go_through_the_gateway_of_the_site_of_the_settings() {
    let world = world(HOUR).await;
    let error = world.asks().await.unwrap_err();
    assert_eq!(name(&error), "unauthorized");
    assert!(error.to_string().contains("not connected yet"), "{error}");
    assert!(
        error
            .to_string()
            .contains("/api/confluence/oauth/authorize")
    );
    assert_eq!(
        (world.sim.request_count(), world.asked_for_tokens()),
        (0, 0)
    );

    world.connect().await;
    world.sim.reset_log();
    world.asks().await.unwrap();
    world.client.whoami().await.unwrap();
    let at_gateway = format!("/ex/confluence/{}/wiki/", world.sim.cloud_id());
    let requests = world.sim.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|r| r.path.starts_with(&at_gateway)));
    assert_eq!(world.asked_for_tokens(), 1, "for the code");

    // A code is good once, and for its own address.
    let code = code(&world.oauth).await;
    let elsewhere = world
        .oauth
        .exchange(&code, "http://127.0.0.1:1/other")
        .await;
    assert!(matches!(elsewhere, Err(NotConnected::Refused(why)) if why.contains("invalid_grant")));
}

#[tokio::test]
async fn another_site_is_never_taken() {
    let world = world(HOUR).await;
    for (cloud_id, base) in [
        (None, "https://mine.atlassian.net"),
        (Some("elsewhere"), world.sim.base_url()),
    ] {
        let config = OAuthConfig {
            base_url: base.parse().unwrap(),
            cloud_id: cloud_id.map(str::to_owned),
            ..app(&world.atlassian, &world.sim)
        };
        let oauth = oauth(config, &world.vault);
        let refused = oauth.exchange(&code(&oauth).await, BACK).await.unwrap_err();
        let said = refused.to_string();
        assert!(
            said.contains(base) && said.contains("https://another.atlassian.net"),
            "{said}"
        );
    }
    // The gateway's address names the site by its id.
    let config = OAuthConfig {
        base_url: world.sim.gateway_url().parse().unwrap(),
        gateway_url: None,
        ..app(&world.atlassian, &world.sim)
    };
    let oauth = oauth(config, &world.vault);
    let (_, site) = oauth.exchange(&code(&oauth).await, BACK).await.unwrap();
    assert_eq!(site.cloud_id, world.sim.cloud_id());
}

#[tokio::test]
async fn however_many_find_the_token_ended_it_is_refreshed_once() {
    let world = world(Duration::from_secs(60)).await;
    world.connect().await;
    world.asks().await.unwrap();
    // One that is brand new and refused all the same is no reason to ask for the next.
    world.atlassian.end_access_tokens();
    let error = world.asks().await.unwrap_err();
    assert_eq!(name(&error), "unauthorized");
    assert!(error.to_string().contains("connect again"), "{error}");
    assert_eq!(world.atlassian.refreshes(), 0);

    tokio::time::sleep(Duration::from_millis(1100)).await;
    world
        .atlassian
        .switches(|s| s.latency = Duration::from_millis(200));
    let all = join_all((0..24).map(|_| world.asks())).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(world.atlassian.refreshes(), 1);
    assert_eq!(world.vault.kept.load(Ordering::SeqCst), 1);

    // Another process with the same vault takes what is there.
    let other = oauth(app(&world.atlassian, &world.sim), &world.vault);
    client(&other, &world.sim).visible_spaces().await.unwrap();
    assert_eq!(world.atlassian.refreshes(), 1);

    // And of both, one refreshes.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.atlassian.end_access_tokens();
    let second = client(&other, &world.sim);
    let theirs = async { join_all((0..8).map(|_| second.visible_spaces())).await };
    let ours = async { join_all((0..8).map(|_| world.asks())).await };
    let (theirs, ours) = tokio::join!(theirs, ours);
    assert!(theirs.iter().all(Result::is_ok) && ours.iter().all(Result::is_ok));
    assert_eq!(world.atlassian.refreshes(), 2);
}

#[tokio::test]
async fn a_token_is_replaced_before_its_end() {
    let world = world(Duration::from_secs(2)).await;
    world.connect().await;
    let until = tokio::time::Instant::now() + Duration::from_millis(4500);
    while tokio::time::Instant::now() < until {
        world.asks().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = world
        .sim
        .requests()
        .iter()
        .filter(|r| r.status == 401)
        .count();
    assert_eq!((world.atlassian.refreshes(), refused), (2, 0));
}

#[tokio::test]
async fn what_passes_is_tried_again_and_a_good_token_goes_on_meanwhile() {
    let world = world(Duration::from_secs(60)).await;
    world.connect().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.atlassian.end_access_tokens();
    world.atlassian.fail_next(TOKEN, 2, Fault::Status(503));
    let all = join_all((0..12).map(|_| world.asks())).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(world.atlassian.refreshes(), 1);
    // The two that failed were each told to all who waited.
    assert_eq!(world.asked_for_tokens(), 1 + 3);

    // Near its end, and Atlassian is away: the token is good still, and nobody asks with every request.
    let short = self::world(HOUR).await;
    short.connect().await;
    if let Some(held) = short.vault.held.lock().unwrap().as_mut() {
        let ago = chrono::TimeDelta::minutes(57);
        held.tokens.since -= ago;
        held.tokens.access_ends_at -= ago;
    }
    short.atlassian.fail_always(TOKEN, Fault::Status(503));
    for _ in 0..5 {
        short.asks().await.unwrap();
    }
    assert_eq!(short.asked_for_tokens(), 1 + 1);
    assert!(short.oauth.trouble().unwrap().contains("503"));
}

#[tokio::test]
async fn tokens_that_cannot_be_kept_are_not_used_and_not_lost() {
    let world = world(Duration::from_secs(60)).await;
    world.connect().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.atlassian.end_access_tokens();
    world.vault.full.store(true, Ordering::SeqCst);
    world.sim.reset_log();
    let error = world.asks().await.unwrap_err();
    assert_eq!(name(&error), "unavailable");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(world.atlassian.refreshes(), 1, "however often it was tried");
    let good = world
        .sim
        .requests()
        .iter()
        .filter(|r| r.status == 200)
        .count();
    assert_eq!(good, 0);

    world.vault.full.store(false, Ordering::SeqCst);
    world.asks().await.unwrap();
    assert_eq!(world.atlassian.refreshes(), 1, "the same tokens");
    let held = world.vault.held.lock().unwrap().clone().unwrap();
    let known = world.atlassian.tokens();
    assert!(known.contains(&held.tokens.refresh_token.expose_secret().to_owned()));
}

#[tokio::test]
async fn the_old_refresh_token_is_good_for_a_while_and_then_no_longer() {
    let world = world(Duration::from_secs(60)).await;
    world.connect().await;
    let before = world.vault.held.lock().unwrap().clone();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.atlassian.end_access_tokens();
    world.asks().await.unwrap();

    // As if the process had died before it could keep the new one.
    let again = async |leeway: Duration| {
        *world.vault.held.lock().unwrap() = before.clone();
        world.atlassian.switches(|s| s.leeway = leeway);
        world.atlassian.end_access_tokens();
        let restarted = oauth(app(&world.atlassian, &world.sim), &world.vault);
        client(&restarted, &world.sim)
            .visible_spaces()
            .await
            .map(drop)
    };
    again(Duration::from_secs(600)).await.unwrap();
    let error = again(Duration::ZERO).await.unwrap_err();
    assert!(
        error.to_string().contains("gives no more access tokens"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refusal_is_heard_once() {
    for as_unauthorized_client in [false, true] {
        let world = world(Duration::from_secs(60)).await;
        world.connect().await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        world.atlassian.end_access_tokens();
        world.atlassian.switches(|s| {
            s.refuses_grants = true;
            s.refuses_as_unauthorized_client = as_unauthorized_client;
        });
        for _ in 0..3 {
            let all = join_all((0..8).map(|_| world.asks())).await;
            for result in all {
                let error = result.unwrap_err();
                assert_eq!(name(&error), "unauthorized");
                assert!(
                    error.to_string().contains("connect Confluence again"),
                    "{error}"
                );
            }
        }
        assert_eq!(world.asked_for_tokens(), 1 + 1);
        // Nor does the next process ask.
        let restarted = oauth(app(&world.atlassian, &world.sim), &world.vault);
        let asked = client(&restarted, &world.sim).visible_spaces().await;
        assert_eq!(name(&asked.unwrap_err()), "unauthorized");
        assert_eq!(world.asked_for_tokens(), 1 + 1);
        // Whoever connects anew is heard at once.
        world.atlassian.switches(|s| {
            s.refuses_grants = false;
            s.refuses_as_unauthorized_client = false;
        });
        world.connect().await;
        world.asks().await.unwrap();
    }
}

#[tokio::test]
async fn settings_and_consent_at_fault_are_named() {
    let world = world(HOUR).await;
    let config = OAuthConfig {
        client_secret: "wrong-hush".to_owned().into(),
        ..app(&world.atlassian, &world.sim)
    };
    let wrong = oauth(config, &world.vault);
    let refused = wrong.exchange(&code(&wrong).await, BACK).await.unwrap_err();
    assert!(!format!("{refused:?} {wrong:?}").contains("hush"));
    assert!(matches!(refused, NotConnected::Unavailable(why) if why.contains("access_denied")));

    world.atlassian.switches(|s| s.no_refresh_token = true);
    let refused = world.oauth.exchange(&code(&world.oauth).await, BACK).await;
    assert!(
        matches!(refused, Err(NotConnected::Unavailable(why)) if why.contains("offline_access"))
    );

    let far = OAuthConfig {
        authorization_server: Some("http://auth.example.com".parse().unwrap()),
        ..app(&world.atlassian, &world.sim)
    };
    let vault = Arc::clone(&world.vault) as Arc<dyn Vault>;
    let error = OAuth::new(far, vault).unwrap_err();
    assert_eq!(error.setting, "CONFLUENCE_OAUTH_URL");
}
