//! Who may read what, as it is kept.

use std::collections::BTreeMap;
use std::slice;

use domain::access::{Access, Asker, Email, Grantee, Guards, Identity, Member};
use domain::content::Restriction;
use domain::index::IndexPatch;
use domain::page::{PageRecord, PageState};
use domain::ports::store::{AdminStore as _, QueryStore as _, StoreError, SyncStore as _};
use domain::{AccountId, PageId};

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
    let [one, two] = ["1", "2"].map(PageId::from);
    assert_eq!(before.restricted.readers(&two), Some(&readers[..]));
    let behind = Guards::Known(vec!["2".into()]);
    assert_eq!(before.restricted.guards(&two), Some(&behind));
    assert_eq!(before.restricted.rows(), 2);
    assert_eq!(before.restrictions_read.len(), 1);
    assert_eq!(store.groups_named(index).await.unwrap(), ["g".into()]);

    let patch = IndexPatch {
        access: Some(Access::PerUser),
        ..IndexPatch::default()
    };
    let changed = store.update_index(index, &patch, &[]).await.unwrap();
    assert_eq!(changed.settings.access, Access::PerUser);
    let after = facts().await;
    for page in [one, two] {
        assert_eq!(after.restricted.guards(&page), Some(&Guards::Unknown));
    }
    assert!(after.restrictions_read.is_empty());
}

/// What is kept in memory of restrictions is what another process reads from the rows, whatever changes them.
#[tokio::test]
async fn what_is_kept_between_questions_is_never_older_than_the_rows() {
    let bed = Bed::new();
    let (index, store) = (bed.index("agent").await.id, &bed.store);
    let other = bed.index("other").await.id;
    let is_as_read_anew = async |rows: usize| {
        for index in [index, other] {
            let kept = store.view_facts(index, &Asker::Unnamed).await.unwrap();
            let second = bed.second();
            let read = second.view_facts(index, &Asker::Unnamed).await.unwrap();
            assert_eq!(kept, read);
        }
        let kept = store.view_facts(index, &Asker::Unnamed).await.unwrap();
        assert_eq!(kept.restricted.rows(), rows);
    };
    is_as_read_anew(0).await;
    let behind = |items: &[&str]| Guards::Known(items.iter().map(|id| (*id).into()).collect());
    let saved = async |index, id: &str, guards: Guards, readers: &[Grantee]| {
        let page = PageRecord {
            guards,
            readers: readers.to_vec(),
            restriction: match readers {
                [] => Restriction::Open,
                _ => Restriction::Restricted,
            },
            ..page(index, id, PageState::Searchable)
        };
        bed.save(&[page]).await;
    };
    let [ann, bob] = ["ann", "bob"].map(|id| Grantee::Person(id.into()));
    saved(index, "1", behind(&[]), &[]).await;
    is_as_read_anew(0).await;
    saved(index, "2", behind(&["2"]), slice::from_ref(&ann)).await;
    is_as_read_anew(2).await;
    saved(index, "2", behind(&["2"]), slice::from_ref(&bob)).await;
    is_as_read_anew(2).await;
    saved(index, "1", behind(&["2"]), &[]).await;
    is_as_read_anew(3).await;
    saved(index, "1", Guards::Unknown, &[]).await;
    is_as_read_anew(3).await;
    saved(other, "2", behind(&["2"]), &[ann]).await;
    is_as_read_anew(3).await;
    saved(index, "2", behind(&[]), &[]).await;
    is_as_read_anew(1).await;
    saved(index, "1", behind(&["2"]), &[]).await;
    saved(index, "2", behind(&["2"]), &[bob]).await;
    is_as_read_anew(3).await;
    store.delete_index(other).await.unwrap();
    let gone = store.view_facts(other, &Asker::Unnamed).await.unwrap();
    assert_eq!(gone.restricted.rows(), 0);
    let patch = IndexPatch {
        access: Some(Access::PerUser),
        ..IndexPatch::default()
    };
    store.update_index(index, &patch, &[]).await.unwrap();
    let all = store.view_facts(index, &Asker::Unnamed).await.unwrap();
    assert_eq!(all.restricted.guards(&"1".into()), Some(&Guards::Unknown));
    assert_eq!(
        all,
        bed.second()
            .view_facts(index, &Asker::Unnamed)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_file_of_people_counts_before_what_was_set_by_hand() {
    let bed = Bed::new();
    let people = |all: &[(&str, &str)]| -> BTreeMap<Email, AccountId> {
        let all = all.iter();
        all.map(|(email, account)| (Email::parse(email).unwrap(), AccountId::from(*account)))
            .collect()
    };
    let known = async || {
        let known = bed.store.people().await.unwrap();
        let mapped = known.mapped.iter().map(|(email, account)| {
            let from = known.from_file.contains(email);
            format!("{email} {account}{}", if from { " file" } else { "" })
        });
        mapped.collect::<Vec<_>>()
    };
    let store = &bed.store;
    let by_hand = people(&[("ann@x.org", "a"), ("bob@x.org", "b")]);
    store.map_people(&by_hand).await.unwrap();
    let file = people(&[("bob@x.org", "B"), ("cat@x.org", "c")]);
    assert_eq!(store.map_people_of_file(&file).await.unwrap(), 2);
    assert_eq!(store.map_people_of_file(&file).await.unwrap(), 0);
    let all = ["ann@x.org a", "bob@x.org B file", "cat@x.org c file"];
    assert_eq!(known().await, all);
    // By hand, what the file says may be said again, and left out, but not otherwise.
    store
        .map_people(&people(&[("ann@x.org", "a"), ("cat@x.org", "c")]))
        .await
        .unwrap();
    assert_eq!(known().await, all);
    let refused = store.map_people(&people(&[("cat@x.org", "d")])).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict { .. })),
        "{refused:?}"
    );
    store
        .map_people(&people(&[("dan@x.org", "d")]))
        .await
        .unwrap();
    assert_eq!(
        known().await,
        ["bob@x.org B file", "cat@x.org c file", "dan@x.org d"]
    );
    let file = people(&[("cat@x.org", "C")]);
    assert_eq!(store.map_people_of_file(&file).await.unwrap(), 2);
    assert_eq!(store.map_people_of_file(&people(&[])).await.unwrap(), 1);
    assert_eq!(known().await, ["dan@x.org d"]);
}
