//! Page rows, bodies, facts, links.

use chrono::{DateTime, TimeDelta, Utc};
use domain::content::{ContentFacts, ContentKind, ContentStatus, Restriction};
use domain::links::Naming;
use domain::page::{PageFacts, PageRecord, PageState, Standing};
use domain::ports::store::{AdminStore, BodyBrief, QueryStore, SyncStore, TriesOf};
use domain::{IndexId, PageId, RunId};

use crate::bed::{Bed, body, claim, container, held, ids, noon, page, said, want};

#[tokio::test]
async fn a_record_comes_back_as_it_was_saved() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let full = PageRecord {
        kind: ContentKind::Attachment,
        facts: PageFacts {
            status: ContentStatus::Archived,
            title: "Übersicht: 'a' \"b\" % _ \\".into(),
            parent_id: Some("98".into()),
            parent_kind: Some(ContentKind::Container),
            modified: at("2019-12-31T23:59:59.999999Z"),
            ..page(index, "att1", PageState::Pending).facts
        },
        labels: vec!["a".into(), "b c".into()],
        restriction: Restriction::Restricted,
        breadcrumb: vec!["Top".into(), "Mitte".into()],
        body_version: Some(2),
        markdown_hash: Some("aa".into()),
        comments_hash: Some("cc".into()),
        file: Some(domain::content::FileFacts {
            media_type: Some("text/plain".into()),
            size: Some(1 << 40),
        }),
        holding: held("bb"),
        reason: Some("because".into()),
        attempts: 4,
        next_try_at: Some(at("2026-01-01T00:00:00.000001Z")),
        seen_in_run: Some(RunId::generate()),
        vanished_at: Some(at("2026-01-01T00:00:00.1Z")),
        changed_at: at("2026-01-01T00:00:00Z"),
        ..page(index, "att1", PageState::Vanishing)
    };
    let bare = page(index, "2", PageState::Pending);
    bed.save(&[full.clone(), bare.clone()]).await;
    assert_eq!(bed.page(index, "att1").await, full);
    assert_eq!(bed.page(index, "2").await, bare);
    // Saved again: replaced whole, also where something became nothing.
    let emptied = PageRecord {
        page_id: "att1".into(),
        ..bare
    };
    bed.save(std::slice::from_ref(&emptied)).await;
    let saved = PageRecord {
        // What the store holds is not the page's to say.
        holding: full.holding,
        ..emptied
    };
    assert_eq!(bed.page(index, "att1").await, saved);
}

#[tokio::test]
async fn nanoseconds_are_cut_to_microseconds() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let fine = noon() + TimeDelta::nanoseconds(789);
    bed.save(&[PageRecord {
        changed_at: fine,
        ..page(index, "1", PageState::Pending)
    }])
    .await;
    assert_eq!(bed.page(index, "1").await.changed_at, noon());
}

#[tokio::test]
async fn many_rows_go_in_one_transaction_and_all_or_nothing() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let mut pages: Vec<_> = (0..1_234)
        .map(|n| page(index, &n.to_string(), PageState::Pending))
        .collect();
    bed.save(&pages).await;
    let all: Vec<PageId> = pages.iter().map(|p| p.page_id.clone()).collect();
    assert_eq!(
        bed.store.pages_by_id(index, &all).await.unwrap().len(),
        1_234
    );

    for page in &mut pages {
        page.attempts = 9;
    }
    // The last row belongs to no index: none of the others is written.
    pages.push(page(IndexId::generate(), "x", PageState::Pending));
    bed.store
        .save_pages(&pages, &[], vec![body("0", 1)])
        .await
        .unwrap_err();
    assert_eq!(bed.page(index, "0").await.attempts, 0);
    assert!(bed.store.bodies(&ids(&["0"])).await.unwrap().is_empty());
}

#[tokio::test]
async fn briefs_tell_of_every_row_of_a_space() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let mut elsewhere = page(index, "5", PageState::Searchable);
    elsewhere.facts.space_id = "200".into();
    let mut hidden = page(index, "3", PageState::Vanishing);
    hidden.vanished_at = Some(noon());
    hidden.facts.parent_id = Some("1".into());
    hidden.seen_in_run = Some(RunId::generate());
    bed.save(&[
        container(index, "1"),
        page(index, "2", PageState::Removed),
        hidden.clone(),
        elsewhere,
    ])
    .await;
    let briefs = bed.store.briefs(index, &"100".into()).await.unwrap();
    let told: Vec<_> = briefs
        .iter()
        .map(|b| (b.page_id.as_str(), b.kind, b.state, b.stored))
        .collect();
    assert_eq!(
        told,
        [
            ("1", ContentKind::Container, PageState::Pending, false),
            ("2", ContentKind::Page, PageState::Removed, false),
            ("3", ContentKind::Page, PageState::Vanishing, true),
        ]
    );
    assert_eq!(briefs[2].vanished_at, hidden.vanished_at);
    assert_eq!(briefs[2].parent_id, hidden.facts.parent_id);
    assert_eq!(briefs[2].seen_in_run, hidden.seen_in_run);
    assert_eq!(briefs[2].title, hidden.facts.title);
    assert_eq!(briefs[2].restriction, Restriction::Open);
}

#[tokio::test]
async fn pages_are_found_by_state_in_pages() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    bed.save(&[
        page(index, "1", PageState::Pending),
        page(index, "2", PageState::Failed),
        page(index, "3", PageState::Searchable),
        page(index, "4", PageState::Pending),
        container(index, "0"),
    ])
    .await;
    let states = [PageState::Pending, PageState::Failed];
    let find = async |after: Option<&str>, limit| {
        let after = after.map(PageId::from);
        let found = bed
            .store
            .pages_in_states(index, &states, after.as_ref(), limit)
            .await
            .unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(find(None, 2).await, ["1", "2"]);
    assert_eq!(find(Some("2"), 2).await, ["4"]);
    assert!(
        bed.store
            .pages_in_states(index, &[], None, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn bodies_are_due_when_missing_old_and_not_backing_off() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let now = bed.now();
    let with = |id: &str, state, body_version, next_try_at| PageRecord {
        body_version,
        next_try_at,
        ..page(index, id, state)
    };
    let (past, future) = (
        Some(now - TimeDelta::minutes(1)),
        Some(now + TimeDelta::microseconds(1)),
    );
    use PageState::{Failed, Pending, Removed, Searchable, Skipped, Vanishing};
    bed.save(&[
        with("a1", Pending, None, None),
        with("a2", Pending, Some(2), None),
        with("a3", Searchable, Some(2), None),
        with("a4", Failed, None, past),
        with("a5", Pending, None, Some(now)),
        with("a6", Failed, None, None), // of an older version of this service
        with("b1", Pending, Some(3), None), // has it
        with("b3", Failed, None, future), // backs off
        with("b4", Pending, None, future),
        with("b5", Skipped, None, None),
        with("b6", Removed, None, None),
        with("b7", Vanishing, None, None),
        container(index, "b8"),
    ])
    .await;
    let due = bed.store.pages_needing_body(index, now, 100).await.unwrap();
    let due: Vec<_> = due.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(due, ["a1", "a2", "a3", "a4", "a5", "a6"]);
    assert_eq!(
        bed.store
            .pages_needing_body(index, now, 2)
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn an_older_body_never_replaces_a_newer_one() {
    let bed = Bed::new();
    let put = async |body| bed.store.save_pages(&[], &[], vec![body]).await.unwrap();
    put(body("1", 5)).await;
    put(body("1", 4)).await;
    assert_eq!(
        bed.store.bodies(&ids(&["1"])).await.unwrap(),
        [body("1", 5)]
    );
    // The same version by a better converter does.
    let mut better = body("1", 5);
    better.text.converter = 2;
    better.text.markdown = "Better.".into();
    better.rendered = Some("<p>Rendered.</p>".repeat(10));
    put(better.clone()).await;
    let texts = bed.store.texts(&ids(&["1", "2"])).await.unwrap();
    assert_eq!(texts, [better.text.clone()]);
    let brief = BodyBrief {
        page_id: "1".into(),
        version: 5,
        bytes: better.bytes(),
    };
    let briefs = bed.store.body_briefs(&ids(&["1", "2"])).await.unwrap();
    assert_eq!(briefs, [brief]);
    assert_eq!(bed.store.bodies(&ids(&["1"])).await.unwrap(), [better]);
    let used = bed.store.disk_use().await.unwrap();
    assert_eq!(used.bodies, 1);
    assert!(used.bodies_bytes > 0 && used.database_bytes > used.bodies_bytes);
}

fn facts(
    id: &str,
    kind: ContentKind,
    labels: &[&str],
    restriction: Restriction,
    above: &[&str],
) -> ContentFacts {
    ContentFacts {
        id: id.into(),
        kind,
        labels: labels.iter().map(|l| (*l).to_owned()).collect(),
        restriction,
        readers: Vec::new(),
        ancestors: Some(ids(above)),
    }
}

#[tokio::test]
async fn facts_are_recorded_and_changes_named() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    bed.save(&[
        page(index, "1", PageState::Searchable),
        page(index, "2", PageState::Searchable),
    ])
    .await;
    let before = bed.page(index, "1").await;
    let answer = [
        facts(
            "1",
            ContentKind::Page,
            &["x"],
            Restriction::Open,
            &["f2", "f1"],
        ),
        facts("2", ContentKind::Page, &[], Restriction::Open, &[]),
        facts("unknown", ContentKind::Page, &["y"], Restriction::Open, &[]),
        facts(
            "f1",
            ContentKind::Container,
            &[],
            Restriction::Restricted,
            &["f2"],
        ),
        facts("f2", ContentKind::Container, &[], Restriction::Unknown, &[]),
    ];
    let changed = bed.store.record_facts(index, &answer).await.unwrap();
    assert_eq!(changed, ids(&["1", "f1"]));
    assert_eq!(
        bed.page(index, "1").await,
        PageRecord {
            labels: vec!["x".into()],
            ..before
        }
    );
    assert!(
        bed.store
            .pages_by_id(index, &ids(&["unknown"]))
            .await
            .unwrap()
            .is_empty()
    );
    // New containers stand in the space of the pages below them, and in the tree.
    let briefs = bed.store.briefs(index, &"100".into()).await.unwrap();
    let folder = briefs.iter().find(|b| b.page_id.as_str() == "f1").unwrap();
    assert_eq!(
        (folder.kind, folder.restriction),
        (ContentKind::Container, Restriction::Restricted)
    );
    assert_eq!(folder.parent_id, Some("f2".into()));
    assert!(briefs.iter().any(|b| b.page_id.as_str() == "f2"));
    assert!(
        bed.store
            .record_facts(index, &answer)
            .await
            .unwrap()
            .is_empty(),
        "nothing is new the second time"
    );
    // They are seen by nobody.
    let listed = bed
        .store
        .pages(index, &Default::default())
        .await
        .unwrap()
        .items;
    assert_eq!(listed.len(), 2);
    assert!(bed.store.page(index, &"f1".into()).await.is_err());
    // A restriction that is lifted is a change too.
    let lifted = [facts(
        "f1",
        ContentKind::Container,
        &[],
        Restriction::Open,
        &["f2"],
    )];
    assert_eq!(
        bed.store.record_facts(index, &lifted).await.unwrap(),
        ids(&["f1"])
    );
}

#[tokio::test]
async fn links_find_titles_of_any_index_ignoring_case() {
    let bed = Bed::new();
    let (a, b) = (bed.index("a").await.id, bed.index("b").await.id);
    let titled = |index, id: &str, title: &str, state, kind| {
        let mut record = page(index, id, state);
        record.facts.title = title.into();
        record.kind = kind;
        record
    };
    use ContentKind::{BlogPost, Page};
    bed.save(&[
        titled(a, "1", "Grüße an ALLE", PageState::Searchable, Page),
        titled(b, "2", "News", PageState::Pending, BlogPost),
        titled(b, "3", "News", PageState::Pending, Page),
        titled(a, "4", "Gone", PageState::Removed, Page),
        titled(a, "5", "Hidden", PageState::Vanishing, Page),
        titled(a, "6", "Elsewhere", PageState::Searchable, Page),
    ])
    .await;
    let wanted: Vec<_> = ["grüße AN alle", "news", "gone", "hidden", "nowhere"]
        .into_iter()
        .map(|title| ("100".into(), title.to_owned()))
        .chain([("200".into(), "elsewhere".to_owned())])
        .collect();
    let found = bed.store.find_titles(&wanted).await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|hit| hit.as_ref().map(PageId::as_str))
        .collect();
    assert_eq!(found, [Some("1"), Some("3"), None, None, None, None]);
}

#[tokio::test]
async fn documents_name_what_belongs_in_their_own_index() {
    let bed = Bed::new();
    let (a, b) = (bed.index("a").await.id, bed.index("b").await.id);
    let mut belongs = page(a, "4", PageState::Pending);
    belongs.belongs = true;
    let mut left = page(a, "5", PageState::Skipped);
    (left.belongs, left.holding) = (true, held(&"s".repeat(64)));
    let rows = [
        page(a, "1", PageState::Searchable),
        page(a, "2", PageState::Vanishing),
        page(a, "3", PageState::Pending),
        belongs,
        left,
        container(a, "6"),
        page(b, "7", PageState::Searchable),
    ];
    bed.save(&rows).await;
    let asked = ids(&["1", "2", "3", "4", "5", "6", "7", "8"]);
    let mut naming = bed.store.naming(a, &asked).await.unwrap();
    naming.sort_by(|one, other| one.0.cmp(&other.0));
    use Naming::{Hidden, Named, Unknown};
    let expected = [Named, Hidden, Unknown, Named, Hidden, Hidden];
    let found: Vec<Naming> = naming.iter().map(|(_, naming)| *naming).collect();
    assert_eq!(found, expected);
    let briefs = bed.store.briefs(a, &"100".into()).await.unwrap();
    let of_briefs: Vec<Naming> = briefs.iter().map(|brief| brief.naming).collect();
    assert_eq!(of_briefs, expected, "a brief says the same");
    let mut names = bed.store.page_names(a, &asked).await.unwrap();
    names.sort_by(|one, other| one.id.cmp(&other.id));
    let told: Vec<_> = names
        .iter()
        .map(|n| (n.id.as_str(), n.title.as_str()))
        .collect();
    assert_eq!(told, [("1", "Page 1"), ("4", "Page 4")]);
    assert_eq!(names[0].url, rows[0].facts.url);
}

#[tokio::test]
async fn pages_are_found_by_what_their_text_points_at() {
    let bed = Bed::new();
    let (a, b) = (bed.index("a").await.id, bed.index("b").await.id);
    let pointing = |index, id: &str, body: &[&str], comments: &[&str]| {
        let mut record = page(index, id, PageState::Searchable);
        record.links.set_body(ids(body).into_iter().collect());
        record
            .links
            .set_comments(ids(comments).into_iter().collect());
        record.links.name(|_| Naming::Named);
        record
    };
    let rows = [
        pointing(a, "1", &["8", "9"], &[]),
        pointing(a, "2", &["9"], &["8"]),
        pointing(a, "3", &["9"], &[]),
        pointing(a, "4", &[], &[]),
        pointing(b, "5", &["8"], &[]),
    ];
    bed.save(&rows).await;
    for row in &rows {
        let kept = bed
            .store
            .pages_by_id(row.index_id, std::slice::from_ref(&row.page_id));
        assert_eq!(kept.await.unwrap(), std::slice::from_ref(row));
    }
    let of = async |index, targets: &[&str]| {
        let targets = ids(targets).into_iter().collect();
        bed.store.pages_pointing_at(index, &targets).await.unwrap()
    };
    assert_eq!(of(a, &["8", "7"]).await, ids(&["1", "2"]));
    assert_eq!(of(a, &["9"]).await, ids(&["1", "2", "3"]));
    assert_eq!(of(b, &["8"]).await, ids(&["5"]));
    assert!(of(a, &["7"]).await.is_empty());
}

#[tokio::test]
async fn people_are_remembered_by_their_newest_name() {
    let bed = Bed::new();
    let name = |id: &str, name: &str| (domain::AccountId::from(id), name.to_owned());
    bed.store
        .remember_people(&[name("a", "Ada"), name("b", "Bob")])
        .await
        .unwrap();
    bed.store
        .remember_people(&[name("a", "Ada L.")])
        .await
        .unwrap();
    let known = bed
        .store
        .known_people(&["a".into(), "c".into()])
        .await
        .unwrap();
    assert_eq!(known, [name("a", "Ada L.")]);
}

#[tokio::test]
async fn attachments_are_stranded_when_their_page_does_not_stand() {
    use domain::content::FileFacts;
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let other = bed.index("other").await.id;
    let file = |id: &str, parent: &str| {
        let mut file = page(index, id, PageState::Searchable);
        file.kind = ContentKind::Attachment;
        file.facts.parent_id = Some(parent.into());
        file.file = Some(FileFacts {
            media_type: Some("text/plain".to_owned()),
            size: Some(7),
        });
        file
    };
    bed.save(&[
        page(index, "1", PageState::Searchable),
        page(index, "2", PageState::Skipped),
        page(index, "3", PageState::Removed),
        // Of another index, so it does not count.
        page(other, "4", PageState::Searchable),
        file("att1", "1"),
        file("att2", "2"),
        file("att3", "3"),
        file("att4", "4"),
    ])
    .await;
    let store = &bed.store;
    let stranded = store.stranded_attachments(index, None, 9).await.unwrap();
    assert_eq!(stranded, ids(&["att2", "att3", "att4"]));
    let after = Some(&stranded[0]);
    assert_eq!(
        store.stranded_attachments(index, after, 1).await.unwrap(),
        ids(&["att3"])
    );
    assert_eq!(bed.page(index, "att1").await, file("att1", "1"));
}

#[tokio::test]
async fn attachments_are_left_behind_when_their_page_stands_in_another_space() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let other = bed.index("other").await.id;
    let file = |id: &str, parent: &str| {
        let mut file = page(index, id, PageState::Searchable);
        file.kind = ContentKind::Attachment;
        file.facts.parent_id = Some(parent.into());
        file
    };
    let moved = |index, id: &str| {
        let mut page = page(index, id, PageState::Searchable);
        page.facts.space_id = "elsewhere".into();
        page
    };
    let mut followed = file("att2", "2");
    followed.facts.space_id = "elsewhere".into();
    let removed = PageRecord {
        kind: ContentKind::Attachment,
        facts: file("att4", "2").facts,
        ..page(index, "att4", PageState::Removed)
    };
    bed.save(&[
        page(index, "1", PageState::Searchable),
        moved(index, "2"),
        // Of another index, so it does not count.
        moved(other, "1"),
        file("att1", "1"),
        followed,
        file("att3", "2"),
        removed,
        file("att5", "2"),
    ])
    .await;
    let left = async |space: &str, limit| {
        let space = domain::SpaceId::from(space);
        let found = bed
            .store
            .attachments_left_behind(index, &space, limit)
            .await;
        found.unwrap()
    };
    assert_eq!(left("elsewhere", 9).await, ids(&["att3", "att5"]));
    assert_eq!(left("elsewhere", 1).await, ids(&["att3"]));
    let first = page(index, "1", PageState::Searchable).facts.space_id;
    assert!(left(first.as_str(), 9).await.is_empty());
}

#[tokio::test]
async fn pages_are_due_that_are_to_be_decided_whatever_stands_before_them() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let object = bed.serving(index).await;
    let later = noon() + TimeDelta::hours(1);
    let waiting = (100..700).map(|n| PageRecord {
        next_try_at: Some(later),
        ..page(index, &n.to_string(), PageState::Failed)
    });
    let waiting: Vec<PageRecord> = waiting.collect();
    bed.save(&waiting).await;
    let member = PageRecord {
        standing: Standing::Member,
        ..page(index, "700", PageState::Pending)
    };
    let lost = PageRecord {
        page_id: "701".into(),
        ..member.clone()
    };
    bed.save(&[
        member.clone(),
        lost,
        page(index, "702", PageState::Pending),
        page(index, "703", PageState::Searchable),
        container(index, "704"),
    ])
    .await;
    bed.change(object, &member, &[want("h")]).await;
    let due = async |now, after: Option<&str>, limit| {
        let after = after.map(PageId::from);
        let due = bed.store.pages_due(index, now, after.as_ref(), limit);
        let ids = due.await.unwrap().into_iter();
        ids.map(|page| page.page_id.to_string()).collect::<Vec<_>>()
    };
    // What is wanted already is only to be sent.
    assert_eq!(due(noon(), None, 500).await, ["701", "702"]);
    assert_eq!(due(noon(), None, 1).await, ["701"]);
    assert_eq!(due(noon(), Some("701"), 500).await, ["702"]);
    assert_eq!(due(later, None, 1000).await.len(), 602);
}

#[tokio::test]
async fn the_next_try_is_the_earliest_after_a_moment_of_a_page_or_an_upload() {
    let bed = Bed::new();
    let (index, other) = (bed.index("agent").await.id, bed.index("other").await.id);
    let serving = bed.serving(index).await;
    let minute = |n| noon() + TimeDelta::minutes(n);
    let next = async |after| {
        let of =
            [(index, serving), (other, bed.serving(other).await)].map(|(index, serving)| TriesOf {
                index,
                serving,
                after,
            });
        let tries = bed.store.next_tries(&of).await.unwrap();
        assert!(!tries.contains_key(&other));
        tries.get(&index).copied()
    };
    assert_eq!(next(noon()).await, None);
    let failed = |id: &str, n| PageRecord {
        next_try_at: Some(minute(n)),
        ..page(index, id, PageState::Failed)
    };
    bed.save(&[failed("1", 5), failed("2", 9)]).await;
    let member = page(index, "3", PageState::Pending);
    bed.save(std::slice::from_ref(&member)).await;
    let refused = crate::bed::failed("refused", minute(7));
    let steps = [want("h"), claim("h"), said("h", refused)];
    bed.change(serving, &member, &steps).await;
    assert_eq!(next(noon()).await, Some(minute(5)));
    assert_eq!(next(minute(5)).await, Some(minute(7)));
    assert_eq!(next(minute(8)).await, Some(minute(9)));
    assert_eq!(next(minute(9)).await, None);
}

#[tokio::test]
async fn pages_that_are_not_settled_are_counted_without_containers() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let other = bed.index("other").await.id;
    bed.save(&[
        container(index, "1"),
        page(index, "2", PageState::Pending),
        page(index, "3", PageState::Pending),
        page(index, "4", PageState::Failed),
        page(index, "5", PageState::Skipped),
        page(other, "6", PageState::Failed),
    ])
    .await;
    let counts = bed.store.unsettled_pages(index).await.unwrap();
    assert_eq!(counts, (2, 1), "pending, failed");
}
