//! Serves a session: the SDK between a queue of the client's messages and the event stream.

use std::io;
use std::time::Duration;

use actix_web_lab::sse;
use rmcp::model::{
    ClientCapabilities, ClientRequest, ErrorData, Implementation, InitializeRequestParams,
    JsonRpcMessage, ProtocolVersion,
};
use rmcp::service::{
    RxJsonRpcMessage, TxJsonRpcMessage, serve_directly_with_ct, serve_server_with_ct,
};
use rmcp::transport::Transport;
use rmcp::{RoleServer, ServerHandler};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A message of the client.
pub type Inbound = RxJsonRpcMessage<RoleServer>;

/// How long an event waits for a client that does not read, before the session ends.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Reads one message.
///
/// # Errors
/// What a 400 says of it.
pub fn parse(body: &[u8]) -> Result<Inbound, ErrorData> {
    match body.iter().find(|b| !b.is_ascii_whitespace()) {
        None => {
            let why = "The body is empty; send one JSON-RPC message.";
            return Err(ErrorData::parse_error(why, None));
        }
        Some(b'[') => {
            let why =
                "Send one JSON-RPC message at a time; batches are not part of this transport.";
            return Err(ErrorData::invalid_request(why, None));
        }
        Some(_) => {}
    }
    serde_json::from_slice(body).map_err(|error| {
        // serde's account of an untagged enum says nothing; that of the JSON itself does.
        match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            Err(error) => ErrorData::parse_error(format!("The body is not JSON: {error}."), None),
            Ok(_) => ErrorData::invalid_request(
                format!("The body is JSON, but no JSON-RPC 2.0 message: {error}."),
                None,
            ),
        }
    })
}

/// Serves until the client is gone, the token fires, or the service quits.
pub async fn serve<H>(
    handler: H,
    mut inbound: mpsc::Receiver<Inbound>,
    outbound: mpsc::Sender<sse::Event>,
    ct: CancellationToken,
) where
    H: ServerHandler,
{
    let gone = outbound.clone();
    let work = async {
        let Some(first) = inbound.recv().await else {
            return;
        };
        let opens = matches!(&first, JsonRpcMessage::Request(request)
            if matches!(request.request, ClientRequest::InitializeRequest(_)));
        let transport = Link {
            first: Some(first),
            inbound,
            outbound,
            ct: ct.clone(),
        };
        if opens {
            match serve_server_with_ct(handler, transport, ct.clone()).await {
                Ok(running) => _ = running.waiting().await,
                Err(error) => tracing::debug!(%error, "session ended while it was opened"),
            }
        } else {
            // The client's event source has reconnected by itself, and the client goes on where it was.
            let running =
                serve_directly_with_ct(handler, transport, Some(reconnected()), ct.clone());
            _ = running.waiting().await;
        }
    };
    tokio::select! {
        () = work => {}
        () = gone.closed() => {}
        () = ct.cancelled() => {}
    }
    ct.cancel();
}

/// What is known of a client that did not introduce itself.
fn reconnected() -> InitializeRequestParams {
    let client = Implementation::new("reconnected", "0");
    InitializeRequestParams::new(ClientCapabilities::default(), client)
        .with_protocol_version(ProtocolVersion::V_2025_03_26)
}

/// The SDK's end of a session.
struct Link {
    first: Option<Inbound>,
    inbound: mpsc::Receiver<Inbound>,
    outbound: mpsc::Sender<sse::Event>,
    ct: CancellationToken,
}

impl Transport<RoleServer> for Link {
    type Error = io::Error;

    /// Sends a `message` event. A client that does not read for too long loses its session, since answers must not be
    /// dropped silently.
    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let outbound = self.outbound.clone();
        let ct = self.ct.clone();
        async move {
            let data = sse::Data::new_json(&message).map_err(io::Error::other)?;
            let event = sse::Event::from(data.event("message"));
            match tokio::time::timeout(TIMEOUT, outbound.send(event)).await {
                Ok(Ok(())) => Ok(()),
                _ => {
                    ct.cancel();
                    Err(io::Error::from(io::ErrorKind::BrokenPipe))
                }
            }
        }
    }

    async fn receive(&mut self) -> Option<Inbound> {
        match self.first.take() {
            Some(first) => Some(first),
            None => self.inbound.recv().await,
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.inbound.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_says_why() {
        assert!(parse(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).is_ok());
        assert!(parse(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).is_ok());
        for (body, why) in [
            (&b"{"[..], "not JSON"),
            (b"", "is empty"),
            (b" [{}]", "one JSON-RPC message at a time"),
            (br#"{"id":1,"method":"ping"}"#, "no JSON-RPC 2.0"),
            (br#""text""#, "no JSON-RPC 2.0"),
        ] {
            let told = parse(body).unwrap_err();
            assert!(told.message.contains(why), "{told}");
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
            let code = if is_json { -32600 } else { -32700 };
            assert_eq!(told.code.0, code, "{told}");
        }
    }
}
