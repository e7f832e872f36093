//! What both simulators share: an HTTP server on a thread of its own, the request log, the fault plan, rate limits and the clock.
//!
//! It knows nothing of Confluence or LlamaCloud: a [`Service`] answers a [`Request`] with a [`Reply`], synchronously,
//! and everything that makes a network unpleasant (latency, cut bodies, resets) happens here.

mod clock;
mod control;
mod faults;
mod limits;
mod log;
mod reply;
mod request;
mod route;
mod run;

pub use clock::Clock;
pub use control::Control;
pub use faults::{Fault, FaultRule, Matcher, Times};
pub use limits::{RateLimit, RetryAfter};
pub use log::LoggedRequest;

pub(crate) use control::{Service, locked};
pub(crate) use limits::{Buckets, over_rate};
pub(crate) use reply::{Body, Reply};
pub(crate) use request::{Request, percent_decode};
pub(crate) use route::{Route, find_route};
pub(crate) use run::Server;
