//! `bodies`: packed on the way in, unpacked on the way out.

use diesel::prelude::*;
use domain::content::ContentKind;
use domain::page::CachedBody;

use crate::codec::{Packer, unpack};
use crate::convert::word;
use crate::dialect::Db;
use crate::error::{Done, Fault};
use crate::schema::bodies;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = bodies, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct BodyRow {
    pub page_id: String,
    pub kind: String,
    pub version: i32,
    pub converter: i32,
    pub markdown_hash: String,
    pub stored_bytes: i64,
    pub markdown: Vec<u8>,
    pub storage: Vec<u8>,
    pub rendered: Option<Vec<u8>>,
}

impl BodyRow {
    pub(crate) fn pack(packer: &mut Packer, body: &CachedBody) -> Self {
        let markdown = packer.pack(&body.markdown);
        let storage = packer.pack(&body.storage);
        let rendered = body.rendered.as_deref().map(|html| packer.pack(html));
        let bytes = markdown.len() + storage.len() + rendered.as_ref().map_or(0, Vec::len);
        Self {
            page_id: body.page_id.to_string(),
            kind: body.kind.as_str().to_owned(),
            version: body.version,
            converter: body.converter,
            markdown_hash: body.markdown_hash.clone(),
            stored_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            markdown,
            storage,
            rendered,
        }
    }
}

impl TryFrom<BodyRow> for CachedBody {
    type Error = Fault;
    fn try_from(row: BodyRow) -> Done<Self> {
        Ok(Self {
            page_id: row.page_id.into(),
            kind: word("bodies.kind", &row.kind, ContentKind::parse)?,
            version: row.version,
            storage: unpack(&row.storage)?,
            rendered: row.rendered.as_deref().map(unpack).transpose()?,
            markdown: unpack(&row.markdown)?,
            markdown_hash: row.markdown_hash,
            converter: row.converter,
        })
    }
}
