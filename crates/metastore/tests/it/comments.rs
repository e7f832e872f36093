//! Comments are kept once for all indexes, with the page that they stand on.

use chrono::TimeDelta;
use domain::comments::{CachedComment, CommentPlace, Standing};
use domain::holding::Change;
use domain::page::{PageRecord, PageState};
use domain::ports::store::{AdminStore, QueryStore, SyncStore};

use crate::bed::{Bed, ids, noon, page, settings};

fn comment(id: &str, on: &str, version: i32) -> CachedComment {
    CachedComment {
        id: id.into(),
        page_id: on.into(),
        parent: Some("77".into()),
        place: CommentPlace::Inline,
        version,
        modified: noon(),
        author: Some("a:1".into()),
        standing: Standing::Dangling,
        quoted: Some("the word".to_owned()),
        url: format!("https://x/wiki/{id}"),
        storage: format!("<p>{}</p>", "grün ".repeat(50)),
        markdown: format!("version {version}\n"),
        converter: 1,
    }
}

#[tokio::test]
async fn what_is_kept_comes_back_whole_and_never_older() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    bed.save(&[page(index, "1", PageState::Searchable)]).await;
    let newest = comment("12", "1", 3);
    let other = comment("13", "2", 1);
    let store = &bed.store;
    store
        .save_comments(&[newest.clone(), other], &[])
        .await
        .unwrap();
    store
        .save_comments(&[comment("12", "1", 2)], &[])
        .await
        .unwrap();
    assert_eq!(store.comments_of(&ids(&["1"])).await.unwrap(), [newest]);
    // Only of pages that stand in the space for this index.
    let in_space = store.comment_briefs_in(index, &"100".into()).await.unwrap();
    assert_eq!(in_space.len(), 1);
    let brief = in_space[0].clone();
    assert_eq!(
        (brief.id.as_str(), brief.version, brief.standing),
        ("12", 3, Standing::Dangling)
    );
    assert_eq!(
        store
            .comment_briefs(&ids(&["12", "13", "x"]))
            .await
            .unwrap()
            .len(),
        2
    );

    store
        .mark_comments_absent(&ids(&["12"]), Some(noon()))
        .await
        .unwrap();
    let absent = store.comment_briefs(&ids(&["12"])).await.unwrap();
    assert_eq!(absent[0].absent_since, Some(noon()));
    for (before, named) in [(noon(), 1), (noon() - TimeDelta::seconds(1), 0)] {
        let missed = store.missed_comments(index, before, 9).await.unwrap();
        assert_eq!(missed.len(), named);
    }
    store
        .save_comments(&[comment("12", "1", 4)], &ids(&["13"]))
        .await
        .unwrap();
    let all = store.comment_briefs(&ids(&["12", "13"])).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].version, all[0].absent_since), (4, None));
}

#[tokio::test]
async fn pages_with_comments_are_named_in_order_and_comments_go_with_their_page() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let mut chosen = settings("agent", &["ENG", "OPS"]);
    chosen.include_comments = true;
    bed.store
        .update_index(index, &chosen.clone().into(), &[])
        .await
        .unwrap();
    let commented = |id: &str, state| PageRecord {
        comments_hash: Some("c".repeat(64)),
        ..page(index, id, state)
    };
    bed.save(&[
        commented("1", PageState::Searchable),
        page(index, "2", PageState::Searchable),
        commented("3", PageState::Searchable),
    ])
    .await;
    let store = &bed.store;
    let first = store.pages_with_comments(index, None, 1).await.unwrap();
    assert_eq!(first, ids(&["1"]));
    let rest = store
        .pages_with_comments(index, Some(&first[0]), 9)
        .await
        .unwrap();
    assert_eq!(rest, ids(&["3"]));
    assert_eq!(
        bed.page(index, "3").await,
        commented("3", PageState::Searchable)
    );

    let kept = [comment("12", "1", 1), comment("13", "3", 1)];
    store.save_comments(&kept, &[]).await.unwrap();
    let gone = page(index, "3", PageState::Removed);
    let object = bed.serving(index).await;
    let nothing = [Change::Listed(None), Change::Want(None)];
    bed.change(object, &gone, &nothing).await;
    bed.save(&[gone]).await;
    store.prune(bed.now() + TimeDelta::days(1)).await.unwrap();
    let left = store.comment_briefs(&ids(&["12", "13"])).await.unwrap();
    assert_eq!(left.len(), 1);

    // No index wants comments any more.
    chosen.include_comments = false;
    store
        .update_index(index, &chosen.clone().into(), &[])
        .await
        .unwrap();
    store.prune(bed.now()).await.unwrap();
    assert!(
        store
            .comment_briefs(&ids(&["12"]))
            .await
            .unwrap()
            .is_empty()
    );
}
