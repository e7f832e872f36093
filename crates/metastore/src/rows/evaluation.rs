//! `evaluations`.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::dialect::Db;
use crate::schema::evaluations;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = evaluations, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct EvaluationRow {
    pub(crate) index_id: String,
    pub(crate) questions: String,
    pub(crate) schedule: Option<String>,
    pub(crate) set_at: NaiveDateTime,
    pub(crate) wanted_at: Option<NaiveDateTime>,
    pub(crate) ran_at: Option<NaiveDateTime>,
    pub(crate) error: Option<String>,
    pub(crate) unknown_pages: String,
    pub(crate) missed: String,
}
