//! One engine per database: an exclusive lock on `<database>.lock`, which the system releases when its process ends,
//! however it ends. The file says who has it.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::SubsecRound;
use domain::Timestamp;
use fs4::FileExt;
use serde::{Deserialize, Serialize};

use crate::error::LockError;

/// Who has the engine's lock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LockHolder {
    /// The process id.
    pub pid: u32,
    /// Where it answers over HTTP, once it does: `http://127.0.0.1:8001`.
    pub address: Option<String>,
    /// What commands on this machine show it instead of the administrator's key; the file is its owner's alone.
    #[serde(default)]
    pub local_key: Option<LocalKey>,
    /// When it took the lock.
    pub started_at: Timestamp,
}

/// A secret that whoever may read the lock file shares with the process that has the lock.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalKey(String);

impl LocalKey {
    /// Takes a random text.
    #[must_use]
    pub const fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey([REDACTED])")
    }
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        if let Some(address) = &self.address {
            write!(f, " at {address}")?;
        }
        write!(
            f,
            ", running since {}",
            self.started_at.format("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

/// The engine's lock; released when dropped, and by the system when the process is killed.
#[derive(Debug)]
pub struct EngineLock {
    file: File,
    path: PathBuf,
    holder: LockHolder,
}

impl EngineLock {
    /// Writes where this process answers, for the message that another one shows, and the key by which commands of the same
    /// user may ask it.
    ///
    /// # Errors
    /// When the lock file cannot be written.
    pub fn set_address(&mut self, address: &str, key: LocalKey) -> Result<(), LockError> {
        self.holder.address = Some(address.to_owned());
        self.holder.local_key = Some(key);
        self.write()
    }

    /// What the lock file says of this process.
    #[must_use]
    pub const fn holder(&self) -> &LockHolder {
        &self.holder
    }

    fn write(&mut self) -> Result<(), LockError> {
        let text = serde_json::to_string(&self.holder).unwrap_or_default();
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

impl Drop for EngineLock {
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

/// Held by the one process that gets new tokens of Confluence, for as long as that takes; released as the engine's lock is.
#[derive(Debug)]
pub struct RefreshLock {
    file: File,
}

impl Drop for RefreshLock {
    fn drop(&mut self) {
        // Closing the file releases it anyway.
        FileExt::unlock(&self.file).ok();
    }
}

/// Waits until no process gets tokens: nobody does for longer than one request takes.
pub(crate) fn refreshing(database: &Path) -> Result<RefreshLock, LockError> {
    let path = with_ending(database, ".refresh.lock");
    let fail = |source| LockError::Io {
        path: path.clone(),
        source,
    };
    let file = private_files::open_or_create(&path).map_err(fail)?;
    FileExt::lock(&file).map_err(fail)?;
    Ok(RefreshLock { file })
}

/// Takes the lock, or says who has it.
pub(crate) fn acquire(database: &Path) -> Result<EngineLock, LockError> {
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
                    database: database.to_owned(),
                    holder: read(&mut file),
                });
            }
        }
    }
    private_files::make_private(&path)?;
    let mut lock = EngineLock {
        file,
        path: path.clone(),
        holder: LockHolder {
            pid: std::process::id(),
            address: None,
            local_key: None,
            started_at: chrono::Utc::now().trunc_subsecs(3),
        },
    };
    lock.write()?;
    Ok(lock)
}

/// Who has the lock now; `None` when nobody has.
pub(crate) fn holder(database: &Path) -> Option<LockHolder> {
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
