//! New and edited pages enter with the next run of any kind; renames, moves, labels and scope with the next sweep at the latest.

use std::collections::HashMap;

use domain::index::SpaceState;
use domain::page::PageState;
use domain::ports::store::{AdminStore, SyncStore};
use domain::run::{RunKind, RunStatus};
use domain::sections::SectionChanges;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};

#[test]
fn a_poll_takes_up_new_and_edited_pages_and_nothing_else() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..60)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), &format!("<p>t{n}</p>"))
            })
            .collect();
        let index = bench.synced().await;
        // All pages are older than what the next poll reads again.
        bench.wait(3600).await;
        bench.site.edit(pages[0], "<p>zero anew</p>");
        bench.sweep(index.id).await;
        bench.site.take_log();
        let uploads = bench.shelf.uploads();

        bench.site.edit(pages[7], "<p>seven anew</p>");
        let new = bench
            .site
            .create_page("ENG", Some(pages[7]), "New", "<p>new</p>");
        let run = bench.delta(index.id).await;
        assert_eq!(run.kind, RunKind::Delta);
        assert_eq!((run.counts.fetched, run.counts.uploaded), (2, 2));
        assert_eq!(bench.shelf.uploads(), uploads + 2);
        bench.assert_true(index.id).await;
        assert_eq!(bench.state(index.id, new).await, PageState::Searchable);
        // Who am I, spaces, the poll, facts, bodies.
        let log = bench.site.take_log();
        assert_eq!(log.len(), 5, "{log:#?}");
    });
}

#[test]
fn a_quiet_poll_of_twenty_spaces_is_three_requests() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let keys: Vec<String> = (0..20).map(|n| format!("S{n}")).collect();
        for key in &keys {
            bench.site.space(key);
            for page in 0..5 {
                bench
                    .site
                    .create_page(key, None, &format!("P{page}"), "<p>x</p>");
            }
        }
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let index = bench.create(bench.index_settings("agent", &keys)).await;
        bench.over(index.id).await;
        bench.wait(1800).await;
        bench.site.take_log();
        let run = bench.delta(index.id).await;
        assert_eq!(run.status, RunStatus::Succeeded);
        let log = bench.site.take_log();
        assert!(log.len() <= 5, "{log:#?}");
    });
}

#[test]
fn a_renamed_ancestor_is_uploaded_again_with_all_below_it_and_no_body_is_fetched_for_them() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let top = bench.site.create_page("ENG", None, "Top", "<p>top</p>");
        let middle = bench
            .site
            .create_page("ENG", Some(top), "Middle", "<p>middle</p>");
        bench
            .site
            .create_page("ENG", Some(middle), "Leaf", "<p>leaf</p>");
        bench.site.create_page("ENG", None, "Aside", "<p>aside</p>");
        let index = bench.synced().await;
        let uploads = bench.shelf.uploads();
        bench.wait(60).await;
        bench.site.rename(top, "Summit");
        let run = bench.delta(index.id).await;
        assert_eq!((run.counts.fetched, run.counts.uploaded), (1, 3));
        assert_eq!(bench.shelf.uploads(), uploads + 3);
        bench.assert_true(index.id).await;
    });
}

#[test]
fn a_move_that_keeps_version_and_date_is_found_by_the_sweep() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        let a = bench.site.create_page("ENG", None, "A", "<p>a</p>");
        let b = bench.site.create_page("ENG", None, "B", "<p>b</p>");
        let c = bench.site.create_page("ENG", Some(a), "C", "<p>c</p>");
        let index = bench
            .create(bench.index_settings("agent", &["ENG", "OPS"]))
            .await;
        bench.over(index.id).await;
        bench.site.move_under(c, Some(b));
        bench.site.move_to_space(a, "OPS", None);
        let run = bench.sweep(index.id).await;
        assert_eq!((run.counts.fetched, run.counts.uploaded), (0, 2));
        bench.assert_true(index.id).await;
    });
}

#[test]
fn labels_change_with_the_sweep_and_choose_pages() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let a = bench.site.create_page("ENG", None, "A", "<p>a</p>");
        let b = bench.site.create_page("ENG", None, "B", "<p>b</p>");
        bench.site.label(a, "in");
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.labels = vec!["in".into()];
        settings.exclude_labels = vec!["out".into()];
        let index = bench.create(settings).await;
        bench.over(index.id).await;
        bench.assert_true(index.id).await;
        let page = bench.page(index.id, b).await;
        assert_eq!(page.state, PageState::Skipped);
        assert!(page.reason.unwrap().contains("labels"));

        bench.site.label(b, "in");
        bench.site.label(a, "out");
        let run = bench.sweep(index.id).await;
        assert_eq!((run.counts.uploaded, run.counts.deleted), (1, 1));
        bench.assert_true(index.id).await;
        assert_eq!(bench.state(index.id, a).await, PageState::Skipped);
    });
}

#[test]
fn a_renamed_space_is_followed_by_its_id() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "A", "<p>a</p>");
        let index = bench.synced().await;
        bench.site.rename_space("ENG", "Build");
        bench.site.rename_space_key("ENG", "BUILD");
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.uploaded), (RunStatus::Succeeded, 1));
        let index = bench.index(index.id).await;
        assert_eq!(index.spaces[0].current_key, Some("BUILD".into()));
        assert_eq!(index.spaces[0].state, SpaceState::Current);
        let document = bench.shelf.documents().into_values().next().unwrap();
        assert_eq!(document.metadata.space.as_str(), "BUILD");
        assert!(document.text.contains("\n\nBuild\n\n"), "{}", document.text);
    });
}

#[test]
fn blog_posts_come_by_choice_and_leave_when_the_choice_changes() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.create_page("ENG", None, "Page", "<p>page</p>");
        bench.site.create_blog_post("ENG", "Post", "<p>post</p>");
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.include_blog_posts = true;
        let index = bench.create(settings).await;
        bench.over(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.held().len(), 2);
        bench
            .patch(index.id, |s| s.include_blog_posts = false)
            .await;
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.held().len(), 1);
    });
}

#[test]
fn a_change_of_scope_takes_effect_with_the_next_run_and_is_exempt_from_the_guard() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        let root = bench.site.create_page("ENG", None, "Root", "<p>root</p>");
        for n in 0..30 {
            bench
                .site
                .create_page("ENG", Some(root), &format!("E{n}"), "<p>e</p>");
            bench
                .site
                .create_page("OPS", None, &format!("O{n}"), "<p>o</p>");
        }
        let index = bench
            .create(bench.index_settings("agent", &["ENG", "OPS"]))
            .await;
        bench.over(index.id).await;
        assert_eq!(bench.held().len(), 61);
        bench
            .patch(index.id, |s| s.confluence_spaces = vec!["ENG".into()])
            .await;
        let run = bench.sweep(index.id).await;
        assert_eq!((run.status, run.counts.deleted), (RunStatus::Succeeded, 30));
        bench.assert_true(index.id).await;

        let outside = bench.site.create_page("ENG", None, "Outside", "<p>x</p>");
        bench.sweep(index.id).await;
        bench
            .patch(index.id, |s| s.root_page_ids = vec![root.to_string()])
            .await;
        let run = bench.sweep(index.id).await;
        assert_eq!(run.status, RunStatus::Succeeded);
        bench.assert_true(index.id).await;
        assert_eq!(bench.state(index.id, outside).await, PageState::Skipped);
    });
}

#[test]
fn an_edit_during_the_upload_is_not_lost() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench.site.create_page("ENG", None, "A", "<p>first</p>");
        let index = bench.synced().await;
        bench.wait(60).await;
        bench.site.edit(page, "<p>second</p>");
        bench
            .shelf
            .with(|shelf| shelf.latency = std::time::Duration::from_secs(30));
        let order = actors::SyncOrder {
            full: Some(false),
            dry_run: false,
        };
        let run = bench.engine.sync(index.id, order).await.unwrap();
        bench.wait(10).await;
        bench.site.edit(page, "<p>third</p>");
        bench.ended(run.id).await;
        bench
            .shelf
            .with(|shelf| shelf.latency = std::time::Duration::ZERO);
        bench.delta(index.id).await;
        bench.assert_true(index.id).await;
    });
}

#[test]
fn two_indexes_share_bodies() {
    bench::run(|| async {
        let bench = Bench::new().await;
        for n in 0..40 {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), &format!("<p>t{n}</p>"));
        }
        bench.synced().await;
        let second = bench.create(bench.index_settings("other", &["ENG"])).await;
        let run = bench.over(second.id).await;
        assert_eq!(
            (run.status, run.counts.searchable),
            (RunStatus::Succeeded, 40)
        );
        let log = bench.site.take_log();
        assert!(!log.iter().any(|l| l.contains("bodies=true")), "{log:#?}");
        let held = bench.shelf.with(|shelf| {
            let sizes = shelf.documents.values().map(|stored| stored.len());
            sizes.collect::<Vec<_>>()
        });
        assert_eq!(held, [40, 40]);
    });
}

#[test]
fn a_walk_that_another_index_made_needless_is_not_gone_on_with() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let pages: Vec<ContentId> = (0..1000)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("P{n}"), "<p>text</p>")
            })
            .collect();
        bench
            .site
            .with(|site| site.latency = std::time::Duration::from_secs(5));
        let one = bench.create(bench.index_settings("one", &["ENG"])).await;
        let name = &format!("list/page/{}", bench.site.space_id("ENG"));
        bench.wait(17).await;
        let run = bench.store.open_run_of(one.id).await.unwrap().unwrap();
        bench.store.request_cancel(run.id).await.unwrap();
        bench.engine.cancel(run.id).await.unwrap();
        bench.ended(run.id).await;
        let mark = bench.store.checkpoint(one.id, name).await.unwrap();
        assert!(mark.is_some());
        bench
            .site
            .with(|site| site.latency = std::time::Duration::ZERO);
        let two = bench.create(bench.index_settings("two", &["ENG"])).await;
        bench.over(two.id).await;

        bench.sweep(one.id).await;
        assert!(
            bench
                .store
                .checkpoint(one.id, name)
                .await
                .unwrap()
                .is_none()
        );
        bench.site.trash(pages[0]);
        for index in [one.id, two.id] {
            assert_eq!(bench.sweep(index).await.counts.deleted, 1);
            bench.assert_true(index).await;
        }
    });
}

#[test]
fn two_indexes_made_at_once_fetch_and_convert_each_page_once() {
    bench::run(|| async {
        let bench = Bench::new().await;
        for n in 0..600 {
            bench
                .site
                .create_page("ENG", None, &format!("P{n}"), &format!("<p>t{n}</p>"));
        }
        bench
            .site
            .with(|site| site.latency = std::time::Duration::from_millis(700));
        let one = bench.create(bench.index_settings("one", &["ENG"])).await;
        let two = bench.create(bench.index_settings("two", &["ENG"])).await;
        let mut fetched = 0;
        for index in [one.id, two.id] {
            let run = bench.over(index).await;
            assert_eq!(
                (run.status, run.counts.searchable),
                (RunStatus::Succeeded, 600)
            );
            fetched += run.counts.fetched;
        }
        let log = bench.site.take_log();
        let with_bodies = log.iter().filter(|l| l.contains("bodies=true")).count();
        assert_eq!((with_bodies, fetched), (3, 600), "{log:#?}");
    });
}

#[test]
fn an_empty_body_on_a_page_that_had_text_is_not_believed_at_once() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let page = bench
            .site
            .create_page("ENG", None, "Live", "<p>long text</p>");
        let index = bench.synced().await;
        bench.wait(60).await;
        bench.site.edit(page, "");
        let run = bench.delta(index.id).await;
        assert_eq!(run.counts.uploaded, 0);
        assert_eq!(bench.finds(index.id, "long text").await, [page.to_string()]);
        assert!(
            bench
                .page(index.id, page)
                .await
                .reason
                .unwrap()
                .contains("empty")
        );
        bench.wait(60).await;
        bench.site.edit(page, "<p>longer text</p>");
        bench.delta(index.id).await;
        bench.assert_true(index.id).await;
    });
}

#[test]
fn quiet_polls_after_a_bulk_import_read_little() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let first = bench.site.create_page("ENG", None, "First", "<p>first</p>");
        bench.wait(3600).await;
        bench.site.edit(first, "<p>edited</p>");
        let index = bench.synced().await;
        let mut imported = Vec::new();
        for n in 0..600 {
            let (title, body) = (format!("P{n}"), format!("<p>t{n}</p>"));
            let then = bench.clock.true_now() - chrono::TimeDelta::milliseconds(500 * n);
            let site = bench.site.at(then);
            imported.push(site.create_page("ENG", None, &title, &body));
        }
        let seen = async |minutes: u64| {
            bench.wait(minutes * 60).await;
            bench.delta(index.id).await.counts.seen
        };
        assert_eq!(seen(1).await, 601);
        // What shows late within the overlap is still found: the window is read again until it is over.
        assert!(seen(1).await >= 600);
        assert!(seen(5).await >= 600);
        assert!(seen(10).await >= 600);
        for _ in 0..3 {
            let seen = seen(10).await;
            assert!(seen <= 600 / 10, "{seen}");
        }
        bench.site.edit(imported[3], "<p>later</p>");
        let seen = seen(1).await;
        assert!(seen <= 600 / 10, "{seen}");
        bench.assert_true(index.id).await;
    });
}

#[test]
fn an_edit_is_told_by_heading_for_the_time_that_was_asked_about() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let body = |limits: &str, faq: &str| {
            format!("<p>intro</p><h1>Limits</h1><p>{limits}</p><h2>Rollback</h2><p>same</p>{faq}")
        };
        let page =
            bench
                .site
                .create_page("ENG", None, "Runbook", &body("10", "<h1>Old</h1><p>x</p>"));
        let quiet = bench
            .site
            .create_page("ENG", None, "Quiet", &body("10", ""));
        let index = bench.synced().await;
        let began = bench.clock.true_now();
        let told = async |since| {
            let changes = bench
                .engine
                .recent_changes(index.id, since, None, 9)
                .await
                .unwrap();
            let sections = changes
                .into_iter()
                .map(|change| (change.page.id.to_string(), change.sections));
            sections.collect::<HashMap<_, _>>()
        };
        let named = |added: &[&str], edited: &[&str], removed: &[&str]| {
            let owned = |headings: &[&str]| headings.iter().map(|h| (*h).to_owned()).collect();
            SectionChanges {
                added: owned(added),
                edited: owned(edited),
                removed: owned(removed),
                ..SectionChanges::default()
            }
        };
        bench.wait(3600).await;
        bench.site.edit(page, &body("20", ""));
        bench.delta(index.id).await;
        let first = named(&[], &["Limits"], &["Old"]);
        assert_eq!(told(began).await[&page.to_string()], first);

        let between = bench.clock.true_now();
        bench.wait(3600).await;
        bench.site.edit(page, &body("20", "<h1>FAQ</h1><p>q</p>"));
        bench.delta(index.id).await;
        assert_eq!(
            told(between).await[&page.to_string()],
            named(&["FAQ"], &[], &[])
        );
        let both = named(&["FAQ"], &["Limits"], &["Old"]);
        assert_eq!(told(began).await[&page.to_string()], both);
        // A page of which one version is known has changed nothing.
        let ever = told(domain::Timestamp::UNIX_EPOCH).await;
        assert_eq!(ever[&quiet.to_string()], SectionChanges::default());
        assert_eq!(ever.len(), 2);
    });
}
