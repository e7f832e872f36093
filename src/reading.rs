//! Attached files are read in a child process of this program, ended from outside when it takes too long; how much memory it may
//! take it sets for itself before it sees the file (`crate::cli::read_file`). So the worst that a file can do is to end its reader.
//!
//! The child gets nothing of this process's environment, where the secrets are. What passes between the two: one line of JSON
//! (`Told`) and the bytes of the file on standard input; the text or the refusal on standard output, told apart by the exit code.

use std::path::PathBuf;
use std::process::Stdio;

use async_trait::async_trait;
use attachment_text::Limits;
use domain::ports::reader::{FetchedFile, FileReader, MAX_MEMORY_BYTES, MAX_TIME, Unread};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// The command that reads a file; hidden from people.
pub(crate) const COMMAND: &str = "read-file";
/// What was written to standard output is the text.
pub(crate) const TEXT: u8 = 0;
/// What was written to standard output is why there is none.
pub(crate) const NO_TEXT: u8 = 3;
/// Bytes of its errors that are looked at.
const MAX_ERRORS: u64 = 4 << 10;

/// What the child is told of the file.
#[derive(Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) media_type: String,
    pub(crate) name: String,
}

/// Starts a child for each file.
pub struct ChildReader {
    program: PathBuf,
}

impl ChildReader {
    /// A reader whose children run this program, which has to be one of ours.
    #[must_use]
    pub const fn new(program: PathBuf) -> Self {
        Self { program }
    }
}

/// What became of the child.
struct Ended {
    code: Option<i32>,
    said: Vec<u8>,
    errors: String,
}

#[async_trait]
impl FileReader for ChildReader {
    async fn read(&self, file: FetchedFile) -> Result<String, Unread> {
        let not_tried = |error: std::io::Error| {
            Unread::NotTried(format!(
                "no process to read the file in could be had: {error}; it is tried again"
            ))
        };
        let mut child = Command::new(&self.program)
            .arg(COMMAND)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(not_tried)?;
        let talk = tokio::time::timeout(MAX_TIME, talk(&mut child, file)).await;
        let ended = match talk {
            Ok(ended) => ended.map_err(not_tried)?,
            Err(_) => {
                child.kill().await.map_err(not_tried)?;
                return Err(Unread::Lost(format!(
                    "reading it takes longer than {} s",
                    MAX_TIME.as_secs()
                )));
            }
        };
        let said = String::from_utf8_lossy(&ended.said).into_owned();
        match ended.code.and_then(|code| u8::try_from(code).ok()) {
            Some(TEXT) => Ok(said),
            Some(NO_TEXT) => Err(Unread::NoText(said)),
            _ if ended.errors.contains("memory allocation") => Err(Unread::Lost(format!(
                "reading it takes more than {} MiB of memory",
                MAX_MEMORY_BYTES >> 20
            ))),
            _ => {
                tracing::warn!(code = ended.code, errors = ?ended.errors, "the reader of a file broke");
                Err(Unread::Lost(format!(
                    "its reader broke within {} MiB of memory and {} s",
                    MAX_MEMORY_BYTES >> 20,
                    MAX_TIME.as_secs()
                )))
            }
        }
    }
}

/// Hands the file over and takes what comes back, all of it within bounds.
async fn talk(child: &mut Child, file: FetchedFile) -> std::io::Result<Ended> {
    let (mut input, output, errors) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let hand_over = async {
        let FetchedFile {
            media_type,
            name,
            bytes,
        } = file;
        let mut told = serde_json::to_vec(&Told { media_type, name }).unwrap_or_default();
        told.push(b'\n');
        if let Some(mut input) = input.take() {
            // One that ended before it read all of it says why by how it ended.
            let _ = input.write_all(&told).await;
            let _ = input.write_all(&bytes).await;
        }
    };
    let max = u64::try_from(Limits::default().max_text_bytes).unwrap_or(u64::MAX);
    // The text may end with a note that it was cut.
    let max = max.saturating_add(MAX_ERRORS);
    let ((), said, errors) = tokio::join!(hand_over, up_to(max, output), up_to(MAX_ERRORS, errors));
    Ok(Ended {
        said: said?,
        errors: String::from_utf8_lossy(&errors?).into_owned(),
        code: child.wait().await?.code(),
    })
}

async fn up_to(
    max: u64,
    from: Option<impl tokio::io::AsyncRead + Unpin>,
) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    if let Some(from) = from {
        from.take(max).read_to_end(&mut all).await?;
    }
    Ok(all)
}
