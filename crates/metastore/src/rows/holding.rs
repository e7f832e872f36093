//! `holdings` and `store_objects`.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::content::ContentKind;
use domain::holding::{Flight, Have, Holding};
use domain::index::{BackendKind, Remote};
use domain::ports::store::OpenHolding;

use super::RemoteJson;
use crate::convert::{db_time, id, opt_db_time, opt_time, time, word};
use crate::dialect::Db;
use crate::error::{Done, Fault};
use crate::schema::{holdings, store_objects};

/// `have` of what the object holds nothing of.
pub(crate) const NONE: &str = "none";
const UNKNOWN: &str = "unknown";

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = holdings, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct HoldingRow {
    pub object_id: i64,
    pub page_id: String,
    pub kind: String,
    pub want: Option<String>,
    pub have: String,
    pub in_doubt: bool,
    pub claimed_by: Option<String>,
    pub accepted_at: Option<NaiveDateTime>,
    pub attempts: i32,
    pub failed_at: Option<NaiveDateTime>,
    pub next_try_at: Option<NaiveDateTime>,
    pub last_error: Option<String>,
    pub since: NaiveDateTime,
    pub open: bool,
}

impl HoldingRow {
    pub(crate) fn new(
        (object_id, page_id, kind): (i64, &str, ContentKind),
        holding: &Holding,
        since: NaiveDateTime,
    ) -> Self {
        let (claimed_by, accepted_at) = match holding.flight() {
            Flight::None => (None, None),
            Flight::Claimed(worker) => (Some(worker.to_string()), None),
            Flight::Accepted(at) => (None, Some(db_time(*at))),
        };
        Self {
            object_id,
            page_id: page_id.to_owned(),
            kind: kind.as_str().to_owned(),
            want: holding.want().map(str::to_owned),
            have: match holding.have() {
                Have::None => NONE.to_owned(),
                Have::Unknown => UNKNOWN.to_owned(),
                Have::Document(hash) => hash.clone(),
            },
            in_doubt: holding.in_doubt(),
            claimed_by,
            accepted_at,
            attempts: holding.attempts(),
            failed_at: opt_db_time(holding.failed_at()),
            next_try_at: opt_db_time(holding.next_try_at()),
            last_error: holding.last_error().map(str::to_owned),
            since,
            open: !holding.is_settled(),
        }
    }

    pub(crate) fn holding(self) -> Done<Holding> {
        let have = match self.have.as_str() {
            NONE => Have::None,
            UNKNOWN => Have::Unknown,
            _ => Have::Document(self.have),
        };
        let flight = match (self.claimed_by, self.accepted_at) {
            (Some(worker), _) => Flight::Claimed(id("holdings.claimed_by", &worker)?),
            (None, Some(at)) => Flight::Accepted(time(at)),
            (None, None) => Flight::None,
        };
        Ok(Holding::restore(
            (self.want, have),
            (flight, self.in_doubt),
            (self.attempts, opt_time(self.failed_at)),
            opt_time(self.next_try_at),
            self.last_error,
        ))
    }
}

impl TryFrom<HoldingRow> for OpenHolding {
    type Error = Fault;
    fn try_from(row: HoldingRow) -> Done<Self> {
        Ok(Self {
            page_id: row.page_id.as_str().into(),
            kind: word("holdings.kind", &row.kind, ContentKind::parse)?,
            holding: row.holding()?,
        })
    }
}

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = store_objects, check_for_backend(Db))]
pub(crate) struct ObjectRow {
    pub id: i64,
    pub index_id: String,
    pub agent_id: Option<String>,
    pub backend: String,
    pub remote: Option<String>,
    pub role: String,
    pub since: NaiveDateTime,
    pub attempts: i32,
    pub next_try_at: Option<NaiveDateTime>,
}

impl ObjectRow {
    pub(crate) fn backend(&self) -> Done<BackendKind> {
        word("store_objects.backend", &self.backend, BackendKind::parse)
    }

    pub(crate) fn remote(&self) -> Done<Option<Remote>> {
        let remote = self.remote.as_deref();
        remote
            .map(|text| RemoteJson::read("store_objects.remote", text))
            .transpose()
    }
}
