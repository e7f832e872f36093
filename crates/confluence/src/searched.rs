//! Content found by CQL, from whichever of the two searches reaches it.
//!
//! `/content/search` leaves archived spaces out and cannot be told otherwise; `/search` can. Its results wrap content, and without
//! the prefix `content.` it ignores expansions silently.

use domain::ports::source::{Cursor, Reach, SourceError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::endpoint;
use crate::transport::Page;

/// A result of the search of everything; what is no content (a space, a person) has none.
#[derive(Deserialize, Debug)]
struct Wrapped<T> {
    content: Option<T>,
}

impl ConfluenceClient {
    /// One answer of a walk over what a query finds.
    pub(crate) async fn searched<T: DeserializeOwned>(
        &self,
        reach: Reach,
        cql: &str,
        expand: &str,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<T>, SourceError> {
        match reach {
            Reach::CurrentSpaces => {
                let call = Call::new(&endpoint::CONTENT_SEARCH, &[])
                    .with("cql", cql)
                    .with("expand", expand)
                    .limit(limit);
                self.transport.page(&call, cursor).await
            }
            Reach::ArchivedSpaces => {
                let call = Call::new(&endpoint::SEARCH, &[])
                    .with("cql", cql)
                    .with("expand", wrapped(expand))
                    .with("includeArchivedSpaces", true)
                    .with("excerpt", "none")
                    .limit(limit);
                let page: Page<Wrapped<T>> = self.transport.page(&call, cursor).await?;
                let items = page.items.into_iter().filter_map(|row| row.content);
                Ok(Page {
                    items: items.collect(),
                    next: page.next,
                    base: page.base,
                })
            }
        }
    }
}

/// The same expansions of content inside of a result.
fn wrapped(expand: &str) -> String {
    let all: Vec<String> = expand
        .split(',')
        .map(|name| format!("content.{name}"))
        .collect();
    all.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_expansion_is_of_the_content() {
        assert_eq!(
            wrapped("container,body.storage"),
            "content.container,content.body.storage"
        );
    }
}
