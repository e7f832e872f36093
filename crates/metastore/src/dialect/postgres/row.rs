//! Rows of `tokio-postgres` as diesel reads them.

use std::error::Error;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use diesel::pg::{Pg, PgValue};
use diesel::row::{Field, PartialRow, Row, RowIndex, RowSealed};
use tokio_postgres::types::{FromSql, Type};

/// A row; rows of one answer share what is known of its columns.
pub struct PgRow {
    row: tokio_postgres::Row,
    types: Arc<[NonZeroU32]>,
}

impl PgRow {
    /// The rows of one answer.
    pub(super) fn all(rows: Vec<tokio_postgres::Row>) -> impl Iterator<Item = Self> {
        let columns = rows.first().map_or(&[][..], |row| row.columns());
        let types: Arc<[NonZeroU32]> = columns
            .iter()
            // No type has the number 0.
            .map(|column| NonZeroU32::new(column.type_().oid()).unwrap_or(NonZeroU32::MAX))
            .collect();
        rows.into_iter().map(move |row| Self {
            row,
            types: types.clone(),
        })
    }
}

impl RowSealed for PgRow {}

impl<'a> Row<'a, Pg> for PgRow {
    type Field<'f>
        = PgField<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.row.len()
    }

    fn get<'b, I>(&'b self, idx: I) -> Option<Self::Field<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        let at = self.idx(idx)?;
        Some(PgField { row: self, at })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self::InnerPartialRow> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for PgRow {
    fn idx(&self, idx: usize) -> Option<usize> {
        (idx < self.row.len()).then_some(idx)
    }
}

impl<'a> RowIndex<&'a str> for PgRow {
    fn idx(&self, idx: &'a str) -> Option<usize> {
        let columns = self.row.columns();
        columns.iter().position(|column| column.name() == idx)
    }
}

/// A column of a row.
pub struct PgField<'a> {
    row: &'a PgRow,
    at: usize,
}

impl<'a> Field<'a, Pg> for PgField<'a> {
    fn field_name(&self) -> Option<&str> {
        self.row.row.columns().get(self.at).map(|it| it.name())
    }

    fn value(&self) -> Option<PgValue<'_>> {
        let bytes: Option<Bytes<'_>> = self.row.row.try_get(self.at).ok()?;
        Some(PgValue::new(bytes?.0, self.row.types.get(self.at)?))
    }
}

/// A value as the server sent it.
struct Bytes<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
