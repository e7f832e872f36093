//! `bodies`: packed on the way in, unpacked on the way out.

use diesel::prelude::*;
use domain::content::ContentKind;
use domain::page::{CachedBody, CachedText};

use crate::codec::{Packer, unpack};
use crate::convert::word;
use crate::dialect::Db;
use crate::error::{Done, Fault};
use crate::schema::bodies;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = bodies, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct BodyRow {
    #[diesel(embed)]
    text: TextRow,
    stored_bytes: i64,
    text_bytes: i64,
    storage: Vec<u8>,
    rendered: Option<Vec<u8>>,
}

/// The columns of a text.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = bodies, check_for_backend(Db))]
pub(crate) struct TextRow {
    page_id: String,
    kind: String,
    version: i32,
    converter: i32,
    markdown_hash: String,
    markdown: Vec<u8>,
}

impl BodyRow {
    pub(crate) fn pack(packer: &mut Packer, body: CachedBody) -> Self {
        let count = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        let text_bytes = count(body.bytes());
        let CachedBody {
            text,
            storage,
            rendered,
        } = body;
        let markdown = packer.pack(&text.markdown);
        let storage = packer.pack(&storage);
        let rendered = rendered.as_deref().map(|html| packer.pack(html));
        let bytes = markdown.len() + storage.len() + rendered.as_ref().map_or(0, Vec::len);
        Self {
            text: TextRow {
                page_id: text.page_id.to_string(),
                kind: text.kind.as_str().to_owned(),
                version: text.version,
                converter: text.converter,
                markdown_hash: text.markdown_hash,
                markdown,
            },
            stored_bytes: count(bytes),
            text_bytes,
            storage,
            rendered,
        }
    }
}

impl TryFrom<TextRow> for CachedText {
    type Error = Fault;
    fn try_from(row: TextRow) -> Done<Self> {
        Ok(Self {
            page_id: row.page_id.into(),
            kind: word("bodies.kind", &row.kind, ContentKind::parse)?,
            version: row.version,
            markdown: unpack(&row.markdown)?,
            markdown_hash: row.markdown_hash,
            converter: row.converter,
        })
    }
}

impl TryFrom<BodyRow> for CachedBody {
    type Error = Fault;
    fn try_from(row: BodyRow) -> Done<Self> {
        Ok(Self {
            text: row.text.try_into()?,
            storage: unpack(&row.storage)?,
            rendered: row.rendered.as_deref().map(unpack).transpose()?,
        })
    }
}
