//! From a file to a server and back nothing is lost, and no half of a copy is taken for the whole.
#![cfg(feature = "postgres")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use domain::ports::store::{IndexState, StoreError, SyncStore};
use metastore::{DatabaseUrl, Metastore, MetastoreOptions, OpenError, transfer};
use test_database::{Database, are_on_a_server};

use crate::bed::Bed;
use crate::upgrade::{raw, upgraded};

/// A file with rows in nearly every table, and a text with a character that PostgreSQL does not take.
fn source() -> Bed {
    let bed = upgraded();
    raw(&bed)
        .batch_execute(
            "UPDATE sites SET base_url = 'https://wiki.example';
             INSERT INTO remembered (name, value) VALUES ('odd', 'a' || char(0) || 'b');
             INSERT INTO tokens (id, role, name, prefix, secret_hash, created_at, speaks_for_others)
                 VALUES ('t1', 'agent', 'one', 'p', 'h1', '2026-03-04 12:00:00', 0),
                        ('t2', 'agent', 'two', 'p', 'h2', '2026-03-04 12:00:00.120', 1);",
        )
        .unwrap();
    bed
}

/// The copy, at the time of the source.
fn beside(bed: &Bed, copy: &Database) -> Metastore {
    let options = MetastoreOptions {
        clock: Arc::new(bed.clock.clone()),
        ..MetastoreOptions::default()
    };
    Metastore::open(&copy.url(), options).unwrap()
}

async fn states(store: &Metastore) -> Vec<IndexState> {
    store.index_states().await.unwrap()
}

fn conflict(outcome: Result<metastore::Transferred, StoreError>) -> String {
    match outcome {
        Err(StoreError::Conflict { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}

/// In how many rows of a table two files differ, to the last byte.
fn differing(one: &DatabaseUrl, other: &DatabaseUrl, table: &str) -> i64 {
    let file = |url: &DatabaseUrl| url.file().unwrap().display().to_string();
    let mut connection = SqliteConnection::establish(&file(one)).unwrap();
    let attach = format!("ATTACH '{}' AS other", file(other));
    connection.batch_execute(&attach).unwrap();
    let ask = format!(
        "SELECT (SELECT COUNT(*) FROM (SELECT * FROM main.{table} EXCEPT SELECT * FROM other.{table}))
              + (SELECT COUNT(*) FROM (SELECT * FROM other.{table} EXCEPT SELECT * FROM main.{table})) AS number"
    );
    let found: Count = diesel::sql_query(ask).get_result(&mut connection).unwrap();
    found.number
}

#[tokio::test]
async fn a_database_goes_to_a_server_and_back_without_a_difference() {
    if !are_on_a_server() {
        return;
    }
    let (bed, server, back) = (source(), Database::new(), Database::in_a_file());
    let mut told = Vec::new();
    let there = transfer(bed.store.url(), &server.url(), |table, rows| {
        told.push((table, rows));
    });
    let there = there.unwrap();
    assert_eq!(told.len(), there.rows.len());
    for table in ["indexes", "synced_pages", "holdings", "bodies", "tokens"] {
        assert!(there.rows[table] > 0, "{table}");
    }
    // The server is worked with, and numbers on behind what came.
    let store = beside(&bed, &server);
    assert_eq!(states(&store).await, states(&bed.store).await);
    drop(store);
    let (store, lock) = Metastore::open_locked(&server.url(), MetastoreOptions::default()).unwrap();
    drop((store, lock));

    let again = transfer(&server.url(), &back.url(), |_, _| {}).unwrap();
    assert_eq!(
        again.rows.keys().collect::<Vec<_>>(),
        there.rows.keys().collect::<Vec<_>>()
    );
    let odd = "UPDATE remembered SET value = 'a' || char(65533) || 'b' WHERE name = 'odd'";
    raw(&bed).batch_execute(odd).unwrap();
    back.execute("DELETE FROM remembered WHERE name = 'engine_lock'");
    for table in there.rows.keys() {
        assert_eq!(differing(bed.store.url(), &back.url(), table), 0, "{table}");
    }
}

#[tokio::test]
async fn what_was_cut_off_is_opened_by_nobody_and_goes_on_where_it_was() {
    if !are_on_a_server() {
        return;
    }
    let (bed, server) = (source(), Database::new());
    for last in ["synced_pages", "holdings", "confluence_grants"] {
        let cut = catch_unwind(AssertUnwindSafe(|| {
            transfer(bed.store.url(), &server.url(), |table, _| {
                assert_ne!(table, last, "cut off");
            })
        }));
        assert!(cut.is_err());
        for opened in [
            Metastore::open(&server.url(), MetastoreOptions::default()).map(drop),
            Metastore::open_locked(&server.url(), MetastoreOptions::default()).map(drop),
            Metastore::open_existing(&server.url(), MetastoreOptions::default()).map(drop),
        ] {
            let error = opened.unwrap_err();
            assert!(matches!(error, OpenError::Unfinished { .. }), "{error}");
            assert!(error.to_string().contains("before.db"), "{error}");
        }
    }
    let other = Bed::in_a_file();
    let said = conflict(transfer(other.store.url(), &server.url(), |_, _| {}));
    assert!(said.contains("was begun and not finished"), "{said}");
    let back = Database::in_a_file();
    let said = conflict(transfer(&server.url(), &back.url(), |_, _| {}));
    assert!(said.contains("unfinished copy"), "{said}");
    // A table that was touched meanwhile is copied anew.
    server.execute("DELETE FROM tokens WHERE id = 't1'");
    let done = transfer(bed.store.url(), &server.url(), |_, _| {}).unwrap();
    assert_eq!(done.kept, done.rows.len() - 2, "tokens, and what is last");
    let store = beside(&bed, &server);
    assert_eq!(states(&store).await, states(&bed.store).await);
}

#[tokio::test]
async fn nothing_is_copied_where_something_is_or_somebody_works() {
    if !are_on_a_server() {
        return;
    }
    let (bed, server) = (source(), Database::new());
    let said = conflict(transfer(
        bed.store.url(),
        Bed::in_a_file().store.url(),
        |_, _| {},
    ));
    assert!(said.contains("`backup` and `restore`"), "{said}");
    let nowhere = DatabaseUrl::of_file(bed.folder().join("nowhere.db"));
    let said = conflict(transfer(&nowhere, &server.url(), |_, _| {}));
    assert!(said.contains("there is no database"), "{said}");
    let held = bed.store.lock_engine().unwrap();
    let said = conflict(transfer(bed.store.url(), &server.url(), |_, _| {}));
    assert!(said.contains("in use by process"), "{said}");
    drop(held);
    let own = Bed::new();
    own.index("agent").await;
    let said = conflict(transfer(bed.store.url(), own.store.url(), |_, _| {}));
    assert!(
        said.contains("holds something already (1 rows in indexes)"),
        "{said}"
    );
    assert_eq!(states(&own.store).await.len(), 1);
    // However little it is.
    drop(Metastore::open(&server.url(), MetastoreOptions::default()).unwrap());
    let people = "INSERT INTO people (site_id, account_id, display_name) VALUES (1, 'a', 'Ann')";
    server.execute(people);
    let said = conflict(transfer(bed.store.url(), &server.url(), |_, _| {}));
    assert!(said.contains("(1 rows in people)"), "{said}");
}
