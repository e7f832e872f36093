//! Tells the webhook (`NOTIFY_WEBHOOK_URL`) that an index is in trouble, and that it is well again. What is to be told stands in rows, written with the end of
//! each run, until it is delivered or given up; so it outlives the process.

mod message;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use domain::event::{Event, EventKind};
use domain::notice::Delivery;
use domain::ports::store::StoreError;
use metrics::counter;
use reqwest::{Client, header};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use upstream::Broken;

use self::message::Message;
use crate::http::metrics::NOTICES;
use crate::outgoing;
use crate::settings::NoticeSettings;
use crate::state::AppState;

/// The header with the signature of a notice, where `NOTIFY_SECRET` is set.
const SIGNATURE: &str = "X-Signature-256";

/// Notices read at once.
const STEP: usize = 20;
/// Rows are looked at again after this long where nothing says when.
const IDLE: Duration = Duration::from_secs(300);
/// The same where the database did not answer.
const TROUBLED: Duration = Duration::from_secs(10);

/// Delivers notices until the service stops.
pub async fn deliver(state: AppState) {
    let Some(webhook) = state.settings.notices.clone() else {
        return;
    };
    let client = match outgoing::client(&state.settings.network) {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(%error, "the webhook cannot be called");
            return;
        }
    };
    let mut events = state.engine.hub().subscribe();
    while !state.shutdown.is_cancelled() {
        let wait = match deliver_due(&state, &client, &webhook).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "what the webhook is to be told cannot be read; it is tried again");
                TROUBLED
            }
        };
        // The row of a run that is over is there before the event: none is missed.
        let over = tokio::time::timeout(wait, run_over(&mut events));
        let _ = state.shutdown.run_until_cancelled(over).await;
    }
}

async fn run_over(events: &mut Receiver<Arc<Event>>) {
    loop {
        match events.recv().await {
            Ok(event) if event.event.kind == EventKind::RunFinished => return,
            Ok(_) => {}
            // One of those that were missed may have been the end of a run.
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Tries what is due; answers how long to wait for the next.
async fn deliver_due(
    state: &AppState,
    client: &Client,
    webhook: &NoticeSettings,
) -> Result<Duration, StoreError> {
    let store = &state.store;
    loop {
        let due = store.notices_due(STEP).await?;
        if due.is_empty() {
            let next = store.next_notice().await?;
            let wait = next.map(|next| (next - chrono::Utc::now()).to_std().unwrap_or_default());
            return Ok(wait.map_or(IDLE, |wait| wait.min(IDLE)));
        }
        for notice in due {
            let run = notice.run.id;
            // What was sent is noted also when the service stops meanwhile.
            let message = Message::of(&notice, &state.base_url);
            let sending = send(client, webhook, &message);
            let sent = state.shutdown.run_until_cancelled(sending).await;
            let outcome = match &sent {
                None => "cut",
                Some(Ok(())) => "delivered",
                Some(Err(_)) => "failed",
            };
            counter!(NOTICES, "outcome" => outcome).increment(1);
            let delivery = match sent {
                None => return Ok(IDLE),
                Some(Ok(())) => Delivery::Delivered,
                Some(Err(why)) => {
                    tracing::warn!(why, %run, "the webhook was not told");
                    notice.failed(why, chrono::Utc::now(), rand::random())
                }
            };
            if let Delivery::Failed { again: None, .. } = &delivery {
                tracing::error!(%run, "the webhook was not told for a day; that is given up");
            }
            store.settle_notice(run, &delivery).await?;
        }
    }
}

/// Tries at once whether a notice arrives; `None`: no webhook is set.
pub async fn test(state: &AppState) -> Option<Result<(), String>> {
    let webhook = state.settings.notices.as_ref()?;
    Some(match outgoing::client(&state.settings.network) {
        Ok(client) => send(&client, webhook, &Message::test(&state.base_url)).await,
        Err(error) => Err(error.to_string()),
    })
}

/// One try; in words why it failed. The address may hold a secret: no error and no log holds it.
async fn send(
    client: &Client,
    webhook: &NoticeSettings,
    message: &Message<'_>,
) -> Result<(), String> {
    let body = message.body(webhook.form).to_string();
    let mut request = client
        .post(webhook.webhook_url.expose_secret())
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(secret) = &webhook.secret {
        request = request.header(SIGNATURE, signature(secret, &body));
    }
    let answer = request.body(body).send().await;
    match answer.map(|answer| answer.status()).map_err(Broken::from) {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) => Err(format!("status {status}")),
        Err(broken) => Err(broken.detail),
    }
}

/// `sha256=` and the HMAC of the body in hex.
fn signature(secret: &SecretString, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut signature = "sha256=".to_owned();
    for byte in hmac::sign(&key, body.as_bytes()).as_ref() {
        // Writing into a String cannot fail.
        let _ = write!(signature, "{byte:02x}");
    }
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries, whose form this is.
    #[test]
    fn a_signature_is_what_receivers_know() {
        let secret = SecretString::from("It's a Secret to Everybody");
        assert_eq!(
            signature(&secret, "Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
