//! A server that is stopped and started again under a store. Only where `TEST_POSTGRES_CONTROL` names a command that takes the words of
//! `pg_ctl` (`stop -m immediate`): nobody else may use the server meanwhile, so these tests run alone, one after the other.
#![cfg(feature = "postgres")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::ports::store::{AdminStore, StoreError};
use metastore::{Metastore, MetastoreOptions};
use test_database::{Database, are_on_a_server};
use tokio::time::{sleep, timeout};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's control, where it may be used.
#[derive(Clone)]
struct Control(String);

impl Control {
    fn given() -> Option<Self> {
        let command = std::env::var("TEST_POSTGRES_CONTROL").ok();
        if !are_on_a_server() || command.is_none() {
            println!("skipped: TEST_POSTGRES_CONTROL names no command that restarts the server");
            return None;
        }
        command.map(Self)
    }

    async fn run(&self, words: &str) {
        let mut command = Command::new(&self.0);
        command.args(words.split(' '));
        let done = tokio::task::spawn_blocking(move || command.output());
        let done = done.await.unwrap().unwrap();
        assert!(done.status.success(), "{words}: {done:?}");
    }
}

fn options() -> MetastoreOptions {
    MetastoreOptions {
        busy_timeout: Duration::from_millis(100),
        ..MetastoreOptions::default()
    }
}

/// Until the server is there for the store.
async fn is_back(store: &Metastore) {
    let back = async {
        while let Err(error) = store.remembered("before").await {
            assert!(matches!(error, StoreError::Busy { .. }), "{error}");
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, back).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_stopped_is_waited_for_and_nothing_is_lost() {
    let Some(control) = Control::given() else {
        return;
    };
    let database = Database::new();
    let store = Metastore::open(&database.url(), options()).unwrap();
    store.remember("before", "1").await.unwrap();
    control.run("stop -m fast").await;
    for turn in 0..2 {
        let refused = [
            store.check().await.unwrap_err(),
            store.remembered("before").await.unwrap_err(),
            store.remember("during", "1").await.unwrap_err(),
        ];
        for error in refused {
            assert!(
                matches!(error, StoreError::Busy { .. }),
                "{turn}: {error:?}"
            );
        }
    }
    control.run("start").await;
    is_back(&store).await;
    let remembered = store.remembered("before").await.unwrap();
    assert_eq!(remembered.as_deref(), Some("1"));
    assert_eq!(store.remembered("during").await.unwrap(), None);
    store.remember("after", "1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_there_after_a_crash_of_the_server() {
    let Some(control) = Control::given() else {
        return;
    };
    let database = Database::new();
    let store = Metastore::open(&database.url(), options()).unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (store, enough) = (store.clone(), enough.clone());
        async move {
            let (mut written, mut refused) = (Vec::new(), 0);
            for number in 0.. {
                if enough.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("n{number}");
                match store.remember(&name, "1").await {
                    Ok(()) => written.push(name),
                    Err(StoreError::Busy { .. }) => refused += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
            (written, refused)
        }
    });
    for how in ["immediate", "fast", "immediate"] {
        sleep(Duration::from_millis(300)).await;
        control.run(&format!("restart -m {how}")).await;
        is_back(&store).await;
    }
    sleep(Duration::from_millis(300)).await;
    enough.store(true, Ordering::Relaxed);
    let (written, refused) = timeout(PATIENCE, writing).await.unwrap().unwrap();
    println!("{} written, {refused} refused meanwhile", written.len());
    assert!(written.len() > 10, "{}", written.len());
    for name in written {
        let found = store.remembered(&name).await.unwrap();
        assert_eq!(found.as_deref(), Some("1"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_ends_with_the_server_and_the_next_one_goes_on() {
    let Some(control) = Control::given() else {
        return;
    };
    let database = Database::new();
    let (store, lock) = Metastore::open_locked(&database.url(), options()).unwrap();
    store.remember("before", "1").await.unwrap();
    control.run("restart -m immediate").await;
    timeout(PATIENCE, lock.lost()).await.unwrap();
    is_back(&store).await;
    let refused = store.remember("after", "1").await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Failed { detail } if detail.contains("lock is lost")),
        "{refused}"
    );
    drop(lock);
    let (next, _lock) = Metastore::open_locked(&database.url(), options()).unwrap();
    let remembered = next.remembered("before").await.unwrap();
    assert_eq!(remembered.as_deref(), Some("1"));
    next.remember("after", "1").await.unwrap();
}
