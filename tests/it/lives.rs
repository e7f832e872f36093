//! The truth, at random, with the program itself: people change the site, answers go wrong, the program is killed; when all is
//! calm and a few sweeps have passed, it shows exactly the pages of the site, and the store holds exactly those and the hidden
//! ones that wait for their second confirmation.
//!
//! `LIVES=200` lives so many, `LIVES_FROM` begins at another seed; a failing seed is named.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use rand::Rng;
use serde_json::{Value, json};
use simulators::confluence::{COVERED, Life, Orphans, Site, SpaceId};

use crate::support::id;
use crate::world::{Fate, PIPELINE, Phase, World};

/// Programs that live side by side; they wait more than they work.
const SIDE_BY_SIDE: usize = 6;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|n| n.parse().ok())
}

#[actix_web::test]
async fn whatever_happens_the_program_comes_to_the_truth() {
    let from = number("LIVES_FROM").unwrap_or(1);
    let seeds = from..from + number("LIVES").unwrap_or(12);
    let killed: Vec<usize> = stream::iter(seeds)
        .map(live)
        .buffer_unordered(SIDE_BY_SIDE)
        .collect()
        .await;
    let (lives, killed) = (killed.len(), killed.iter().sum::<usize>());
    eprintln!("{lives} lives, {killed} kills");
}

async fn live(seed: u64) -> usize {
    let site = Site::new();
    let mut life = Life::begin(&site, seed);
    site.set_switches(|switches| {
        let luck = life.luck();
        switches.latency = Duration::from_millis(5);
        switches.cql_cap = luck.random_range(5..60);
        switches.trashed_by_id = luck.random();
        switches.orphans =
            [Orphans::Archived, Orphans::MoveUp, Orphans::Trashed][luck.random_range(0..3)];
    });
    let spaces = COVERED.map(|key| site.space_id(key));
    let mut world = World::of(site, Fate::default(), &COVERED).await;
    world.start().await;
    let index = world.index().await;
    world.over(id(&index["last_run"])).await;
    for _ in 0..life.luck().random_range(1..5) {
        for _ in 0..life.luck().random_range(1..8) {
            life.disturb(&world.confluence);
        }
        if life.luck().random_bool(0.05) {
            life.delete_a_space(world.confluence.site());
        }
        if life.luck().random_bool(0.4) {
            life.fault(&world.confluence, false);
        }
        if life.luck().random_bool(0.5) {
            let instant = Duration::from_millis(life.luck().random_range(0..600));
            world.fate.instants.push((Phase::Sweep, instant));
        }
        world.enter(Phase::Sweep);
        let body = match life.luck().random_range(0..4) {
            0 => json!({"full": false}),
            1 => json!({"full": true}),
            _ => json!({}),
        };
        let run = world.order(body).await;
        world.over(&run).await;
        world.fate = Fate::default();
    }
    life.calm(&world.confluence);
    settle(&mut world).await;
    compare(&mut world, &spaces, seed).await;
    world.deaths.len()
}

/// As an administrator would who knows: confirms what the guard asks, and has failed pages tried again at once.
async fn settle(world: &mut World) {
    for _ in 0..4 {
        let run = world.order(json!({})).await;
        let mut run = world.over(&run).await;
        if run["status"] == "needs_confirmation" {
            let path = format!("/api/runs/{}/confirm", id(&run));
            let body = json!({"decision": "accept"});
            if let Ok(next) = world.ask("POST", &path, Some(body)).await {
                run = world.over(id(&next)).await;
            }
        }
        assert!(!run["finished_at"].is_null());
        for page in pages(world).await.values() {
            if page["state"] == "failed" {
                let index = world.index().await;
                let path = format!("/api/indexes/{}/pages/{}/retry", id(&index), id(page));
                let _ = world.ask("POST", &path, Some(json!({}))).await;
            }
        }
    }
}

async fn pages(world: &mut World) -> BTreeMap<String, Value> {
    let index = world.index().await;
    let path = format!("/api/indexes/{}/pages?limit=500", id(&index));
    let Ok(listed) = world.ask("GET", &path, None).await else {
        panic!("nobody kills it now");
    };
    let items = listed["items"].as_array().unwrap().iter();
    items
        .map(|page| (id(page).to_owned(), page.clone()))
        .collect()
}

async fn compare(world: &mut World, spaces: &[SpaceId], seed: u64) {
    let covered = |page: &simulators::confluence::TruePage| {
        spaces.contains(&page.space_id) && !page.restricted
    };
    let truth: BTreeMap<String, Value> = world
        .confluence
        .truth()
        .into_iter()
        .filter(covered)
        .map(|page| {
            let labels: Vec<String> = page.labels.iter().cloned().collect();
            let facts = json!([page.title, page.version, labels]);
            (page.id.to_string(), facts)
        })
        .collect();
    let known = pages(world).await;
    let in_state = |state: &str| -> BTreeSet<&String> {
        let found = known.iter().filter(|(_, page)| page["state"] == state);
        found.map(|(id, _)| id).collect()
    };
    let shown: BTreeMap<String, Value> = in_state("searchable")
        .into_iter()
        .map(|id| {
            let page = &known[id];
            let facts = json!([page["title"], page["version"], page["labels"]]);
            (id.clone(), facts)
        })
        .collect();
    assert_eq!(shown, truth, "seed {seed}: {}", world.log());
    let hidden = in_state("vanishing");
    let documents = world.llama.documents(PIPELINE);
    let held: BTreeMap<String, String> = documents
        .iter()
        .map(|document| {
            let page = document.metadata["cf_page_id"].as_str().unwrap();
            (page.to_owned(), document.text.clone())
        })
        .filter(|(page, _)| !hidden.contains(page))
        .collect();
    assert_eq!(
        held.keys().collect::<Vec<_>>(),
        truth.keys().collect::<Vec<_>>(),
        "seed {seed}: the store"
    );
    assert!(documents.len() <= held.len() + hidden.len(), "seed {seed}");
    for page in world.confluence.truth().into_iter().filter(covered) {
        let words = page.body.replace("<p>", "").replace("</p>", "");
        let text = &held[&page.id.to_string()];
        assert!(
            text.starts_with(&format!("# {}", page.title)) && text.contains(&words),
            "seed {seed}: {text}"
        );
    }
}
