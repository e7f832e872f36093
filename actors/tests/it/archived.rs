//! Archived spaces: search leaves them out unless it is told not to. They are indexed and followed as cheaply as others.

use domain::index::{Index, SpaceState};
use domain::run::RunStatus;
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};

async fn archived(bench: &Bench, pages: usize) -> (Index, Vec<ContentId>) {
    let ids: Vec<ContentId> = (0..pages)
        .map(|n| {
            let (title, body) = (format!("P{n}"), format!("<p>t{n}</p>"));
            bench.site.create_page("ENG", None, &title, &body)
        })
        .collect();
    // Long behind whatever the lists of the whole site show first.
    let then = bench.clock.true_now() - chrono::TimeDelta::days(400);
    for id in &ids[..40] {
        let site = bench.site.at(then);
        site.comment(*id, &format!("<p>comment on {id}</p>"));
        let data = format!("file of {id}");
        site.attach(*id, "a.txt", "text/plain", data.as_bytes());
    }
    bench.site.archive_space("ENG");
    let mut settings = bench.index_settings("agent", &["ENG"]);
    settings.include_comments = true;
    settings.include_attachments = true;
    let index = bench.create(settings).await;
    let run = bench.over(index.id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
    (index, ids)
}

#[test]
fn a_space_archived_before_is_complete_after_one_run() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, _) = archived(&bench, 300).await;
        bench.assert_true(index.id).await;
        let now = bench.index(index.id).await;
        assert_eq!(now.spaces[0].state, SpaceState::Archived);
        assert_eq!(now.document_count, 340);
        let log = bench.site.take_log();
        let asked = log.iter().filter(|line| !line.contains("download"));
        assert!(asked.count() < 25, "{log:#?}");
    });
}

#[test]
fn labels_and_restrictions_in_an_archived_space_are_followed() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let (index, ids) = archived(&bench, 60).await;
        bench
            .patch(index.id, |s| s.exclude_labels = vec!["old".to_owned()])
            .await;
        bench.over(index.id).await;
        bench.site.label(ids[3], "old");
        bench.site.close(ids[4]);
        bench.wait(60).await;
        bench.site.take_log();
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
        assert!(bench.site.take_log().len() < 20);
    });
}

#[test]
fn a_space_that_is_archived_while_it_is_indexed_stays_current() {
    bench::run(|| async {
        let bench = Bench::new().await;
        for n in 0..60 {
            let body = format!("<p>t{n}</p>");
            bench.site.create_page("ENG", None, &format!("P{n}"), &body);
        }
        let index = bench.synced().await;
        bench.site.archive_space("ENG");
        let restricted = &bench.site.every_page()[..5];
        for page in restricted {
            bench.site.close(page.id);
        }
        bench.wait(60).await;
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.index(index.id).await.document_count, 55);
        let log = bench.site.take_log();
        assert!(log.len() < 15, "{log:#?}");
        // And back again.
        bench.site.unarchive_space("ENG");
        for page in restricted {
            bench.site.unrestrict(page.id);
        }
        bench.sweep(index.id).await;
        bench.assert_true(index.id).await;
        assert_eq!(bench.index(index.id).await.document_count, 60);
    });
}
