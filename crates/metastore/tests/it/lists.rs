//! Pages as people see them: filters, cursors, retries.

use chrono::TimeDelta;
use domain::IndexId;
use domain::holding::{Change, Holding, Outcome};
use domain::page::{PageRecord, PageState, Standing};
use domain::ports::store::{AdminStore, Around, PageFilter, QueryStore, StoreError, SyncStore};

use crate::bed::{Bed, claim, container, failed, held, holding, noon, page, removal, said, want};

/// Walks a list to its end, three at a time; answers the ids in their order.
async fn walk(bed: &Bed, index: IndexId, filter: PageFilter) -> Vec<String> {
    let mut filter = PageFilter { limit: 3, ..filter };
    let mut seen = Vec::new();
    loop {
        let part = bed.store.pages(index, &filter).await.unwrap();
        assert!(part.items.len() <= 3);
        seen.extend(
            part.items
                .into_iter()
                .map(|page| page.record.page_id.to_string()),
        );
        filter.cursor = part.next_cursor;
        if filter.cursor.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn each_filter_narrows_the_list() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let titled = |id: &str, title: &str, space: &str, state| {
        let mut record = page(index, id, state);
        record.facts.title = title.into();
        record.facts.space_id = space.into();
        record
    };
    bed.save(&[
        titled("1", "Über 100% sicher", "100", PageState::Searchable),
        titled("2", "über_uns", "100", PageState::Failed),
        titled("3", "Other", "200", PageState::Removed),
        titled("4", "Back\\slash", "200", PageState::Searchable),
        titled("5", "Strange space", "999", PageState::Searchable),
        container(index, "0"),
    ])
    .await;
    let all = PageFilter::default;
    for (filter, expected) in [
        (all(), vec!["1", "2", "3", "4", "5"]),
        (
            PageFilter {
                states: vec![PageState::Failed, PageState::Removed],
                ..all()
            },
            vec!["2", "3"],
        ),
        (
            PageFilter {
                states: vec![PageState::Pending],
                ..all()
            },
            vec![],
        ),
        (
            PageFilter {
                space: Some("OPS".into()),
                ..all()
            },
            vec!["3", "4"],
        ),
        (
            PageFilter {
                space: Some("NONE".into()),
                ..all()
            },
            vec![],
        ),
        (
            PageFilter {
                title: Some("ÜBER".into()),
                ..all()
            },
            vec!["1", "2"],
        ),
        (
            PageFilter {
                title: Some("0%".into()),
                ..all()
            },
            vec!["1"],
        ),
        (
            PageFilter {
                title: Some("r_u".into()),
                ..all()
            },
            vec!["2"],
        ),
        (
            PageFilter {
                title: Some("\\s".into()),
                ..all()
            },
            vec!["4"],
        ),
    ] {
        assert_eq!(
            walk(&bed, index, filter.clone()).await,
            expected,
            "{filter:?}"
        );
    }
    let shown = bed.store.page(index, &"4".into()).await.unwrap();
    assert_eq!(shown.space_key.as_str(), "OPS");
    let shown = bed.store.page(index, &"5".into()).await.unwrap();
    assert_eq!(
        shown.space_key.as_str(),
        "999",
        "a space nobody knows is shown by its id"
    );
}

#[tokio::test]
async fn changes_come_newest_first_also_when_they_are_simultaneous() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let changed = |id: &str, seconds: i64| PageRecord {
        changed_at: noon() + TimeDelta::seconds(seconds),
        ..page(index, id, PageState::Searchable)
    };
    bed.save(&[
        changed("1", 0),
        changed("2", 5),
        changed("3", 5),
        changed("4", 5),
        changed("5", 5),
        changed("6", 9),
    ])
    .await;
    let filter = PageFilter {
        changed_after: Some(noon()),
        ..PageFilter::default()
    };
    assert_eq!(walk(&bed, index, filter).await, ["6", "5", "4", "3", "2"]);
}

#[tokio::test]
async fn cursors_belong_to_their_list() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let pages: Vec<_> = (0..5)
        .map(|n| page(index, &n.to_string(), PageState::Searchable))
        .collect();
    bed.save(&pages).await;
    let filter = PageFilter {
        limit: 2,
        ..PageFilter::default()
    };
    let cursor = bed
        .store
        .pages(index, &filter)
        .await
        .unwrap()
        .next_cursor
        .unwrap();
    let long_ago = Some(noon() - TimeDelta::days(1));
    for bad in [
        PageFilter {
            cursor: Some("?".into()),
            ..filter.clone()
        },
        PageFilter {
            cursor: Some(cursor),
            changed_after: long_ago,
            ..filter
        },
    ] {
        let error = bed.store.pages(index, &bad).await.unwrap_err();
        assert!(metastore::is_bad_cursor(&error), "{error}");
    }
    let missing = bed
        .store
        .pages(IndexId::generate(), &PageFilter::default())
        .await
        .unwrap_err();
    assert!(matches!(&missing, StoreError::NotFound { .. }) && !metastore::is_bad_cursor(&missing));
}

#[tokio::test]
async fn a_retry_makes_failed_and_waiting_pages_due_now() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let later = noon() + TimeDelta::hours(3);
    let failed = PageRecord {
        attempts: 7,
        next_try_at: Some(later),
        reason: Some("why".into()),
        ..page(index, "1", PageState::Failed)
    };
    let waiting = PageRecord {
        attempts: 2,
        next_try_at: Some(later),
        ..page(index, "2", PageState::Pending)
    };
    let object = bed.serving(index).await;
    bed.save(&[
        failed,
        waiting.clone(),
        page(index, "3", PageState::Searchable),
    ])
    .await;
    let refused = crate::bed::failed("refused", later);
    let sending = [want("h"), claim("h"), said("h", refused.clone())];
    bed.change(object, &waiting, &sending).await;
    assert!(
        bed.store
            .pages_needing_body(index, bed.now(), 9)
            .await
            .unwrap()
            .is_empty()
    );
    for id in ["1", "2"] {
        let page = bed.store.retry_page(index, &id.into()).await.unwrap();
        assert_eq!(
            (page.state, page.attempts, page.next_try_at),
            (PageState::Pending, 0, Some(bed.now()))
        );
    }
    assert_eq!(
        bed.store
            .pages_needing_body(index, bed.now(), 9)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(bed.due(index).await[0].holding.attempts(), 0);
    assert!(matches!(
        bed.store.retry_page(index, &"3".into()).await,
        Err(StoreError::Conflict { .. })
    ));
    // A removal that waits, of a page that does not.
    let leaving = page(index, "4", PageState::Vanishing);
    bed.save(std::slice::from_ref(&leaving)).await;
    bed.change(object, &leaving, &[Change::Want(None)]).await;
    let locked = crate::bed::failed("locked", later);
    bed.change(object, &leaving, &removal(locked)).await;
    // What the store refused of a page that stands.
    let member = PageRecord {
        standing: Standing::Member,
        ..page(index, "5", PageState::Pending)
    };
    bed.save(std::slice::from_ref(&member)).await;
    bed.change(
        object,
        &member,
        &[want("h"), claim("h"), said("h", refused)],
    )
    .await;
    let shown = bed.store.page(index, &"5".into()).await.unwrap().page();
    assert_eq!(
        (shown.state, shown.attempts, shown.next_try_at),
        (PageState::Failed, 1, Some(later))
    );
    let page = bed.store.retry_page(index, &"5".into()).await.unwrap();
    assert_eq!(
        (page.state, page.attempts, page.reason.as_deref()),
        (PageState::Pending, 0, Some("refused"))
    );
    let stuck = bed.store.stuck_removals(index).await.unwrap().unwrap();
    assert_eq!((stuck.documents, stuck.last_error.as_str()), (1, "locked"));
    let page = bed.store.retry_page(index, &"4".into()).await.unwrap();
    assert_eq!(page.state, PageState::Vanishing);
    assert_eq!(
        bed.store.next_holding_due(object).await.unwrap(),
        Some(bed.now())
    );
    assert!(matches!(
        bed.store.retry_page(index, &"9".into()).await,
        Err(StoreError::NotFound { .. })
    ));
}

#[tokio::test]
async fn what_may_be_shown_is_listed_apart() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let mut all = Vec::new();
    for (n, state) in PageState::ALL.into_iter().enumerate() {
        let later = bed.now() + TimeDelta::hours(1);
        let unsure = holding([
            want("h"),
            claim("h"),
            said("h", Outcome::Accepted),
            said("h", failed("not found", later)),
        ]);
        for (holding, name) in [(Holding::default(), "a"), (unsure, "b"), (held("h"), "c")] {
            all.push(PageRecord {
                holding,
                ..page(index, &format!("{n}{name}"), state)
            });
        }
    }
    bed.save(&all).await;
    let expected: Vec<String> = all
        .iter()
        .filter(|record| record.may_be_shown())
        .map(|record| record.page_id.to_string())
        .collect();
    assert_eq!(expected.len(), 8);
    let filter = PageFilter {
        shown: true,
        ..PageFilter::default()
    };
    assert_eq!(walk(&bed, index, filter.clone()).await, expected);
    let with_state = PageFilter {
        states: vec![PageState::Pending, PageState::Skipped],
        ..filter
    };
    assert_eq!(walk(&bed, index, with_state).await, ["0b", "0c"]);
}

#[tokio::test]
async fn only_what_an_answer_may_quote_is_found_by_title() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    for state in PageState::ALL {
        let record = PageRecord {
            holding: held("h"),
            ..page(index, "1", state)
        };
        let may = record.may_be_shown();
        bed.save(&[record]).await;
        let found = bed
            .store
            .page_by_title(index, &"ENG".into(), "PAGE 1")
            .await
            .unwrap();
        assert_eq!(found.is_some(), may, "{state:?}");
    }
    let unstored = page(index, "1", PageState::Searchable);
    let object = bed.serving(index).await;
    bed.change(object, &unstored, &[Change::Listed(None)]).await;
    bed.save(&[PageRecord {
        holding: Holding::default(),
        ..unstored
    }])
    .await;
    assert!(
        bed.store
            .page_by_title(index, &"ENG".into(), "Page 1")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn what_is_under_and_around_a_page_is_what_may_be_shown_of_it() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let below = |id: &str, parent: Option<&str>, state| {
        let mut record = page(index, id, state);
        record.facts.parent_id = parent.map(Into::into);
        record
    };
    let linking = |id: &str, state| {
        let mut record = page(index, id, state);
        record.links.set_body(["1".into()].into());
        record
    };
    let folder = |id: &str, parent: &str| {
        let mut record = container(index, id);
        record.facts.parent_id = Some(parent.into());
        record
    };
    use PageState::{Searchable, Skipped, Vanishing};
    let mut same_title = below("20", None, Searchable);
    same_title.facts.title = "PAGE 1".into();
    same_title.facts.space_id = "200".into();
    bed.save(&[
        below("1", None, Searchable),
        folder("2", "1"),
        folder("3", "2"),
        below("4", Some("3"), Searchable),
        // What is hidden in between hides nothing below it, and is told nowhere.
        below("5", Some("1"), Skipped),
        below("6", Some("5"), Searchable),
        below("7", Some("4"), Vanishing),
        linking("8", Searchable),
        linking("9", Skipped),
        linking("1", Searchable),
        same_title,
        // A cycle ends.
        below("10", Some("11"), Searchable),
        below("11", Some("10"), Searchable),
        folder("12", "13"),
        folder("13", "12"),
    ])
    .await;
    let under = async |named: &str, space: Option<&str>| {
        let space = space.map(Into::into);
        let found = bed.store.pages_under(index, named, space.as_ref());
        let mut ids: Vec<u32> = found
            .await
            .unwrap()
            .iter()
            .map(|id| id.as_str().parse().unwrap())
            .collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(under("1", None).await, [1, 4, 6]);
    assert_eq!(under("4", None).await, [4]);
    assert_eq!(under("page 1", None).await, [1, 4, 6, 20]);
    assert_eq!(under("Page 1", Some("OPS")).await, [20]);
    assert_eq!(under("10", None).await, [10, 11]);
    for hidden in ["5", "Page 5", "2", "7", "99", "Page"] {
        assert!(under(hidden, None).await.is_empty(), "{hidden}");
    }

    let around = async |id: &str, most| bed.store.around(index, &id.into(), most).await.unwrap();
    let of = |parent: Option<&str>, children: &[&str], linked_from: &[&str]| Around {
        parent: parent.map(Into::into),
        children: children.iter().map(|&id| id.into()).collect(),
        linked_from: linked_from.iter().map(|&id| id.into()).collect(),
    };
    assert_eq!(around("1", 9).await, of(None, &["4"], &["8"]));
    assert_eq!(around("4", 9).await, of(Some("1"), &[], &[]));
    assert_eq!(
        around("6", 9).await,
        of(None, &[], &[]),
        "its parent is hidden"
    );
    assert_eq!(around("10", 9).await, of(Some("11"), &["11"], &[]));
    assert_eq!(around("12", 9).await, of(None, &[], &[]));
    assert_eq!(around("1", 0).await, of(None, &[], &[]));

    // Links follow their page's text, and go with it.
    let mut silent = linking("8", Searchable);
    silent.links.set_body(["4".into()].into());
    bed.save(&[silent]).await;
    assert_eq!(around("1", 9).await, of(None, &["4"], &[]));
    assert_eq!(around("4", 9).await, of(Some("1"), &[], &["8"]));
}
