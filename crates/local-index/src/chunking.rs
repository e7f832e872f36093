//! A document's text as the chunks that are searched.

use domain::document::Document;
use storage_markdown::chunk::{self, ChunkOptions};

use crate::schema::HEADING_SEPARATOR;

/// One chunk, as its row keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    /// Headings above it, joined by [`HEADING_SEPARATOR`]; without the page's title.
    pub headings: String,
    pub anchor: Option<String>,
    pub text: String,
}

/// Cuts a document at its headings. Its title and breadcrumb have columns of their own and are not repeated in the
/// first chunk; a document without any text yields one chunk of just these, so that its title can be found.
pub(crate) fn pieces(document: &Document) -> Vec<Piece> {
    let body = body(document);
    let mut pieces: Vec<Piece> = chunk::chunks(body, &ChunkOptions::default())
        .into_iter()
        .filter(|chunk| !chunk.text.trim().is_empty())
        .map(|chunk| Piece {
            headings: chunk.heading_path.join(HEADING_SEPARATOR),
            anchor: chunk.anchor,
            text: chunk.text.trim().to_owned(),
        })
        .collect();
    if pieces.is_empty() {
        pieces.push(Piece {
            headings: String::new(),
            anchor: None,
            text: document.text.trim().to_owned(),
        });
    }
    pieces
}

/// The text that stands for a chunk where its meaning is asked for: where it stands, and what it says.
pub(crate) fn meant(title: &str, headings: &str, text: &str) -> String {
    let headings = headings.split(HEADING_SEPARATOR);
    let place = std::iter::once(title)
        .chain(headings)
        .filter(|part| !part.is_empty());
    let mut meant = place.collect::<Vec<_>>().join(" > ");
    meant.push_str("\n\n");
    meant.push_str(text);
    meant
}

/// The text behind title line and breadcrumb, as [`domain::document::compose`] put them there.
fn body(document: &Document) -> &str {
    let metadata = &document.metadata;
    let strip = || {
        document
            .text
            .strip_prefix("# ")?
            .strip_prefix(metadata.title.as_str())?
            .strip_prefix("\n\n")?
            .strip_prefix(metadata.breadcrumb.as_str())?
            .strip_prefix("\n\n")
    };
    strip().unwrap_or(&document.text)
}
