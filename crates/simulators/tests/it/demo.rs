//! The sample site and its story.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{TimeZone, Utc};
use simulators::Clock;
use simulators::confluence::{Kind, Status};
use simulators::demo::{AUTHORS, Story, site, site_with_clock};

#[test]
fn the_sample_site_is_whole() {
    let site = site();
    assert_eq!(site.space_keys(), ["ENG", "OPS", "PEOPLE"]);
    let elena = AUTHORS.iter().find(|(h, _)| *h == "elena").unwrap().1;
    let all = site.all_for(elena);
    let pages: Vec<_> = all
        .iter()
        .filter(|p| p.kind == Kind::Page && p.status == Status::Current)
        .collect();
    assert_eq!(pages.len(), 60);
    assert_eq!(all.iter().filter(|p| p.kind == Kind::BlogPost).count(), 4);
    assert_eq!(
        site.truth_for("somebody else").len(),
        59,
        "one page is restricted"
    );
    assert_eq!(pages.iter().filter(|p| p.restricted).count(), 1);
    assert!(pages.iter().any(|p| p.ancestors.len() == 2), "three levels");
    assert!(
        pages
            .iter()
            .all(|p| !p.body.trim().is_empty() && !p.labels.is_empty())
    );
    let everything: String = pages.iter().map(|p| p.body.as_str()).collect();
    for construct in [
        "ac:name=\"code\"",
        "ac:name=\"warning\"",
        "ac:name=\"status\"",
        "ac:name=\"expand\"",
        "<ac:task-list>",
        "rowspan=",
        "colspan=",
        "<ri:user ",
        "<ac:image ",
        "<time datetime=",
    ] {
        assert!(everything.contains(construct), "no {construct}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let site = site();
    for page in site.all_for(AUTHORS[5].1) {
        for piece in page.body.split("<ri:page ").skip(1) {
            let tag = &piece[..piece.find('>').unwrap()];
            let value = |name: &str| {
                let rest = tag.split_once(&format!("{name}=\""))?.1;
                Some(rest[..rest.find('"')?].replace("&amp;", "&"))
            };
            let space = value("ri:space-key").unwrap_or_else(|| page.space_key.clone());
            let title = value("ri:content-title").unwrap();
            assert!(
                site.find(&space, &title).is_some(),
                "{} links to {space}/{title}",
                page.title
            );
        }
    }
}

#[test]
fn its_history_is_never_in_the_future() {
    let now = Utc.with_ymd_and_hms(2026, 6, 1, 12, 0, 0).unwrap();
    let site = site_with_clock(Clock::manual(now));
    assert!(
        site.all_for(AUTHORS[5].1)
            .iter()
            .all(|p| p.modified_at < now)
    );
}

#[test]
fn a_round_of_the_story_changes_much_and_ends_where_it_began() {
    let site = site();
    let titles = || {
        site.truth_for("x")
            .into_iter()
            .map(|p| (p.title, p.body))
            .collect::<BTreeSet<_>>()
    };
    let versions = || site.truth_for("x").iter().map(|p| p.version).sum::<u32>();
    let (before, versions_before) = (titles(), versions());
    let mut story = Story::new(site.clone());
    let mut seen = 0;
    for _ in 0..2 * Story::round_length() {
        let was = (titles(), versions());
        let told = story.step();
        assert!(
            !told.contains("any more") && !told.starts_with("nothing"),
            "{told}"
        );
        seen += usize::from(was != (titles(), versions()));
    }
    assert!(seen >= 12);
    assert_eq!(titles(), before);
    assert!(versions() > versions_before);
}

#[test]
fn the_story_is_told_until_it_is_dropped() {
    let (sender, told) = std::sync::mpsc::channel();
    let runner = Story::new(site())
        .run(Duration::from_millis(5), move |line| {
            sender.send(line).unwrap()
        })
        .unwrap();
    assert!(
        told.recv_timeout(Duration::from_secs(10))
            .unwrap()
            .contains("On-call handbook")
    );
    drop(runner);
    // The sender went with the thread.
    while told.recv_timeout(Duration::from_secs(10)).is_ok() {}
}
