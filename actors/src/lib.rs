//! The sync engine: what keeps every index in step with Confluence, as a system of actix actors.
//!
//! ```text
//!   Engine (handle) ──► SchedulerActor ──Activate──► IndexActor ──Fetch{request, permit}───────────► ConfluenceFetcher ×N
//!      │ ╲               timer, owns the              one per index:                                       │
//!      │  ╲ Ask{place}   index actors                 run, credits   ◄────────── answers ──────────────────┘
//!      │   ╰───────────► AnswerActor ×2, on threads of their own: each question is one message
//!      ▼                                                │ one transaction: page rows + holdings
//!   ProgressHub ◄── events ─────────────────────────────┤
//!                                                       ▼ Upload
//!                                                 LlamaUploader (one per backend) ──► RetrievalBackend
//! ```
//!
//! What it promises:
//! * **Rows first, messages second.** Intent, progress and pending uploads are in the database before anybody is told; a
//!   message only says "look now". `Activate` twice equals `Activate` once, and a killed process goes on from its rows.
//! * **One run per index**, any number of indexes at once, bounded by credits: a permit travels with every request.
//! * **No question waits for a run**: not in a mailbox, not on a thread, not for a lock. Nothing known to be gone, vanishing or
//!   restricted is in an answer.
//!
//! What it must not know: HTTP, MCP, a database driver, the words of a store. Decisions are pure functions of `domain`.
#![warn(missing_docs)]

mod answering;
mod counters;
mod credits;
mod document;
mod engine;
mod error;
mod failpoint;
mod fetcher;
mod index;
mod leaving;
mod memory;
mod messages;
mod progress;
mod scheduler;
mod section;
mod settings;
mod shared;
mod status;
mod stop;
mod supervise;
mod uploader;

pub use counters::PAGE_FAILURES;
pub use engine::{Engine, EngineParts, SyncOrder};
pub use error::EngineError;
pub use failpoint::{FAILPOINTS, FailAction, Failpoints, MOVE_FAILPOINTS};
pub use progress::ProgressHub;
pub use settings::{Backends, EngineSettings, VerifyOnRead};
pub use status::{BackendStatus, EngineStatus, IndexGauge};
