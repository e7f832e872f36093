//! Backup, restore and the write-ahead log.

use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_migrations::MigrationHarness;
use domain::ports::store::StoreResult;

use crate::dialect::{self, Conn};
use crate::error::failed;
use crate::handle::{Metastore, blocking};
use crate::lock;
use crate::migrate;
use crate::url::DatabaseUrl;

/// What a backup holds, for the one who is about to restore it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupFacts {
    /// Indexes.
    pub indexes: i64,
    /// Rows of pages.
    pub pages: i64,
    /// The newest migration in it.
    pub schema: String,
}

impl Metastore {
    /// Writes a consistent copy into `file`, which must not exist; the service may go on meanwhile.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub async fn backup(&self, file: &Path) -> StoreResult<()> {
        let target = file.to_owned();
        if target.exists() {
            return Err(crate::error::conflict(format!(
                "{} exists already; a backup replaces nothing",
                target.display()
            )));
        }
        self.alone(move |connection| dialect::copy_into(connection, &target))
            .await
    }

    /// Moves the write-ahead log into the database file: at the end of the process, so that the file is whole by itself.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn checkpoint_wal(&self) -> StoreResult<()> {
        self.alone(dialect::checkpoint_wal).await
    }

    /// Bytes of the database's files.
    pub(crate) async fn file_bytes(&self) -> StoreResult<i64> {
        let files = dialect::files(self.path());
        blocking(move || {
            let bytes = files
                .iter()
                .filter_map(|file| std::fs::metadata(file).ok())
                .map(|meta| i64::try_from(meta.len()).unwrap_or(i64::MAX))
                .sum();
            Ok(bytes)
        })
        .await
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Integer)]
    application_id: i32,
}
#[derive(QueryableByName)]
struct Verdict {
    #[diesel(sql_type = Text)]
    quick_check: String,
}
#[derive(QueryableByName)]
struct Sizes {
    #[diesel(sql_type = BigInt)]
    indexes: i64,
    #[diesel(sql_type = BigInt)]
    pages: i64,
}

/// The mark that the first migration writes into the file.
const APPLICATION_ID: i32 = 0x4d43_4653;

/// Looks whether a file is a whole database of ours that this version can read. Blocks; changes nothing.
///
/// # Errors
/// Says what is wrong with it.
pub fn verify_backup(file: &Path) -> StoreResult<BackupFacts> {
    let bad = |why: &str| failed(format!("{} cannot be restored: {why}", file.display()));
    if !file.is_file() {
        return Err(bad("there is no such file"));
    }
    let wrong = |error: &dyn std::fmt::Display| bad(&error.to_string());
    let mut connection = Conn::establish(&file.to_string_lossy()).map_err(|e| wrong(&e))?;
    diesel::connection::SimpleConnection::batch_execute(&mut connection, "PRAGMA query_only = ON;")
        .map_err(|e| wrong(&e))?;
    let mark: Number = diesel::sql_query("PRAGMA application_id")
        .get_result(&mut connection)
        .map_err(|e| wrong(&e))?;
    if mark.application_id != APPLICATION_ID {
        return Err(bad("it is not a database of this service"));
    }
    let verdict: Verdict = diesel::sql_query("PRAGMA quick_check(1)")
        .get_result(&mut connection)
        .map_err(|e| wrong(&e))?;
    if verdict.quick_check != "ok" {
        return Err(bad(&verdict.quick_check));
    }
    let applied = connection.applied_migrations().map_err(|e| wrong(&e))?;
    let known = migrate::known();
    let mut versions: Vec<String> = applied.iter().map(ToString::to_string).collect();
    versions.sort();
    if let Some(unknown) = versions.iter().find(|version| !known.contains(*version)) {
        return Err(bad(&format!(
            "a newer version made it (migration {unknown})"
        )));
    }
    let sizes: Sizes = diesel::sql_query(
        "SELECT (SELECT COUNT(*) FROM indexes) AS indexes, (SELECT COUNT(*) FROM synced_pages) AS pages",
    )
    .get_result(&mut connection)
    .map_err(|e| wrong(&e))?;
    Ok(BackupFacts {
        indexes: sizes.indexes,
        pages: sizes.pages,
        schema: versions.pop().unwrap_or_default(),
    })
}

/// Puts a verified backup in the place of the database; refuses while an engine runs on it. Blocks. What stood there is
/// kept beside it as `<database>.before-restore`.
///
/// # Errors
/// The backup is no good, the engine's lock is held, or a file cannot be written.
pub fn restore_backup(file: &Path, url: &DatabaseUrl) -> StoreResult<BackupFacts> {
    let facts = verify_backup(file)?;
    let database = url.path();
    let io = |error: std::io::Error| failed(format!("{}: {error}", database.display()));
    if let Some(folder) = database.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let _lock = lock::acquire(database).map_err(|e| crate::error::conflict(e.to_string()))?;

    let beside = |suffix: &str| -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    };
    // Copied first and then renamed, so that there is a whole database at every instant.
    let incoming = beside(".incoming");
    std::fs::copy(file, &incoming).map_err(io)?;
    if database.exists() {
        fold_in_log(database);
        std::fs::copy(database, beside(".before-restore")).map_err(io)?;
    }
    for log in &dialect::files(database)[1..] {
        match std::fs::remove_file(log) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
    }
    std::fs::rename(&incoming, database).map_err(io)?;
    Ok(facts)
}

/// Best effort: the database that is replaced may itself be the broken one.
fn fold_in_log(database: &Path) {
    if let Ok(mut connection) = Conn::establish(&database.to_string_lossy())
        && let Err(fault) = dialect::checkpoint_wal(&mut connection)
    {
        tracing::warn!(error = ?fault, "the old database's log could not be folded in");
    }
}
