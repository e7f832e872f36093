//! Modes of files, on a real file system.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use private_files::{
    copy_new, create_database, create_new, database_files, make_database_private, make_private,
    open_or_create,
};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn what_is_made_is_private_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    create_database(&at("a/b/store.db")).unwrap();
    create_new(&at("new")).unwrap();
    std::fs::write(at("open"), "text").unwrap();
    set_mode(&at("open"), 0o666);
    copy_new(&at("open"), &at("copy")).unwrap();
    for made in ["a/b/store.db", "new", "copy"] {
        assert_eq!(mode(&at(made)), 0o600, "{made}");
    }
    assert_eq!(std::fs::read_to_string(at("copy")).unwrap(), "text");

    std::fs::write(at("new"), "kept").unwrap();
    open_or_create(&at("new")).unwrap();
    create_database(&at("new")).unwrap();
    for refused in [
        create_new(&at("new")).map(drop),
        copy_new(&at("open"), &at("new")),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    assert_eq!(std::fs::read_to_string(at("new")).unwrap(), "kept");
    // A folder can be opened and not read: the copy that was begun does not stay.
    assert!(copy_new(folder.path(), &at("half")).is_err());
    assert!(!at("half").exists());
}

#[test]
fn what_is_there_is_made_private() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("store.db");
    make_database_private(&database).unwrap();
    assert!(!database.exists(), "nothing is made");
    for (file, wide) in database_files(&database)
        .iter()
        .zip([0o644, 0o660, 0o604, 0o777])
    {
        std::fs::write(file, "text").unwrap();
        set_mode(file, wide);
    }
    make_database_private(&database).unwrap();
    for file in database_files(&database) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    // A stricter mode stays.
    set_mode(&database, 0o400);
    make_private(&database).unwrap();
    assert_eq!(mode(&database), 0o400);
}
