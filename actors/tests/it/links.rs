//! Which pages documents name: those that may be shown by the same index, and no others.

use domain::holding::{Change, HoldingChange};
use domain::index::IndexSettings;
use domain::page::{CachedBody, Standing};
use domain::ports::source::Cursor;
use domain::ports::store::{AdminStore, QueryStore, SyncStore};
use domain::query::PageQuery;
use domain::run::RunStatus;
use domain::{DocumentId, IndexId, PageId};
use simulators::confluence::ContentId;

use crate::bench::{self, Bench};

const SECRET: &str = "Layoffs in May";

/// Links to a page by its id and its address, in every form; none says its title.
fn by_id(page: ContentId) -> String {
    let address = format!("https://wiki.example/wiki/spaces/K/pages/{page}");
    format!(
        "<p>a <ac:link><ri:page ri:content-id=\"{page}\" /></ac:link>, \
         b <ac:link><ri:content-entity ri:content-id=\"{page}\" /><ac:link-body>own words</ac:link-body></ac:link>, \
         c <a href=\"{address}\">{address}</a>, d <a href=\"/wiki/pages/viewpage.action?pageId={page}\">there</a></p>\
         <ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-id=\"{page}\" /></ac:link></ac:parameter></ac:structured-macro>"
    )
}

/// What stands for them where nothing may be told of the page.
fn untold(page: ContentId) -> String {
    let by_id = format!("https://wiki.example/wiki/pages/viewpage.action?pageId={page}");
    let address = format!("https://wiki.example/wiki/spaces/K/pages/{page}");
    format!(
        "a <{by_id}>, b [own words]({by_id}), c <{address}>, d [there]({by_id})\n\n[Included page: <{by_id}>]"
    )
}

/// What stands for them where it may be.
fn told(page: ContentId, space: &str, title: &str) -> String {
    let slug = title.replace(' ', "+");
    let to = format!("(https://wiki.example/wiki/spaces/{space}/pages/{page}/{slug})");
    format!(
        "a [{title}]{to}, b [own words]{to}, c [{title}]{to}, d [there]{to}\n\n[Included page: [{title}]{to}]"
    )
}

/// A link by title.
fn by_title(title: &str) -> String {
    format!("<p>see <ac:link><ri:page ri:content-title=\"{title}\" /></ac:link></p>")
}

/// The body of the document that the store object of an index holds.
async fn body_in(bench: &Bench, index: IndexId, page: ContentId) -> String {
    let remote = bench.index(index).await.remote.unwrap().id;
    let id = DocumentId::from(format!("confluence-page-{page}"));
    let text = bench
        .shelf
        .with(|shelf| shelf.documents[&remote][&id].text.clone());
    text.splitn(5, '\n').nth(4).unwrap().trim().to_owned()
}

async fn first_sync(bench: &Bench, settings: IndexSettings) -> IndexId {
    let index = bench.create(settings).await.id;
    let run = bench.over(index).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
    bench.site.take_log();
    index
}

#[test]
fn documents_tell_nothing_of_pages_that_may_not_be_shown() {
    type Hide = fn(&Bench) -> ContentId;
    const UNREADABLE: &str = "of readers who are not known yet";
    let ways: [(&str, Hide); 5] = [
        ("restricted", |bench| {
            let page = bench.site.create_page("ENG", None, SECRET, "<p>x</p>");
            bench.site.close(page);
            page
        }),
        ("below a restricted page", |bench| {
            let top = bench.site.create_page("ENG", None, "Top", "<p>x</p>");
            bench.site.close(top);
            bench.site.create_page("ENG", Some(top), SECRET, "<p>x</p>")
        }),
        ("left out by label", |bench| {
            let page = bench.site.create_page("ENG", None, SECRET, "<p>x</p>");
            bench.site.label(page, "draft");
            page
        }),
        (UNREADABLE, |bench| {
            let folder = bench.site.create_folder("ENG", None, "F");
            bench.site.with(|site| {
                site.folders_unnamed = true;
                site.unseen.insert(folder);
            });
            bench
                .site
                .create_page("ENG", Some(folder), SECRET, "<p>x</p>")
        }),
        ("of another index", |bench| {
            bench.site.create_page("HR", None, SECRET, "<p>x</p>")
        }),
    ];
    for (way, hide) in ways {
        bench::run(move || async move {
            let bench = Bench::new().await;
            bench.site.space("HR");
            let secret = hide(&bench);
            first_sync(&bench, bench.index_settings("hr", &["HR"])).await;
            let links = bench.site.create_page("ENG", None, "Links", &by_id(secret));
            let probe = bench
                .site
                .create_page("ENG", None, "Probe", &by_title(SECRET));
            let other = by_title("No such page");
            let other = bench.site.create_page("ENG", None, "Other probe", &other);
            let space = "<p><ac:link><ri:page ri:space-key=\"HR\" ri:content-title=\"Layoffs in May\" /><ac:link-body>h</ac:link-body></ac:link></p>";
            let foreign = bench.site.create_page("ENG", None, "Foreign probe", space);
            let mut settings = bench.index_settings("agent", &["ENG"]);
            settings.exclude_labels = vec!["draft".into()];
            let index = bench.create(settings).await.id;
            let run = bench.over(index).await;
            // A page of which nobody says who may read it stays out, and the run tells so.
            let expected = match way {
                UNREADABLE => (RunStatus::Partial, Some("incomplete")),
                _ => (RunStatus::Succeeded, None),
            };
            let code = run.error.as_ref().map(|error| error.code.as_str());
            assert_eq!((run.status, code), expected, "{way}");
            bench.site.take_log();
            let body = async |page| body_in(&bench, index, page).await;
            assert_eq!(body(links).await, untold(secret), "{way}");
            assert_eq!(body(probe).await, "see Layoffs in May", "{way}");
            assert_eq!(body(other).await, "see No such page", "{way}");
            assert_eq!(body(foreign).await, "h (Layoffs in May)", "{way}");
            let found = bench.ask(index, SECRET).await.results;
            let ids: Vec<String> = found.iter().map(|r| r.page.page.id.to_string()).collect();
            assert!(!ids.contains(&links.to_string()), "{way}: {ids:?}");
            for run in [bench.sweep(index).await, bench.delta(index).await] {
                assert_eq!((run.counts.uploaded, run.counts.fetched), (0, 0), "{way}");
            }
        });
    }
}

#[test]
fn documents_name_pages_of_their_index_wherever_they_stand_and_are_uploaded_once() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        // Listed before what they point at, in a circle, across spaces.
        let first = bench.site.create_page("ENG", None, "First", "");
        let last_of_ops = bench.site.create_page("OPS", None, "Ops", &by_id(first));
        bench.site.edit(first, &by_id(last_of_ops));
        for n in 0..300 {
            let space = ["ENG", "OPS"][n % 2];
            bench
                .site
                .create_page(space, None, &format!("P{n}"), "<p>x</p>");
        }
        let late = bench
            .site
            .create_page("OPS", None, "Late", &by_title("Late"));
        let to_late = bench.site.create_page("ENG", None, "To late", &by_id(late));
        let index = first_sync(&bench, bench.index_settings("agent", &["ENG", "OPS"])).await;
        let body = async |page| body_in(&bench, index, page).await;
        assert_eq!(body(first).await, told(last_of_ops, "OPS", "Ops"));
        assert_eq!(body(last_of_ops).await, told(first, "ENG", "First"));
        assert_eq!(body(to_late).await, told(late, "OPS", "Late"));
        let own = format!("see [Late](https://wiki.example/wiki/spaces/OPS/pages/{late}/Late)");
        assert_eq!(body(late).await, own);
        assert_eq!(bench.shelf.uploads(), 304, "each page once");
        assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
    });
}

#[test]
fn names_come_and_go_with_the_run_that_finds_out() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("OPS");
        let target = bench.site.create_page("ENG", None, SECRET, "<p>x</p>");
        let links = bench.site.create_page("ENG", None, "Links", &by_id(target));
        let afar = bench.site.create_page("OPS", None, "Afar", &by_id(target));
        for n in 0..8 {
            bench
                .site
                .create_page("OPS", None, &format!("P{n}"), "<p>x</p>");
        }
        let index = first_sync(&bench, bench.index_settings("agent", &["ENG", "OPS"])).await;
        let expect = async |text: String| {
            for page in [links, afar] {
                assert_eq!(body_in(&bench, index, page).await, text);
            }
        };
        expect(told(target, "ENG", SECRET)).await;

        // A new title uploads nobody else.
        bench.wait(60).await;
        bench.site.rename(target, "Layoffs in June");
        for run in [bench.delta(index).await, bench.sweep(index).await] {
            assert!(run.counts.uploaded <= 1, "{:?}", run.counts);
        }
        expect(told(target, "ENG", SECRET)).await;
        let texts = text_of(&bench, index, links).await;
        assert_eq!(texts.trim(), told(target, "ENG", "Layoffs in June"));

        type Change = fn(&Bench, ContentId);
        let changes: [(Change, Change, u64); 3] = [
            (
                |bench, id| bench.site.close(id),
                |bench, id| bench.site.unrestrict(id),
                1,
            ),
            (
                |bench, id| bench.site.hide(id),
                |bench, id| bench.site.unrestrict(id),
                0,
            ),
            (
                |bench, id| {
                    bench.site.trash(id);
                },
                |bench, id| {
                    bench.site.restore(id);
                },
                1,
            ),
        ];
        for (hide, show, stored_anew) in changes {
            bench.wait(3600).await;
            hide(&bench, target);
            let run = bench.sweep(index).await;
            assert_eq!((run.counts.uploaded, run.counts.fetched), (2, 0));
            expect(untold(target)).await;
            assert!(bench.finds(index, "Layoffs").await.is_empty());
            assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
            show(&bench, target);
            let run = bench.sweep(index).await;
            let uploaded = u64::try_from(run.counts.uploaded).unwrap();
            assert!(
                (2..=2 + stored_anew + 1).contains(&uploaded),
                "{:?}",
                run.counts
            );
            expect(told(target, "ENG", "Layoffs in June")).await;
            assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
        }

        // A poll that sees it is as good.
        bench.wait(3600).await;
        bench.site.edit(target, "<p>y</p>");
        bench.site.close(target);
        let run = bench.delta(index).await;
        assert_eq!((run.counts.uploaded, run.counts.deleted), (2, 1));
        expect(untold(target)).await;
        // A page that is made later is named from then on.
        bench.wait(60).await;
        let last = bench.site.create_page("OPS", None, "Gone", "");
        bench.site.purge(last);
        let later = ContentId(last.0 + 1);
        bench.site.edit(links, &by_id(later));
        bench.delta(index).await;
        assert_eq!(body_in(&bench, index, links).await, untold(later));
        bench.wait(60).await;
        assert_eq!(
            bench
                .site
                .create_page("OPS", None, "Made later", "<p>z</p>"),
            later
        );
        assert_eq!(bench.delta(index).await.counts.uploaded, 2);
        let text = body_in(&bench, index, links).await;
        assert_eq!(text, told(later, "OPS", "Made later"));
    });
}

async fn text_of(bench: &Bench, index: IndexId, page: ContentId) -> String {
    let page = PageQuery::Id(PageId::from(page.to_string()));
    let read = bench.engine.read_page(index, page).await;
    read.unwrap().unwrap().markdown
}

#[test]
fn what_is_shown_of_a_page_names_nobody_who_is_hidden_by_now() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let target = bench.site.create_page("ENG", None, SECRET, "<p>x</p>");
        let links = bench.site.create_page("ENG", None, "Links", &by_id(target));
        let index = bench.synced().await.id;
        let shown = text_of(&bench, index, links).await;
        assert_eq!(shown.trim(), told(target, "ENG", SECRET));
        let id = PageId::from(target.to_string());
        let mut rows = bench.store.pages_by_id(index, &[id]).await.unwrap();
        rows[0].standing = Standing::Skipped;
        bench
            .store
            .save_pages(&rows, &[], Vec::new())
            .await
            .unwrap();
        let shown = text_of(&bench, index, links).await;
        assert_eq!(shown.trim(), untold(target));
    });
}

#[test]
fn a_page_that_the_administrator_keeps_names_nobody_who_is_hidden_by_now() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let target = bench.site.create_page("ENG", None, SECRET, "<p>x</p>");
        let links = bench.site.create_page("ENG", None, "Links", &by_id(target));
        let others: Vec<ContentId> = (0..28)
            .map(|n| {
                bench
                    .site
                    .create_page("ENG", None, &format!("Page {n}"), "<p>x</p>")
            })
            .collect();
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.exclude_labels = vec!["old".into()];
        let index = first_sync(&bench, settings).await;
        for id in others[..11].iter().chain([&links]) {
            bench.site.label(*id, "old");
        }
        let asked = bench.sweep(index).await;
        assert_eq!(asked.status, RunStatus::NeedsConfirmation);
        bench.store.answer_guard(asked.id, false).await.unwrap();
        assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
        assert_eq!(
            body_in(&bench, index, links).await,
            told(target, "ENG", SECRET)
        );
        bench.site.close(target);
        assert_eq!(bench.sweep(index).await.counts.uploaded, 1);
        assert_eq!(body_in(&bench, index, links).await, untold(target));
    });
}

#[test]
fn indexes_that_share_bodies_name_each_its_own_pages() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("HR");
        let target = bench.site.create_page("HR", None, SECRET, "<p>x</p>");
        let links = bench.site.create_page("ENG", None, "Links", &by_id(target));
        let wide = first_sync(&bench, bench.index_settings("wide", &["ENG", "HR"])).await;
        let narrow = first_sync(&bench, bench.index_settings("narrow", &["ENG"])).await;
        let mut vouched = bench.index_settings("vouched", &["HR", "ENG"]);
        vouched.restricted_pages = domain::index::RestrictedPages::Include;
        let vouched = first_sync(&bench, vouched).await;
        let expect = async |texts: [String; 3]| {
            for (index, text) in [wide, narrow, vouched].into_iter().zip(texts) {
                assert_eq!(body_in(&bench, index, links).await, text);
                assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
            }
        };
        let named = told(target, "HR", SECRET);
        expect([named.clone(), untold(target), named.clone()]).await;
        bench.site.close(target);
        for index in [narrow, wide, vouched] {
            bench.sweep(index).await;
        }
        expect([untold(target), untold(target), named]).await;
        // A space that enters brings its names with it.
        bench.site.unrestrict(target);
        bench
            .patch(narrow, |s| {
                s.confluence_spaces = vec!["ENG".into(), "HR".into()]
            })
            .await;
        bench.sweep(wide).await;
        let run = bench.sweep(narrow).await;
        assert_eq!(run.status, RunStatus::Succeeded);
        let named = told(target, "HR", SECRET);
        expect([named.clone(), named.clone(), named]).await;
    });
}

#[test]
fn comments_tell_nothing_either() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let target = bench.site.create_page("ENG", None, SECRET, "<p>x</p>");
        bench.site.close(target);
        let page = bench.site.create_page("ENG", None, "A", "<p>text</p>");
        let link = |id: ContentId| {
            format!(
                "<p>as <ac:link><ri:content-entity ri:content-id=\"{id}\" /></ac:link> says</p>"
            )
        };
        bench.site.comment(page, &link(target));
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.include_comments = true;
        let index = first_sync(&bench, settings).await;
        let untold =
            format!("> as <https://wiki.example/wiki/pages/viewpage.action?pageId={target}> says");
        let text = body_in(&bench, index, page).await;
        assert!(text.ends_with(&untold), "{text}");
        bench.site.unrestrict(target);
        assert_eq!(bench.sweep(index).await.counts.uploaded, 2);
        let told = format!(
            "> as [{SECRET}](https://wiki.example/wiki/spaces/ENG/pages/{target}/Layoffs+in+May) says"
        );
        let text = body_in(&bench, index, page).await;
        assert!(text.ends_with(&told), "{text}");
        bench.wait(60).await;
        bench.site.close(target);
        assert_eq!(bench.sweep(index).await.counts.uploaded, 1);
        let text = body_in(&bench, index, page).await;
        assert!(text.ends_with(&untold), "{text}");
        assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
    });
}

#[test]
fn what_an_older_converter_told_is_converted_anew_by_the_next_run_of_any_kind() {
    for sweeps in [true, false] {
        bench::run(move || async move {
            let bench = Bench::new().await;
            let target = bench.site.create_page("ENG", None, SECRET, "<p>x</p>");
            bench.site.close(target);
            let links = bench.site.create_page("ENG", None, "Links", &by_id(target));
            let plain = bench
                .site
                .create_page("ENG", None, "Plain", "<p>no links</p>");
            let index = bench.synced().await.id;
            // As an older release left it: the title stands in the kept Markdown.
            let ids = [links, plain].map(|id| PageId::from(id.to_string()));
            let mut old = bench.store.bodies(&ids).await.unwrap();
            let newest = old[0].text.converter;
            let mut rows = bench.store.pages_by_id(index, &ids[..1]).await.unwrap();
            for CachedBody { text, .. } in &mut old {
                text.converter -= 1;
                if text.page_id == ids[0] {
                    text.markdown = format!(
                        "a [{SECRET}](https://wiki.example/wiki/spaces/ENG/pages/{target}/Layoffs+in+May)\n"
                    );
                    text.markdown_hash = domain::document::markdown_hash(&text.markdown);
                    rows[0].markdown_hash = Some(text.markdown_hash.clone());
                }
            }
            rows[0].links = domain::links::Links::default();
            bench.store.save_pages(&rows, &[], old).await.unwrap();
            let held = Some("0".repeat(64));
            let changes = [Change::Want(held.clone()), Change::Listed(Some(held))];
            let changes = changes.map(|change| HoldingChange {
                page_id: ids[0].clone(),
                kind: rows[0].kind,
                change,
            });
            let serving = bench.store.index_state(index).await.unwrap().serving;
            bench
                .store
                .change_holdings(serving, &changes)
                .await
                .unwrap();
            let before = Cursor((newest - 1).to_string());
            bench
                .store
                .set_checkpoint(index, "converter", Some(&before))
                .await
                .unwrap();
            let run = match sweeps {
                true => bench.sweep(index).await,
                false => bench.delta(index).await,
            };
            assert_eq!((run.counts.uploaded, run.counts.fetched), (1, 0));
            let log = bench.site.take_log();
            assert!(!log.iter().any(|l| l.contains("bodies=true")), "{log:#?}");
            assert_eq!(body_in(&bench, index, links).await, untold(target));
            for text in bench.store.texts(&ids).await.unwrap() {
                assert!(!text.markdown.contains(SECRET));
                assert_eq!(text.converter, newest);
            }
        });
    }
}
