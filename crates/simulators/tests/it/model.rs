//! Random lives of a site: what the API lists is always what is true.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{TimeZone, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use simulators::Clock;
use simulators::confluence::{ConfluenceSim, ContentId, Kind, Orphans, Site};

use crate::support::json;

/// What an index would note of a page.
type Noted = (u64, String, String, Option<String>);

fn true_pages(sim: &ConfluenceSim) -> BTreeMap<String, Noted> {
    let noted = |p: simulators::confluence::TruePage| {
        let parent = p.parent.map(|p| p.to_string());
        (
            p.id.to_string(),
            (
                u64::from(p.version),
                p.title,
                p.space_id.to_string(),
                parent,
            ),
        )
    };
    sim.truth().into_iter().map(noted).collect()
}

async fn listed_pages(sim: &ConfluenceSim) -> BTreeMap<String, Noted> {
    let mut out = BTreeMap::new();
    let mut path = "/wiki/api/v2/pages?status=current&sort=id&limit=9".to_owned();
    loop {
        let page = json(sim, &path).await;
        for item in page["results"].as_array().unwrap() {
            let text = |name: &str| item[name].as_str().map(str::to_owned);
            let noted = (
                item["version"]["number"].as_u64().unwrap(),
                text("title").unwrap(),
                text("spaceId").unwrap(),
                text("parentId"),
            );
            assert!(
                out.insert(text("id").unwrap(), noted).is_none(),
                "a page is listed twice"
            );
        }
        match page["_links"]["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => return out,
        }
    }
}

fn live_one(site: &Site, sim: &ConfluenceSim, rng: &mut StdRng, step: u32) {
    let pages: Vec<ContentId> = sim.truth().iter().map(|p| p.id).collect();
    let all: Vec<ContentId> = site
        .all_for(&sim.account_id())
        .iter()
        .map(|p| p.id)
        .collect();
    let spaces = site.space_keys();
    let (Some(page), Some(any), Some(space)) =
        (pages.choose(rng), all.choose(rng), spaces.choose(rng))
    else {
        return;
    };
    let homes: Vec<ContentId> = spaces.iter().map(|s| site.homepage(s)).collect();
    let fixed = homes.contains(page) || homes.contains(any);
    match rng.random_range(0..16) {
        0 | 1 => site.edit(*page, &format!("<p>{step}</p>")),
        2 => site.rename(*page, &format!("Renamed {step}")),
        3 | 4 => {
            let parent = site.true_page(*page).unwrap();
            site.create_page(
                &parent.space_key,
                Some(*page),
                &format!("New {step}"),
                "<p>new</p>",
            );
        }
        5 => {
            let folder =
                site.create_folder(space, Some(site.homepage(space)), &format!("Folder {step}"));
            site.create_page(
                space,
                Some(folder),
                &format!("In folder {step}"),
                "<p>x</p>",
            );
        }
        6 if !fixed => site.move_to_space(*page, space, Some(site.homepage(space))),
        7 if !fixed => site.archive(*page),
        8 if !fixed => site.trash(*page),
        9 if !fixed => site.trash_tree(*page),
        10 if !fixed => site.purge(*any),
        11 if site.true_page(*any).unwrap().status != simulators::confluence::Status::Current => {
            site.restore(*any)
        }
        12 if !fixed => site.restrict_to_user(*page, "someone else"),
        13 => site.label(*page, "label"),
        14 => site.set_switches(|s| {
            s.orphans = [
                Orphans::Archived,
                Orphans::MoveUp,
                Orphans::Trashed,
                Orphans::Stay,
            ][step as usize % 4];
        }),
        _ => {
            site.create_blog_post(space, &format!("Post {step}"), "<p>post</p>");
        }
    }
}

#[actix_rt::test]
async fn the_lists_always_show_the_truth() {
    for seed in 0..12 {
        let clock = Clock::manual(Utc.with_ymd_and_hms(2026, 11, 1, 9, 0, 0).unwrap());
        let site = Site::with_clock(clock.clone());
        for key in ["A", "B", "~712020c"] {
            site.add_space(key, key);
        }
        let sim = ConfluenceSim::builder()
            .site(site.clone())
            .start()
            .await
            .unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        for step in 0..60 {
            clock.advance(Duration::from_secs(rng.random_range(0..90)));
            live_one(&site, &sim, &mut rng, step);
        }
        assert_eq!(listed_pages(&sim).await, true_pages(&sim), "seed {seed}");
        let cql = "/wiki/rest/api/content/search?cql=type%3Dpage&limit=1000";
        let found: Value = json(&sim, cql).await;
        assert_eq!(
            found["size"].as_u64().unwrap() as usize,
            sim.truth().len(),
            "seed {seed}"
        );
        assert!(
            site.all_for(&sim.account_id())
                .iter()
                .any(|p| p.kind == Kind::BlogPost)
        );
    }
}
