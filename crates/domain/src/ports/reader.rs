//! Whoever makes text of an attached file. A file is a stranger's: reading one may take all memory there is, or never end.

use std::time::Duration;

use async_trait::async_trait;

/// Memory that reading one file may take, in bytes.
pub const MAX_MEMORY_BYTES: u64 = 256 << 20;
/// Time that reading one file may take.
pub const MAX_TIME: Duration = Duration::from_secs(20);

/// A file as it was fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedFile {
    /// As its uploader's client called it.
    pub media_type: String,
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Why a file gave no text. The words can be shown as they are, and hold nothing of the file's content.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unread {
    /// It was looked at, and there is none in it for us.
    #[error("{0}")]
    NoText(String),
    /// Its reader did not come back: it was ended at a limit, or broke.
    #[error("{0}")]
    Lost(String),
    /// Nobody looked at it: no reader could be had.
    #[error("{0}")]
    NotTried(String),
}

/// Reads files where they can do no harm. When the future of a read is dropped, the work for it ends.
#[async_trait]
pub trait FileReader: Send + Sync {
    /// The text of a file as Markdown, within [`MAX_MEMORY_BYTES`] and [`MAX_TIME`].
    async fn read(&self, file: FetchedFile) -> Result<String, Unread>;
}
