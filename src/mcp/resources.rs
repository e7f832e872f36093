//! Pages as resources: `confluence://page/{id}`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::PageId;
use rmcp::model::{
    ErrorData, ListResourcesResult, ReadResourceResult, Resource, ResourceContents,
    ResourceTemplate,
};
use serde_json::json;

use super::caller::Caller;
use super::knowledge::KnowledgeBase;
use super::text::{self, clean, cut, when};
use super::tools::target::{self, Target};
use super::tools::{self, ToolError};

const PREFIX: &str = "confluence://page/";
const MIME: &str = "text/markdown";
/// Resources that one answer lists.
const LISTED: usize = 100;
/// Bytes of an address that are repeated at most.
const MAX_URI: usize = 2_000;
/// Bytes of a page that a resource holds at most.
const MAX_BYTES: usize = 512 * 1024;

/// The one template.
#[must_use]
pub fn template() -> ResourceTemplate {
    ResourceTemplate::new("confluence://page/{id}", "confluence_page")
        .with_title("A Confluence page")
        .with_description("An indexed page as Markdown, by its page id")
        .with_mime_type(MIME)
}

/// The pages of the caller's indexes, a hundred at a time.
///
/// # Errors
/// -32602 for a cursor that is none of ours, -32603 when the store is down.
pub async fn list(
    kb: &dyn KnowledgeBase,
    caller: &Caller,
    cursor: Option<&str>,
) -> Result<ListResourcesResult, ErrorData> {
    let scope = tools::scope(kb, caller).await.map_err(refused)?;
    let (at, inner) = match cursor {
        None => (0, None),
        Some(cursor) => decode(cursor).ok_or_else(|| {
            ErrorData::invalid_params("this cursor is none that the list gave out", None)
        })?,
    };
    let Some(index) = scope.indexes.get(at) else {
        return Ok(ListResourcesResult::default());
    };
    let list = kb
        .pages(index.id, inner.as_deref(), LISTED)
        .await
        .map_err(|trouble| refused(trouble.into()))?;
    let resources = list
        .items
        .into_iter()
        .map(|page| {
            Resource::new(format!("{PREFIX}{}", page.id), text::inline(&page.title))
                .with_title(text::inline(&page.title))
                .with_description(format!(
                    "space {}, version {}, updated {}",
                    text::foreign(page.space_key.as_str()),
                    page.version,
                    when::day(page.last_modified)
                ))
                .with_mime_type(MIME)
        })
        .collect();
    let mut result = ListResourcesResult::with_all_items(resources);
    result.next_cursor = match list.next_cursor {
        Some(next) => Some(encode(at, Some(&next))),
        None if at + 1 < scope.indexes.len() => Some(encode(at + 1, None)),
        None => None,
    };
    Ok(result)
}

/// One page.
///
/// # Errors
/// -32002 (from 2026-07-28 on -32602) when there is no such page.
pub async fn read(
    kb: &dyn KnowledgeBase,
    caller: &Caller,
    uri: &str,
) -> Result<ReadResourceResult, ErrorData> {
    let id = uri
        .strip_prefix(PREFIX)
        .and_then(|id| match target::read(id) {
            Ok(Target::Id { id, host: None, .. }) => Some(id),
            _ => None,
        });
    let missing = |why: String| {
        let named = &uri[..uri.floor_char_boundary(MAX_URI)];
        ErrorData::resource_not_found(why, Some(json!({ "uri": named })))
    };
    let Some(id) = id else {
        return Err(missing(format!(
            "Resources are {PREFIX}<page id>; there is no {}",
            cut::snippet(&text::inline(uri), 200)
        )));
    };
    let contents = page(kb, caller, &id)
        .await
        .map_err(|error| missing(error.text()))?;
    Ok(ReadResourceResult::new(vec![
        ResourceContents::text(contents, format!("{PREFIX}{id}")).with_mime_type(MIME),
    ]))
}

async fn page(kb: &dyn KnowledgeBase, caller: &Caller, id: &PageId) -> Result<String, ToolError> {
    let found = tools::page::whole(kb, caller, id).await?;
    let page = &found.page;
    let body = clean(&found.markdown).text;
    let end = cut::prefix(&body, usize::MAX, MAX_BYTES);
    let mut out = format!(
        "# {}\n\nspace {} · version {} · updated {}\n{}\n\n{}\n",
        text::link(&[page.title.as_str()], &page.url),
        text::foreign(page.space_key.as_str()),
        page.version,
        when::day(page.last_modified),
        text::QUOTED_NOTICE,
        text::fence(page.id.as_str(), &text::inert(&body[..end]))
    );
    if end < body.len() {
        out.push_str("\nThe page is longer; get_page reads it in parts.\n");
    }
    Ok(out)
}

fn refused(error: ToolError) -> ErrorData {
    ErrorData::internal_error(error.text(), None)
}

fn encode(at: usize, inner: Option<&str>) -> String {
    URL_SAFE_NO_PAD.encode(format!("{at}:{}", inner.unwrap_or("")))
}

fn decode(cursor: &str) -> Option<(usize, Option<String>)> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (at, inner) = text.split_once(':')?;
    let inner = Some(inner.to_owned()).filter(|inner| !inner.is_empty());
    Some((at.parse().ok()?, inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were() {
        assert_eq!(
            decode(&encode(3, Some("a:b"))),
            Some((3, Some("a:b".into())))
        );
        assert_eq!(decode(&encode(0, None)), Some((0, None)));
        assert_eq!(decode("~"), None);
    }
}
