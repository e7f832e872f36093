//! What an older converter made is made anew by the next run of any kind: without a crawl, and uploaded only where the text
//! is another.

use domain::comments::CachedComment;
use domain::document::markdown_hash;
use domain::page::PageRecord;
use domain::ports::store::{QueryStore, SyncStore};
use domain::run::{RunKind, RunStatus};
use domain::{IndexId, PageId};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};

/// The checkpoint that tells which converter an index has seen.
pub const WALK: &str = "converter";

/// Puts in place of a page's body what an older converter made of it.
pub async fn made_by_an_older_one(
    bench: &Bench,
    index: IndexId,
    page: ContentId,
    markdown: Option<&str>,
) {
    let ids = [PageId::from(page.to_string())];
    let mut body = bench.store.bodies(&ids).await.unwrap().remove(0);
    let record = bench
        .store
        .pages_by_id(index, &ids)
        .await
        .unwrap()
        .remove(0);
    let text = &mut body.text;
    if let Some(markdown) = markdown {
        text.markdown = markdown.to_owned();
    }
    text.converter -= 1;
    text.markdown_hash = markdown_hash(&text.markdown);
    let record = PageRecord {
        markdown_hash: Some(text.markdown_hash.clone()),
        ..record
    };
    bench
        .store
        .save_pages(&[record], &[], vec![body])
        .await
        .unwrap();
}

#[test]
fn a_newer_converter_costs_no_crawl_and_uploads_only_other_text() {
    for kind in [RunKind::Delta, RunKind::Sweep] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            let pages: Vec<ContentId> = (0..20)
                .map(|n| {
                    let body = format!("<p>text of {n}</p>");
                    bench.site.create_page("ENG", None, &format!("P{n}"), &body)
                })
                .collect();
            let index = bench.synced().await;
            let now = bench.store.checkpoint(index.id, WALK).await.unwrap();
            for page in &pages[..3] {
                made_by_an_older_one(&bench, index.id, *page, Some("older words\n")).await;
            }
            for page in &pages[3..10] {
                made_by_an_older_one(&bench, index.id, *page, None).await;
            }
            // The store holds what the older one made.
            bench.sweep(index.id).await;
            let older = bench
                .held()
                .values()
                .filter(|text| text.contains("older words"))
                .count();
            assert_eq!(older, 3);

            bench.wait(3600).await;
            bench
                .store
                .set_checkpoint(index.id, WALK, None)
                .await
                .unwrap();
            bench.site.take_log();
            let uploads = bench.shelf.uploads();
            let run = match kind {
                RunKind::Delta => bench.delta(index.id).await,
                _ => bench.sweep(index.id).await,
            };
            assert_eq!((run.kind, run.status), (kind, RunStatus::Succeeded));
            assert_eq!((run.counts.fetched, run.counts.uploaded), (0, 3));
            assert_eq!(bench.shelf.uploads(), uploads + 3);
            let log = bench.site.take_log();
            assert!(
                !log.iter().any(|request| request.contains("bodies=true")),
                "{log:#?}"
            );
            bench.assert_true(index.id).await;
            let ids: Vec<PageId> = pages.iter().map(|id| id.to_string().into()).collect();
            let kept = bench.store.texts(&ids).await.unwrap();
            let newest = kept.iter().map(|text| text.converter).max();
            assert!(kept.iter().all(|text| Some(text.converter) == newest));
            assert_eq!(bench.store.checkpoint(index.id, WALK).await.unwrap(), now);

            // Once is enough.
            let again = bench.delta(index.id).await;
            assert_eq!((again.counts.fetched, again.counts.uploaded), (0, 0));
        });
    }
}

#[test]
fn comments_are_made_anew_by_the_next_run_of_any_kind_as_well() {
    for kind in [RunKind::Delta, RunKind::Sweep] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            let pages: Vec<ContentId> = (0..4)
                .map(|n| {
                    bench
                        .site
                        .create_page("ENG", None, &format!("P{n}"), "<p>text</p>")
                })
                .collect();
            for page in &pages[..3] {
                bench.site.comment(*page, "<p>newer words</p>");
            }
            let mut settings = bench.index_settings("agent", &["ENG"]);
            settings.include_comments = true;
            let index = bench.create(settings).await.id;
            assert_eq!(bench.over(index).await.status, RunStatus::Succeeded);
            let ids: Vec<PageId> = pages.iter().map(|id| id.to_string().into()).collect();
            let newest = bench.store.comments_of(&ids).await.unwrap()[0].converter;
            // The store holds what an older one made of the comments of two pages; those of the third it made alike.
            for converter in [newest, newest - 1] {
                let kept = bench.store.comments_of(&ids).await.unwrap();
                let older = kept.into_iter().map(|comment| CachedComment {
                    markdown: match comment.page_id == ids[2] {
                        true => comment.markdown.clone(),
                        false => "older words\n".to_owned(),
                    },
                    converter,
                    ..comment
                });
                let older: Vec<CachedComment> = older.collect();
                bench.store.save_comments(&older, &[]).await.unwrap();
                if converter == newest {
                    assert_eq!(bench.sweep(index).await.counts.uploaded, 2);
                }
            }
            let checkpoint = bench.store.checkpoint(index, WALK).await.unwrap();
            bench.store.set_checkpoint(index, WALK, None).await.unwrap();
            let run = match kind {
                RunKind::Delta => bench.delta(index).await,
                _ => bench.sweep(index).await,
            };
            assert_eq!((run.kind, run.status), (kind, RunStatus::Succeeded));
            assert_eq!((run.counts.fetched, run.counts.uploaded), (0, 2));
            let kept = bench.store.comments_of(&ids).await.unwrap();
            assert!(kept.iter().all(|comment| comment.converter == newest));
            let told = bench.held();
            let told = told.values().filter(|text| text.contains("newer words"));
            assert_eq!((kept.len(), told.count()), (3, 3));
            let after = bench.store.checkpoint(index, WALK).await.unwrap();
            assert_eq!(after, checkpoint);
            let again = bench.delta(index).await;
            assert_eq!((again.counts.fetched, again.counts.uploaded), (0, 0));
        });
    }
}
