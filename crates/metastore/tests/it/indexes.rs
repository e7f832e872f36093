//! Indexes: settings, scope, agents, spaces, schedules.

use chrono::TimeDelta;
use domain::holding::Outcome;
use domain::index::{
    IndexPatch, IndexSettings, IndexSpace, IndexStatus, Remote, RestrictedPages, SpaceState,
};
use domain::page::PageState;
use domain::ports::store::{AdminStore, NewIndex, QueryStore, StoreError, SyncStore};
use domain::run::RunKind;

use crate::tokens::agent;

use crate::bed::{Bed, claim, failed, held, holding, noon, page, said, settings, space, want};

#[tokio::test]
async fn settings_come_back_as_they_were_given() {
    let bed = Bed::new();
    let given = IndexSettings {
        name: "Ümlaut \"quoted\"".into(),
        interval_minutes: 1_440,
        enabled: false,
        quiet_hours: Some("22:00-06:30 Europe/Berlin".parse().unwrap()),
        include_blog_posts: true,
        include_attachments: true,
        labels: vec!["a".into(), "b c".into()],
        exclude_labels: vec!["x".into()],
        root_page_ids: vec!["12".into()],
        restricted_pages: RestrictedPages::Include,
        access: domain::access::Access::default(),
        ..settings("agent", &["OPS", "ENG", "~712020"])
    };
    let new = NewIndex {
        settings: given.clone(),
        spaces: vec![space("ENG", "100")],
    };
    let index = bed.store.create_index(&new).await.unwrap();
    assert_eq!(index.settings, given);
    assert_eq!(
        (index.status, index.next_run_at),
        (IndexStatus::Disabled, None)
    );
    assert_eq!(
        index.spaces.iter().map(|s| s.state).collect::<Vec<_>>(),
        [SpaceState::New, SpaceState::Current, SpaceState::New]
    );
    let of_agent = bed.store.index_id_of_agent(&given.agent_id).await;
    assert_eq!(of_agent.unwrap(), index.id);
    assert_eq!(bed.store.index(index.id).await.unwrap(), index);
}

#[tokio::test]
async fn an_agent_has_one_index() {
    let bed = Bed::new();
    let first = bed.index("agent").await;
    let other = bed.index("other").await;
    let again = NewIndex {
        settings: settings("agent", &["ENG"]),
        spaces: vec![],
    };
    let Err(StoreError::Conflict { what }) = bed.store.create_index(&again).await else {
        panic!("the agent has an index");
    };
    assert!(
        what.contains("agent") && what.contains(&first.settings.name),
        "{what}"
    );
    let renamed = settings("agent", &["ENG"]);
    assert!(matches!(
        bed.store
            .update_index(other.id, &renamed.clone().into(), &[])
            .await,
        Err(StoreError::Conflict { .. })
    ));
    bed.store
        .update_index(first.id, &renamed.clone().into(), &[])
        .await
        .unwrap();
    let nobody = "nobody".parse().unwrap();
    assert!(matches!(
        bed.store.index_id_of_agent(&nobody).await,
        Err(StoreError::NotFound { .. })
    ));
}

#[tokio::test]
async fn only_a_change_of_scope_raises_the_revision() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let mut now = settings("agent", &["ENG", "OPS"]);
    let mut expected = 0;
    type Change = fn(&mut IndexSettings);
    let changes: [(bool, Change); 12] = [
        (false, |s| s.name = "Other".into()),
        (false, |s| s.agent_id = "agent2".parse().unwrap()),
        (false, |s| s.interval_minutes = 5),
        (false, |s| s.confluence_spaces.reverse()),
        (true, |s| s.confluence_spaces = vec!["ENG".into()]),
        (true, |s| s.labels = vec!["a".into()]),
        (true, |s| s.exclude_labels = vec!["b".into()]),
        (true, |s| s.root_page_ids = vec!["1".into()]),
        (true, |s| s.restricted_pages = RestrictedPages::Include),
        (true, |s| s.include_blog_posts = true),
        (true, |s| s.include_comments = true),
        (true, |s| s.include_attachments = true),
    ];
    for (step, (scope, change)) in changes.into_iter().enumerate() {
        change(&mut now);
        bed.clock.advance(TimeDelta::seconds(1));
        let index_now = bed
            .store
            .update_index(index, &now.clone().into(), &[])
            .await
            .unwrap();
        expected += i32::from(scope);
        assert_eq!(index_now.settings, now, "step {step}");
        assert_eq!(index_now.updated_at, bed.now());
        let progress = bed.store.index_state(index).await.unwrap().progress;
        assert_eq!(progress.scope_revision, expected, "step {step}");
    }
}

#[tokio::test]
async fn a_change_leaves_what_others_changed_and_saw_meanwhile() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    // What was known before the others came.
    let before = bed.store.index(index).await.unwrap();
    let labels = IndexPatch {
        exclude_labels: Some(vec!["draft".into()]),
        ..IndexPatch::default()
    };
    bed.store.update_index(index, &labels, &[]).await.unwrap();
    let failing = IndexSpace {
        state: SpaceState::Failing,
        reason: Some("HTTP 500".into()),
        ..space("ENG", "100")
    };
    bed.store.record_spaces(index, &[failing]).await.unwrap();
    let less = IndexPatch {
        confluence_spaces: Some(vec!["ENG".into()]),
        ..IndexPatch::default()
    };
    bed.store.update_index(index, &less, &[]).await.unwrap();

    let more = IndexPatch {
        confluence_spaces: Some(vec!["NEW".into(), "ENG".into(), "OPS".into()]),
        ..IndexPatch::default()
    };
    let mut seen = before.spaces;
    seen.push(space("NEW", "300"));
    let after = bed.store.update_index(index, &more, &seen).await.unwrap();
    assert_eq!(after.settings.exclude_labels, ["draft"]);
    let spaces: Vec<_> = after
        .spaces
        .iter()
        .map(|s| (s.key.as_str(), s.id.as_ref().map(|id| id.as_str()), s.state))
        .collect();
    assert_eq!(
        spaces,
        [
            ("NEW", Some("300"), SpaceState::Current),
            ("ENG", Some("100"), SpaceState::Failing),
            ("OPS", Some("200"), SpaceState::Current),
        ],
        "the row of a space holds; one that was taken out meanwhile comes back as it was seen"
    );
}

#[tokio::test]
async fn the_schedule_follows_the_settings() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let later = bed.now() + TimeDelta::minutes(50);
    bed.store.set_next_run(index, Some(later)).await.unwrap();
    let mut now = settings("agent", &["ENG", "OPS"]);
    now.interval_minutes = 10;
    let shorter = bed
        .store
        .update_index(index, &now.clone().into(), &[])
        .await
        .unwrap();
    assert_eq!(
        shorter.next_run_at,
        Some(bed.now() + TimeDelta::minutes(10))
    );
    now.enabled = false;
    let off = bed
        .store
        .update_index(index, &now.clone().into(), &[])
        .await
        .unwrap();
    assert_eq!((off.status, off.next_run_at), (IndexStatus::Disabled, None));
    now.enabled = true;
    let on = bed
        .store
        .update_index(index, &now.clone().into(), &[])
        .await
        .unwrap();
    assert_eq!(
        (on.status, on.next_run_at),
        (IndexStatus::New, Some(bed.now()))
    );
    bed.store
        .set_index_status(index, IndexStatus::Failed, Some("why"))
        .await
        .unwrap();
    let failed = bed.store.index(index).await.unwrap();
    assert_eq!(
        (failed.status, failed.status_reason.as_deref()),
        (IndexStatus::Failed, Some("why"))
    );
}

#[tokio::test]
async fn spaces_are_followed_by_id_and_nothing_known_is_forgotten() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    bed.save(&[page(index, "1", PageState::Searchable)]).await;
    let mut renamed = space("ENG", "100");
    renamed.current_key = Some("BUILD".into());
    renamed.last_sync_at = Some(bed.now());
    bed.store
        .record_spaces(index, &[renamed, space("GONE", "900")])
        .await
        .unwrap();
    let mut failing = crate::bed::space("ENG", "100");
    (failing.id, failing.current_key, failing.name, failing.url) = (None, None, None, None);
    failing.state = SpaceState::Failing;
    failing.reason = Some("HTTP 500".into());
    bed.store.record_spaces(index, &[failing]).await.unwrap();

    let spaces = bed.store.index(index).await.unwrap().spaces;
    assert_eq!(
        spaces.len(),
        2,
        "a key that the index does not have is not added"
    );
    assert_eq!(spaces[0].key.as_str(), "ENG");
    assert_eq!(spaces[0].current_key, Some("BUILD".into()));
    assert_eq!(
        (spaces[0].state, spaces[0].reason.as_deref()),
        (SpaceState::Failing, Some("HTTP 500"))
    );
    assert_eq!(
        (spaces[0].last_sync_at, spaces[0].pages),
        (Some(bed.now()), 1)
    );
    // Pages show the present key, and are found by it and by the old one.
    for key in ["BUILD", "build", "ENG"] {
        let found = bed
            .store
            .page_by_title(index, &key.into(), "page 1")
            .await
            .unwrap();
        assert_eq!(found.unwrap().space_key.as_str(), "BUILD", "{key}");
    }
    let known = bed.store.known_spaces().await.unwrap();
    let known: Vec<_> = known
        .iter()
        .map(|s| (s.id.as_str(), s.key.as_str()))
        .collect();
    assert_eq!(known, [("100", "BUILD"), ("200", "OPS")]);

    // Taking a key out and another in keeps what is known of the one that stays.
    let now = settings("agent", &["NEW", "ENG"]);
    let spaces = bed
        .store
        .update_index(index, &now.clone().into(), &[space("NEW", "300")])
        .await
        .unwrap()
        .spaces;
    assert_eq!(
        spaces.iter().map(|s| s.key.as_str()).collect::<Vec<_>>(),
        ["NEW", "ENG"]
    );
    assert_eq!(spaces[1].current_key, Some("BUILD".into()));
}

#[tokio::test]
async fn documents_are_those_that_the_store_holds_and_an_answer_may_quote() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let stored = |id: &str, state| domain::page::PageRecord {
        holding: held("h"),
        ..page(index, id, state)
    };
    let lost = holding([
        want("h"),
        claim("h"),
        said("h", Outcome::Accepted),
        said("h", failed("not found", noon())),
    ]);
    bed.save(&[
        stored("1", PageState::Searchable),
        stored("2", PageState::Uploaded),
        stored("3", PageState::Pending), // Edited: the old one is there until the new one comes.
        stored("4", PageState::Vanishing),
        stored("5", PageState::Skipped),
        page(index, "6", PageState::Pending),
        page(index, "7", PageState::Failed),
        stored("8", PageState::Failed), // Edited, and the new one cannot be had: the old one is there.
        domain::page::PageRecord {
            holding: lost, // Accepted once, and then not found.
            ..page(index, "9", PageState::Failed)
        },
    ])
    .await;
    let shown = bed.store.index(index).await.unwrap();
    assert_eq!(shown.document_count, 4);
    assert_eq!(
        shown.spaces.iter().map(|s| s.pages).collect::<Vec<_>>(),
        [4, 0]
    );
    assert_eq!(bed.store.stored_pages(index).await.unwrap(), 7);
    bed.is_consistent(index).await;
}

#[tokio::test]
async fn indexes_are_listed_by_name_in_pages() {
    let bed = Bed::new();
    for agent in ["d", "B", "a", "C", "e"] {
        bed.index(agent).await;
    }
    let mut names = Vec::new();
    let mut cursor = None;
    loop {
        let page = bed.store.indexes(cursor.as_deref(), 2).await.unwrap();
        assert!(page.items.len() <= 2);
        names.extend(
            page.items
                .into_iter()
                .map(|i| i.settings.agent_id.to_string()),
        );
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "B", "C", "d", "e"]);
    assert_eq!(bed.store.indexes(None, 0).await.unwrap().items.len(), 5);
    assert!(metastore::is_bad_cursor(
        &bed.store.indexes(Some("nonsense"), 2).await.unwrap_err()
    ));
}

#[tokio::test]
async fn a_deleted_index_leaves_nothing_but_its_objects_to_be_removed() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    bed.save(&[page(index, "1", PageState::Searchable)]).await;
    let run = bed.running(index, RunKind::First).await;
    let token = bed.store.create_token(&agent(index, "hash")).await.unwrap();
    assert_eq!(token.indexes, [index]);
    let remote = Remote {
        kind: "pipeline".into(),
        id: "p1".into(),
        name: "confluence-agent".into(),
        extra: None,
    };
    let object = bed.serving(index).await;
    bed.store.set_remote(object, &remote).await.unwrap();
    bed.store.delete_index(index).await.unwrap();

    assert!(matches!(
        bed.store.delete_index(index).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(matches!(
        bed.store.run(run.run_id).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(bed.store.token_by_hash("hash").await.unwrap().is_none());
    assert!(
        bed.store
            .page_names(index, &["1".into()])
            .await
            .unwrap()
            .is_empty()
    );
    let late = bed
        .store
        .save_pages(&[page(index, "2", PageState::Pending)], &[], Vec::new())
        .await;
    assert!(matches!(late, Err(StoreError::NotFound { .. })), "{late:?}");

    let due = bed.store.leaving_objects().await.unwrap();
    assert_eq!(
        (due[0].agent_id.as_str(), &due[0].remote, due[0].attempts),
        ("agent", &Some(remote), 0)
    );
    let later = bed.now() + TimeDelta::minutes(5);
    bed.store
        .settle_leaving(due[0].id, Some(later))
        .await
        .unwrap();
    let again = bed.store.leaving_objects().await.unwrap();
    assert_eq!((again[0].attempts, again[0].next_try_at), (1, later));

    // A run that had begun may have made one, and died before it said so.
    bed.store.settle_leaving(due[0].id, None).await.unwrap();
    let begun = bed.index("agent").await.id;
    bed.running(begun, RunKind::First).await;
    bed.store.delete_index(begun).await.unwrap();
    let due = bed.store.leaving_objects().await.unwrap();
    assert_eq!((due.len(), &due[0].remote), (1, &None));
    assert_eq!(due[0].agent_id.as_str(), "agent");

    // Without a run there is nothing to remove.
    let plain = bed.index("agent").await.id;
    bed.store.delete_index(plain).await.unwrap();
    bed.store.settle_leaving(due[0].id, None).await.unwrap();
    assert!(bed.store.leaving_objects().await.unwrap().is_empty());
}
