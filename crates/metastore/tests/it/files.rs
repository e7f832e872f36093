//! The file: opening, locking, backup and restore.

use domain::page::PageState;
use domain::ports::store::{AdminStore, StoreError};
use metastore::{
    DatabaseUrl, LocalKey, LockError, Metastore, MetastoreOptions, OpenError, restore_backup,
    verify_backup,
};

use crate::bed::{Bed, page};

#[tokio::test]
async fn the_engines_lock_names_who_has_it() {
    let bed = Bed::in_a_file();
    let second = bed.second();
    assert_eq!(second.read_lock_holder(), None);
    let mut lock = bed.store.lock_engine().unwrap();
    lock.set_address("http://127.0.0.1:8001", LocalKey::new("only-for-us".into()))
        .unwrap();
    let Err(LockError::Held { holder, .. }) = second.lock_engine() else {
        panic!("the lock is held");
    };
    let holder = holder.unwrap();
    assert_eq!(holder.pid, std::process::id());
    assert_eq!(Some(&holder), second.read_lock_holder().as_ref());
    assert_eq!(lock.holder(), &holder);
    let key = holder.local_key.as_ref().map(LocalKey::expose);
    assert_eq!(key, Some("only-for-us"), "for commands of the same user");
    assert!(!format!("{holder:?} {holder}").contains("only-for-us"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = bed.folder().join("sync.db.lock");
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else may read it");
    }
    let message = second.lock_engine().unwrap_err().to_string();
    assert!(
        message.contains(&holder.pid.to_string()) && message.contains("http://127.0.0.1:8001"),
        "{message}"
    );
    // Beside the engine, the rest of the store can be used.
    second.remember("a", "b").await.unwrap();
    drop(lock);
    assert_eq!(second.read_lock_holder(), None);
    let again = second.lock_engine().unwrap();
    assert!(bed.store.lock_engine().is_err());
    drop(again);
}

#[tokio::test]
async fn a_backup_can_be_verified_and_restored() {
    let bed = Bed::in_a_file();
    let index = bed.index("agent").await.id;
    bed.save(&[page(index, "1", PageState::Searchable)]).await;
    let file = bed.folder().join("backup.db");
    bed.store.backup(&file).await.unwrap();
    assert!(matches!(
        bed.store.backup(&file).await,
        Err(StoreError::Conflict { .. })
    ));
    let facts = verify_backup(&file).unwrap();
    assert_eq!((facts.indexes, facts.pages), (1, 1));

    bed.store.delete_index(index).await.unwrap();
    let url = bed.url();
    let lock = bed.store.lock_engine().unwrap();
    assert!(
        matches!(
            restore_backup(&file, &url),
            Err(StoreError::Conflict { .. })
        ),
        "an engine runs on it"
    );
    drop(lock);
    drop(bed.store);
    let restored = restore_backup(&file, &url).unwrap();
    assert_eq!(restored.facts, facts);
    let store = Metastore::open(&url, MetastoreOptions::default()).unwrap();
    assert_eq!(store.index(index).await.unwrap().document_count, 1);
    assert_eq!(verify_backup(&restored.kept.unwrap()).unwrap().indexes, 0);
}

#[tokio::test]
async fn each_restore_keeps_what_it_replaces() {
    let bed = Bed::in_a_file();
    let at = |name: &str| bed.database.path().join(name);
    bed.store.backup(&at("none.db")).await.unwrap();
    for agent in ["a", "b"] {
        bed.index(agent).await;
    }
    let url = bed.url();
    drop(bed.store);
    // Two indexes are replaced, then none, then what the first restore kept is brought back.
    let restore = |from: &str| restore_backup(&at(from), &url).unwrap();
    let (first, second) = (restore("none.db"), restore("none.db"));
    let kept = [&first, &second].map(|restored| restored.kept.clone().unwrap());
    assert_eq!(
        kept,
        ["sync.db.before-restore", "sync.db.before-restore-2"].map(at)
    );
    let third = restore("sync.db.before-restore");
    assert_eq!(third.facts.indexes, 2);
    let held = [&kept[0], &kept[1], &third.kept.unwrap()].map(|file| {
        let facts = verify_backup(file).unwrap();
        facts.indexes
    });
    assert_eq!(held, [2, 0, 0]);

    let itself = restore_backup(&at("sync.db"), &url);
    assert!(
        matches!(itself, Err(StoreError::Conflict { .. })),
        "{itself:?}"
    );
    let elsewhere = DatabaseUrl::of_file(at("new/sync.db"));
    assert_eq!(
        restore_backup(&at("none.db"), &elsewhere).unwrap().kept,
        None
    );
}

#[tokio::test]
async fn what_is_replaced_is_kept_with_the_log_that_a_reader_holds() {
    use diesel::connection::{Connection, SimpleConnection};
    let bed = Bed::in_a_file();
    let at = |name: &str| bed.database.path().join(name);
    bed.store.backup(&at("backup.db")).await.unwrap();
    let url = bed.url();
    // While somebody reads an older state, the log cannot be folded into the database file.
    let mut reader =
        diesel::SqliteConnection::establish(&url.file().unwrap().to_string_lossy()).unwrap();
    reader
        .batch_execute("BEGIN; SELECT COUNT(*) FROM indexes;")
        .unwrap();
    bed.index("agent").await;
    drop(bed.store);
    let restored = restore_backup(&at("backup.db"), &url).unwrap();
    drop(reader);
    let kept = verify_backup(&restored.kept.unwrap()).unwrap();
    assert_eq!((restored.facts.indexes, kept.indexes), (0, 1));
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_a_database_a_backup_or_a_restored_one() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::in_a_file();
    let at = |name: &str| bed.database.path().join(name);
    let url = bed.url();
    // As another version, or a copy by hand, left them; the logs are there while the store is open.
    let widen = |name: &str| {
        std::fs::set_permissions(at(name), PermissionsExt::from_mode(0o644)).unwrap();
    };
    let files = ["sync.db", "sync.db-wal", "sync.db-shm"];
    files.iter().copied().for_each(widen);
    Metastore::open_existing(&url, MetastoreOptions::default()).unwrap();
    bed.store.backup(&at("backup.db")).await.unwrap();
    let open_to_others = || {
        let listed = std::fs::read_dir(bed.database.path()).unwrap();
        let mut listed: Vec<_> = listed
            .map(Result::unwrap)
            .filter(|entry| entry.metadata().unwrap().permissions().mode() & 0o077 != 0)
            .map(|entry| entry.file_name())
            .collect();
        listed.sort();
        listed
    };
    assert!(files.iter().all(|file| at(file).exists()));
    assert_eq!(open_to_others(), [""; 0]);

    drop(bed.store);
    ["sync.db", "backup.db"].into_iter().for_each(widen);
    std::fs::write(at("sync.db.incoming"), "of a restore that was killed").unwrap();
    widen("sync.db.incoming");
    restore_backup(&at("backup.db"), &url).unwrap();
    assert_eq!(
        open_to_others(),
        ["backup.db"],
        "which is the administrator's"
    );
    let text = at("text.db");
    std::fs::write(&text, "this is no database".repeat(100)).unwrap();
    widen("text.db");
    Metastore::open(&DatabaseUrl::of_file(text), MetastoreOptions::default()).unwrap_err();
    assert_eq!(
        open_to_others(),
        ["backup.db", "text.db"],
        "not ours: as it was"
    );
}

#[tokio::test]
async fn what_is_no_backup_is_refused() {
    let bed = Bed::in_a_file();
    bed.index("agent").await;
    let at = |name: &str| bed.database.path().join(name);
    std::fs::write(
        at("text.db"),
        "not a database at all, but long enough to be read as one".repeat(20),
    )
    .unwrap();
    std::fs::write(at("empty.db"), "").unwrap();
    bed.store.backup(&at("cut.db")).await.unwrap();
    let whole = std::fs::read(at("cut.db")).unwrap();
    std::fs::write(at("cut.db"), &whole[..whole.len() / 2]).unwrap();
    for name in ["text.db", "empty.db", "cut.db", "absent.db"] {
        let error = verify_backup(&at(name)).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    assert!(!at("absent.db").exists(), "looking makes no file");
}

#[tokio::test]
async fn opening_makes_folders_and_explains_what_it_cannot_open() {
    let folder = tempfile::tempdir().unwrap();
    let deep = DatabaseUrl::of_file(folder.path().join("a/b/sync.db"));
    let store = Metastore::open(&deep, MetastoreOptions::default()).unwrap();
    store.check().await.unwrap();
    store.checkpoint_wal().await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(deep.file().unwrap())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "only its owner reads it");
    }

    let open = |name: &str| {
        Metastore::open(
            &DatabaseUrl::of_file(folder.path().join(name)),
            MetastoreOptions::default(),
        )
        .map(drop)
    };
    std::fs::write(
        folder.path().join("text.db"),
        "this is no database".repeat(100),
    )
    .unwrap();
    assert!(matches!(open("text.db"), Err(OpenError::Unusable { .. })));
    assert!(matches!(
        open("text.db/sync.db"),
        Err(OpenError::Inaccessible { .. })
    ));
    assert!(matches!(open("a"), Err(OpenError::Inaccessible { .. })));
}
