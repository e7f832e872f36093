//! The truth, at random, with the program itself: people change the site, an administrator the index, answers go wrong, the program
//! is killed, at named places and at any moment. When all is calm and a few sweeps have passed, it shows exactly what was asked
//! for, and the store holds exactly that and the hidden pages that wait for their second confirmation.
//!
//! `LIVES=200` lives so many, `LIVES_FROM` begins at another seed; a failing seed is named.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actors::FAILPOINTS;
use futures_util::{StreamExt, stream};
use rand::Rng;
use serde_json::{Value, json};
use simulators::confluence::{COVERED, Kind, Life, Orphans, Site, Status, Wish};

use crate::support::id;
use crate::world::{KillPlan, PIPELINE, Phase, World};

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

/// Names the seed of a life that fails, wherever that is.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "among those that fail, or were under way: LIVES_FROM={} LIVES=1",
                self.0
            );
        }
    }
}

async fn live(seed: u64) -> usize {
    let _named = Named(seed);
    let site = Site::new();
    let mut life = Life::begin(&site, seed);
    site.set_switches(|switches| {
        let luck = life.luck();
        switches.latency = Duration::from_millis(5);
        switches.cql_cap = luck.random_range(5..60);
        switches.trashed_by_id = luck.random();
        switches.site_comments_without_replies = luck.random();
        switches.orphans =
            [Orphans::Archived, Orphans::MoveUp, Orphans::Trashed][luck.random_range(0..3)];
    });
    let mut wish = Wish::of(&site, &COVERED);
    for _ in 0..life.luck().random_range(0..4) {
        life.reconsider(&site, &mut wish);
    }
    let mut world = World::of(site, somewhere(&mut life), &COVERED).await;
    world.choices = choices(&wish);
    world.start().await;
    let index = world.index().await;
    world.over(id(&index["last_run"])).await;
    for _ in 0..life.luck().random_range(1..5) {
        for _ in 0..life.luck().random_range(1..8) {
            life.disturb(&world.confluence);
        }
        if life.luck().random_bool(0.25) {
            life.calm(&world.confluence);
            let before = wish.spaces.clone();
            life.reconsider(world.confluence.site(), &mut wish);
            patch(&mut world, &wish, wish.spaces != before).await;
        }
        if life.luck().random_bool(0.05) {
            life.delete_a_space(world.confluence.site(), &wish);
        }
        if life.luck().random_bool(0.4) {
            life.fault(&world.confluence, false);
        }
        if life.luck().random_bool(0.5) {
            let instant = Duration::from_millis(life.luck().random_range(0..600));
            world.plan.instants.push((Phase::Sweep, instant));
        }
        world.enter(Phase::Sweep);
        let body = match life.luck().random_range(0..4) {
            0 => json!({"full": false}),
            1 => json!({"full": true}),
            _ => json!({}),
        };
        let run = world.order(body).await;
        world.over(&run).await;
        world.plan.instants.clear();
    }
    life.end(&world.confluence, &wish);
    settle(&mut world).await;
    compare(&mut world, &wish, seed).await;
    world.deaths.len()
}

/// The place at which the first program dies, if it comes there at all.
fn somewhere(life: &mut Life) -> KillPlan {
    let luck = life.luck();
    let place = FAILPOINTS[luck.random_range(0..FAILPOINTS.len())];
    let place = format!("{place}:{}", luck.random_range(1..4));
    KillPlan {
        place: luck.random_bool(0.5).then_some((place, Phase::First)),
        instants: Vec::new(),
    }
}

/// As an administrator would who knows: confirms what the guard asks, and has pages that wait for their next try tried at once.
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
            if !page["next_try_at"].is_null() {
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
    let listed = loop {
        if let Ok(listed) = world.ask("GET", &path, None).await {
            break listed;
        }
    };
    let items = listed["items"].as_array().unwrap().iter();
    items
        .map(|page| (id(page).to_owned(), page.clone()))
        .collect()
}

/// What the program shows and what the store holds, against what the wish asks for.
async fn compare(world: &mut World, wish: &Wish, seed: u64) {
    let site = world.confluence.site().clone();
    let members = wish.members(&world.confluence);
    let mut truth: BTreeMap<String, Value> = BTreeMap::new();
    let mut texts: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for page in &members {
        let labels: Vec<String> = page.labels.iter().cloned().collect();
        let facts = json!([page.title, page.version, labels]);
        truth.insert(page.id.to_string(), facts);
        let comments = wish.comments_on(&site, page.id).into_iter();
        let mut words: Vec<String> = vec![bare(&page.body)];
        words.extend(comments.map(|comment| bare(&comment.body)));
        texts.insert(page.id.to_string(), (page.title.clone(), words));
        for file in wish.files_on(&site, page.id) {
            let id = format!("att{}", file.id);
            let words = String::from_utf8(file.data).unwrap();
            truth.insert(id.clone(), json!([file.name, file.version, labels]));
            texts.insert(id, (file.name, vec![words]));
        }
    }
    let known = pages(world).await;
    let in_state = |state: &str| -> BTreeSet<&String> {
        let found = known.iter().filter(|(_, page)| page["state"] == state);
        found.map(|(id, _)| id).collect()
    };
    let doubted = doubted(world, &known);
    let is_doubted = |id: &str| doubted.contains(id) && !truth.contains_key(id);
    let shown: BTreeMap<String, Value> = in_state("searchable")
        .into_iter()
        .filter(|id| !is_doubted(id))
        .map(|id| {
            let page = &known[id];
            let facts = json!([page["title"], page["version"], page["labels"]]);
            (id.clone(), facts)
        })
        .collect();
    assert_eq!(shown, truth, "seed {seed}, {wish:?}: {}", world.log());
    let hidden = in_state("vanishing");
    let documents = world.llama.documents(PIPELINE);
    let held: BTreeMap<String, String> = documents
        .iter()
        .map(|document| {
            let page = document.metadata["cf_page_id"].as_str().unwrap();
            (page.to_owned(), document.text.clone())
        })
        .filter(|(page, _)| !hidden.contains(page) && !is_doubted(page))
        .collect();
    assert_eq!(
        held.keys().collect::<Vec<_>>(),
        truth.keys().collect::<Vec<_>>(),
        "seed {seed}, {wish:?}: the store"
    );
    let others = hidden.len() + doubted.len();
    assert!(documents.len() <= held.len() + others, "seed {seed}");
    let deleted: BTreeSet<String> = site.unsaid().iter().map(|body| bare(body)).collect();
    for (id, (title, words)) in texts {
        let text = &held[&id];
        assert!(
            text.starts_with(&format!("# {title}\n")),
            "seed {seed}: {text}"
        );
        let mut said = said_in(text);
        // That a comment is not there is believed when it is seen again, a minute later: longer than these lives.
        said.retain(|line| words.contains(line) || !deleted.contains(line));
        assert_eq!(said, words, "seed {seed}, {wish:?}: {text}");
    }
}

/// Of a kind of which the listing of a space names nothing any more, what is stored is doubted at first, with its files, and asked about again
/// a minute later: longer than these lives.
fn doubted(world: &World, known: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let site = world.confluence.site();
    let all = site.all_for(&world.confluence.account_id()).into_iter();
    let listed: BTreeSet<(String, &str)> = all
        .filter(|page| page.status == Status::Current)
        .map(|page| {
            let kind = match page.kind {
                Kind::BlogPost => "blogpost",
                _ => "page",
            };
            (page.space_key, kind)
        })
        .collect();
    let of_kind = known.iter().filter(|(_, page)| {
        let (space, kind) = (page["space_key"].as_str(), page["kind"].as_str());
        let (space, kind) = (space.unwrap().to_owned(), kind.unwrap());
        kind != "attachment" && !listed.contains(&(space, kind))
    });
    let mut doubted: BTreeSet<String> = of_kind.map(|(id, _)| id.clone()).collect();
    // The address of a file names its page.
    let of_them = known.iter().filter(|(_, page)| {
        let mut named = page["url"]
            .as_str()
            .unwrap()
            .split(|c: char| !c.is_ascii_digit());
        page["kind"] == "attachment" && named.any(|id| doubted.contains(id))
    });
    let files: Vec<String> = of_them.map(|(id, _)| id.clone()).collect();
    doubted.extend(files);
    doubted
}

fn bare(storage: &str) -> String {
    storage.replace("<p>", "").replace("</p>", "")
}

/// What people wrote, line by line: without title and breadcrumb, headings, names and quotation marks.
fn said_in(text: &str) -> Vec<String> {
    let lines = text.lines().skip(3);
    let bare = lines.map(|line| line.trim_start_matches(['>', ' ']));
    bare.filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("**"))
        .map(str::to_owned)
        .collect()
}

/// A wish in the words of REST.
fn choices(wish: &Wish) -> Value {
    let keys: Vec<&str> = wish.spaces.iter().map(|(key, _)| *key).collect();
    let roots: Vec<String> = wish.roots.iter().map(ToString::to_string).collect();
    let mut choices = json!({
        "include_blog_posts": wish.blog_posts,
        "include_comments": wish.comments,
        "include_attachments": wish.attachments,
        "labels": wish.labels,
        "exclude_labels": wish.exclude_labels,
        "root_page_ids": roots,
        "restricted_pages": if wish.restricted { "include" } else { "skip" },
    });
    choices["confluence_spaces"] = json!(keys);
    choices
}

/// The administrator changes the index; whoever asks is asked again after a death.
async fn patch(world: &mut World, wish: &Wish, spaces_too: bool) {
    let mut body = choices(wish);
    if !spaces_too {
        body.as_object_mut().unwrap().remove("confluence_spaces");
    }
    let index = world.index().await;
    let path = format!("/api/indexes/{}", id(&index));
    while world.ask("PATCH", &path, Some(body.clone())).await.is_err() {}
}
