//! One exchange with the site: a request as data goes out; the answer comes back, or the reason why not.

use std::time::Duration;

use domain::ports::source::{Cursor, SourceError};
use reqwest::header::AUTHORIZATION;
use serde::de::DeserializeOwned;
use upstream::{Answer, Bounds, Broken, BrokenBy, Target};

use crate::call::Call;
use crate::classify::Trouble;
use crate::config::Site;
use crate::credentials::Access;
use crate::oauth::NoAccess;

/// Bytes read of an error's body.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// Why one try gave nothing.
pub(crate) enum Failure {
    Final(SourceError),
    Passing {
        trouble: Trouble,
        error: SourceError,
        at_least: Duration,
    },
    Doubtful(u16, SourceError),
    /// A 401: with other credentials it may be answered.
    Expired(SourceError),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Final(error)
    }
}

impl Failure {
    /// Passing trouble after which nobody asked for a wait.
    pub fn passing(trouble: Trouble, error: SourceError) -> Self {
        Self::Passing {
            trouble,
            error,
            at_least: Duration::ZERO,
        }
    }
}

/// Sends one request and reads its answer.
pub(crate) async fn send(
    http: &reqwest::Client,
    site: &Site,
    max_bytes: usize,
    access: &Access,
    call: &Call,
    cursor: Option<&Cursor>,
) -> Result<Answer, Failure> {
    let url = call.url(site, access.cloud_id.as_deref(), cursor);
    let mut request = http
        .request(call.method(), url)
        .header(AUTHORIZATION, access.header.clone());
    if let Some(body) = &call.body {
        request = request.json(body);
    }
    let bounds = Bounds {
        answer: max_bytes.min(call.max_bytes),
        error: MAX_ERROR_BYTES,
    };
    upstream::send(
        request,
        bounds,
        Target::new("confluence", call.endpoint.name),
    )
    .await
    .map_err(|broken| failure(call, broken))
}

/// What a failed exchange means.
fn failure(call: &Call, Broken { by, detail }: Broken) -> Failure {
    let what = call.what.clone();
    let trouble = match by {
        BrokenBy::Request => return Failure::Final(SourceError::Rejected { what, detail }),
        BrokenBy::Length => return Failure::Final(SourceError::TooLarge { what, detail }),
        BrokenBy::Connection => Trouble::Down,
        BrokenBy::Time => Trouble::Heavy,
        BrokenBy::Break => Trouble::Strange,
    };
    Failure::passing(trouble, SourceError::Unavailable { what, detail })
}

/// What it means that there is nothing to be let in with.
pub(crate) fn no_access(call: &Call, none: NoAccess) -> Failure {
    let what = call.what.clone();
    match none {
        NoAccess::Refused(detail) => Failure::Final(SourceError::Unauthorized { what, detail }),
        passing @ NoAccess::Passing(_) => {
            let detail = passing.to_string();
            Failure::passing(Trouble::Down, SourceError::Unavailable { what, detail })
        }
    }
}

/// Passing trouble of the kind where something else than the answer came.
pub(crate) fn strange(call: &Call, detail: String) -> Failure {
    let what = call.what.clone();
    Failure::passing(Trouble::Strange, SourceError::Unavailable { what, detail })
}

/// The value of an answer; whatever cannot be read as one is trouble, and said to be what it is.
pub(crate) fn parse<T: DeserializeOwned>(call: &Call, answer: &Answer) -> Result<T, Failure> {
    answer.json().map_err(|detail| {
        if upstream::is_html(&answer.body) {
            let what = call.what.clone();
            Failure::passing(
                Trouble::Strange,
                SourceError::NotConfluence { what, detail },
            )
        } else {
            strange(call, detail)
        }
    })
}
