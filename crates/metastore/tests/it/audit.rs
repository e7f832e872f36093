//! Who did what.

use chrono::TimeDelta;
use domain::TokenId;
use domain::audit::{EntryFilter, EntryOutcome, NewEntry};
use domain::ports::store::{AdminStore, SyncStore};
use serde_json::json;

use crate::bed::Bed;

#[tokio::test]
async fn entries_are_listed_newest_first_and_go_with_time() {
    let bed = Bed::new();
    let index = bed.index("a").await.id;
    let entry = |action: &str, outcome| NewEntry {
        actor: "Ann (by a key)".to_owned(),
        token: Some(TokenId::generate()),
        address: Some("192.0.2.7".to_owned()),
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
