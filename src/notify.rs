//! Tells of runs that are over: numbers to `/metrics`, and trouble to the webhook (`NOTIFY_WEBHOOK_URL`).

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use domain::event::EventKind;
use domain::run::{Run, RunStatus};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use upstream::Broken;

use crate::http::metrics;
use crate::outgoing;
use crate::state::AppState;

/// Further tries of one message after the first.
const RETRIES: usize = 3;
/// The wait before the second try; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How often what was counted is folded together; unread, it would pile up.
const UPKEEP: Duration = Duration::from_secs(30);

/// Follows the hub until the service stops.
pub async fn follow(state: AppState) {
    let mut events = state.engine.hub().subscribe();
    let webhook = state.settings.sync.notify_webhook_url.clone();
    let mut upkeep = tokio::time::interval(UPKEEP);
    loop {
        let event = tokio::select! {
            () = state.shutdown.cancelled() => return,
            _ = upkeep.tick() => {
                state.metrics.run_upkeep();
                continue;
            }
            event = events.recv() => event,
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(
                    missed,
                    "events were missed; counters of runs are too low by so many at most"
                );
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        if event.event.kind != EventKind::RunFinished {
            continue;
        }
        let Ok(run) = serde_json::from_value::<Run>(event.event.data.clone()) else {
            continue;
        };
        metrics::run_over(&run);
        if let (true, Some(webhook)) = (is_trouble(run.status), &webhook) {
            let (state, webhook) = (state.clone(), webhook.clone());
            actix_web::rt::spawn(async move { tell(&state, &webhook, &run).await });
        }
    }
}

const fn is_trouble(status: RunStatus) -> bool {
    matches!(
        status,
        RunStatus::Failed | RunStatus::Partial | RunStatus::NeedsConfirmation
    )
}

async fn tell(state: &AppState, webhook: &SecretString, run: &Run) {
    let index = state.store.index(run.index_id).await.ok();
    let message = json!({
        "event": "run_finished",
        "status": run.status,
        "index": index.as_ref().map(|index| json!({
            "id": index.id, "name": index.settings.name, "agent_id": index.settings.agent_id,
        })),
        "run": run,
        "url": format!("{}/api/runs/{}", state.base_url, run.id),
    });
    let client = match outgoing::client(&state.settings.network) {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(%error, "the webhook cannot be called");
            return;
        }
    };
    // The address may hold a secret: no error and no log holds it.
    let send = || async {
        let request = client.post(webhook.expose_secret()).json(&message);
        let answer = request.send().await;
        match answer.map(|answer| answer.status()).map_err(Broken::from) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) => Err(format!("status {status}")),
            Err(broken) => Err(broken.detail),
        }
    };
    let warn = |why: &str| tracing::warn!(why, run = %run.id, "the webhook was not told");
    let waits = ExponentialBuilder::new()
        .with_min_delay(FIRST_WAIT)
        .with_max_times(RETRIES);
    let sent = send.retry(waits).notify(|why: &String, _| warn(why));
    if let Some(Err(why)) = state.shutdown.run_until_cancelled(sent).await {
        warn(&why);
    }
}
