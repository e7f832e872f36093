//! Sessions of MCP are kept, noted as used, and forgotten.

use chrono::TimeDelta;
use domain::ports::store::{AdminStore, KnownSession};

use crate::bed::Bed;

#[tokio::test]
async fn a_session_outlives_who_opened_it_until_it_is_forgotten() {
    let bed = Bed::new();
    let session = |id: &str, minutes| KnownSession {
        id: id.to_owned(),
        owner: "token of a".to_owned(),
        used_at: bed.now() + TimeDelta::minutes(minutes),
    };
    let (older, newer) = (session("older", 0), session("newer", 1));
    bed.store.keep_session(&newer, "hello").await.unwrap();
    bed.store.keep_session(&older, "hi").await.unwrap();
    // An id that is known is no new session.
    bed.store.keep_session(&older, "again").await.unwrap_err();
    let second = bed.second();
    assert_eq!(second.sessions().await.unwrap(), [older, newer.clone()]);
    let opening = async |id| second.session_opening(id).await.unwrap();
    assert_eq!(opening("older").await.as_deref(), Some("hi"));
    assert_eq!(opening("unknown").await, None);

    let later = session("older", 2);
    let used = [
        ("older".to_owned(), later.used_at),
        ("unknown".to_owned(), later.used_at),
    ];
    bed.store.sessions_used(&used).await.unwrap();
    assert_eq!(second.sessions().await.unwrap(), [newer, later.clone()]);

    let gone = ["newer".to_owned(), "unknown".to_owned()];
    bed.store.forget_sessions(&gone).await.unwrap();
    assert_eq!(second.sessions().await.unwrap(), [later]);
    assert_eq!(opening("newer").await, None);
}
