//! Who may read what, as it is kept.

use std::collections::{BTreeMap, BTreeSet};

use domain::access::{Access, Asker, Email, Grantee, Guards, Identity, Member};
use domain::content::Restriction;
use domain::index::IndexPatch;
use domain::page::PageState;
use domain::ports::store::{AdminStore as _, QueryStore as _, SyncStore as _};

use crate::bed::{Bed, page};

fn member(account: &str, email: Option<&str>) -> Member {
    Member {
        account: account.into(),
        email: email.map(str::to_owned),
    }
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn asker(text: &str) -> Asker {
    Asker::Person(email(text))
}

#[tokio::test]
async fn groups_are_kept_whole_and_tell_whose_addresses_are() {
    let bed = Bed::new();
    let (index, store) = (bed.index("agent").await.id, &bed.store);
    let who = async |address: &str| {
        let facts = store.view_facts(index, &asker(address)).await.unwrap();
        let groups: Vec<String> = facts.groups.keys().map(ToString::to_string).collect();
        (facts.identity.unwrap(), groups.join(" "))
    };
    let known = |account: &str, mapped| Identity::Known {
        account: account.into(),
        mapped,
    };
    let everybody = [
        member("a", Some("Ann@x.org")),
        member("a", Some("Ann@x.org")),
        member("b", None),
    ];
    store.record_group(&"g".into(), &everybody).await.unwrap();
    let ann = [member("a", Some("ann@x.org"))];
    store.record_group(&"h".into(), &ann).await.unwrap();
    assert_eq!(who("ann@X.org").await, (known("a", false), "g h".into()));
    assert_eq!(who("b@x.org").await, (Identity::Unknown, String::new()));

    // Two show one address; the operator says whose it is, and somebody's who shows none.
    let twins = [
        member("a", Some("ann@x.org")),
        member("c", Some("ann@x.org")),
    ];
    store.record_group(&"g".into(), &twins).await.unwrap();
    let accounts = vec!["a".into(), "c".into()];
    let both = Identity::Ambiguous {
        accounts: accounts.clone(),
    };
    assert_eq!(who("ann@x.org").await, (both, String::new()));
    let people = store.people().await.unwrap();
    assert_eq!(
        people.ambiguous,
        BTreeMap::from([("ann@x.org".to_owned(), accounts)])
    );
    let mapped = BTreeMap::from([
        (email("ann@x.org"), "c".into()),
        (email("b@x.org"), "b".into()),
    ]);
    store.map_people(&mapped).await.unwrap();
    assert_eq!(who("ann@x.org").await, (known("c", true), "g".into()));
    assert_eq!(who("b@x.org").await, (known("b", true), String::new()));
    let people = store.people().await.unwrap();
    assert_eq!(
        (people.mapped.len(), people.ambiguous.len(), people.shown),
        (2, 0, 2)
    );

    // Who is in no group any more shows nothing.
    store.map_people(&BTreeMap::new()).await.unwrap();
    store.record_group(&"g".into(), &[]).await.unwrap();
    store.record_group(&"h".into(), &[]).await.unwrap();
    assert_eq!(who("ann@x.org").await, (Identity::Unknown, String::new()));
}

#[tokio::test]
async fn an_index_that_begins_to_answer_per_person_knows_of_nobody_what_they_may_read() {
    let bed = Bed::new();
    let (index, store) = (bed.index("agent").await.id, &bed.store);
    let mut behind = page(index, "2", PageState::Searchable);
    behind.guards = Guards::Known(vec!["2".into()]);
    behind.restriction = Restriction::Restricted;
    behind.readers = vec![Grantee::Group("g".into()), Grantee::Person("a".into())];
    let readers = behind.readers.clone();
    bed.save(&[page(index, "1", PageState::Searchable), behind])
        .await;
    store
        .restrictions_were_read(index, &"100".into(), bed.now())
        .await
        .unwrap();
    let facts = async || store.view_facts(index, &Asker::Unnamed).await.unwrap();
    let before = facts().await;
    assert_eq!(before.items, [("2".into(), readers)]);
    assert_eq!(
        before.guarded,
        [("2".into(), Guards::Known(vec!["2".into()]))]
    );
    assert_eq!(before.restrictions_read.len(), 1);
    assert_eq!(store.groups_named(index).await.unwrap(), ["g".into()]);

    let patch = IndexPatch {
        access: Some(Access::PerUser),
        ..IndexPatch::default()
    };
    let changed = store.update_index(index, &patch, &[]).await.unwrap();
    assert_eq!(changed.settings.access, Access::PerUser);
    let after = facts().await;
    let guarded: BTreeSet<&str> = after.guarded.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(guarded, BTreeSet::from(["1", "2"]));
    assert!(
        after
            .guarded
            .iter()
            .all(|(_, guards)| *guards == Guards::Unknown)
    );
    assert!(after.restrictions_read.is_empty());
}
