//! Why a file gives no text, in words for the people who see its page.

use crate::limits::size;

/// Why a file was not read. The messages name the cause and the remedy, and nothing of the file's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No reader for this kind of file.
    #[error(
        "files of the type {media_type:?} are not read: attach the text as PDF, DOCX, HTML, CSV, Markdown or plain text"
    )]
    Unsupported {
        /// As given by whoever stored the file.
        media_type: String,
    },
    /// Larger than [`Limits::max_bytes`](crate::Limits::max_bytes).
    #[error("the file is {} large, and files over {} are not read: split it or raise the limit", size(*.bytes), size(*.max))]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A part unpacks to more than [`Limits::max_unpacked_bytes`](crate::Limits::max_unpacked_bytes).
    #[error("a part of the file unpacks to more than {}: save the file again with smaller parts, or raise the limit", size(*.max))]
    UnpacksTooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// It needs a password.
    #[error("the file is protected by a password: attach a copy without one")]
    Encrypted,
    /// It is not what its type says, or a part of it is missing.
    #[error(
        "the file cannot be read as {kind}: {detail}; save it again with the program that made it"
    )]
    Damaged {
        /// What it should have been.
        kind: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Read without an error, but it holds no words (an empty file, a scan, pictures only).
    #[error(
        "the file holds no text (it is empty, or its pages are pictures): run text recognition over it and attach the result"
    )]
    NoText,
    /// Its elements are nested so deep that nothing of its text was reached.
    #[error(
        "the elements of the file are nested too deep: save it again with the program that made it"
    )]
    TooDeep,
    /// Longer than [`Limits::max_time`](crate::Limits::max_time), with nothing to show for it.
    #[error("reading the file took longer than {seconds} s: split it into smaller files")]
    TooSlow {
        /// The limit in seconds.
        seconds: u64,
    },
}
