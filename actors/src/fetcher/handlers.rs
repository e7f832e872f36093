//! One handler per kind of request. `AtomicResponse` makes the actor serial: the next message waits for this answer.

use std::sync::Arc;

use actix::{AtomicResponse, Handler, WrapFuture};

use super::ConfluenceFetcher;
use crate::messages::{
    Download, FetchComment, FetchComments, FetchFacts, FetchFactsOf, FetchFile, FetchFiles,
    FetchPage, FetchPages, FetchPeople, FetchRecentComments, FetchRecentFiles, FetchRendered,
    ListPages, LookUpSpaces, SpacesBy, WhoAmI,
};

macro_rules! handle {
    ($message:ident, |$source:ident, $asked:ident| $request:expr) => {
        impl Handler<$message> for ConfluenceFetcher {
            type Result = AtomicResponse<Self, <$message as actix::Message>::Result>;

            fn handle(&mut self, $asked: $message, _: &mut Self::Context) -> Self::Result {
                let $source = Arc::clone(&self.source);
                let request = async move {
                    let answer = $request.await;
                    // The credit comes back when the answer is there, not sooner.
                    drop($asked.lease);
                    answer
                };
                AtomicResponse::new(Box::pin(request.into_actor(self)))
            }
        }
    };
}

handle!(WhoAmI, |source, asked| source.whoami());
handle!(LookUpSpaces, |source, asked| async {
    match &asked.by {
        SpacesBy::Ids(ids) => source.spaces_by_id(ids).await,
        SpacesBy::Keys(keys) => source.spaces_by_key(keys).await,
    }
});
handle!(ListPages, |source, asked| source
    .list(&asked.query, asked.cursor.as_ref()));
handle!(FetchPages, |source, asked| source.by_ids(
    asked.kind,
    &asked.ids,
    asked.statuses,
    asked.bodies
));
handle!(FetchPage, |source, asked| source.one(asked.kind, &asked.id));
handle!(FetchFacts, |source, asked| source
    .facts(&asked.query, asked.cursor.as_ref()));
handle!(FetchFactsOf, |source, asked| source
    .facts_of(asked.kind, &asked.id));
handle!(FetchRendered, |source, asked| source
    .rendered(asked.kind, &asked.id));
handle!(FetchRecentComments, |source, asked| source.recent_comments(
    asked.place,
    asked.limit,
    asked.cursor.as_ref()
));
handle!(FetchComments, |source, asked| source
    .comments(&asked.query, asked.cursor.as_ref()));
handle!(FetchComment, |source, asked| source
    .comment(asked.place, &asked.id));
handle!(FetchRecentFiles, |source, asked| source
    .recent_files(asked.limit, asked.cursor.as_ref()));
handle!(FetchFiles, |source, asked| source.files(
    &asked.space,
    asked.reach,
    asked.cursor.as_ref()
));
handle!(FetchFile, |source, asked| source.file(&asked.id));
handle!(Download, |source, asked| source.download(
    &asked.page,
    &asked.file,
    asked.max_bytes
));
handle!(FetchPeople, |source, asked| source.people(&asked.ids));
