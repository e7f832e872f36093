//! A database that an older version left behind is brought up to date, and each of its rows keeps its meaning.

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use domain::PageId;
use domain::holding::{Flight, Have, Holding};
use domain::index::{BackendKind, Remote};
use domain::page::PageState;
use domain::ports::store::{AdminStore, QueryStore, SyncStore};
use metastore::{DatabaseUrl, Metastore, MetastoreOptions};

use crate::bed::Bed;

/// As the last version before holdings wrote it: pages in every state, uploads that were stopped, removals that wait, an open
/// move, objects to be removed.
const BEFORE: &str = include_str!("../fixtures/before_holdings.sql");

/// The index with all of that.
const OPS: &str = "01a21fbd-4d70-7457-957c-57798a55961b";

/// What is kept once for a site is as it was, and under its key.
#[tokio::test]
async fn what_an_older_version_kept_is_of_the_one_site() {
    let bed = upgraded();
    let mut raw = raw(&bed);
    let pages = ["98344", "98346", "98348"].map(PageId::from);
    let mut texts = bed.store.texts(&pages).await.unwrap();
    texts.sort_by(|a, b| a.page_id.cmp(&b.page_id));
    let kept: Vec<_> = texts
        .iter()
        .map(|t| (t.page_id.as_str(), t.version, t.markdown.is_empty()))
        .collect();
    let is = [
        ("98344", 8, false),
        ("98346", 14, false),
        ("98348", 11, false),
    ];
    assert_eq!(kept, is);
    let used = bed.store.disk_use().await.unwrap();
    assert_eq!((used.bodies, used.bodies_bytes), (3, 1620 + 2901 + 1950));
    let person = ["712020:8a41c6d2-0b3e-4f97-8c15-2e7d90b6a331".into()];
    let people = bed.store.known_people(&person).await.unwrap();
    assert_eq!(people, [(person[0].clone(), "Jonas Weber".to_owned())]);

    // Another site may have a page, a comment and a person of the same ids: nobody takes one for the other.
    raw.batch_execute(
        "INSERT INTO sites (id, base_url) VALUES (2, 'https://other.example');
         INSERT INTO bodies (site_id, page_id, kind, version, converter, markdown_hash, stored_bytes, text_bytes, markdown, storage)
         SELECT 2, page_id, kind, 77, converter, markdown_hash, 5, 9, markdown, storage FROM bodies;
         INSERT INTO people (site_id, account_id, display_name) SELECT 2, account_id, 'Somebody else' FROM people;",
    )
    .unwrap();
    let briefs = bed.store.body_briefs(&["98344".into()]).await.unwrap();
    assert_eq!((briefs.len(), briefs[0].version), (1, 8));
    assert_eq!(bed.store.known_people(&person).await.unwrap(), people);
    let used = bed.store.disk_use().await.unwrap();
    assert_eq!(used.bodies, 6, "the disk holds both");
    let name = |site: Option<&str>| site.map(str::to_owned);
    let named = async |url| bed.store.name_site(url).await.unwrap();
    assert_eq!(named("https://a.example").await, None);
    assert_eq!(named("https://a.example").await, None);
    assert_eq!(
        named("https://b.example").await,
        name(Some("https://a.example"))
    );
}

pub fn raw(bed: &Bed) -> SqliteConnection {
    SqliteConnection::establish(&bed.store.file().unwrap().to_string_lossy()).unwrap()
}

pub fn upgraded() -> Bed {
    let mut bed = Bed::in_a_file();
    let url = DatabaseUrl::of_file(bed.folder().join("before.db"));
    let path = url.file().unwrap().to_string_lossy().into_owned();
    let mut raw = SqliteConnection::establish(&path).unwrap();
    raw.batch_execute(BEFORE).unwrap();
    drop(raw);
    let options = MetastoreOptions {
        clock: std::sync::Arc::new(bed.clock.clone()),
        ..MetastoreOptions::default()
    };
    bed.store = Metastore::open_locked(&url, options).unwrap().0;
    bed
}

/// In few words: what is wanted, what is there, and what is under way.
fn told(holding: &Holding) -> (&'static str, &'static str, &'static str, i32) {
    let want = match holding.want() {
        None => "nothing",
        Some("") => "anew",
        Some(_) => "document",
    };
    let have = match (holding.have(), holding.want()) {
        (Have::None, _) if holding.in_doubt() => "none?",
        (Have::None, _) => "none",
        (Have::Unknown, _) => "unknown",
        (Have::Document(have), Some(want)) if have == want => "same",
        (Have::Document(_), _) => "other",
    };
    let flight = match (holding.flight(), holding.next_try_at()) {
        (Flight::Accepted(_), None) => "accepted",
        (Flight::None, Some(_)) => "due",
        (Flight::None, None) => "rests",
        other => panic!("{other:?}"),
    };
    (want, have, flight, holding.attempts())
}

#[tokio::test]
async fn every_row_of_an_older_version_keeps_its_meaning() {
    use PageState::{Failed, Pending, Removed, Searchable, Skipped, Uploaded, Vanishing};
    let bed = upgraded();
    let index = OPS.parse().unwrap();
    bed.is_consistent(index).await;
    let settled = ("document", "same", "rests", 0);
    let nothing = ("nothing", "none", "rests", 0);
    for (id, state, holding) in [
        ("98344", Searchable, settled),
        ("98346", Uploaded, ("document", "same", "accepted", 0)),
        // Edited: the old one is there, the new one waits.
        ("98348", Pending, ("document", "other", "due", 0)),
        ("98350", Pending, ("document", "none?", "due", 0)),
        // Refused; accepted and then not found; not to be fetched.
        ("98352", Failed, nothing),
        ("98353", Failed, ("anew", "unknown", "due", 2)),
        ("98364", Failed, settled),
        // Hidden; told to go, and the store does not let go; skipped on its way out, and before that.
        ("98355", Vanishing, settled),
        ("98356", Vanishing, ("nothing", "unknown", "due", 2)),
        ("98358", Skipped, ("nothing", "unknown", "due", 0)),
        ("98359", Skipped, settled),
        // Removed; and accepted as removed.
        ("98360", Removed, nothing),
        ("98362", Vanishing, ("nothing", "unknown", "accepted", 0)),
        // It came back before it was removed; it is still to be fetched.
        ("98361", Pending, ("nothing", "unknown", "due", 0)),
        ("98365", Pending, nothing),
    ] {
        let page = bed.page(index, id).await;
        assert_eq!(
            (page.state(), told(&page.holding)),
            (state, holding),
            "{id}"
        );
    }
    let shown = async |id: &str| {
        let placed = bed.store.page(index, &PageId::from(id)).await.unwrap();
        placed.page()
    };
    let stuck = shown("98356").await.reason.unwrap();
    assert_eq!(
        stuck,
        "in the trash; its document is still in the store: locked"
    );
    let page = bed.page(index, "98356").await;
    assert_eq!(page.reason.as_deref(), Some("in the trash"));
    assert_eq!(shown("98352").await.reason.as_deref(), Some("refused"));
    let state = bed.store.index_state(index).await.unwrap();
    let orphan = bed.store.holdings(state.serving, None, 99).await.unwrap();
    let orphan = orphan.iter().find(|row| row.page_id.as_str() == "77");
    assert_eq!(
        told(&orphan.unwrap().holding),
        ("nothing", "unknown", "due", 0)
    );
    let documents = bed.store.index(index).await.unwrap().document_count;
    assert_eq!(
        documents,
        9 + 1 + 1 + 1,
        "searchable, accepted, edited, not fetched"
    );

    let moving = state.index.moving.unwrap();
    assert_eq!(
        (
            moving.backend,
            moving.documents,
            moving.searchable,
            moving.failed
        ),
        (BackendKind::LlamaCloud, 5, 1, 2)
    );
    assert_eq!(moving.remote.unwrap().id, "p1");
    let counts = bed.store.move_counts(state.filling.unwrap()).await.unwrap();
    assert_eq!(
        (counts.failed, counts.failed_again, counts.open()),
        (1, 1, 2)
    );
    let rows = bed
        .store
        .holdings(state.filling.unwrap(), None, 99)
        .await
        .unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.page_id.as_str(), told(&row.holding)))
        .collect();
    assert_eq!(
        rows,
        [
            ("98344", settled),
            ("98346", ("document", "same", "accepted", 0)),
            ("98359", ("nothing", "unknown", "due", 0)),
            ("98366", ("document", "none?", "due", 0)),
            ("98368", ("document", "unknown", "due", 1)),
            ("98369", ("document", "unknown", "due", 2)),
        ]
    );
}

#[tokio::test]
async fn objects_of_an_older_version_are_where_they_were() {
    let bed = upgraded();
    let all = bed.store.index_states().await.unwrap();
    let objects: Vec<_> = all
        .iter()
        .map(|state| {
            let remote = state.index.remote.as_ref().unwrap();
            let agent = state.index.settings.agent_id.as_str();
            (agent, state.index.settings.backend, remote.id.as_str())
        })
        .collect();
    let local = BackendKind::Local;
    assert_eq!(
        objects,
        [
            ("ops", local, "10169191530989"),
            ("demo", local, "10169191530988"),
        ]
    );
    for state in &all {
        bed.is_consistent(state.index.id).await;
    }
    let demo = all.iter().find(|state| state.filling.is_none()).unwrap();
    assert_eq!(demo.index.document_count, 63);
    assert_eq!(
        bed.store.open_holdings(demo.serving).await.unwrap(),
        Default::default()
    );
    let leaving = bed.store.leaving_objects().await.unwrap();
    let leaving: Vec<_> = leaving
        .iter()
        .map(|object| {
            let remote = object
                .remote
                .as_ref()
                .map(|remote: &Remote| remote.id.as_str());
            (object.agent_id.as_str(), remote, object.attempts)
        })
        .collect();
    assert_eq!(leaving, [("unknown", None, 0), ("gone", Some("p9"), 3)]);
    // The move goes on to its end from where it stood.
    let ops = all.iter().find(|state| state.filling.is_some()).unwrap();
    let (index, filling) = (ops.index.id, ops.filling.unwrap());
    bed.store.complete_move(index, filling).await.unwrap();
    bed.is_consistent(index).await;
    assert_eq!(
        bed.page(index, "98344").await.state(),
        PageState::Searchable
    );
    let listed = bed.store.leaving_objects().await.unwrap();
    assert_eq!(listed.len(), 3);
    let never_asked_for = bed.page(index, "98371").await;
    assert_eq!(
        (never_asked_for.state(), never_asked_for.holding),
        (PageState::Pending, Holding::default())
    );
    let wanted = bed.page(index, "98348").await;
    let due = wanted.holding.next_try_at().is_some();
    assert!(due && !wanted.holding.may_hold(), "{wanted:?}");
}
