//! Tells the webhook (`NOTIFY_WEBHOOK_URL`) of runs that ended in trouble. What is to be told stands in rows, written with the end of
//! each run, until it is delivered or given up; so it outlives the process.

use std::sync::Arc;
use std::time::Duration;

use domain::event::{Event, EventKind};
use domain::notice::{Delivery, Notice};
use domain::ports::store::StoreError;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use upstream::Broken;

use crate::outgoing;
use crate::state::AppState;

/// Notices read at once.
const STEP: usize = 20;
/// Rows are looked at again after this long where nothing says when.
const IDLE: Duration = Duration::from_secs(300);
/// The same where the database did not answer.
const TROUBLED: Duration = Duration::from_secs(10);

/// Delivers notices until the service stops.
pub async fn deliver(state: AppState) {
    let Some(webhook) = state.settings.sync.notify_webhook_url.clone() else {
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
    webhook: &SecretString,
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
            let sending = send(state, client, webhook, &notice);
            let delivery = match state.shutdown.run_until_cancelled(sending).await {
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

/// One try; in words why it failed. The address may hold a secret: no error and no log holds it.
async fn send(
    state: &AppState,
    client: &Client,
    webhook: &SecretString,
    notice: &Notice,
) -> Result<(), String> {
    let run = &notice.run;
    let message = json!({
        "event": "run_finished",
        "status": run.status,
        "index": {"id": run.index_id, "name": notice.index_name, "agent_id": notice.agent_id},
        "run": run,
        "url": format!("{}/api/runs/{}", state.base_url, run.id),
    });
    let request = client.post(webhook.expose_secret()).json(&message);
    let answer = request.send().await;
    match answer.map(|answer| answer.status()).map_err(Broken::from) {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) => Err(format!("status {status}")),
        Err(broken) => Err(broken.detail),
    }
}
