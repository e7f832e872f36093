//! Where reading of a page goes on: opaque to clients, bound to a page and its version.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::PageId;
use serde::{Deserialize, Serialize};

/// A place in a page's text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PageCursor {
    /// The page.
    #[serde(rename = "p")]
    pub page: PageId,
    /// The version whose text was being read.
    #[serde(rename = "v")]
    pub version: i32,
    /// The section that was asked for, by its anchor.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The heading from which on the page is read, by its anchor; what stands before it is passed over.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Bytes of that text that were given already.
    #[serde(rename = "o")]
    pub offset: usize,
}

impl PageCursor {
    /// The cursor as clients carry it.
    #[must_use]
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(super::to_value(self).to_string())
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were() {
        let cursor = PageCursor {
            page: PageId::from("98312"),
            version: 7,
            section: Some("Größe-1".into()),
            from: None,
            offset: 12_000,
        };
        assert_eq!(PageCursor::decode(&cursor.encode()), Some(cursor));
        for bad in ["", "x", "e30", "12", "🦀"] {
            assert_eq!(PageCursor::decode(bad), None, "{bad}");
        }
    }
}
