//! Which generations of the index API an account offers, from what each of them said. Pure: knows no request.

use domain::Disposition;
use domain::index::Remote;
use domain::ports::retrieval::BackendError;

use crate::{v1, v2};

/// A generation of the index API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Generation {
    Pipelines,
    Directories,
}

impl Generation {
    /// Both, the one first that a new index rather gets: pipelines take text as it is and tell the state of each document.
    pub(crate) const BOTH: [Self; 2] = [Self::Pipelines, Self::Directories];

    /// The generation of an object that exists.
    pub(crate) fn of(remote: &Remote) -> Option<Self> {
        match remote.kind.as_str() {
            v1::KIND => Some(Self::Pipelines),
            v2::KIND => Some(Self::Directories),
            _ => None,
        }
    }

    /// The value of the setting that asks for it.
    pub(crate) const fn setting(self) -> &'static str {
        match self {
            Self::Pipelines => "v1",
            Self::Directories => "v2",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pipelines => "pipelines (v1)",
            Self::Directories => "directories and indexes (v2)",
        }
    }
}

/// What a generation said when it was asked: whether it is served, or why it refuses or does not answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Offer {
    pub(crate) generation: Generation,
    pub(crate) said: Result<bool, BackendError>,
}

impl Offer {
    pub(crate) fn is_made(&self) -> bool {
        self.said == Ok(true)
    }

    /// Whether nothing is known by it: asked later, it may be another.
    pub(crate) fn is_open(&self) -> bool {
        let error = self.said.as_ref().err();
        error.is_some_and(|error| matches!(error.disposition(), Disposition::Retry { .. }))
    }

    fn words(&self) -> String {
        let name = self.generation.name();
        match &self.said {
            Ok(true) => format!("{name}: offered"),
            Ok(false) => format!("{name}: not served"),
            Err(
                BackendError::Unauthorized { detail, .. }
                | BackendError::NoCredits { detail }
                | BackendError::Unavailable { detail }
                | BackendError::TooLarge { detail }
                | BackendError::Rejected { detail },
            ) => format!("{name}: {detail}"),
            Err(error) => format!("{name}: {error}"),
        }
    }
}

/// What was said, in one line.
///
/// # Errors
/// When one does not answer now, or none is offered; what each said stands in it.
pub(crate) fn summary(host: &str, asked: &[Offer]) -> Result<String, BackendError> {
    let (made, others): (Vec<&Offer>, Vec<&Offer>) = asked.iter().partition(|o| o.is_made());
    if made.is_empty() || others.iter().any(|offer| offer.is_open()) {
        return Err(refusal(host, asked));
    }
    let made: Vec<&str> = made.iter().map(|offer| offer.generation.name()).collect();
    let mut line = format!("LlamaCloud at {host} offers {}", made.join(" and "));
    for other in others {
        line.push_str("; ");
        line.push_str(&other.words());
    }
    Ok(line)
}

/// Why there is no generation to use. Whoever does not answer now goes before whoever refuses: it may be tried again.
pub(crate) fn refusal(host: &str, asked: &[Offer]) -> BackendError {
    let errors = || asked.iter().filter_map(|offer| offer.said.as_ref().err());
    let open = asked.iter().find(|offer| offer.is_open());
    let open = open.and_then(|offer| offer.said.as_ref().err());
    if let Some(error) = open.or_else(|| errors().next()) {
        return with_what_each_said(error.clone(), asked);
    }
    let names: Vec<&str> = asked.iter().map(|o| o.generation.name()).collect();
    let detail = match asked {
        [Offer { generation, .. }] => {
            let other = match generation {
                Generation::Pipelines => "v2",
                Generation::Directories => "v1",
            };
            format!(
                "{host} does not serve {}: LLAMA_CLOUD_INDEX_API={other} or auto may be right; check LLAMA_CLOUD_BASE_URL as \
                 well",
                generation.name()
            )
        }
        _ => format!(
            "{host} serves neither {}; check LLAMA_CLOUD_BASE_URL",
            names.join(" nor ")
        ),
    };
    BackendError::Rejected { detail }
}

/// Where all say the same, it is said once.
fn with_what_each_said(mut error: BackendError, asked: &[Offer]) -> BackendError {
    if asked.iter().all(|offer| offer.said.as_ref() == Err(&error)) {
        return error;
    }
    if let BackendError::Unauthorized { detail, .. }
    | BackendError::NoCredits { detail }
    | BackendError::Unavailable { detail }
    | BackendError::TooLarge { detail }
    | BackendError::Rejected { detail } = &mut error
    {
        let words: Vec<String> = asked.iter().map(Offer::words).collect();
        *detail = words.join("; ");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(v1: Result<bool, BackendError>, v2: Result<bool, BackendError>) -> [Offer; 2] {
        let [first, second] = Generation::BOTH;
        [(first, v1), (second, v2)].map(|(generation, said)| Offer { generation, said })
    }

    fn refused(detail: &str) -> Result<bool, BackendError> {
        Err(BackendError::Unauthorized {
            host: "h".into(),
            detail: detail.into(),
        })
    }

    #[test]
    fn what_each_said_stands_in_one_line() {
        let down = || {
            Err(BackendError::Unavailable {
                detail: "no answer".into(),
            })
        };
        for (v1, v2, line) in [
            (
                Ok(true),
                Ok(true),
                "LlamaCloud at h offers pipelines (v1) and directories and indexes (v2)",
            ),
            (
                refused("not in the plan (403)"),
                Ok(true),
                "LlamaCloud at h offers directories and indexes (v2); pipelines (v1): not in the plan (403)",
            ),
            (
                Ok(true),
                Ok(false),
                "LlamaCloud at h offers pipelines (v1); directories and indexes (v2): not served",
            ),
            (
                Ok(false),
                Ok(false),
                "the store refuses the request: h serves neither pipelines (v1) nor directories and indexes (v2); check \
                 LLAMA_CLOUD_BASE_URL",
            ),
            (
                refused("not in the plan (403)"),
                Ok(false),
                "the store refuses the credentials at h: pipelines (v1): not in the plan (403); directories and indexes \
                 (v2): not served",
            ),
            (
                refused("bad key"),
                refused("bad key"),
                "the store refuses the credentials at h: bad key",
            ),
            (
                refused("not in the plan (403)"),
                down(),
                "the store cannot be reached: pipelines (v1): not in the plan (403); directories and indexes (v2): no answer",
            ),
            (
                down(),
                Ok(true),
                "the store cannot be reached: pipelines (v1): no answer; directories and indexes (v2): offered",
            ),
        ] {
            let asked = offers(v1, v2);
            let said = summary("h", &asked).unwrap_or_else(|error| error.to_string());
            assert_eq!(said, line, "{asked:?}");
        }
        let one = &offers(Ok(false), Ok(true))[..1];
        let said = summary("h", one).unwrap_err().to_string();
        assert!(said.contains("LLAMA_CLOUD_INDEX_API=v2 or auto"), "{said}");
    }
}
