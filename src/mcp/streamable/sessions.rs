//! The SDK's sessions in memory, under ids that outlive them: one that was put to rest is taken up again under the id that it had, maybe
//! before its first worker has come to its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    EventStore, RestoreOutcome, ServerSseMessage, SessionId, SessionManager,
};

/// The SDK's own manager, but for one thing. When a worker has ended, the SDK closes its session by the id, whichever session has it by
/// then; here the end of a worker that was put to rest closes none.
pub(super) struct Sessions {
    inner: LocalSessionManager,
    /// Of each id, how many workers were put to rest that the SDK has not closed yet. Changed under the lock of the sessions.
    ending: Mutex<HashMap<SessionId, u32>>,
}

impl Sessions {
    pub(super) fn new(inner: LocalSessionManager) -> Self {
        Self {
            inner,
            ending: Mutex::default(),
        }
    }

    /// Takes a session out of memory. Nothing is wrong with one that had left it already.
    pub(super) async fn put_to_rest(&self, id: &SessionId) {
        let mut sessions = self.inner.sessions.write().await;
        let Some(session) = sessions.remove(id) else {
            return;
        };
        *self.ending().entry(id.clone()).or_default() += 1;
        drop(sessions);
        if let Err(error) = session.close().await {
            tracing::debug!(%error, "the session had ended already");
        }
    }

    fn ending(&self) -> MutexGuard<'_, HashMap<SessionId, u32>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the end of a worker that was put to rest.
    fn has_rested(&self, id: &SessionId) -> bool {
        let mut ending = self.ending();
        let Some(workers) = ending.get_mut(id) else {
            return false;
        };
        *workers -= 1;
        if *workers == 0 {
            ending.remove(id);
        }
        true
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        let sessions = self.inner.sessions.write().await;
        let has_rested = self.has_rested(id);
        drop(sessions);
        if has_rested {
            return Ok(());
        }
        self.inner.close_session(id).await
    }

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        self.inner.create_session().await
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.inner.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.inner.has_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.create_stream(id, message).await
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.resume(id, last_event_id).await
    }

    async fn restore_session(
        &self,
        id: SessionId,
    ) -> Result<RestoreOutcome<Self::Transport>, Self::Error> {
        self.inner.restore_session(id).await
    }

    fn event_store(&self) -> Option<Arc<dyn EventStore>> {
        self.inner.event_store()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn restored(sessions: &Sessions, id: &SessionId) -> impl Sized {
        let restored = sessions.restore_session(id.clone()).await.unwrap();
        assert!(matches!(restored, RestoreOutcome::Restored(_)));
        restored
    }

    /// The order of things when a client comes back at the moment in which its session is put to rest.
    #[actix_web::test]
    async fn the_end_of_the_first_worker_does_not_close_the_session_that_was_taken_up_again() {
        let sessions = Sessions::new(LocalSessionManager::default());
        let (id, _first) = sessions.create_session().await.unwrap();
        sessions.put_to_rest(&id).await;
        assert!(!sessions.has_session(&id).await.unwrap());
        let _second = restored(&sessions, &id).await;
        // What the SDK does when the first worker has ended.
        sessions.close_session(&id).await.unwrap();
        assert!(sessions.has_session(&id).await.unwrap());
        // And the second one, by itself or because its client asks for it.
        sessions.close_session(&id).await.unwrap();
        assert!(!sessions.has_session(&id).await.unwrap());
        assert!(sessions.ending().is_empty());
    }

    #[actix_web::test]
    async fn a_client_that_ends_its_session_meanwhile_has_ended_it() {
        let sessions = Sessions::new(LocalSessionManager::default());
        let (id, _first) = sessions.create_session().await.unwrap();
        sessions.put_to_rest(&id).await;
        sessions.put_to_rest(&id).await;
        let _second = restored(&sessions, &id).await;
        // The client's DELETE comes before the end of the first worker.
        for _ in 0..2 {
            sessions.close_session(&id).await.unwrap();
        }
        assert!(!sessions.has_session(&id).await.unwrap());
        assert!(sessions.ending().is_empty());
    }
}
