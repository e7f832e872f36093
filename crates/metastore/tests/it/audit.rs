//! Who did what.

use chrono::TimeDelta;
use domain::access::{Asker, Email};
use domain::audit::{
    Actor, EntryFilter, EntryKind, EntryOutcome, HandedOut, KeptOfQuestions, NewEntry,
};
use domain::ports::store::{AdminStore, SyncStore};
use domain::{IndexId, PageId, TokenId};
use serde_json::json;

use crate::bed::Bed;

#[tokio::test]
async fn entries_are_listed_newest_first_and_go_with_time() {
    let bed = Bed::new();
    let index = bed.index("a").await.id;
    let entry = |action: &str, outcome| NewEntry {
        kind: EntryKind::Change,
        actor: "Ann (by a key)".to_owned(),
        token: Some(TokenId::generate()),
        address: Some("192.0.2.7".to_owned()),
        person: None,
        action: action.to_owned(),
        outcome,
        index: (action == "change_index").then_some(index),
        subject: Some("s".to_owned()),
        detail: Some(json!({"name": "x"})),
    };
    let changed = entry("change_index", EntryOutcome::Done);
    for new in [
        entry("create_key", EntryOutcome::Done),
        changed.clone(),
        entry("delete_index", EntryOutcome::Refused),
    ] {
        bed.store.note(&new).await.unwrap();
        bed.clock.advance(TimeDelta::hours(1));
    }
    let actions = async |filter: EntryFilter| {
        let listed = bed.store.audit(&filter).await.unwrap();
        let actions: Vec<String> = listed.items.into_iter().map(|e| e.action).collect();
        (actions, listed.next_cursor)
    };
    let (first, cursor) = actions(EntryFilter {
        limit: 2,
        ..EntryFilter::default()
    })
    .await;
    assert_eq!(first, ["delete_index", "change_index"]);
    let (rest, end) = actions(EntryFilter {
        limit: 2,
        cursor,
        ..EntryFilter::default()
    })
    .await;
    assert_eq!((rest, end), (vec!["create_key".to_owned()], None));
    let of_index = bed
        .store
        .audit(&EntryFilter {
            index: Some(index),
            ..EntryFilter::default()
        })
        .await
        .unwrap();
    let [only] = of_index.items.as_slice() else {
        panic!("{of_index:?}");
    };
    assert_eq!(
        (
            only.actor.as_str(),
            only.token_id,
            only.detail.clone(),
            only.outcome
        ),
        (
            "Ann (by a key)",
            changed.token,
            changed.detail,
            EntryOutcome::Done
        )
    );
    let (refused, _) = actions(EntryFilter {
        action: Some("delete_index".to_owned()),
        ..EntryFilter::default()
    })
    .await;
    assert_eq!(refused.len(), 1);
    let (lately, _) = actions(EntryFilter {
        since: Some(bed.now() - TimeDelta::minutes(90)),
        ..EntryFilter::default()
    })
    .await;
    assert_eq!(lately, ["delete_index"]);
    bed.store
        .prune(bed.now() - TimeDelta::minutes(90))
        .await
        .unwrap();
    let (kept, _) = actions(EntryFilter::default()).await;
    assert_eq!(kept, ["delete_index"]);
}

#[tokio::test]
async fn questions_are_listed_by_person_and_index_and_have_a_time_of_their_own() {
    let bed = Bed::new();
    let [a, b] = [bed.index("a").await.id, bed.index("b").await.id];
    let actor = Actor {
        name: "chat (by a key)".to_owned(),
        token: Some(TokenId::generate()),
        address: None,
    };
    let asked = |person: &str, indexes: &[IndexId]| {
        let asker = Email::parse(person).map_or(Asker::Unnamed, Asker::Person);
        let handed_out = HandedOut {
            action: "search_confluence",
            question: Some("how?".to_owned()),
            indexes: indexes.to_vec(),
            pages: vec![PageId::from("7")],
        };
        let entry = handed_out.entry(&actor, &asker, KeptOfQuestions::Text);
        (bed.now(), entry.unwrap())
    };
    bed.store
        .note_all(&[
            asked("ann@example.org", &[a]),
            asked("bob@example.org", &[a, b]),
            asked("", &[b]),
        ])
        .await
        .unwrap();
    bed.clock.advance(TimeDelta::days(2));
    let changed = NewEntry::done("Ann (by a key)", "change_index").of_index(b);
    bed.store.note(&changed).await.unwrap();
    bed.store
        .note_all(&[asked("ann@example.org", &[b])])
        .await
        .unwrap();
    let listed = async |filter: EntryFilter| {
        let listed = bed.store.audit(&filter).await.unwrap().items;
        let told = listed.into_iter().map(|entry| {
            let person = entry.person.unwrap_or_default();
            format!("{} {person}", entry.kind.as_str())
        });
        told.collect::<Vec<_>>()
    };
    let all = EntryFilter {
        limit: 10,
        ..EntryFilter::default()
    };
    let of_person = |person: &str| EntryFilter {
        person: Email::parse(person),
        ..all.clone()
    };
    let of_index = |index| EntryFilter {
        index: Some(index),
        ..all.clone()
    };
    let only = |kind| EntryFilter {
        kind: Some(kind),
        ..all.clone()
    };
    assert_eq!(listed(of_person("Ann@example.org")).await.len(), 2);
    assert_eq!(listed(of_person("bob@example.org")).await.len(), 1);
    assert_eq!(
        listed(of_index(a)).await,
        ["question bob@example.org", "question ann@example.org"]
    );
    assert_eq!(listed(of_index(b)).await.len(), 4);
    assert_eq!(listed(only(EntryKind::Change)).await, ["change "]);
    assert_eq!(listed(only(EntryKind::Question)).await.len(), 4);
    // The time of runs and changes is none of theirs, and the other way round.
    bed.store
        .prune(bed.now() - TimeDelta::days(1))
        .await
        .unwrap();
    assert_eq!(listed(all.clone()).await.len(), 5);
    bed.store
        .prune_asked(bed.now() - TimeDelta::days(1))
        .await
        .unwrap();
    assert_eq!(
        listed(all.clone()).await,
        ["question ann@example.org", "change "]
    );
}
