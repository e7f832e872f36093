//! Files that hold page text or secrets: mode 0600, readable and writable by their owner alone.
//!
//! What it promises: a file that is made here is private from its first byte, whatever the process's umask is; an existing
//! file is made private, or the caller is told that it cannot be. SQLite gives `-wal`, `-shm` and `-journal` the mode of the
//! database file (<https://sqlite.org/src/file/src/os_unix.c>, `findCreateFileMode`), so a private database stays private.
//! On systems without Unix modes the files are made and nothing else happens.
//!
//! It must not know what stands in the files.
#![warn(missing_docs)]

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A file that other users may read or write, and whose mode cannot be changed.
#[derive(Debug, thiserror::Error)]
#[error(
    "other users may read {} (mode {mode:o}), and its mode cannot be changed: {source}; give the file to the user of this service with chown, or move it to a file system that keeps modes",
    path.display()
)]
pub struct Exposed {
    /// The file.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// What the system said.
    pub source: io::Error,
}

/// Opens a file for reading and writing and makes it when it is not there. What stands in it stays.
///
/// # Errors
/// The file cannot be opened or made.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    options().create(true).truncate(false).open(path)
}

/// Makes a file that is not there yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or the file cannot be made.
pub fn create_new(path: &Path) -> io::Result<File> {
    options().create_new(true).open(path)
}

/// Copies a file into one that is not there yet. The copy is on disk when this returns; when it fails, nothing is left.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] for `to`, or one of the two cannot be read or written.
pub fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut copy = create_new(to)?;
    let copied = io::copy(&mut source, &mut copy).and_then(|_| copy.sync_all());
    copied.inspect_err(|_| {
        // The first error is the one to report.
        let _ = std::fs::remove_file(to);
    })
}

/// Makes the file of a SQLite database, and its folder, when they are not there.
///
/// # Errors
/// The folder or the file cannot be made or opened.
pub fn create_database(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    open_or_create(path).map(drop)
}

/// The files of a SQLite database: its own file first, then the logs that SQLite keeps beside it.
#[must_use]
pub fn database_files(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

/// Makes the files of a database private, as far as they are there.
///
/// # Errors
/// The first file that cannot be made private.
pub fn make_database_private(path: &Path) -> Result<(), Exposed> {
    let mut files = database_files(path).into_iter();
    files.try_for_each(|file| make_private(&file))
}

/// Makes a file private. One that is private already is not touched, one that is not there is no error.
///
/// # Errors
/// Other users may read or write the file, and its mode cannot be changed.
#[cfg(unix)]
pub fn make_private(path: &Path) -> Result<(), Exposed> {
    use std::os::unix::fs::PermissionsExt;
    let Ok(found) = std::fs::metadata(path) else {
        return Ok(());
    };
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    match std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)) {
        // SQLite removes its logs when the last connection closes.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        changed => changed.map_err(|source| Exposed {
            path: path.to_owned(),
            mode,
            source,
        }),
    }
}

/// Nothing: this system has no modes.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn make_private(_path: &Path) -> Result<(), Exposed> {
    Ok(())
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
