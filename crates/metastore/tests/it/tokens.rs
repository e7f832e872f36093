//! Agent tokens.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::TokenId;
use domain::ports::store::{AdminStore, StoreError};

use crate::bed::Bed;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_found_by_its_hash_until_it_is_revoked() {
    let bed = Bed::new();
    let (index, other) = (bed.index("a").await.id, bed.index("b").await.id);
    let token = bed
        .store
        .create_token(index, "laptop", ("cfs_ab", "hash-1"), None)
        .await
        .unwrap();
    bed.store
        .create_token(index, "server", ("cfs_cd", "hash-2"), None)
        .await
        .unwrap();
    let twice = bed
        .store
        .create_token(other, "copy", ("cfs_ab", "hash-1"), None)
        .await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })));
    assert_eq!(bed.store.tokens(index).await.unwrap().len(), 2);
    assert_eq!(bed.store.tokens(index).await.unwrap()[0], token);
    assert!(bed.store.tokens(other).await.unwrap().is_empty());

    // The use is noted to the minute.
    let used = bed.store.token_by_hash("hash-1").await.unwrap().unwrap();
    let minute = "2026-03-04T12:00:00Z".parse().unwrap();
    assert_eq!(used.last_used_at, Some(minute));
    let patience = Instant::now() + Duration::from_secs(10);
    while bed.store.tokens(index).await.unwrap()[0].last_used_at != Some(minute) {
        assert!(Instant::now() < patience, "the use was never noted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bed.clock.advance(TimeDelta::minutes(2));
    let again = bed.store.token_by_hash("hash-1").await.unwrap().unwrap();
    assert_eq!(again.last_used_at, Some(minute + TimeDelta::minutes(2)));

    assert!(bed.store.token_by_hash("unknown").await.unwrap().is_none());
    assert!(matches!(
        bed.store.revoke_token(other, token.id).await,
        Err(StoreError::NotFound { .. })
    ));
    let server = bed.store.tokens(index).await.unwrap()[1].id;
    // More than one statement has room for.
    let unknown: Vec<TokenId> = (0..700).map(|_| TokenId::generate()).collect();
    let used = [&[token.id, server], unknown.as_slice()].concat();
    assert_eq!(bed.store.revoked_tokens(&used).await.unwrap(), unknown);
    bed.store.revoke_token(index, token.id).await.unwrap();
    let revoked = bed.store.revoked_tokens(&[server, token.id]).await.unwrap();
    assert_eq!(revoked, [token.id]);
    assert!(bed.store.revoked_tokens(&[]).await.unwrap().is_empty());
    assert!(bed.store.token_by_hash("hash-1").await.unwrap().is_none());
    assert!(matches!(
        bed.store.revoke_token(index, token.id).await,
        Err(StoreError::NotFound { .. })
    ));
    // A token is gone with its index, too.
    bed.store.delete_index(index).await.unwrap();
    let gone = bed.store.revoked_tokens(&[server]).await.unwrap();
    assert_eq!(gone, [server]);
}

#[tokio::test]
async fn a_token_ends_by_itself() {
    let bed = Bed::new();
    let index = bed.index("a").await.id;
    let ends = bed.now() + TimeDelta::days(30);
    let token = bed
        .store
        .create_token(index, "guest", ("cfs_ab", "hash"), Some(ends))
        .await
        .unwrap();
    assert_eq!(token.expires_at, Some(ends));
    bed.clock
        .advance(TimeDelta::days(30) - TimeDelta::seconds(1));
    let found = bed.store.token_by_hash("hash").await.unwrap();
    assert_eq!(found.and_then(|token| token.expires_at), Some(ends));
    bed.clock.advance(TimeDelta::seconds(1));
    assert_eq!(bed.store.token_by_hash("hash").await.unwrap(), None);
    assert_eq!(
        bed.store.tokens(index).await.unwrap().len(),
        1,
        "it is listed until it is removed"
    );
}
