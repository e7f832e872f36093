//! Exclusive locks on files beside a SQLite file, which the system releases with their process. The engine's file says who has it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::FileExt;

use super::LockHolder;
use crate::error::LockError;
use crate::url::DatabaseUrl;

/// The engine's.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    pub(super) fn acquire(database: &Path) -> Result<Self, LockError> {
        let path = lock_path(database);
        let fail = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let mut file = private_files::open_or_create(&path).map_err(fail)?;
        // A few looks: somebody who only asks for the holder has it for an instant.
        let mut looks = 0;
        loop {
            match FileExt::try_lock(&file) {
                Ok(()) => break,
                Err(fs4::TryLockError::Error(source)) => return Err(fail(source)),
                Err(fs4::TryLockError::WouldBlock) if looks < 5 => {
                    looks += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(fs4::TryLockError::WouldBlock) => {
                    return Err(LockError::Held {
                        database: DatabaseUrl::of_file(database).place(),
                        holder: read(&mut file),
                    });
                }
            }
        }
        private_files::make_private(&path)?;
        Ok(Self { file, path })
    }

    pub(super) fn write(&mut self, text: &str) -> Result<(), LockError> {
        let mut put = || {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(text.as_bytes())?;
            self.file.flush()
        };
        put().map_err(|source| LockError::Io {
            path: self.path.clone(),
            source,
        })
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Best effort: closing the file releases the lock anyway.
        self.file.set_len(0).ok();
        FileExt::unlock(&self.file).ok();
    }
}

fn lock_path(database: &Path) -> PathBuf {
    with_ending(database, ".lock")
}

fn with_ending(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// That of who gets tokens.
#[derive(Debug)]
pub(super) struct WaitedFor {
    file: File,
}

impl Drop for WaitedFor {
    fn drop(&mut self) {
        // Closing the file releases it anyway.
        FileExt::unlock(&self.file).ok();
    }
}

pub(super) fn refreshing(database: &Path) -> Result<WaitedFor, LockError> {
    let path = with_ending(database, ".refresh.lock");
    let fail = |source| LockError::Io {
        path: path.clone(),
        source,
    };
    let file = private_files::open_or_create(&path).map_err(fail)?;
    FileExt::lock(&file).map_err(fail)?;
    Ok(WaitedFor { file })
}

pub(super) fn holder(database: &Path) -> Option<LockHolder> {
    let path = lock_path(database);
    if !path.exists() {
        return None;
    }
    let mut file = private_files::open_or_create(&path).ok()?;
    if FileExt::try_lock_shared(&file).is_ok() {
        FileExt::unlock(&file).ok();
        return None;
    }
    read(&mut file)
}

fn read(file: &mut File) -> Option<LockHolder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
