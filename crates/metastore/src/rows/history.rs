//! `run_pages`.

use diesel::prelude::*;

use crate::dialect::Db;
use crate::schema::run_pages;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = run_pages, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct RunPageRow {
    pub run_id: String,
    pub page_id: String,
    pub kind: String,
    pub change: String,
    pub reason: Option<String>,
    pub title: Option<String>,
    pub url: Option<String>,
}
