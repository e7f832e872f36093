//! Every endpoint, at the site and through the gateway, and what bad credentials and odd data make of it.

use std::collections::{BTreeMap, BTreeSet};

use confluence::ConfluenceClient;
use domain::access::Grantee;
use domain::comments::CommentPlace::{Footer, Inline};
use domain::content::ContentKind::{BlogPost, Container, Page};
use domain::content::ContentStatus::{Archived, Current, Trashed};
use domain::content::{ContentFacts, Restriction, SourcePage};
use domain::ports::source::{
    AccessNeeds, CommentsQuery, ContentSource, FactsQuery, ListOrder, ListQuery, Reach, SourceError,
};
use domain::{AccountId, PageId, SpaceId, SpaceKey};
use simulators::confluence::{
    Account, BadCredentials, ConfluenceSim, EVERYONE_GROUP, ScopedAtSite,
};

use super::{
    Made, SCOPES, client, eng, facts, page_id, settings, site, site_of, start, sweep, sweep_of,
    walk,
};
use crate::official::Official;
use crate::support::{basic, name};

/// Uses every endpoint, and looks at what comes.
async fn use_everything(client: &ConfluenceClient, sim: &ConfluenceSim, made: &Made) {
    let me = client.whoami().await.unwrap();
    assert_eq!(me.id.as_str(), sim.account_id());

    let spaces = client
        .spaces_by_key(&["ENG".into(), "~712020abc".into(), "NONE".into()])
        .await
        .unwrap();
    assert_eq!(
        spaces
            .iter()
            .map(|space| space.key.as_str())
            .collect::<BTreeSet<_>>(),
        BTreeSet::from(["ENG", "~712020abc"])
    );
    assert!(spaces.iter().all(|space| space.url.starts_with("http")));
    let ids: Vec<SpaceId> = spaces.iter().map(|space| space.id.clone()).collect();
    assert_eq!(client.spaces_by_id(&ids).await.unwrap().len(), 2);
    assert_eq!(client.visible_spaces().await.unwrap().len(), 2);

    let truth: BTreeMap<String, _> = sim
        .truth()
        .into_iter()
        .map(|page| (page.id.to_string(), page))
        .collect();
    let mut seen = BTreeMap::new();
    for id in &ids {
        for page in sweep(client, id, 250).await.unwrap() {
            assert_eq!(&page.space_id, id);
            assert!(
                seen.insert(page.id.as_str().to_owned(), page).is_none(),
                "each once"
            );
        }
    }
    assert_eq!(
        seen.keys().collect::<Vec<_>>(),
        truth.keys().collect::<Vec<_>>()
    );
    assert_eq!(seen.len(), made.pages);
    for (id, page) in &seen {
        let real = &truth[id];
        assert_eq!(
            (page.title.as_str(), page.version),
            (real.title.as_str(), i32::try_from(real.version).unwrap())
        );
        assert_eq!(
            page.parent_id.as_ref().map(PageId::as_str),
            real.parent.map(|id| id.to_string()).as_deref()
        );
        assert!(
            page.url.contains(id.as_str()) && page.url.starts_with("http"),
            "{}",
            page.url
        );
    }

    let poll = ListQuery {
        spaces: ids.clone(),
        order: ListOrder::NewestFirst,
        statuses: vec![Current, Archived],
        bodies: Some(usize::MAX),
        limit: 10,
        ..sweep_of(&ids[0], 10)
    };
    let newest = client.list(&poll, None).await.unwrap();
    assert!(
        newest
            .items
            .windows(2)
            .all(|pair| pair[0].modified >= pair[1].modified)
    );
    assert!(newest.items.iter().all(|page| page.body.is_some()) && newest.next.is_some());
    let posts = ListQuery {
        kind: BlogPost,
        ..sweep_of(
            &spaces.iter().find(|s| s.key.as_str() == "ENG").unwrap().id,
            250,
        )
    };
    assert_eq!(
        client.list(&posts, None).await.unwrap().items[0].id,
        page_id(made.post)
    );
    let posts = ListQuery {
        order: ListOrder::NewestFirst,
        spaces: ids.clone(),
        ..posts
    };
    assert_eq!(client.list(&posts, None).await.unwrap().items.len(), 1);

    let batch: Vec<PageId> = seen
        .keys()
        .take(250)
        .map(|id| PageId::new(id.as_str()))
        .collect();
    let bodies = client
        .by_ids(Page, &batch, &[Current], Some(usize::MAX))
        .await
        .unwrap();
    assert_eq!(bodies.len(), 250);
    assert!(
        bodies
            .iter()
            .all(|page| page.body.as_deref() == Some(truth[page.id.as_str()].body.as_str()))
    );
    let lost = [made.trashed, made.archived, made.labelled].map(page_id);
    let found = client
        .by_ids(Page, &lost, &[Current, Archived, Trashed], None)
        .await
        .unwrap();
    let found: BTreeMap<_, _> = found
        .into_iter()
        .map(|page| (page.id, page.status))
        .collect();
    assert_eq!(
        found,
        BTreeMap::from([
            (lost[0].clone(), Trashed),
            (lost[1].clone(), Archived),
            (lost[2].clone(), Current)
        ])
    );
    assert_eq!(
        client
            .by_ids(
                BlogPost,
                &[page_id(made.post)],
                &[Current],
                Some(usize::MAX)
            )
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        client.one(Page, &lost[0]).await.unwrap().unwrap().status,
        Trashed
    );
    assert_eq!(
        client
            .one(BlogPost, &page_id(made.post))
            .await
            .unwrap()
            .unwrap()
            .kind,
        BlogPost
    );
    assert_eq!(client.one(Page, &"1".into()).await.unwrap(), None);

    let mut known: BTreeMap<PageId, ContentFacts> = BTreeMap::new();
    for key in ["ENG", "~712020abc"] {
        known.extend(
            facts(client, key)
                .await
                .unwrap()
                .into_iter()
                .map(|facts| (facts.id.clone(), facts)),
        );
    }
    for id in truth.keys() {
        let facts = &known[&PageId::new(id.as_str())];
        let restricted = if *id == made.restricted.to_string() {
            Restriction::Restricted
        } else {
            Restriction::Open
        };
        assert_eq!(facts.restriction, restricted, "{id}");
        assert_eq!(
            facts.labels,
            truth[id].labels.iter().cloned().collect::<Vec<_>>()
        );
        assert!(facts.ancestors.is_some());
    }
    assert_eq!(known[&page_id(made.folder)].kind, Container);
    let some = FactsQuery::Ids(
        vec![page_id(made.labelled), page_id(made.restricted)],
        Reach::CurrentSpaces,
    );
    assert_eq!(client.facts(&some, None).await.unwrap().items.len(), 2);
    for (kind, id) in [
        (Page, made.restricted),
        (Page, made.labelled),
        (BlogPost, made.post),
        (Container, made.folder),
    ] {
        let single = client.facts_of(kind, &page_id(id)).await.unwrap().unwrap();
        let bulk = &known[&page_id(id)];
        assert_eq!(
            (single.restriction, &single.labels),
            (bulk.restriction, &bulk.labels),
            "{id}"
        );
    }
    assert_eq!(client.facts_of(Page, &"1".into()).await.unwrap(), None);

    let people = client
        .people(&[AccountId::from("557058:ada"), AccountId::from("nobody")])
        .await
        .unwrap();
    assert_eq!(
        people
            .iter()
            .map(|person| person.display_name.as_str())
            .collect::<Vec<_>>(),
        ["Ada"]
    );
    let eng = ids
        .iter()
        .zip(&spaces)
        .find(|(_, space)| space.key.as_str() == "ENG");
    let readers = client.space_readers(eng.unwrap().0).await.unwrap();
    assert_eq!(
        readers,
        BTreeSet::from([Grantee::Group(EVERYONE_GROUP.into())])
    );
    let leads = client.group_members(&made.group.as_str().into()).await;
    let leads: Vec<String> = leads
        .unwrap()
        .iter()
        .map(|m| m.account.to_string())
        .collect();
    assert_eq!(leads, [sim.account_id().as_str(), "557058:ada"]);
    let restricted = page_id(made.restricted);
    assert_eq!(client.may_read(&me.id, &restricted).await, Ok(true));

    assert!(
        client
            .rendered(Page, &page_id(made.labelled))
            .await
            .unwrap()
            .unwrap()
            .contains("Restart the gateway")
    );
    let hits = client
        .search_live("how do I restart the VPN gateway?", &["ENG".into()], 5)
        .await
        .unwrap();
    assert_eq!(hits[0].id, page_id(made.labelled));
    assert_eq!((hits.len(), hits[0].space_key.as_str()), (5, "ENG"));
    assert!(hits[0].excerpt.contains("Restart the gateway"));

    let labelled = page_id(made.labelled);
    let all = client
        .comments(
            &CommentsQuery::Space {
                key: "ENG".into(),
                reach: Reach::CurrentSpaces,
                bodies: true,
            },
            None,
        )
        .await
        .unwrap()
        .items;
    for place in [Footer, Inline] {
        let newest = client.recent_comments(place, 25, None).await.unwrap().items;
        assert!(!newest.is_empty());
        for comment in newest {
            // Both ways tell the same of a comment.
            let found = all.iter().find(|other| other.id == comment.id);
            assert_eq!(found, Some(&comment));
            let alone = client.comment(place, &comment.id).await.unwrap();
            assert_eq!(alone.as_ref(), Some(&comment));
        }
    }
    let reply = all
        .iter()
        .find(|comment| comment.parent == Some(page_id(made.comment)));
    assert!(reply.is_some_and(|reply| reply.page == Some(labelled.clone())));
    let by_id = CommentsQuery::Ids(vec![page_id(made.comment)], Reach::CurrentSpaces);
    assert_eq!(
        client.comments(&by_id, None).await.unwrap().items[0].id,
        page_id(made.comment)
    );
    assert_eq!(
        client.comment(Footer, &"999999".into()).await.unwrap(),
        None
    );
    let files = client.recent_files(25, None).await.unwrap().items;
    assert_eq!((files.len(), files[0].name.as_str()), (1, "plan.txt"));
    // Every way tells the same of a file.
    assert_eq!(
        client
            .files(&"ENG".into(), Reach::CurrentSpaces, None)
            .await
            .unwrap()
            .items,
        files
    );
    assert_eq!(
        client.file(&files[0].id).await.unwrap().as_ref(),
        Some(&files[0])
    );
    assert_eq!(
        client.download(&labelled, &files[0].id, 100).await.unwrap(),
        b"the plan"
    );
    assert_eq!(
        files[0].id.as_str().trim_start_matches("att"),
        made.file.to_string().trim_start_matches("att")
    );
}

pub(super) fn all_official(sim: &ConfluenceSim) {
    let Some(official) = Official::load() else {
        return;
    };
    let requests = sim.requests();
    assert!(!requests.is_empty());
    for request in requests {
        let faults = official.faults(&request);
        assert!(
            faults.is_empty(),
            "{} {}: {faults:?}",
            request.method,
            request.path_and_query()
        );
    }
}

#[tokio::test]
async fn every_endpoint_at_the_site() {
    let (site, made) = site();
    let sim = start(&site).await;
    use_everything(&client(&sim), &sim, &made).await;
    all_official(&sim);
}

#[tokio::test]
async fn every_endpoint_through_the_gateway() {
    let (site, made) = site();
    let account = Account::scoped("s@example.com", "scoped", SCOPES);
    let sim = ConfluenceSim::builder()
        .site(site)
        .account(account)
        .start()
        .await
        .unwrap();
    let mut config = settings(&sim);
    config.credentials = basic("s@example.com", "scoped");
    let direct = ConfluenceClient::new(&config)
        .unwrap()
        .whoami()
        .await
        .unwrap_err();
    assert_eq!(name(&direct), "unauthorized");
    assert!(
        direct.to_string().contains("CONFLUENCE_CLOUD_ID"),
        "{direct}"
    );
    sim.reset_log();
    config.cloud_id = Some(sim.cloud_id().to_owned());
    config.gateway_url = Some(format!("{}/ex/confluence", sim.base_url()).parse().unwrap());
    use_everything(&ConfluenceClient::new(&config).unwrap(), &sim, &made).await;
    all_official(&sim);
}

#[tokio::test]
async fn an_address_at_the_gateway_is_enough() {
    let (site, made) = site_of(3);
    let account = Account::scoped("s@example.com", "scoped", SCOPES);
    let sim = ConfluenceSim::builder()
        .site(site)
        .account(account)
        .start()
        .await
        .unwrap();
    let mut config = settings(&sim);
    config.credentials = basic("s@example.com", "scoped");
    config.base_url = format!("{}/wiki/", sim.gateway_url()).parse().unwrap();
    let client = ConfluenceClient::new(&config).unwrap();
    let spaces = client.visible_spaces().await.unwrap();
    assert_eq!(spaces.len(), 2);
    let page = client.one(Page, &page_id(made.labelled)).await.unwrap();
    // The addresses are the site's, which people can open, and not the gateway's.
    let site = format!("{}/wiki/", sim.base_url());
    assert!(spaces.iter().all(|space| space.url.starts_with(&site)));
    assert!(page.is_some_and(|page| page.url.starts_with(&site)));
}

#[tokio::test]
async fn a_space_with_another_key_has_both_and_is_found_by_either() {
    let (site, made) = site_of(3);
    site.alias_space("ENG", "TEAM");
    let sim = start(&site).await;
    let client = client(&sim);
    for named in ["ENG", "TEAM"] {
        let spaces = client.spaces_by_key(&[named.into()]).await.unwrap();
        let keys: Vec<_> = spaces
            .iter()
            .map(|s| (s.key.as_str(), s.alias.as_ref().map(SpaceKey::as_str)))
            .collect();
        assert_eq!(keys, [("ENG", Some("TEAM"))], "{named}");
        assert!(spaces[0].url.ends_with("/spaces/TEAM"));
    }
    let personal = client.spaces_by_key(&["~712020abc".into()]).await.unwrap();
    assert_eq!(personal[0].alias, None);
    assert!(!facts(&client, "ENG").await.unwrap().is_empty());
    for by_alias in [false, true] {
        sim.switches(|s| s.v1_names_spaces_by_alias = by_alias);
        let hits = client
            .search_live("runbook", &["ENG".into()], 5)
            .await
            .unwrap();
        assert_eq!(hits[0].id, page_id(made.labelled));
        let key = if by_alias { "TEAM" } else { "ENG" };
        assert_eq!(hits[0].space_key.as_str(), key);
    }
}

/// Requests for facts until the site's answer to `refused` is known, and the kinds that come.
#[tokio::test]
async fn types_that_search_does_not_know_cost_those_types_only() {
    for (refused, requests, folders) in [(None, 1, 1), (Some("slide"), 2, 1), (Some("embed"), 3, 0)]
    {
        let (site, _) = site_of(3);
        let sim = start(&site).await;
        sim.switches(|s| s.cql_refuses = refused.into_iter().collect());
        let client = client(&sim);
        let items = facts(&client, "ENG").await.unwrap();
        let containers = items.iter().filter(|item| item.kind == Container).count();
        assert_eq!(sim.requests().len(), requests, "{refused:?}");
        assert_eq!(containers, folders, "{refused:?}");
        sim.reset_log();
        facts(&client, "ENG").await.unwrap();
        assert_eq!(sim.requests().len(), 1, "{refused:?}: remembered");
    }
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let (site, _) = site_of(120);
    let account = Account::scoped(
        "s@example.com",
        "scoped",
        &["read:content-details:confluence"],
    );
    let sim = ConfluenceSim::builder()
        .site(site)
        .account(account)
        .start()
        .await
        .unwrap();
    let mut config = settings(&sim);
    config.credentials = basic("s@example.com", "scoped");
    config.cloud_id = Some(sim.cloud_id().to_owned());
    config.gateway_url = Some(format!("{}/ex/confluence", sim.base_url()).parse().unwrap());
    let client = ConfluenceClient::new(&config).unwrap();
    client.whoami().await.unwrap();
    let error = client.visible_spaces().await.unwrap_err();
    assert_eq!(name(&error), "lacks scope");
    assert!(
        error.to_string().contains("read:space:confluence"),
        "{error}"
    );
}

#[tokio::test]
async fn one_item_of_every_kind_is_asked_for_and_all_missing_scopes_are_known() {
    let (site, _) = site_of(3);
    let sim = start(&site).await;
    let mut config = settings(&sim);
    config.credentials = basic("s@example.com", "scoped");
    config.base_url = sim.gateway_url().parse().unwrap();
    let client = ConfluenceClient::new(&config).unwrap();
    let me = AccountId::from(sim.account_id());
    let all = AccessNeeds {
        comments: true,
        files: true,
        permissions: true,
        checks: true,
        audit_log: true,
    };
    for (scopes, needs, requests, missing) in [
        (SCOPES, all, 13, vec![]),
        (SCOPES, AccessNeeds::default(), 4, vec![]),
        (
            &SCOPES[1..3],
            all,
            11,
            vec![
                "read:page:confluence",
                "read:content-details:confluence",
                "read:attachment:confluence",
                "read:configuration:confluence",
                "read:group:confluence",
                "read:audit-log:confluence",
                "read:user:confluence",
            ],
        ),
    ] {
        sim.revoke_token("scoped");
        sim.add_account(Account::scoped("s@example.com", "scoped", scopes).admin());
        sim.reset_log();
        let checks = client.access(needs, Some(&me)).await;
        assert_eq!((checks.len(), sim.requests().len()), (requests, requests));
        let lacking: Vec<&str> = checks
            .iter()
            .filter_map(|check| match &check.outcome {
                Err(SourceError::LacksScope { scope, .. }) => Some(*scope),
                Ok(()) => None,
                Err(other) => panic!("{other}"),
            })
            .collect();
        assert_eq!(lacking, missing);
        all_official(&sim);
    }
}

#[tokio::test]
async fn the_best_hits_come_first_whether_the_site_ranks_or_not() {
    for (refused, requests) in [(None, [1, 1]), (Some("sitesearch"), [2, 1])] {
        let (site, made) = site_of(10);
        let sim = start(&site).await;
        sim.switches(|s| {
            s.cql_ranks_site_search_only = true;
            s.cql_refuses = refused.into_iter().collect();
        });
        let client = client(&sim);
        for asked in requests {
            sim.reset_log();
            let hits = client
                .search_live("gateway VPN", &["ENG".into()], 3)
                .await
                .unwrap();
            // Ten pages before it have both words in their texts; it has one of them in its title, too.
            assert_eq!(hits[0].id, page_id(made.labelled), "{refused:?}");
            assert_eq!(
                (hits.len(), sim.requests().len()),
                (3, asked),
                "{refused:?}"
            );
        }
        all_official(&sim);
    }
}

#[tokio::test]
async fn a_search_that_is_down_is_not_waited_for_again_and_again() {
    let (site, _) = site_of(3);
    let sim = start(&site).await;
    sim.fail_always(simulators::Matcher::any(), simulators::Fault::Reset);
    let client = client(&sim);
    let ask = async || client.search_live("gateway", &["ENG".into()], 3).await;
    for _ in 0..3 {
        ask().await.unwrap_err();
    }
    assert_eq!(sim.requests().len(), 6, "two tries of each");
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        let error = ask().await.unwrap_err().to_string();
        assert!(
            error.contains("asking again now changes nothing"),
            "{error}"
        );
    }
    assert!(begun.elapsed() < std::time::Duration::from_millis(500));
    // The probe beside the first of them has failed by then.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    sim.clear_faults();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    ask().await.unwrap_err();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    ask().await.unwrap();
}

#[tokio::test]
async fn wrong_credentials_are_named_in_every_mode() {
    let (site, _) = site_of(120);
    let sim = start(&site).await;
    let space = eng(&client(&sim)).await;
    for mode in [
        BadCredentials::ForbiddenAndNotFound,
        BadCredentials::Unauthorized,
        BadCredentials::HtmlUnauthorized,
        BadCredentials::Anonymous,
    ] {
        sim.switches(|s| s.bad_credentials = mode);
        let mut config = settings(&sim);
        config.credentials = basic(ConfluenceSim::EMAIL, "wrong");
        let client = ConfluenceClient::new(&config).unwrap();
        let error = client.whoami().await.unwrap_err();
        assert_eq!(name(&error), "unauthorized", "{mode:?}");
        assert_causes(&error, &sim);
        if mode != BadCredentials::Anonymous {
            let poll = ListQuery {
                order: ListOrder::NewestFirst,
                ..sweep_of(&space, 25)
            };
            assert_eq!(
                name(&client.list(&poll, None).await.unwrap_err()),
                "unauthorized",
                "{mode:?}"
            );
        }
    }
}

/// What refused credentials can be, the likeliest first, and where the cloud id is found.
fn assert_causes(error: &SourceError, sim: &ConfluenceSim) {
    let told = error.to_string();
    let tenant_info = format!("{}/_edge/tenant_info", sim.base_url());
    let at = |words: &str| {
        told.find(words)
            .unwrap_or_else(|| panic!("no {words} in {told}"))
    };
    let places = [
        at("CONFLUENCE_EMAIL and CONFLUENCE_API_TOKEN do not belong together"),
        at("expired"),
        at("made with scopes"),
        at("CONFLUENCE_CLOUD_ID"),
        at(&tenant_info),
        at("give it the product"),
    ];
    assert!(places.is_sorted(), "{told}");
}

#[tokio::test]
async fn a_token_with_scopes_at_the_site_is_told_what_it_needs() {
    let (site, _) = site_of(3);
    let sim = ConfluenceSim::builder()
        .site(site)
        .account(Account::scoped("s@example.com", "scoped", SCOPES))
        .start()
        .await
        .unwrap();
    let mut config = settings(&sim);
    config.credentials = basic("s@example.com", "scoped");
    for answer in [ScopedAtSite::TomcatPage, ScopedAtSite::AuthMismatch] {
        sim.switches(|s| s.scoped_at_site = answer);
        let client = ConfluenceClient::new(&config).unwrap();
        let error = client.whoami().await.unwrap_err();
        assert_eq!(name(&error), "unauthorized", "{answer:?}");
        assert_causes(&error, &sim);
    }
    // The same token with what it was told to set.
    config.cloud_id = Some(sim.cloud_id().to_owned());
    config.gateway_url = Some(format!("{}/ex/confluence", sim.base_url()).parse().unwrap());
    let client = ConfluenceClient::new(&config).unwrap();
    client.whoami().await.unwrap();
}

#[tokio::test]
async fn odd_data_is_tolerated() {
    let (site, _) = site_of(120);
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    let ids = |pages: Vec<SourcePage>| pages.into_iter().map(|page| page.id).collect::<Vec<_>>();
    let whole = ids(sweep(&client, &space, 60).await.unwrap());
    sim.switches(|s| {
        s.unknown_fields = true;
        s.unknown_enums = true;
        s.null_parents = true;
        s.missing_body = true;
        s.hide_emails = true;
        s.cql_empty_last_page = true;
    });
    assert_eq!(ids(sweep(&client, &space, 60).await.unwrap()), whole);
    let bodies = client
        .by_ids(Page, &whole[..50], &[Current], Some(usize::MAX))
        .await
        .unwrap();
    assert!(
        bodies
            .iter()
            .all(|page| page.body.is_none() && page.parent_id.is_none())
    );
    assert!(facts(&client, "ENG").await.unwrap().len() >= whole.len());
    assert_eq!(client.whoami().await.unwrap().id.as_str(), sim.account_id());
    assert_eq!(client.visible_spaces().await.unwrap().len(), 2);
    assert_eq!(
        client.people(&["557058:ada".into()]).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_space_that_vanishes_is_named() {
    let (site, _) = site_of(120);
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    site.delete_space("ENG");
    let error = sweep(&client, &space, 60).await.unwrap_err();
    assert_eq!(name(&error), "not found");
    assert_eq!(
        client
            .spaces_by_key(&[SpaceKey::from("ENG")])
            .await
            .unwrap(),
        []
    );
    assert_eq!(client.spaces_by_id(&[space]).await.unwrap(), []);
}

#[tokio::test]
async fn an_archived_space_is_searched_with_the_parameter_that_names_it() {
    let (site, made) = site_of(150);
    site.archive_space("ENG");
    let sim = start(&site).await;
    let client = client(&sim);
    assert_eq!(facts(&client, "ENG").await.unwrap(), []);

    let reach = Reach::ArchivedSpaces;
    let query = FactsQuery::Space("ENG".into(), reach);
    let named = walk(|cursor| {
        let (client, query) = (&client, &query);
        async move { client.facts(query, cursor.as_ref()).await }
    })
    .await
    .unwrap();
    assert!(named.len() > 150, "{}", named.len());
    let of = |id: &PageId| named.iter().find(|item| item.id == *id).unwrap();
    assert_eq!(of(&page_id(made.labelled)).labels, ["runbook"]);
    assert_eq!(
        of(&page_id(made.restricted)).restriction,
        Restriction::Restricted
    );
    assert_eq!(of(&page_id(made.labelled)).restriction, Restriction::Open);
    assert!(of(&page_id(made.labelled)).ancestors.is_some());

    let ids = FactsQuery::Ids(vec![page_id(made.restricted)], reach);
    assert_eq!(client.facts(&ids, None).await.unwrap().items.len(), 1);
    let files = client.files(&"ENG".into(), reach, None).await.unwrap();
    assert_eq!(
        files.items,
        client.recent_files(25, None).await.unwrap().items
    );
    let comments = client
        .comments(
            &CommentsQuery::Space {
                key: "ENG".into(),
                reach,
                bodies: true,
            },
            None,
        )
        .await
        .unwrap();
    assert_eq!(comments.items.len(), 3);
    assert!(comments.items.iter().all(|comment| comment.body.is_some()));
    all_official(&sim);
}
