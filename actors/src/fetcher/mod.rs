//! `ConfluenceFetcher`: N actors, each serial, through which every request of a run goes to Confluence. Which of them works
//! on what is decided by credits ([`crate::credits`]); pace and retries of single requests are the source's matter.

mod actor;
mod requests;

pub(crate) use actor::ConfluenceFetcher;
pub(crate) use requests::Fetchers;
