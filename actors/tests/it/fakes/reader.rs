//! A reader of attached files in this process. Files that begin with `poison` never come back; it counts how often it was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use attachment_text::{Limits, extract};
use domain::ports::reader::{FetchedFile, FileReader, Unread};

#[derive(Clone, Default)]
pub struct FakeReader(Arc<AtomicUsize>);

impl FakeReader {
    /// Files that were given to it so far.
    pub fn asked(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl FileReader for FakeReader {
    async fn read(&self, file: FetchedFile) -> Result<String, Unread> {
        self.0.fetch_add(1, Ordering::SeqCst);
        if file.bytes.starts_with(b"poison") {
            return Err(Unread::Lost(
                "reading it takes more than 256 MiB of memory".to_owned(),
            ));
        }
        if file.bytes.starts_with(b"slow") {
            std::future::pending::<()>().await;
        }
        extract(
            &file.media_type,
            &file.name,
            &file.bytes,
            &Limits::default(),
        )
        .map(|extracted| extracted.markdown)
        .map_err(|refusal| Unread::NoText(refusal.to_string()))
    }
}
