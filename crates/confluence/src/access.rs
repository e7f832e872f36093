//! What the account and its token may do. One item of every kind that a sync needs is asked for, so that everything that is missing
//! is known at once: whoever hands out tokens with scopes makes them anew for each one that was forgotten.

use domain::part::Part;
use domain::ports::source::{AccessCheck, AccessNeeds, SourceError};
use domain::{AccountId, PageId};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::endpoint::{self, Endpoint};
use crate::wire::Text;

/// A file as far as its download is concerned.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct AnyFile {
    id: Text,
    page_id: Option<Text>,
}

fn checked(
    what: &'static str,
    endpoint: &'static Endpoint,
    part: Option<Part>,
    outcome: Result<(), SourceError>,
) -> AccessCheck {
    AccessCheck {
        what,
        scope: endpoint.scope,
        part,
        outcome,
    }
}

impl ConfluenceClient {
    pub(crate) async fn checked_access(
        &self,
        needs: AccessNeeds,
        me: Option<&AccountId>,
    ) -> Vec<AccessCheck> {
        let mut checks = Vec::new();
        let everywhere = [("spaces", &endpoint::SPACES), ("pages", &endpoint::PAGES)];
        for (what, endpoint) in everywhere {
            let outcome = self.one_of(Call::new(endpoint, &[])).await;
            checks.push(checked(what, endpoint, None, outcome));
        }
        let searched = Call::new(&endpoint::CONTENT_SEARCH, &[]).with("cql", "type = page");
        let outcome = self.one_of(searched).await;
        checks.push(checked(
            "search, labels and restrictions",
            &endpoint::CONTENT_SEARCH,
            None,
            outcome,
        ));
        if needs.comments {
            for (what, endpoint) in [
                ("comments", &endpoint::FOOTER_COMMENTS),
                ("inline comments", &endpoint::INLINE_COMMENTS),
            ] {
                let outcome = self.one_of(Call::new(endpoint, &[])).await;
                checks.push(checked(what, endpoint, Some(Part::Comments), outcome));
            }
        }
        if needs.files {
            checks.extend(self.access_to_files().await);
        }
        if let Some(me) = me {
            let mut call = Call::new(&endpoint::USERS_BULK, &[]);
            call.body = Some(json!({ "accountIds": [me.as_str()] }));
            let outcome = self.transport.page::<IgnoredAny>(&call, None).await;
            checks.push(checked(
                "names of people",
                &endpoint::USERS_BULK,
                Some(Part::Names),
                outcome.map(drop),
            ));
        }
        checks
    }

    async fn one_of(&self, call: Call) -> Result<(), SourceError> {
        let call = call.limit(1);
        self.transport
            .page::<IgnoredAny>(&call, None)
            .await
            .map(drop)
    }

    /// The list of files, and where the first of them is: its bytes are not fetched.
    async fn access_to_files(&self) -> Vec<AccessCheck> {
        let call = Call::new(&endpoint::ATTACHMENTS, &[]).limit(1);
        let listed = self.transport.page::<AnyFile>(&call, None).await;
        let first = listed.as_ref().ok().and_then(|page| {
            let file = page.items.first()?;
            Some((
                PageId::new(file.page_id.as_ref()?.0.clone()),
                file.id.0.clone(),
            ))
        });
        let part = Some(Part::Files);
        let mut checks = vec![checked(
            "files",
            &endpoint::ATTACHMENTS,
            part,
            listed.map(drop),
        )];
        if let Some((page, file)) = first {
            let call = Call::new(&endpoint::DOWNLOAD, &[page.as_str(), &file]);
            let outcome = self.transport.location(&call).await.map(drop);
            checks.push(checked(
                "download of a file",
                &endpoint::DOWNLOAD,
                part,
                outcome,
            ));
        }
        checks
    }
}
