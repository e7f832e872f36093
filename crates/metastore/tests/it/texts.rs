//! Texts come back as they went in, whichever database keeps them.

use domain::ports::store::{AdminStore, QueryStore, SyncStore};

use crate::bed::{Bed, body, page};
use domain::page::PageState;

#[tokio::test]
async fn a_text_with_nul_fails_no_statement() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let mut record = page(index, "1\0", PageState::Pending);
    record.facts.title = "a\0title\0".to_owned();
    let mut kept = body("1\0", 1);
    kept.text.markdown = "a\0text".to_owned();
    bed.store
        .save_pages(&[record], &[], vec![kept])
        .await
        .unwrap();
    // What went in under a name is found under it.
    let found = bed.page(index, "1\0").await;
    // SQLite keeps the sign; PostgreSQL knows it in no text.
    let kept = if cfg!(feature = "postgres") && bed.url().file().is_none() {
        "a\u{fffd}title\u{fffd}"
    } else {
        "a\0title\0"
    };
    assert_eq!(found.facts.title, kept);
    let texts = bed.store.texts(&["1\0".into()]).await.unwrap();
    assert_eq!(texts[0].markdown, "a\0text", "bytes are no text");
    bed.store.remember("a\0name", "a\0value").await.unwrap();
    let remembered = bed.store.remembered("a\0name").await.unwrap();
    assert_eq!(remembered.map(|text| text.chars().count()), Some(7));
    // It is no other text's name.
    assert_eq!(bed.store.remembered("aname").await.unwrap(), None);
    assert_eq!(bed.store.token_by_hash("a\0hash").await.unwrap(), None);
}
