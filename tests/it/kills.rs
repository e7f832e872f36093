//! `kill -9` of the program itself, at every named place of the engine and at random instants, over a first sync and a sweep
//! that stores, replaces and removes. After a restart it must come by itself to where an undisturbed program comes: the same
//! pages in the same state, each document once in the store, and nothing left to do.
//!
//! Real processes, a database on disk, simulated services over HTTP. `KILLS=100` adds so many programs that are killed at
//! random, and kills at every place in both phases and at later passes of it.

use std::process::Command;
use std::time::{Duration, Instant};

use actors::FAILPOINTS;
use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use simulators::confluence::Site;

use crate::support::{TIMEOUT, id};
use crate::world::{Held, KillPlan, Phase, SIGABRT, World};

const PER_SPACE: usize = 30;
/// Of them, pages with a comment, and with a file whose text is a document.
const COMMENTED: usize = 6;
const WITH_FILE: usize = 3;
/// Documents of the first sync: home page, top and the others, and files.
const DOCUMENTS: usize = 2 * (PER_SPACE + 2 + WITH_FILE);
/// Programs that live side by side; they wait more than they work.
const SIDE_BY_SIDE: usize = 4;

fn moment(day: u32) -> chrono::DateTime<chrono::Utc> {
    format!("2026-03-{day:02}T08:00:00Z").parse().unwrap()
}

async fn world(plan: KillPlan) -> World {
    let site = Site::new();
    let past = site.at(moment(1));
    for (key, name) in [("ENG", "Engineering"), ("OPS", "Operations")] {
        past.add_space(key, name);
        let top = past.create_page(key, None, &format!("{key} top"), "<p>All of it.</p>");
        for n in 0..PER_SPACE {
            let body = format!("<h2>Part {n}</h2><p>The words of {key} {n}.</p>");
            let page = past.create_page(key, Some(top), &format!("{key} {n}"), &body);
            if n % 4 == 0 {
                past.label(page, "fourth");
            }
            if n % 5 == 0 {
                let comment = past.comment(page, &format!("<p>Said of {n}.</p>"));
                past.reply(comment, "<p>Answered.</p>");
            }
            if n % 10 == 1 {
                let words = format!("Words of a file at {n}.");
                past.attach(page, "notes.txt", "text/plain", words.as_bytes());
                past.attach(page, "photo.png", "image/png", b"pixels");
            }
        }
    }
    site.set_switches(|switches| switches.latency = Duration::from_millis(15));
    let mut world = World::of(site, plan, &["ENG", "OPS"]).await;
    world.choices = json!({"include_comments": true, "include_attachments": true});
    world
}

/// Edits, a rename with pages below it, a move, a restriction, a label, removals, and what is said and attached meanwhile.
fn change(world: &World) {
    let site = world.confluence.site();
    let later = site.at(moment(2));
    let page = |n: usize| site.find("ENG", &format!("ENG {n}")).unwrap();
    for n in 0..5 {
        later.edit(page(n), &format!("<p>Anew {n}.</p>"));
    }
    later.rename(site.find("OPS", "OPS top").unwrap(), "OPS summit");
    later.restrict_to_user(page(7), &world.confluence.account_id());
    later.label(page(9), "late");
    for n in 10..14 {
        later.trash(page(n));
    }
    later.archive(page(14));
    later.move_to_space(page(6), "OPS", None);
    let new = later.create_page("ENG", None, "Brand new", "<p>Just written.</p>");
    later.comment(new, "<p>Said at once.</p>");
    let elsewhere = site.find("OPS", "OPS 3").unwrap();
    later.inline_comment(elsewhere, "words", "<p>Which words?</p>");
    later.attach(page(20), "late.txt", "text/plain", b"Words that came late.");
    later.attach(
        page(22),
        "later.txt",
        "text/plain",
        b"Words that came later.",
    );
}

async fn succeeded(world: &mut World, run: &str) -> Value {
    let run = world.over(run).await;
    assert_eq!(run["status"], "succeeded", "{run}: {}", world.log());
    run
}

/// A program's life: first sync, changes, sweep, and a last sweep that finds nothing to do. Answers what was held after the
/// first and the second, how long those took, and the signals.
async fn live(plan: KillPlan) -> ([Held; 2], [Duration; 2], Vec<i32>) {
    let mut world = world(plan).await;
    world.start().await;
    world.enter(Phase::First);
    let index = world.index().await;
    let run = id(&index["last_run"]).to_owned();
    succeeded(&mut world, &run).await;
    let first = (world.held().await, world.began.elapsed());

    change(&world);
    world.phase = Phase::Sweep;
    if matches!(&world.plan.place, Some((_, Phase::Sweep))) {
        drop(world.program.take());
        world.start().await;
    }
    world.enter(Phase::Sweep);
    let run = world.order(json!({})).await;
    succeeded(&mut world, &run).await;
    let second = (world.held().await, world.began.elapsed());

    world.plan = KillPlan::default();
    let run = world.order(json!({})).await;
    let rest = succeeded(&mut world, &run).await;
    let counts = &rest["counts"];
    assert_eq!(
        (&counts["fetched"], &counts["uploaded"], &counts["deleted"]),
        (&json!(0), &json!(0), &json!(0)),
        "at rest: {rest}"
    );
    assert_eq!(world.held().await, second.0, "at rest");
    ([first.0, second.0], [first.1, second.1], world.deaths)
}

/// Programs to be killed at random: a few always, more where a long run is asked for.
fn random_programs() -> usize {
    let asked = std::env::var("KILLS").ok().and_then(|n| n.parse().ok());
    asked.unwrap_or(4)
}

#[actix_web::test]
async fn a_program_killed_anywhere_ends_where_an_undisturbed_one_does() {
    let (undisturbed, took, deaths) = live(KillPlan::default()).await;
    assert!(deaths.is_empty());
    assert_eq!(undisturbed[0].documents.len(), DOCUMENTS);
    let comments = |held: &Held| {
        let documents = held.documents.values();
        documents
            .filter(|d| {
                d[0].as_str()
                    .is_some_and(|text| text.contains("# Comments"))
            })
            .count()
    };
    assert_eq!(comments(&undisturbed[0]), 2 * COMMENTED);

    let thorough = std::env::var_os("KILLS").is_some();
    let mut plans = Vec::new();
    for place in FAILPOINTS {
        let removes = ["after_removals_written", "after_files_followed"].contains(place);
        // Marks of a walk are left by the first listing of a space only, and the object is made once.
        let sweeps = !["after_checkpoint", "after_object_made"].contains(place);
        for (phase, hit) in [
            (Phase::First, 1),
            (Phase::Sweep, 1),
            (Phase::First, 2),
            (Phase::Sweep, 2),
        ] {
            let usual = (phase == Phase::First) != removes && hit == 1;
            let possible = match phase {
                Phase::First => !removes,
                Phase::Sweep => sweeps,
            };
            // Places that one run passes once.
            let once = place.starts_with("before_") && *place != "before_upload"
                || [
                    "after_run_started",
                    "after_object_made",
                    "after_files_recorded",
                ]
                .contains(place)
                || removes;
            if usual || thorough && possible && !(once && hit > 1) {
                plans.push(KillPlan {
                    place: Some((format!("{place}:{hit}"), phase)),
                    instants: Vec::new(),
                });
            }
        }
    }
    let places = plans.len();
    let seed = std::env::var("KILLS_SEED")
        .ok()
        .and_then(|n| n.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    let mut luck = StdRng::seed_from_u64(seed);
    eprintln!("KILLS_SEED={seed}");
    for _ in 0..random_programs() {
        let mut instant = |phase, longest: Duration| (phase, longest.mul_f64(luck.random()));
        let mut instants = vec![
            instant(Phase::First, took[0]),
            instant(Phase::Sweep, took[1]),
            instant(Phase::Sweep, took[1] * 2),
        ];
        instants.truncate(2 + usize::from(instants.len() > 2 && thorough));
        plans.push(KillPlan {
            place: None,
            instants,
        });
    }
    let mut lives = stream::iter(plans.into_iter().enumerate())
        .map(|(n, plan)| async move { (n, plan.clone(), live(plan).await) })
        .buffer_unordered(SIDE_BY_SIDE);
    let mut killed = 0;
    while let Some((n, plan, (held, _, deaths))) = lives.next().await {
        if n < places {
            assert_eq!(deaths, [SIGABRT], "{plan:?} was not passed");
        }
        killed += deaths.len();
        for (phase, (held, undisturbed)) in held.iter().zip(&undisturbed).enumerate() {
            assert_eq!(held, undisturbed, "{plan:?}, phase {phase}, seed {seed}");
        }
    }
    eprintln!("{killed} programs were killed, {places} of them at named places");
    assert!(killed > places, "none of the random instants came in time");
}

#[actix_web::test]
async fn sigterm_in_the_middle_of_a_sync_ends_within_ten_seconds_and_the_next_start_goes_on() {
    let mut world = world(KillPlan::default()).await;
    let slow = Duration::from_secs(20);
    world.start().await;
    // Spaces can be looked up; whatever the run asks for then does not come in time.
    world
        .confluence
        .fail_always("/spaces/{id}/pages", simulators::Fault::Slow(slow));
    let index = world.index().await;
    let run = id(&index["last_run"]).to_owned();
    let began = Instant::now();
    while world.confluence.count_of("/wiki/api/v2/spaces/{id}/pages") == 0 {
        assert!(began.elapsed() < TIMEOUT, "{:?}", world.confluence.counts());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut program = world.program.take().unwrap();
    let (pid, began) = (program.child.id().to_string(), Instant::now());
    let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(told.success());
    let status = loop {
        if let Some(status) = program.child.try_wait().unwrap() {
            break status;
        }
        assert!(began.elapsed() < TIMEOUT, "it does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let took = began.elapsed();
    assert_eq!(status.code(), Some(0), "{}", world.log());
    assert!(took < Duration::from_secs(10), "took {took:?}");

    world.confluence.clear_faults();
    world.start().await;
    succeeded(&mut world, &run).await;
    assert_eq!(world.held().await.documents.len(), DOCUMENTS);
}
