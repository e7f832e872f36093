//! Atlassian's authorization server on loopback: consent, codes, access tokens, and refresh tokens that rotate.
//!
//! It promises what Atlassian documents or connectors have seen: a code is good once and for the address that it was made for; each
//! refresh gives another refresh token, and the old one goes on for some minutes; a token reaches one or several sites. A
//! [`ConfluenceSim`](crate::confluence::ConfluenceSim) that is [authorized by](crate::confluence::Builder::authorized_by) it takes its
//! access tokens, and answers at the gateway's host which sites they reach.

mod grants;
mod service;
mod sim;
mod switches;

pub(crate) use grants::{Grants, RESOURCES};
pub use sim::{AtlassianSim, Builder};
pub use switches::Switches;
