//! Every assumption about a site holds of the simulated one, and is told from one that does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use confluence::probe::{ASSUMPTIONS, Prober};
use confluence::{ConfluenceClient, ConfluenceConfig};
use simulators::confluence::{Account, ConfluenceSim, CqlSpaceKeys, NextLinks, Site, Switches};
use simulators::{Fault, Matcher};
use upstream::probe::Verdict::{Broken, Held, Unknown};
use upstream::probe::{Finding, NO_ANSWER, Notebook, Verdict, go_through};

use crate::simulated::{SCOPES, settings, site_of};
use crate::support::{basic, config};

/// Requests of one probe of a site that has everything.
const REQUESTS: u32 = 33;

/// So many pages and some more, and all else that is looked at; a space has another key by now.
fn whole_site(pages: usize) -> Site {
    let (site, made) = site_of(pages);
    site.alias_space("ENG", "TEAM");
    site.restrict_to_user(made.restricted, "557058:51b7c0de-sync");
    // The page with the lowest id is the oldest for sure, however fast the others were made.
    let earlier = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    site.at(earlier).edit(site.homepage("ENG"), "<p>Home</p>");
    site
}

/// With an administrator's account, who may see everything.
async fn start(site: &Site) -> ConfluenceSim {
    let account = Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).admin();
    let builder = ConfluenceSim::builder().site(site.clone());
    builder.account(account).start().await.unwrap()
}

/// No answer comes too late for a probe, however busy the machine.
fn patient(mut config: ConfluenceConfig) -> ConfluenceClient {
    config.request_timeout = Duration::from_secs(60);
    ConfluenceClient::new(&config).unwrap()
}

fn client(sim: &ConfluenceSim) -> ConfluenceClient {
    patient(settings(sim))
}

/// More than one answer holds.
const MANY: usize = 260;
/// Enough to see that some are left out.
const SOME: usize = 40;

fn prober(client: &ConfluenceClient) -> (Prober, Arc<Notebook>) {
    let notebook = Arc::new(Notebook::new(60));
    let prober = Prober::new(client.for_waiting(), Arc::clone(&notebook));
    (prober, notebook)
}

async fn probe(client: &ConfluenceClient) -> (Vec<Finding>, Arc<Notebook>) {
    let (prober, notebook) = prober(client);
    (go_through(ASSUMPTIONS, &prober).await, notebook)
}

/// As it is where nothing is broken.
fn mend(sim: &ConfluenceSim) {
    sim.clear_faults();
    sim.switches(|s| *s = Switches::default());
}

fn verdict(findings: &[Finding], part: &str) -> Verdict {
    let mut named = findings
        .iter()
        .filter(|finding| finding.assumption.contains(part));
    let found = named
        .next()
        .unwrap_or_else(|| panic!("no assumption says {part}"));
    assert!(named.next().is_none(), "{part} is said twice");
    found.verdict
}

fn verdicts(findings: &[Finding]) -> BTreeMap<&'static str, Verdict> {
    let verdicts = findings.iter().map(|f| (f.assumption, f.verdict));
    verdicts.collect()
}

#[tokio::test]
async fn all_that_can_be_seen_of_the_simulated_site_holds_within_the_budget() {
    let sim = start(&whole_site(MANY)).await;
    let (findings, notebook) = probe(&client(&sim)).await;
    for finding in &findings {
        assert_eq!((finding.verdict, finding.remedy), (Held, ""), "{finding:?}");
    }
    assert_eq!(notebook.asked(), REQUESTS);
    assert_eq!(sim.request_count(), u64::from(REQUESTS));
    let shapes = notebook.shapes().to_string();
    for secret in [
        "Salaries",
        "ENG",
        "Ada",
        "557058",
        "Body of page",
        "127.0.0.1",
        "runbook",
    ] {
        assert!(!shapes.contains(secret), "{secret}");
    }
}

/// The words of such an error name the page and its file, or the host; what is said goes into a public report.
#[tokio::test]
async fn why_no_answer_came_is_not_said() {
    let (site, _) = site_of(3);
    let sim = start(&site).await;
    sim.fail_always(Matcher::containing("/download"), Fault::Reset);
    let (findings, _) = probe(&client(&sim)).await;
    let of_files = findings
        .iter()
        .find(|finding| finding.assumption.contains("a file is where"))
        .unwrap();
    assert_eq!(of_files.verdict, Unknown);
    assert_eq!(of_files.said, NO_ANSWER);
}

/// An assumption, and what makes the service break it.
type Breaking = (&'static str, fn(&ConfluenceSim));

const OF_FACTS: &str = "CQL takes 100 ids and gives labels, restrictions and ancestors with them";
const CONTENT_SEARCH: &str = "/rest/api/content/search";

/// Each breaks one assumption and leaves the others alone.
const BREAKINGS: &[Breaking] = &[
    ("the site says who we are", |sim| {
        sim.fail_always("/user/current", Fault::Lacks(&["type"]));
    }),
    ("a list gives 250 pages with their bodies", |sim| {
        sim.switches(|s| s.missing_body = true);
    }),
    ("a list goes on by the cursor of its next link", |sim| {
        sim.switches(|s| s.next_links = NextLinks::Offset);
    }),
    ("a list goes on by the cursor of its next link", |sim| {
        let second = Matcher::containing("sort=id").and_containing("cursor=");
        sim.fail_always(second, Fault::EmptyListing);
    }),
    ("a search goes on by the cursor of its next link", |sim| {
        let walk = Matcher::containing("order by created");
        sim.fail_always(walk, Fault::Lacks(&["next"]));
    }),
    ("a list comes newest first by version.createdAt", |sim| {
        sim.switches(|s| s.sort_is_ignored = true);
    }),
    ("250 pages can be asked for by their ids", |sim| {
        sim.switches(|s| s.ids_answered = 20);
    }),
    (
        "CQL takes 100 ids and gives labels, restrictions and ancestors with them",
        |sim| sim.switches(|s| s.cql_cap = 10),
    ),
    (
        "CQL takes 100 ids and gives labels, restrictions and ancestors with them",
        |sim| sim.fail_always(CONTENT_SEARCH, Fault::Lacks(&["restrictions"])),
    ),
    (
        "CQL knows folder, whiteboard, database, embed and slide",
        |sim| {
            sim.switches(|s| {
                s.cql_refuses.insert("slide");
            });
        },
    ),
    ("what is no page tells its restrictions", |sim| {
        let of_one = "/restriction/byOperation/{operationKey}";
        sim.fail_always(of_one, Fault::Status(404));
    }),
    (
        "a restriction names people and groups by their ids",
        |sim| {
            sim.fail_always(CONTENT_SEARCH, Fault::Lacks(&["accountId"]));
        },
    ),
    ("a space says who may read it", |sim| {
        sim.fail_always("/permissions", Fault::Lacks(&["operation"]));
    }),
    (
        "a group gives its members, and behind the last of them nobody",
        |sim| sim.fail_always("/membersByGroupId", Fault::Lacks(&["accountId"])),
    ),
    (
        "the check of permissions answers for one's own account",
        |sim| sim.fail_always("/permission/check", Fault::Lacks(&["hasPermission"])),
    ),
    ("a record of the audit log names what it is about", |sim| {
        sim.fail_always("/rest/api/audit", Fault::Lacks(&["name"]));
    }),
    ("search gives expansions below `content.`", |sim| {
        sim.fail_always("/rest/api/search", Fault::Lacks(&["version"]));
    }),
    ("search takes `siteSearch ~`, which ranks", |sim| {
        sim.switches(|s| {
            s.cql_refuses.insert("sitesearch");
        });
    }),
    ("CQL finds a renamed space by its first key", |sim| {
        sim.switches(|s| s.cql_space_keys = CqlSpaceKeys::Shown);
    }),
    ("times in CQL are read in UTC", |sim| {
        sim.switches(|s| s.cql_zone_minutes = 120);
    }),
    ("the lists of comments name page and version", |sim| {
        sim.fail_always("/v2/footer-comments", Fault::Lacks(&["version"]));
    }),
    (
        "a file is where a redirect of the v1 address leads",
        |sim| sim.fail_always("/download", Fault::Status(410)),
    ),
    ("people have names", |sim| {
        sim.fail_always("/users-bulk", Fault::Lacks(&["displayName", "publicName"]));
    }),
    ("limits are told in headers that are known", |sim| {
        sim.fail_always("*", Fault::Header("X-RateLimit-Cost", "3"));
    }),
];

/// Which assumptions cannot be seen without a scope.
const BY_SCOPE: &[(&str, &[&str])] = &[
    (
        "read:comment:confluence",
        &["the lists of comments name page and version"],
    ),
    (
        "read:attachment:confluence",
        &["a file is where a redirect of the v1 address leads"],
    ),
    ("read:user:confluence", &["people have names"]),
    (
        "read:space:confluence",
        &[
            "a space says who may read it",
            "search takes `siteSearch ~`, which ranks",
            "CQL finds a renamed space by its first key",
        ],
    ),
    (
        "read:configuration:confluence",
        &["a space says who may read it"],
    ),
    (
        "read:group:confluence",
        &["a group gives its members, and behind the last of them nobody"],
    ),
    (
        "read:content.permission:confluence",
        &["the check of permissions answers for one's own account"],
    ),
    (
        "read:audit-log:confluence",
        &["a record of the audit log names what it is about"],
    ),
    (
        "read:page:confluence",
        &[
            "a list gives 250 pages with their bodies",
            "a list goes on by the cursor of its next link",
            "a list comes newest first by version.createdAt",
            "250 pages can be asked for by their ids",
            "CQL takes 100 ids and gives labels, restrictions and ancestors with them",
            "a restriction names people and groups by their ids",
            "a space says who may read it",
            "the check of permissions answers for one's own account",
            "times in CQL are read in UTC",
        ],
    ),
    (
        "read:content-details:confluence",
        &[
            "the site says who we are",
            "a search goes on by the cursor of its next link",
            "CQL takes 100 ids and gives labels, restrictions and ancestors with them",
            "CQL knows folder, whiteboard, database, embed and slide",
            "what is no page tells its restrictions",
            "a restriction names people and groups by their ids",
            "the check of permissions answers for one's own account",
            "search gives expansions below `content.`",
            "search takes `siteSearch ~`, which ranks",
            "CQL finds a renamed space by its first key",
            "times in CQL are read in UTC",
            "people have names",
        ],
    ),
];

const OF_SCOPES: &str = "the token has every scope";

/// That `name` is told as broken with its remedy, that of `unseen` nothing is told, and that all else holds.
fn assert_told(findings: &[Finding], name: &str, unseen: &[&str]) {
    let told = verdicts(findings);
    for (assumption, verdict) in told {
        let expected = match assumption {
            of if of == name => Broken,
            of if unseen.contains(&of) => Unknown,
            _ => Held,
        };
        assert_eq!(
            verdict, expected,
            "{assumption} beside {name}: {findings:?}"
        );
    }
    let row = ASSUMPTIONS.iter().find(|row| row.name == name).unwrap();
    let broken = findings.iter().find(|found| found.assumption == name);
    let broken = broken.unwrap();
    assert_eq!((broken.remedy, broken.rests), (row.remedy, row.rests));
    assert!(!broken.remedy.is_empty() && !broken.said.is_empty());
}

#[tokio::test]
async fn each_assumption_that_is_broken_is_told_with_its_remedy_and_no_other() {
    let sim = start(&whole_site(SOME)).await;
    let of_site = client(&sim);
    for (name, breaks) in BREAKINGS {
        mend(&sim);
        breaks(&sim);
        let (findings, notebook) = probe(&of_site).await;
        // Where facts do not come, nobody whom they name does.
        let unseen: &[&str] = match *name {
            OF_FACTS => &["a restriction names people and groups by their ids"],
            _ => &[],
        };
        assert_told(&findings, name, unseen);
        let asked = notebook.asked();
        assert!(asked <= REQUESTS + 1, "{name}: {asked}");
    }
    mend(&sim);
    let through_gateway = gateway_client(&sim);
    for (scope, unseen) in BY_SCOPE {
        let scopes: Vec<_> = SCOPES.iter().copied().filter(|s| s != scope).collect();
        sim.revoke_token("scoped");
        sim.add_account(Account::scoped("s@example.com", "scoped", &scopes).admin());
        let (findings, _) = probe(&through_gateway).await;
        assert_told(&findings, OF_SCOPES, unseen);
        let of_scopes = findings.iter().find(|f| f.assumption == OF_SCOPES);
        assert!(of_scopes.unwrap().said.ends_with(&format!(": {scope}")));
    }
    let tested: BTreeSet<&str> = BREAKINGS.iter().map(|(name, _)| *name).collect();
    let tested: BTreeSet<&str> = tested.into_iter().chain([OF_SCOPES]).collect();
    let all: BTreeSet<&str> = ASSUMPTIONS.iter().map(|row| row.name).collect();
    assert_eq!(tested, all);
    let of_a_scope: BTreeSet<&str> = BY_SCOPE.iter().map(|(scope, _)| *scope).collect();
    assert_eq!(of_a_scope, SCOPES.iter().copied().collect());
}

fn gateway_client(sim: &ConfluenceSim) -> ConfluenceClient {
    let mut config = config(&sim.gateway_url());
    config.credentials = basic("s@example.com", "scoped");
    patient(config)
}

#[tokio::test]
async fn all_holds_through_the_gateway_too() {
    let sim = start(&whole_site(SOME)).await;
    sim.add_account(Account::scoped("s@example.com", "scoped", SCOPES).admin());
    let (findings, _) = probe(&gateway_client(&sim)).await;
    assert!(findings.iter().all(|f| f.verdict == Held), "{findings:?}");
}

/// Answers of another form that the client reads all the same.
#[tokio::test]
async fn another_form_that_is_read_breaks_nothing() {
    let sim = start(&whole_site(SOME)).await;
    let of_site = client(&sim);
    let forms: [fn(&ConfluenceSim); 4] = [
        |sim| sim.switches(|s| s.next_links = NextLinks::HeaderOnly),
        |sim| sim.switches(|s| s.v1_names_spaces_by_alias = true),
        |sim| sim.switches(|s| s.cql_space_keys = CqlSpaceKeys::Both),
        |sim| {
            sim.switches(|s| {
                s.points_per_hour = Some(1_000_000);
                s.quota_is_beta = true;
            });
        },
    ];
    for form in forms {
        mend(&sim);
        form(&sim);
        let (findings, _) = probe(&of_site).await;
        assert!(findings.iter().all(|f| f.verdict == Held), "{findings:?}");
    }
}

#[tokio::test]
async fn a_page_that_is_deleted_meanwhile_breaks_nothing() {
    let site = whole_site(MANY);
    let sim = start(&site).await;
    let (prober, notebook) = prober(&client(&sim));
    let check = async |name: &str| {
        let row = ASSUMPTIONS.iter().find(|row| row.name == name).unwrap();
        (row.check)(&prober).await
    };
    check("a list gives 250 pages with their bodies").await;
    let newest = sim.truth().into_iter().max_by_key(|page| page.id).unwrap();
    site.trash(newest.id);
    let of_ids = "250 pages can be asked for by their ids";
    let gone = "249 of 250 came; 0 of the rest are listed still";
    assert_eq!(check(of_ids).await, (Held, gone.to_owned()));
    assert_eq!(notebook.asked(), 3);
    // Nor does one that is left out pass for one that was deleted.
    sim.switches(|s| s.ids_answered = 248);
    let left_out = "248 of 250 came; 1 of the rest are listed still";
    assert_eq!(check(of_ids).await, (Broken, left_out.to_owned()));
}

/// Whatever refuses an endpoint as wrong: no assumption that rests on it counts as held.
#[tokio::test]
async fn what_is_refused_does_not_count_as_held() {
    let sim = start(&whole_site(SOME)).await;
    let of_site = client(&sim);
    for (path, parts) in [
        ("/user/current", &["who we are", "people have names"][..]),
        (
            "/api/v2/pages",
            &[
                "250 pages with",
                "a list goes on by",
                "newest first",
                "can be asked for by",
                "CQL takes",
                "times in",
            ],
        ),
        ("/rest/api/search", &["`content.`", "siteSearch"]),
        ("-comments", &["lists of comments"]),
        ("/api/v2/attachments", &["a file is where"]),
        ("/download", &["a file is where"]),
        ("/users-bulk", &["people have names"]),
        ("/restriction/", &["what is no page"]),
        ("/api/v2/spaces", &["siteSearch", "renamed", "a space says"]),
        ("/api/v2/space-role-mode", &["a space says"]),
        ("/membersByGroupId", &["a group gives"]),
        ("/permission/check", &["the check"]),
        (
            CONTENT_SEARCH,
            &["a search goes on", "CQL takes", "renamed", "times in"],
        ),
    ] {
        mend(&sim);
        sim.fail_always(Matcher::containing(path), Fault::Status(400));
        let (findings, _) = probe(&of_site).await;
        for part in parts {
            assert_ne!(verdict(&findings, part), Held, "{path}: {part}");
        }
    }
}
