//! The audit log of the site: that something about permissions happened, and what it was about, by name.

use chrono::DateTime;
use domain::Timestamp;
use domain::ports::source::{Audited, SourceError};
use serde::Deserialize;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::endpoint;

/// Records of one answer (official document: the default of `limit`, which a site may lower).
const RECORDS_PER_ANSWER: usize = 1000;
/// Answers of one question: a site that has more to tell since the last time is read by the next sweep.
const MOST_ANSWERS: usize = 100;

#[derive(Deserialize, Debug)]
struct Records {
    results: Vec<Option<Record>>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// Milliseconds since 1970.
    creation_date: i64,
    affected_object: Option<Named>,
    associated_objects: Option<Vec<Option<Named>>>,
}

#[derive(Deserialize, Debug)]
struct Named {
    name: Option<String>,
}

impl Record {
    fn audited(self) -> Option<Audited> {
        let at = DateTime::from_timestamp_millis(self.creation_date)?;
        let associated = self.associated_objects.into_iter().flatten().flatten();
        let about = self.affected_object.into_iter().chain(associated);
        let names = about.filter_map(|named| named.name);
        let names = names.filter(|name| !name.trim().is_empty()).collect();
        Some(Audited { at, names })
    }
}

impl ConfluenceClient {
    /// Its answers are counted by offset, and may hold less than was asked for: only an empty one is the end. What is written meanwhile
    /// moves records from one answer to the next, and never past it.
    pub(crate) async fn records_since(
        &self,
        since: Timestamp,
    ) -> Result<Vec<Audited>, SourceError> {
        let mut all = Vec::new();
        let (mut start, mut limit) = (0, RECORDS_PER_ANSWER);
        for _ in 0..MOST_ANSWERS {
            let call = Call::new(&endpoint::AUDIT, &[])
                .with("startDate", since.timestamp_millis())
                .with("start", start)
                .limit(limit);
            let records = match self.transport.value::<Records>(&call).await {
                Err(SourceError::TooLarge { .. }) if limit > 1 => {
                    limit = (limit / 8).max(1);
                    continue;
                }
                answer => answer?.results,
            };
            if records.is_empty() {
                return Ok(all);
            }
            start += records.len();
            all.extend(records.into_iter().flatten().filter_map(Record::audited));
        }
        Err(SourceError::endless("the audit log".to_owned()))
    }
}
