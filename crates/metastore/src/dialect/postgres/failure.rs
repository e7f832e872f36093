//! What the server's error codes (SQLSTATE, appendix A of PostgreSQL's manual) mean for who works with the store: whether it is worth
//! trying again, and what helps.

use std::fmt;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind as Kind, Error as DieselError};
use domain::ports::store::StoreError;

use crate::dialect::Purpose;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    /// Wait and try again: it passes, or somebody sees to it.
    Again,
    /// Trying again changes nothing.
    Fail,
}
use Then::{Again, Fail};

/// Codes, or the two characters that a class of them begins with; the first that fits counts.
const MEANINGS: &[(&str, Then, &str)] = &[
    (
        "08",
        Again,
        "the connection to the server is broken; see that the server runs",
    ),
    (
        "25006",
        Again,
        "the server takes no writes: it is a standby, or set to read only; let DATABASE_URL lead to the one that takes them \
         (target_session_attrs=read-write, where it names several)",
    ),
    (
        "25P0",
        Again,
        "the server ended a transaction that took too long; see what keeps this machine busy",
    ),
    (
        "28",
        Fail,
        "the server does not let this user in; check user and password of DATABASE_URL, and the server's pg_hba.conf",
    ),
    (
        "3D000",
        Fail,
        "there is no such database; make it, or check DATABASE_URL",
    ),
    (
        "40",
        Again,
        "another transaction was in the way; nothing is to be done",
    ),
    (
        "42501",
        Fail,
        "the user of DATABASE_URL may not do that; let it own the schema",
    ),
    ("53100", Again, "the server's disk is full; make room there"),
    (
        "53200",
        Again,
        "the server is out of memory; give it more, or lower its work_mem",
    ),
    (
        "53300",
        Again,
        "the server has no connection left; raise its max_connections or the CONNECTION LIMIT of the user, or lower DATABASE_POOL_SIZE",
    ),
    ("53", Again, "a limit of the server is reached; raise it"),
    (
        "55P03",
        Again,
        "another process writes; nothing is to be done",
    ),
    (
        "57014",
        Again,
        "the server took too long, or somebody stopped the statement; see what keeps the server busy",
    ),
    (
        "57P04",
        Fail,
        "the database was dropped; make it again, and restore a backup",
    ),
    (
        "57P05",
        Again,
        "the server ended a connection that lay idle; set its idle_session_timeout to 0 for this user",
    ),
    (
        "57P",
        Again,
        "the server is stopping or starting, or ended the connection; see that it comes back",
    ),
    (
        "58",
        Again,
        "the system of the server fails; see its log, and its disks",
    ),
    (
        "XX",
        Fail,
        "the server found its data damaged, or itself at fault; see its log, and restore a backup if need be",
    ),
];

/// Why a statement failed, or a call.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// As the server gave it; there is none when the server did not answer.
    code: Option<String>,
    said: String,
    lost: bool,
}

impl Failure {
    /// Of what the driver says; it holds no password.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        let code = error.code().map(|code| code.code().to_owned());
        let ended = code.as_deref().is_some_and(ends_the_connection);
        Self {
            lost: ended || error.is_closed(),
            said: error
                .as_db_error()
                .map_or_else(|| told(error), |said| said.message().to_owned()),
            code,
        }
    }

    /// Of a server that says nothing.
    pub(crate) fn silence(longest: Duration) -> Self {
        Self {
            code: None,
            said: format!("no answer within {} seconds", longest.as_secs()),
            lost: true,
        }
    }

    /// Of a connection that is closed.
    pub(crate) fn lost() -> Self {
        Self {
            code: None,
            said: "it is closed".to_owned(),
            lost: true,
        }
    }

    /// Whether the connection is of no use any more.
    pub(crate) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// The same of a connection that turned out to be closed.
    pub(crate) fn and_lost(mut self, lost: bool) -> Self {
        self.lost |= lost;
        self
    }

    fn meaning(&self) -> Option<(Then, &'static str)> {
        let code = self.code.as_deref()?;
        MEANINGS
            .iter()
            .find(|(known, ..)| code.starts_with(known))
            .map(|(_, then, words)| (*then, *words))
    }

    /// The port's error, where the code says more than diesel's kinds do.
    pub(crate) fn store_error(&self, purpose: Purpose) -> Option<StoreError> {
        // Our own readers are read only: who writes there is wrong.
        if purpose == Purpose::Read && self.code.as_deref() == Some("25006") {
            return None;
        }
        let then = match self.meaning() {
            Some((then, _)) => then,
            None if self.lost => Again,
            None => return None,
        };
        let detail = self.to_string();
        Some(match then {
            Again => StoreError::Busy { detail },
            Fail => StoreError::Failed { detail },
        })
    }

    /// The same as an error of diesel.
    pub(crate) fn diesel_error(&self) -> DieselError {
        let kind = match self.code.as_deref() {
            Some("23505") => Kind::UniqueViolation,
            Some("23503") => Kind::ForeignKeyViolation,
            Some("23502") => Kind::NotNullViolation,
            Some("23514") => Kind::CheckViolation,
            Some("40001") => Kind::SerializationFailure,
            Some("25006") => Kind::ReadOnlyTransaction,
            _ if self.lost => Kind::ClosedConnection,
            _ => Kind::Unknown,
        };
        DieselError::DatabaseError(kind, Box::new(self.to_string()))
    }
}

/// After these the server closes the connection, or it leads to a server that takes no writes any more.
fn ends_the_connection(code: &str) -> bool {
    ["08", "25006", "25P03", "25P04", "57P"]
        .iter()
        .any(|known| code.starts_with(known))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.meaning(), &self.code) {
            (Some((_, words)), Some(code)) => write!(f, "{words} ({code}: {})", self.said),
            (None, Some(code)) => write!(f, "{} ({code})", self.said),
            (_, None) if self.lost => write!(
                f,
                "the connection to the server is lost ({}); see that the server runs",
                self.said
            ),
            (_, None) => f.write_str(&self.said),
        }
    }
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use domain::disposition::Disposition;

    use super::*;

    fn failure(code: &str) -> Failure {
        Failure {
            code: Some(code.to_owned()),
            said: "as the server says it".to_owned(),
            lost: ends_the_connection(code),
        }
    }

    #[test]
    fn every_code_is_tried_again_or_not_and_says_what_helps() {
        let again = Disposition::RETRY;
        let fatal = Disposition::Fatal;
        // Code, what is done, whether the connection is of use, and a word of what helps.
        for (code, disposition, lost, word) in [
            ("08006", again, true, "see that the server runs"),
            ("25006", again, true, "target_session_attrs"),
            ("25P03", again, true, "this machine"),
            ("28P01", fatal, false, "password"),
            ("3D000", fatal, false, "DATABASE_URL"),
            ("40001", again, false, "in the way"),
            ("40P01", again, false, "in the way"),
            ("42501", fatal, false, "own the schema"),
            ("53100", again, false, "make room"),
            ("53200", again, false, "memory"),
            ("53300", again, false, "DATABASE_POOL_SIZE"),
            ("53400", again, false, "limit"),
            ("55P03", again, false, "another process writes"),
            ("57014", again, false, "busy"),
            ("57P01", again, true, "comes back"),
            ("57P02", again, true, "comes back"),
            ("57P03", again, true, "comes back"),
            ("57P04", fatal, true, "restore a backup"),
            ("57P05", again, true, "idle_session_timeout"),
            ("58030", again, false, "disks"),
            ("XX001", fatal, false, "damaged"),
        ] {
            let failure = failure(code);
            let error = failure.store_error(Purpose::Write).unwrap();
            assert_eq!(error.disposition(), disposition, "{code}");
            assert_eq!(failure.is_lost(), lost, "{code}");
            let shown = error.to_string();
            for part in [code, word, "as the server says it"] {
                assert!(shown.contains(part), "{code}: {shown}");
            }
        }
    }

    #[test]
    fn what_diesel_knows_is_left_to_it() {
        for (code, kind) in [
            ("23505", "UniqueViolation"),
            ("23503", "ForeignKeyViolation"),
            ("23502", "NotNullViolation"),
            ("23514", "CheckViolation"),
            ("42P01", "Unknown"),
        ] {
            let failure = failure(code);
            assert_eq!(failure.store_error(Purpose::Write), None, "{code}");
            let DieselError::DatabaseError(found, said) = failure.diesel_error() else {
                panic!("{code}");
            };
            assert_eq!(format!("{found:?}"), kind);
            assert!(said.message().contains(code));
        }
        // Who writes by a reader is wrong, whatever the server is.
        assert_eq!(failure("25006").store_error(Purpose::Read), None);
    }

    #[test]
    fn a_server_that_says_nothing_is_asked_again_on_another_connection() {
        let failure = Failure::silence(Duration::from_secs(75));
        assert!(failure.is_lost());
        let error = failure.store_error(Purpose::Read).unwrap();
        assert_eq!(error.disposition(), Disposition::RETRY);
        assert!(error.to_string().contains("75 seconds"), "{error}");
    }
}
