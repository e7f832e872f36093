//! What the clients of outside services (Confluence, LlamaCloud, the OAuth issuer, the webhook) have in common.
//!
//! * [`Network`] makes the HTTP client, with the operator's proxy and certificate authority; [`check_address`] lets no credentials
//!   travel openly.
//! * [`RateLimiter`] says when a request may go, [`waits()`] how long to wait between tries, [`retry_after()`] what the service asks for.
//! * [`CircuitBreaker`] says when one that is down is not worth asking.
//! * [`probe`] is how a client asks a live service whether its assumptions hold.
//! * [`send`] makes one exchange: the answer within a bound, or [`Broken`], in words that hold no address and no secret.
//!
//! It must not know what an answer means, nor which service gave it: its clients decide that, and what is worth another try.
#![warn(missing_docs)]

mod breaker;
mod exchange;
mod limiter;
mod network;
mod nul;
pub mod probe;
mod waits;

pub use breaker::{Circuit, CircuitBreaker};
pub use exchange::{Answer, Bounds, Broken, BrokenBy, REQUESTS, SECONDS, Target, is_html, send};
pub use limiter::{LimitScope, LimiterSettings, Outcome, Permit, RateLimiter, TooLong};
pub use network::{ConfigError, Network, check_address, is_loopback, secret_header};
pub use waits::{retry_after, waits};
