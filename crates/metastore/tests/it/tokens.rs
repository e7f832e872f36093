//! Tokens: who is let in, to what, and until when.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::access::Email;
use domain::ports::store::{AdminStore, PageSession, StoreError};
use domain::token::{NewToken, Person, Role};
use domain::{IndexId, TokenId};

use crate::bed::Bed;

fn new(role: Role, indexes: &[IndexId], name: &str, hash: &str) -> NewToken {
    NewToken {
        speaks_for_others: false,
        role,
        indexes: indexes.to_vec(),
        name: name.to_owned(),
        prefix: "cfs_ab".to_owned(),
        secret_hash: hash.to_owned(),
        created_by: Some("the administrator".to_owned()),
        expires_at: None,
    }
}

pub fn agent(index: IndexId, hash: &str) -> NewToken {
    new(Role::Agent, &[index], "laptop", hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_found_by_its_hash_until_it_is_revoked() {
    let bed = Bed::new();
    let (index, other) = (bed.index("a").await.id, bed.index("b").await.id);
    let store = &bed.store;
    let token = store.create_token(&agent(index, "hash-1")).await.unwrap();
    let server = store.create_token(&agent(index, "hash-2")).await.unwrap();
    let twice = store.create_token(&agent(other, "hash-1")).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })));
    let listed = store.tokens_of_index(index).await.unwrap();
    assert_eq!(listed, [token.clone(), server.clone()]);
    assert!(store.tokens_of_index(other).await.unwrap().is_empty());

    // The use is noted to the minute.
    let used = store.token_by_hash("hash-1").await.unwrap().unwrap();
    let minute = "2026-03-04T12:00:00Z".parse().unwrap();
    assert_eq!(used.last_used_at, Some(minute));
    let patience = Instant::now() + Duration::from_secs(10);
    while store.tokens_of_index(index).await.unwrap()[0].last_used_at != Some(minute) {
        assert!(Instant::now() < patience, "the use was never noted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bed.clock.advance(TimeDelta::minutes(2));
    let again = store.token_by_hash("hash-1").await.unwrap().unwrap();
    assert_eq!(again.last_used_at, Some(minute + TimeDelta::minutes(2)));

    assert!(store.token_by_hash("unknown").await.unwrap().is_none());
    assert!(matches!(
        store.revoke_token_of_index(other, token.id).await,
        Err(StoreError::NotFound { .. })
    ));
    // More than one statement has room for.
    let unknown: Vec<TokenId> = (0..700).map(|_| TokenId::generate()).collect();
    let used = [&[token.id, server.id], unknown.as_slice()].concat();
    let mut living = store.living_tokens(&used).await.unwrap();
    living.sort();
    let mut both = [(token.id, vec![index]), (server.id, vec![index])];
    both.sort();
    assert_eq!(living, both);
    store.revoke_token_of_index(index, token.id).await.unwrap();
    let living = store.living_tokens(&[server.id, token.id]).await.unwrap();
    assert_eq!(living, [(server.id, vec![index])]);
    assert!(store.living_tokens(&[]).await.unwrap().is_empty());
    assert!(store.token_by_hash("hash-1").await.unwrap().is_none());
    assert!(matches!(
        store.revoke_token_of_index(index, token.id).await,
        Err(StoreError::NotFound { .. })
    ));
    // A token is gone with its index, too.
    store.delete_index(index).await.unwrap();
    assert!(store.living_tokens(&[server.id]).await.unwrap().is_empty());
    assert!(store.tokens().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_token_ends_by_itself() {
    let bed = Bed::new();
    let index = bed.index("a").await.id;
    let ends = bed.now() + TimeDelta::days(30);
    let mut guest = agent(index, "hash");
    guest.expires_at = Some(ends);
    let token = bed.store.create_token(&guest).await.unwrap();
    assert_eq!(token.expires_at, Some(ends));
    bed.clock
        .advance(TimeDelta::days(30) - TimeDelta::seconds(1));
    let found = bed.store.token_by_hash("hash").await.unwrap();
    assert_eq!(found.and_then(|token| token.expires_at), Some(ends));
    bed.clock.advance(TimeDelta::seconds(1));
    assert_eq!(bed.store.token_by_hash("hash").await.unwrap(), None);
    assert_eq!(bed.store.token(token.id).await.unwrap(), None);
    assert_eq!(
        bed.store.tokens_of_index(index).await.unwrap().len(),
        1,
        "it is listed until it is removed"
    );
}

#[tokio::test]
async fn an_agent_of_several_indexes_loses_them_one_by_one() {
    let bed = Bed::new();
    let (a, b, c) = (
        bed.index("a").await.id,
        bed.index("b").await.id,
        bed.index("c").await.id,
    );
    let store = &bed.store;
    let mut all = vec![a, b, c];
    all.sort();
    let token = store
        .create_token(&new(Role::Agent, &all, "three", "hash"))
        .await
        .unwrap();
    let of = async || store.token(token.id).await.unwrap().map(|t| t.indexes);
    assert_eq!(of().await, Some(all));
    store.revoke_token_of_index(b, token.id).await.unwrap();
    let mut left = vec![a, c];
    left.sort();
    assert_eq!(of().await, Some(left));
    store.delete_index(c).await.unwrap();
    assert_eq!(of().await, Some(vec![a]));
    store.delete_index(a).await.unwrap();
    assert_eq!(of().await, None, "an agent without an index");
    let nowhere = new(Role::Agent, &[a], "late", "hash-2");
    assert!(matches!(
        store.create_token(&nowhere).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(store.tokens().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_editor_keeps_its_key_without_an_index_and_gets_those_it_makes() {
    let bed = Bed::new();
    let store = &bed.store;
    let editor = store
        .create_token(&new(Role::Editor, &[], "ann", "hash"))
        .await
        .unwrap();
    let made = bed.index_for("a", Some(editor.id)).await.id;
    let of = async || store.token(editor.id).await.unwrap().map(|t| t.indexes);
    assert_eq!(of().await, Some(vec![made]));
    // It is no agent's token of that index, and is not revoked as one.
    assert!(store.tokens_of_index(made).await.unwrap().is_empty());
    assert!(matches!(
        store.revoke_token_of_index(made, editor.id).await,
        Err(StoreError::NotFound { .. })
    ));
    store.delete_index(made).await.unwrap();
    assert_eq!(of().await, Some(Vec::new()));
    assert_eq!(store.living_tokens(&[editor.id]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_replaced_token_lasts_for_a_while_and_its_heir_has_its_rights() {
    let bed = Bed::new();
    let index = bed.index("a").await.id;
    let store = &bed.store;
    let old = store.create_token(&agent(index, "old")).await.unwrap();
    let day = TimeDelta::days(1);
    let heir = store
        .replace_token(old.id, ("cfs_cd", "new"), "Ann", day)
        .await
        .unwrap();
    assert_eq!(
        (
            heir.role,
            &heir.indexes,
            heir.name.as_str(),
            heir.expires_at
        ),
        (Role::Agent, &vec![index], "laptop", None)
    );
    assert_eq!(heir.created_by.as_deref(), Some("Ann"));
    assert_ne!(heir.id, old.id);
    let known = store.token_by_hash("new").await.unwrap().unwrap();
    assert_eq!((known.id, known.prefix.as_str()), (heir.id, "cfs_cd"));
    bed.clock.advance(day - TimeDelta::seconds(1));
    assert!(store.token_by_hash("old").await.unwrap().is_some());
    bed.clock.advance(TimeDelta::seconds(1));
    assert!(store.token_by_hash("old").await.unwrap().is_none());
    let living = store.living_tokens(&[old.id, heir.id]).await.unwrap();
    assert_eq!(living, [(heir.id, vec![index])]);
    assert!(store.token_by_hash("new").await.unwrap().is_some());
    let unknown = store.replace_token(TokenId::generate(), ("", "x"), "Ann", day);
    assert!(matches!(unknown.await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn the_page_sessions_of_a_revoked_key_are_gone() {
    let bed = Bed::new();
    let store = &bed.store;
    let key = store
        .create_token(&new(Role::Reader, &[], "ann", "hash"))
        .await
        .unwrap();
    let session = |hash: &str, token| PageSession {
        hash: hash.to_owned(),
        until: bed.now() + TimeDelta::hours(1),
        token,
    };
    let (first, of_key) = (session("a", None), session("b", Some(key.id)));
    store.keep_page_session(&first).await.unwrap();
    store.keep_page_session(&of_key).await.unwrap();
    assert_eq!(
        store.page_sessions().await.unwrap(),
        [first.clone(), of_key]
    );
    store.revoke_token(key.id).await.unwrap();
    assert_eq!(store.page_sessions().await.unwrap(), [first]);
    assert!(matches!(
        store.revoke_token(key.id).await,
        Err(StoreError::NotFound { .. })
    ));
}

#[tokio::test]
async fn whom_an_issuer_names_is_one_row_and_stays_out_when_revoked() {
    let bed = Bed::new();
    let store = &bed.store;
    let person = |name: &str, role| Person {
        subject: Person::subject_of("https://idp.example/", "7"),
        name: name.to_owned(),
        email: Email::parse("ann@example.org"),
        role,
    };
    let ann = store
        .keep_person(&person("Ann", Role::Editor))
        .await
        .unwrap();
    assert_eq!(ann.subject.as_deref(), Some("https://idp.example|7"));
    let made = bed.index_for("a", Some(ann.id)).await.id;
    let now_reader = person("Ann B", Role::Reader);
    let ann = store.keep_person(&now_reader).await.unwrap();
    assert_eq!((ann.name.as_str(), ann.role), ("Ann B", Role::Reader));
    assert!(ann.indexes.is_empty(), "who sees all has none of their own");
    let ann = store
        .keep_person(&person("Ann", Role::Editor))
        .await
        .unwrap();
    assert_eq!(ann.indexes, [made]);
    assert_eq!(store.tokens().await.unwrap(), std::slice::from_ref(&ann));
    let replaced = store.replace_token(ann.id, ("", "x"), "Ann", TimeDelta::days(1));
    assert!(matches!(replaced.await, Err(StoreError::Conflict { .. })));

    let session = PageSession {
        hash: "h".to_owned(),
        until: bed.now() + TimeDelta::hours(1),
        token: Some(ann.id),
    };
    store.keep_page_session(&session).await.unwrap();
    for _ in 0..2 {
        store.revoke_token(ann.id).await.unwrap();
        assert_eq!(store.token(ann.id).await.unwrap(), None);
        assert!(store.living_tokens(&[ann.id]).await.unwrap().is_empty());
        assert!(store.page_sessions().await.unwrap().is_empty());
        let promoted = person("Ann", Role::Administrator);
        let again = store.keep_person(&promoted).await.unwrap();
        assert!(again.expires_at.is_some());
    }
    let known = store.person("https://idp.example|7").await.unwrap();
    assert_eq!(known.map(|known| known.id), Some(ann.id));
    let admitted = store.admit_person(ann.id).await.unwrap();
    assert_eq!((admitted.id, admitted.expires_at), (ann.id, None));
    assert!(store.token(ann.id).await.unwrap().is_some());
    assert_eq!(store.person("https://idp.example|8").await.unwrap(), None);

    let rae = new(Role::Reader, &[], "Rae", "hash");
    let key = store.create_token(&rae).await.unwrap();
    let refused = store.admit_person(key.id).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })));
    let unknown = store.admit_person(TokenId::generate()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })));
}
