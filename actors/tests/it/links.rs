//! Which pages documents name: those that may be shown by the same index, and no others.

use domain::content::ContentKind;
use domain::holding::{Change, HoldingChange};
use domain::index::IndexSettings;
use domain::page::{CachedBody, Standing};
use domain::ports::source::Cursor;
use domain::ports::store::{AdminStore, QueryStore, SyncStore};
use domain::query::PageQuery;
use domain::run::RunStatus;
use domain::{DocumentId, IndexId, PageId};

use crate::bench::{self, Bench};

const SECRET: &str = "Layoffs in May";

/// Links to a page by its id and its address, in every form; none says its title.
fn by_id(page: u64) -> String {
    let address = format!("https://wiki.example/wiki/spaces/K/pages/{page}");
    format!(
        "<p>a <ac:link><ri:page ri:content-id=\"{page}\" /></ac:link>, \
         b <ac:link><ri:content-entity ri:content-id=\"{page}\" /><ac:link-body>own words</ac:link-body></ac:link>, \
         c <a href=\"{address}\">{address}</a>, d <a href=\"/wiki/pages/viewpage.action?pageId={page}\">there</a></p>\
         <ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-id=\"{page}\" /></ac:link></ac:parameter></ac:structured-macro>"
    )
}

/// What stands for them where nothing may be told of the page.
fn untold(page: u64) -> String {
    let by_id = format!("https://wiki.example/wiki/pages/viewpage.action?pageId={page}");
    let address = format!("https://wiki.example/wiki/spaces/K/pages/{page}");
    format!(
        "a <{by_id}>, b [own words]({by_id}), c <{address}>, d [there]({by_id})\n\n[Included page: <{by_id}>]"
    )
}

/// What stands for them where it may be.
fn told(page: u64, space: &str, title: &str) -> String {
    let to = format!("(https://wiki.example/wiki/spaces/{space}/pages/{page})");
    format!(
        "a [{title}]{to}, b [own words]{to}, c [{title}]{to}, d [there]{to}\n\n[Included page: [{title}]{to}]"
    )
}

/// A link by title.
fn by_title(title: &str) -> String {
    format!("<p>see <ac:link><ri:page ri:content-title=\"{title}\" /></ac:link></p>")
}

/// The body of the document that the store object of an index holds.
async fn body_in(bench: &Bench, index: IndexId, page: u64) -> String {
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
    type Hide = fn(&Bench) -> u64;
    const UNREADABLE: &str = "of readers who are not known yet";
    let ways: [(&str, Hide); 5] = [
        ("restricted", |bench| {
            let page = bench.site.add("10", None, SECRET, "<p>x</p>");
            bench.site.change(page, |page| page.restricted = true);
            page
        }),
        ("below a restricted page", |bench| {
            let top = bench.site.add("10", None, "Top", "<p>x</p>");
            bench.site.change(top, |page| page.restricted = true);
            bench.site.add("10", Some(top), SECRET, "<p>x</p>")
        }),
        ("left out by label", |bench| {
            let page = bench.site.add("10", None, SECRET, "<p>x</p>");
            bench
                .site
                .change(page, |page| page.labels = vec!["draft".into()]);
            page
        }),
        (UNREADABLE, |bench| {
            let folder = bench
                .site
                .add_kind(ContentKind::Container, "10", None, "F", "");
            bench.site.with(|site| {
                site.search_names_folders = false;
                site.unseen.insert(folder);
            });
            bench.site.add("10", Some(folder), SECRET, "<p>x</p>")
        }),
        ("of another index", |bench| {
            bench.site.add("11", None, SECRET, "<p>x</p>")
        }),
    ];
    for (way, hide) in ways {
        bench::run(move || async move {
            let bench = Bench::new().await;
            bench.site.space("11", "HR");
            let secret = hide(&bench);
            first_sync(&bench, bench.index_settings("hr", &["HR"])).await;
            let links = bench.site.add("10", None, "Links", &by_id(secret));
            let probe = bench.site.add("10", None, "Probe", &by_title(SECRET));
            let other = by_title("No such page");
            let other = bench.site.add("10", None, "Other probe", &other);
            let space = "<p><ac:link><ri:page ri:space-key=\"HR\" ri:content-title=\"Layoffs in May\" /><ac:link-body>h</ac:link-body></ac:link></p>";
            let foreign = bench.site.add("10", None, "Foreign probe", space);
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
        bench.site.space("11", "OPS");
        // Listed before what they point at, in a circle, across spaces.
        let first = bench.site.add("10", None, "First", "");
        let last_of_ops = bench.site.add("11", None, "Ops", &by_id(first));
        bench
            .site
            .change(first, |page| page.body = by_id(last_of_ops));
        for n in 0..300 {
            let space = ["10", "11"][n % 2];
            bench.site.add(space, None, &format!("P{n}"), "<p>x</p>");
        }
        let late = bench.site.add("11", None, "Late", &by_title("Late"));
        let to_late = bench.site.add("10", None, "To late", &by_id(late));
        let index = first_sync(&bench, bench.index_settings("agent", &["ENG", "OPS"])).await;
        let body = async |page| body_in(&bench, index, page).await;
        assert_eq!(body(first).await, told(last_of_ops, "11", "Ops"));
        assert_eq!(body(last_of_ops).await, told(first, "10", "First"));
        assert_eq!(body(to_late).await, told(late, "11", "Late"));
        let own = format!("see [Late](https://wiki.example/wiki/spaces/11/pages/{late})");
        assert_eq!(body(late).await, own);
        assert_eq!(bench.shelf.uploads(), 304, "each page once");
        assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
    });
}

#[test]
fn names_come_and_go_with_the_run_that_finds_out() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("11", "OPS");
        let target = bench.site.add("10", None, SECRET, "<p>x</p>");
        let links = bench.site.add("10", None, "Links", &by_id(target));
        let afar = bench.site.add("11", None, "Afar", &by_id(target));
        for n in 0..8 {
            bench.site.add("11", None, &format!("P{n}"), "<p>x</p>");
        }
        let index = first_sync(&bench, bench.index_settings("agent", &["ENG", "OPS"])).await;
        let expect = async |text: String| {
            for page in [links, afar] {
                assert_eq!(body_in(&bench, index, page).await, text);
            }
        };
        expect(told(target, "10", SECRET)).await;

        // A new title uploads nobody else.
        bench.wait(60).await;
        bench.site.rename(target, "Layoffs in June");
        for run in [bench.delta(index).await, bench.sweep(index).await] {
            assert!(run.counts.uploaded <= 1, "{:?}", run.counts);
        }
        expect(told(target, "10", SECRET)).await;
        let texts = text_of(&bench, index, links).await;
        assert_eq!(texts.trim(), told(target, "10", "Layoffs in June"));

        type Change = fn(&Bench, u64);
        let changes: [(Change, Change, u64); 3] = [
            (
                |bench, id| bench.site.change(id, |page| page.restricted = true),
                |bench, id| bench.site.change(id, |page| page.restricted = false),
                1,
            ),
            (
                |bench, id| bench.site.change(id, |page| page.hidden = true),
                |bench, id| bench.site.change(id, |page| page.hidden = false),
                0,
            ),
            (
                |bench, id| {
                    bench.site.change(id, |page| {
                        page.status = domain::content::ContentStatus::Trashed;
                    });
                },
                |bench, id| {
                    bench.site.change(id, |page| {
                        page.status = domain::content::ContentStatus::Current;
                    });
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
            expect(told(target, "10", "Layoffs in June")).await;
            assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
        }

        // A poll that sees it is as good.
        bench.wait(3600).await;
        bench.site.edit(target, "<p>y</p>");
        bench.site.change(target, |page| page.restricted = true);
        let run = bench.delta(index).await;
        assert_eq!((run.counts.uploaded, run.counts.deleted), (2, 1));
        expect(untold(target)).await;
        // A page that is made later is named from then on.
        bench.wait(60).await;
        let id = bench.site.with(|site| site.fresh_id());
        bench.site.edit(links, &by_id(id + 1));
        bench.delta(index).await;
        assert_eq!(body_in(&bench, index, links).await, untold(id + 1));
        bench.wait(60).await;
        assert_eq!(bench.site.add("11", None, "Made later", "<p>z</p>"), id + 1);
        assert_eq!(bench.delta(index).await.counts.uploaded, 2);
        let text = body_in(&bench, index, links).await;
        assert_eq!(text, told(id + 1, "11", "Made later"));
    });
}

async fn text_of(bench: &Bench, index: IndexId, page: u64) -> String {
    let page = PageQuery::Id(PageId::from(page.to_string()));
    let read = bench.engine.read_page(index, page).await;
    read.unwrap().unwrap().markdown
}

#[test]
fn what_is_shown_of_a_page_names_nobody_who_is_hidden_by_now() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let target = bench.site.add("10", None, SECRET, "<p>x</p>");
        let links = bench.site.add("10", None, "Links", &by_id(target));
        let index = bench.synced().await.id;
        let shown = text_of(&bench, index, links).await;
        assert_eq!(shown.trim(), told(target, "10", SECRET));
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
        let target = bench.site.add("10", None, SECRET, "<p>x</p>");
        let links = bench.site.add("10", None, "Links", &by_id(target));
        let others: Vec<u64> = (0..28)
            .map(|n| bench.site.add("10", None, &format!("Page {n}"), "<p>x</p>"))
            .collect();
        let mut settings = bench.index_settings("agent", &["ENG"]);
        settings.exclude_labels = vec!["old".into()];
        let index = first_sync(&bench, settings).await;
        for id in others[..11].iter().chain([&links]) {
            bench
                .site
                .change(*id, |page| page.labels = vec!["old".into()]);
        }
        let asked = bench.sweep(index).await;
        assert_eq!(asked.status, RunStatus::NeedsConfirmation);
        bench.store.answer_guard(asked.id, false).await.unwrap();
        assert_eq!(bench.sweep(index).await.counts.uploaded, 0);
        assert_eq!(
            body_in(&bench, index, links).await,
            told(target, "10", SECRET)
        );
        bench.site.change(target, |page| page.restricted = true);
        assert_eq!(bench.sweep(index).await.counts.uploaded, 1);
        assert_eq!(body_in(&bench, index, links).await, untold(target));
    });
}

#[test]
fn indexes_that_share_bodies_name_each_its_own_pages() {
    bench::run(|| async {
        let bench = Bench::new().await;
        bench.site.space("11", "HR");
        let target = bench.site.add("11", None, SECRET, "<p>x</p>");
        let links = bench.site.add("10", None, "Links", &by_id(target));
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
        let named = told(target, "11", SECRET);
        expect([named.clone(), untold(target), named.clone()]).await;
        bench.site.change(target, |page| page.restricted = true);
        for index in [narrow, wide, vouched] {
            bench.sweep(index).await;
        }
        expect([untold(target), untold(target), named]).await;
        // A space that enters brings its names with it.
        bench.site.change(target, |page| page.restricted = false);
        bench
            .patch(narrow, |s| {
                s.confluence_spaces = vec!["ENG".into(), "HR".into()]
            })
            .await;
        bench.sweep(wide).await;
        let run = bench.sweep(narrow).await;
        assert_eq!(run.status, RunStatus::Succeeded);
        let named = told(target, "11", SECRET);
        expect([named.clone(), named.clone(), named]).await;
    });
}

#[test]
fn comments_tell_nothing_either() {
    bench::run(|| async {
        let bench = Bench::new().await;
        let target = bench.site.add("10", None, SECRET, "<p>x</p>");
        bench.site.change(target, |page| page.restricted = true);
        let page = bench.site.add("10", None, "A", "<p>text</p>");
        let link = |id: u64| {
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
        bench.site.change(target, |page| page.restricted = false);
        assert_eq!(bench.sweep(index).await.counts.uploaded, 2);
        let told =
            format!("> as [{SECRET}](https://wiki.example/wiki/spaces/10/pages/{target}) says");
        let text = body_in(&bench, index, page).await;
        assert!(text.ends_with(&told), "{text}");
        bench.wait(60).await;
        bench.site.change(target, |page| page.restricted = true);
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
            let target = bench.site.add("10", None, SECRET, "<p>x</p>");
            bench.site.change(target, |page| page.restricted = true);
            let links = bench.site.add("10", None, "Links", &by_id(target));
            let plain = bench.site.add("10", None, "Plain", "<p>no links</p>");
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
                        "a [{SECRET}](https://wiki.example/wiki/spaces/10/pages/{target})\n"
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
