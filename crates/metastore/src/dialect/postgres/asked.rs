//! A statement of diesel's as `tokio-postgres` takes it.

use std::error::Error;

use diesel::pg::{Pg, PgMetadataLookup, PgQueryBuilder, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::result::Error as DieselError;
use diesel::{QueryResult, pg};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// Its text and its values.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    pub(super) types: Vec<Type>,
    /// Whether it is asked again in the same words.
    pub(super) again: bool,
}

impl Asked {
    pub(super) fn of<T: QueryFragment<Pg>>(source: &T) -> QueryResult<Self> {
        let mut builder = PgQueryBuilder::default();
        source.to_sql(&mut builder, &Pg)?;
        let mut binds = RawBytesBindCollector::<Pg>::new();
        source.collect_binds(&mut binds, &mut BuiltIn, &Pg)?;
        let types = binds.metadata.iter().map(of_number);
        let types: Vec<Type> = types.collect::<QueryResult<_>>()?;
        let values = binds.binds.into_iter().zip(&types);
        Ok(Self {
            sql: builder.finish(),
            values: values.map(|(bytes, of)| Value::new(bytes, of)).collect(),
            types,
            again: source.is_safe_to_cache_prepared(&Pg)?,
        })
    }
}

fn of_number(metadata: &PgTypeMetadata) -> QueryResult<Type> {
    let number = metadata.oid().map_err(|error| wrong(error.to_string()))?;
    Type::from_oid(number).ok_or_else(|| wrong(format!("there is no type {number}")))
}

fn wrong(why: String) -> DieselError {
    DieselError::SerializationError(why.into())
}

/// A value as it is sent; `None` is null.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value(Option<Vec<u8>>);

impl Value {
    fn new(bytes: Option<Vec<u8>>, of: &Type) -> Self {
        Self(bytes.map(|bytes| match *of {
            _ if !bytes.contains(&0) => bytes,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => without_nul(&bytes),
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => each_without_nul(&bytes).unwrap_or(bytes),
            _ => bytes,
        }))
    }
}

/// PostgreSQL knows no text with U+0000 ("8.3 Character Types"); U+FFFD stands in its place, as in a Markdown document (CommonMark 2.3).
fn without_nul(text: &[u8]) -> Vec<u8> {
    let nul = "\u{fffd}".as_bytes();
    text.split(|byte| *byte == 0).collect::<Vec<_>>().join(nul)
}

/// The same for each text of a list (`array_send`: five numbers, then each text behind its length, -1 for null); `None` for what is none.
fn each_without_nul(list: &[u8]) -> Option<Vec<u8>> {
    let (head, mut rest) = list.split_at_checked(20)?;
    let mut clean = head.to_vec();
    while let Some((length, behind)) = rest.split_first_chunk() {
        rest = behind;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            clean.extend_from_slice(&(-1_i32).to_be_bytes());
            continue;
        };
        let (text, behind) = rest.split_at_checked(length)?;
        rest = behind;
        let text = without_nul(text);
        clean.extend_from_slice(&i32::try_from(text.len()).ok()?.to_be_bytes());
        clean.extend(text);
    }
    rest.is_empty().then_some(clean)
}

impl ToSql for Value {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Ok(match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Looks up no type: every column is of a type whose number PostgreSQL never changes.
pub(super) struct BuiltIn;

impl PgMetadataLookup for BuiltIn {
    fn lookup_type(&mut self, _: &str, _: Option<&str>) -> pg::PgTypeMetadata {
        // Numbers of no type, which are refused.
        PgTypeMetadata::new(0, 0)
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::types::FromSql as _;

    use super::*;

    #[test]
    fn a_text_without_nul_is_sent() {
        let sent = |bytes: &[u8], of| Value::new(Some(bytes.to_vec()), &of).0.unwrap();
        assert_eq!(sent(b"a\0b\0", Type::TEXT), "a\u{fffd}b\u{fffd}".as_bytes());
        assert_eq!(sent("grün".as_bytes(), Type::TEXT), "grün".as_bytes());
        assert_eq!(sent(b"a\0b", Type::BYTEA), b"a\0b");
        assert_eq!(Value::new(None, &Type::TEXT), Value(None));
        let mut list = BytesMut::new();
        let texts = [Some("a\0b"), None, Some(""), Some("c\0")];
        let sent_as = texts.to_vec().to_sql(&Type::TEXT_ARRAY, &mut list);
        assert!(matches!(sent_as, Ok(IsNull::No)));
        let clean = sent(&list, Type::TEXT_ARRAY);
        let clean = Vec::<Option<String>>::from_sql(&Type::TEXT_ARRAY, &clean).unwrap();
        let texts = [Some("a\u{fffd}b"), None, Some(""), Some("c\u{fffd}")];
        assert_eq!(clean, texts.map(|text| text.map(str::to_owned)));
        assert_eq!(sent(b"no\0list", Type::TEXT_ARRAY), b"no\0list");
    }
}
