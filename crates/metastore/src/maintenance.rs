//! Backup, restore and the write-ahead log.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_migrations::MigrationHarness;
use domain::Timestamp;
use domain::ports::store::StoreResult;

use crate::dialect::{Conn, sqlite};
use crate::error::{Done, conflict, failed};
use crate::handle::{Metastore, blocking};
use crate::lock;
use crate::migrate;
use crate::ops::sites;
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

/// What a restore did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// What the database holds now.
    pub facts: BackupFacts,
    /// Where the replaced database is kept; `None` when there was none.
    pub kept: Option<PathBuf>,
}

impl Metastore {
    /// Writes a consistent copy into `file`, which must not exist; the service may go on meanwhile.
    ///
    /// # Errors
    /// The file exists or cannot be written, or the database is on a server, where that is the work of `pg_dump`.
    pub async fn backup(&self, file: &Path) -> StoreResult<()> {
        let target = file.to_owned();
        self.alone(move |connection| sqlite::copy_into(connection, &target))
            .await
    }

    /// Writes a copy beside the database as `<database>.backup-<time>`, verifies it, and removes the oldest of such copies beyond
    /// `keep`. Where it is.
    ///
    /// # Errors
    /// It cannot be written, or is not whole; the copies that are there stay then.
    pub async fn back_up_beside(&self, keep: usize) -> StoreResult<PathBuf> {
        let database = self.file().ok_or_else(|| conflict(sqlite::NO_FILE))?;
        let time = self.now().format(BACKUP_TIME);
        let file = beside(database, &format!("{BACKUP}{time}"));
        self.backup(&file).await?;
        let written = file.clone();
        blocking(move || verify_backup(&written).map(drop))
            .await
            .inspect_err(|_| {
                // It is of no use, and the next one shall not be taken for a second.
                let _ = std::fs::remove_file(&file);
            })?;
        let backups = backups(database);
        for old in backups.iter().rev().skip(keep.max(1)) {
            if let Err(error) = std::fs::remove_file(&old.1) {
                tracing::warn!(%error, file = %old.1.display(), "an old backup cannot be removed");
            }
        }
        Ok(file)
    }

    /// When the newest copy was made that [`back_up_beside`](Self::back_up_beside) wrote.
    #[must_use]
    pub fn backed_up_at(&self) -> Option<Timestamp> {
        backups(self.file()?).pop().map(|(made, _)| made)
    }

    /// Notes the address of the Confluence site that the rows are of; answers the one that was noted before, if it is another.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn name_site(&self, base_url: &str) -> StoreResult<Option<String>> {
        let base_url = base_url.to_owned();
        self.write(move |c| sites::name(c, &base_url)).await
    }

    /// Moves the write-ahead log into the database file: at the end of the process, so that the file is whole by itself. A server needs
    /// nothing of the kind.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn checkpoint_wal(&self) -> StoreResult<()> {
        if self.file().is_none() {
            return Ok(());
        }
        self.alone(sqlite::checkpoint_wal).await
    }

    /// Bytes of the database: of its files, or as its server says.
    pub(crate) async fn bytes(&self) -> StoreResult<i64> {
        let Some(path) = self.file() else {
            #[cfg(feature = "postgres")]
            return self.read(crate::dialect::server_bytes).await;
            #[cfg(not(feature = "postgres"))]
            return Ok(0);
        };
        let files = private_files::database_files(path);
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
    let mut connection = sqlite::open(file).map_err(|e| wrong(&e))?;
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
    let known = migrate::known_of_sqlite();
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

/// Puts a verified backup in the place of the database; refuses while an engine runs on it. Blocks. The replaced database is
/// kept beside it as `<database>.before-restore`, `<database>.before-restore-2` and so on: no restore overwrites what an
/// earlier one kept.
///
/// # Errors
/// The backup is no good, the engine's lock is held, a file cannot be written, or the database is on a server.
pub fn restore_backup(file: &Path, url: &DatabaseUrl) -> StoreResult<Restored> {
    let database = url.file().ok_or_else(|| conflict(sqlite::NO_FILE))?;
    let facts = verify_backup(file)?;
    let io = |error: std::io::Error| failed(format!("{}: {error}", database.display()));
    if let Some(folder) = database.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let _lock = lock::acquire(url).map_err(|e| conflict(e.to_string()))?;

    let incoming = beside(database, ".incoming");
    let is_file = |other: &Path| matches!((file.canonicalize(), other.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if is_file(database) || is_file(&incoming) {
        return Err(conflict(format!(
            "{} is a file of the database itself; copy it elsewhere first",
            file.display()
        )));
    }
    // Copied first and then renamed, so that there is a whole database at every instant. A restore that was killed may have
    // left a part of its copy.
    remove_if_there(&incoming).map_err(io)?;
    private_files::copy_new(file, &incoming).map_err(io)?;
    let kept = if database.exists() {
        fold_in_log(database);
        Some(keep(database).map_err(io)?)
    } else {
        None
    };
    for log in &private_files::database_files(database)[1..] {
        remove_if_there(log).map_err(io)?;
    }
    std::fs::rename(&incoming, database).map_err(io)?;
    Ok(Restored { facts, kept })
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_if_there(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Copies the database under the first name that is free, with its log where that could not be folded in.
fn keep(database: &Path) -> std::io::Result<PathBuf> {
    let mut number = 1;
    let kept = loop {
        let kept = match number {
            1 => beside(database, ".before-restore"),
            _ => beside(database, &format!(".before-restore-{number}")),
        };
        match private_files::copy_new(database, &kept) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            copied => break copied.map(|()| kept)?,
        }
    };
    let log = beside(database, "-wal");
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        private_files::copy_new(&log, &beside(&kept, "-wal"))?;
    }
    Ok(kept)
}

/// Between the name of a database and the time of a copy that the service made by itself.
const BACKUP: &str = ".backup-";
const BACKUP_TIME: &str = "%Y%m%dT%H%M%SZ";

/// The copies that the service made by itself, the oldest first.
fn backups(database: &Path) -> Vec<(Timestamp, PathBuf)> {
    let begin = beside(database, BACKUP);
    let time = |file: &Path| {
        let name = file.file_name()?.to_str()?;
        let time = name.strip_prefix(begin.file_name()?.to_str()?)?;
        chrono::NaiveDateTime::parse_from_str(time, BACKUP_TIME).ok()
    };
    let mut backups: Vec<_> = files_beside(database, BACKUP)
        .filter_map(|file| Some((time(&file)?.and_utc(), file)))
        .collect();
    backups.sort_unstable();
    backups
}

/// Between the name of a database and the newest migration of the copy that is kept of it.
const BEFORE_UPGRADE: &str = ".before-upgrade-";

/// Copies a database that is about to be brought up to date, and removes the copies of earlier upgrades.
pub(crate) fn keep_before_upgrade(
    connection: &mut Conn,
    database: &Path,
    newest: &str,
) -> Done<PathBuf> {
    let copy = beside(database, &format!("{BEFORE_UPGRADE}{newest}"));
    // What an upgrade left that did not come to its end.
    remove_if_there(&copy)
        .map_err(|error| failed(format!("{} cannot be replaced: {error}", copy.display())))?;
    sqlite::copy_into(connection, &copy)?;
    for earlier in files_beside(database, BEFORE_UPGRADE).filter(|file| *file != copy) {
        if let Err(error) = std::fs::remove_file(&earlier) {
            tracing::warn!(%error, file = %earlier.display(), "the copy of an earlier upgrade cannot be removed");
        }
    }
    Ok(copy)
}

/// The files whose names begin with that of the database and this suffix.
pub(crate) fn files_beside(database: &Path, suffix: &str) -> impl Iterator<Item = PathBuf> {
    let begin = beside(database, suffix);
    let folder = begin
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let begin = begin
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter(move |file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            begin
                .as_ref()
                .is_some_and(|begin| name.starts_with(begin.as_str()))
        })
        .map(|file| file.path())
}

/// Best effort: the database that is replaced may itself be the broken one.
fn fold_in_log(database: &Path) {
    if let Ok(connection) = sqlite::open(database)
        && let Err(fault) = sqlite::checkpoint_wal(&mut sqlite::either(connection))
    {
        tracing::warn!(error = ?fault, "the old database's log could not be folded in");
    }
}
