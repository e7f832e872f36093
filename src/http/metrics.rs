//! `/metrics`: numbers for Prometheus. Requests and searches are counted as they happen, runs as they end; queues and the
//! like are read when somebody asks.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, web};
use domain::Timestamp;
use domain::evaluation::EvaluationResult;
use domain::event::EventKind;
use domain::failure::FailureCause;
use domain::index::IndexStatus;
use domain::run::Run;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::sync::broadcast::error::RecvError;

use super::auth::{Admin, Principal};
use super::fairness;
use super::problem::ApiResult;
use super::routes;
use super::span::{known_method, shown};
use crate::mcp::caller::Owner;
use crate::mcp::{sse, streamable};
use crate::state::AppState;

const BUILD: &str = "mcp_confluence_build_info";
/// Credentials that were wrong.
pub const WRONG_CREDENTIALS: &str = "mcp_confluence_wrong_credentials_total";
/// Tries to tell the webhook.
pub const NOTICES: &str = "mcp_confluence_notices_total";
/// When the database was backed up last.
pub const BACKED_UP: &str = "mcp_confluence_last_backup_timestamp_seconds";
/// Calls of MCP tools.
pub const TOOL_CALLS: &str = "mcp_tool_calls_total";
/// Time of a call.
pub const TOOL_SECONDS: &str = "mcp_tool_seconds";
const HTTP_REQUESTS: &str = "mcp_confluence_http_requests_total";
const HTTP_SECONDS: &str = "mcp_confluence_http_request_seconds";
const SEARCH_SECONDS: &str = "mcp_confluence_search_seconds";
const RUNS: &str = "mcp_confluence_runs_total";
const RUN_SECONDS: &str = "mcp_confluence_run_seconds";
const RUN_PAGES: &str = "mcp_confluence_run_pages_total";
const INDEXES: &str = "mcp_confluence_indexes";
const DOCUMENTS: &str = "mcp_confluence_documents";
const UNSETTLED: &str = "mcp_confluence_pages_unsettled";
const SYNC_AGE: &str = "mcp_confluence_index_sync_age_seconds";
const EVALUATION_HITS: &str = "mcp_confluence_evaluation_hit_ratio";
const EVALUATION_RANK: &str = "mcp_confluence_evaluation_reciprocal_rank";
const EVALUATION_ANSWERS: &str = "mcp_confluence_evaluation_answer_ratio";
const EVALUATION_SLOW: &str = "mcp_confluence_evaluation_slowest_seconds";
const EVALUATION_AGE: &str = "mcp_confluence_evaluation_age_seconds";
const OUTBOX: &str = "mcp_confluence_outbox_rows";
const OUTBOX_AGE: &str = "mcp_confluence_outbox_oldest_age_seconds";
const RUNNING: &str = "mcp_confluence_runs_under_way";
const CONFLUENCE_REQUESTS: &str = "mcp_confluence_confluence_requests_total";
const CONFLUENCE_IN_FLIGHT: &str = "mcp_confluence_confluence_in_flight";
const CONFLUENCE_LIMIT: &str = "mcp_confluence_confluence_concurrency_limit";
const CONFLUENCE_PAUSE: &str = "mcp_confluence_confluence_pause_seconds";
const STORE_REQUESTS: &str = "mcp_confluence_store_requests_total";
const STORE_IN_FLIGHT: &str = "mcp_confluence_store_batches_in_flight";
const EMBEDDING_REQUESTS: &str = "mcp_confluence_embedding_requests_total";
const EMBEDDING_PASSAGES: &str = "mcp_confluence_embedding_passages";
/// Entries of questions that found no room on their way into the audit.
pub const ENTRIES_LOST: &str = "mcp_confluence_audit_questions_lost_total";
const WORDS_ALONE: &str = "mcp_confluence_questions_by_words_alone_total";
const TOMBSTONES: &str = "mcp_confluence_tombstones";
const RESPAWNS: &str = "mcp_confluence_actor_respawns_total";
const DATABASE_BYTES: &str = "mcp_confluence_database_bytes";
const BODIES_BYTES: &str = "mcp_confluence_cached_bodies_bytes";

/// Upper bounds of time buckets, seconds: from an embedded search to a slow upload.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// The same for whole runs.
const RUN_BUCKETS: &[f64] = &[1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];

/// How often what was counted is folded together; unread, it would pile up.
const UPKEEP: Duration = Duration::from_secs(30);

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting, once per process; the answer renders what was counted.
///
/// # Errors
/// When another recorder counts already, which would be a fault of ours.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    let handle = RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(BUCKETS)
            .ok()?
            .set_buckets_for_metric(Matcher::Full(RUN_SECONDS.to_owned()), RUN_BUCKETS)
            .ok()?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        describe();
        Some(handle)
    });
    handle
        .clone()
        .ok_or_else(|| anyhow::anyhow!("another metrics recorder is installed already"))
}

fn describe() {
    describe_gauge!(
        BUILD,
        "1, labelled with the version of the program and its commit"
    );
    gauge!(BUILD, "version" => crate::version()).set(1.0);
    describe_gauge!(
        BACKED_UP,
        "When the service last backed up its database, in seconds since 1970; with BACKUP_SCHEDULE"
    );
    describe_counter!(
        TOOL_CALLS,
        "Calls of MCP tools, by tool and whether they were answered"
    );
    describe_histogram!(TOOL_SECONDS, "Time of a call of an MCP tool, by tool");
    metrics_process::Collector::default().describe();
    describe_counter!(
        upstream::REQUESTS,
        "Requests to other services, by service, endpoint and outcome"
    );
    describe_histogram!(
        upstream::SECONDS,
        "Time to the end of their answers, by service and endpoint"
    );
    describe_counter!(
        WRONG_CREDENTIALS,
        "Requests with credentials that are wrong"
    );
    describe_counter!(
        ENTRIES_LOST,
        "Questions that left no entry in the audit, since too many waited to be written"
    );
    // From the start, so that the first loss is a rise.
    counter!(ENTRIES_LOST).increment(0);
    describe_counter!(NOTICES, "Tries to tell the webhook, by outcome");
    describe_counter!(HTTP_REQUESTS, "HTTP requests, by route, method and status");
    describe_histogram!(HTTP_SECONDS, "Time to the head of an answer, by route");
    describe_histogram!(SEARCH_SECONDS, "Time of a search, by the way it was asked");
    describe_counter!(RUNS, "Runs that are over, by kind and status");
    describe_histogram!(RUN_SECONDS, "Time of a run, by kind");
    describe_counter!(RUN_PAGES, "Pages that runs dealt with, by what was done");
    describe_counter!(
        actors::PAGE_FAILURES,
        "Pages and documents that failed, by reason"
    );
    for cause in FailureCause::ALL {
        // From the start, so that the first failure is a rise.
        counter!(actors::PAGE_FAILURES, "reason" => cause.as_str()).increment(0);
    }
    describe_gauge!(INDEXES, "Indexes, by status");
    describe_gauge!(RUNNING, "Runs under way");
    describe_counter!(
        CONFLUENCE_REQUESTS,
        "Requests to Confluence since the start"
    );
    describe_gauge!(CONFLUENCE_IN_FLIGHT, "Requests to Confluence in flight");
    describe_gauge!(
        CONFLUENCE_LIMIT,
        "How many requests to Confluence may be in flight"
    );
    describe_gauge!(
        CONFLUENCE_PAUSE,
        "Seconds until requests to Confluence go on"
    );
    describe_counter!(
        STORE_REQUESTS,
        "Requests to a retrieval store since the start"
    );
    describe_gauge!(STORE_IN_FLIGHT, "Batches on their way to a retrieval store");
    describe_counter!(
        EMBEDDING_REQUESTS,
        "Requests to the embeddings endpoint, or to the model in a folder, since the start"
    );
    describe_gauge!(
        EMBEDDING_PASSAGES,
        "Passages of the embedded index, by how far they are with their vectors"
    );
    describe_counter!(
        WORDS_ALONE,
        "Questions that were answered by words alone, since there was no vector in time"
    );
    describe_gauge!(
        TOMBSTONES,
        "Store objects of deleted and moved indexes that are still to be removed"
    );
    describe_counter!(RESPAWNS, "How often an actor had to be started again");
    describe_counter!(
        fairness::REFUSED,
        "What was refused, by what was used up and why: `own_share` or `full`"
    );
    describe_gauge!(fairness::AT_WORK, "Calls and questions at work");
    describe_gauge!(
        streamable::SESSIONS,
        "Sessions of Streamable HTTP in the book"
    );
    describe_gauge!(streamable::AWAKE_SESSIONS, "Those that are in memory");
    describe_gauge!(sse::SESSIONS, "Sessions of HTTP+SSE");
    describe_gauge!(
        fairness::REQUESTS,
        "Requests under way, open streams included"
    );
    describe_gauge!(DATABASE_BYTES, "Size of the database");
    describe_gauge!(BODIES_BYTES, "Size of the cached bodies, compressed");
}

/// Registers the route.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(routes::resource(
        "/metrics",
        [(routes::GET, web::get().to(show_metrics))],
    ));
}

/// Notes a search that was answered.
pub fn searched(way: &'static str, took: Duration) {
    histogram!(SEARCH_SECONDS, "way" => way).record(took);
}

/// Counts runs as they end, and folds what was counted together, until the service stops.
pub async fn follow(state: AppState) {
    let mut events = state.engine.hub().subscribe();
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
        if event.event.kind == EventKind::RunFinished
            && let Ok(run) = serde_json::from_value::<Run>(event.event.data.clone())
        {
            run_over(&run);
        }
    }
}

/// Notes a run that is over.
fn run_over(run: &Run) {
    counter!(RUNS, "kind" => run.kind.as_str(), "status" => run.status.as_str()).increment(1);
    if let (Some(from), Some(to)) = (run.started_at, run.finished_at) {
        let took = (to - from).to_std().unwrap_or_default();
        histogram!(RUN_SECONDS, "kind" => run.kind.as_str()).record(took);
    }
    for (what, count) in [
        ("fetched", run.counts.fetched),
        ("uploaded", run.counts.uploaded),
        ("deleted", run.counts.deleted),
        ("unchanged", run.counts.unchanged),
        ("failed", run.counts.failed),
    ] {
        counter!(RUN_PAGES, "what" => what).increment(u64::try_from(count).unwrap_or(0));
    }
}

/// Middleware: counts and times requests by route and method (never by path, nor by methods that a client made up: each would
/// be a series for ever), and logs each once.
///
/// # Errors
/// Those of the inner service.
pub async fn measure(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let began = Instant::now();
    let response = next.call(request).await?;
    let took = began.elapsed();
    let request = response.request();
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let status = response.status().as_u16();
    let method = known_method(request.method()).unwrap_or("other");
    counter!(HTTP_REQUESTS, "route" => route.clone(), "method" => method, "status" => status.to_string())
        .increment(1);
    histogram!(HTTP_SECONDS, "route" => route).record(took);
    let (method, path) = (shown(request.method().as_str()), shown(request.path()));
    // To the tenth.
    let millis = (took.as_secs_f64() * 10_000.0).round() / 10.0;
    let owner = request.extensions().get::<Principal>().map(Owner::from);
    let principal = owner.as_ref().map(|owner| shown(owner.as_str()));
    let is_routine = path.starts_with("/health")
        || path.starts_with("/assets/")
        || matches!(path, "/metrics" | "/" | "/favicon.ico");
    if is_routine {
        tracing::debug!(principal, method, path, status, millis, "request");
    } else {
        tracing::info!(principal, method, path, status, millis, "request");
    }
    Ok(response)
}

/// The numbers.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "health",
    summary = "Numbers for Prometheus.", responses((status = 200, content_type = "text/plain", body = String)))]
pub async fn show_metrics(_: Admin, state: web::Data<AppState>) -> ApiResult<HttpResponse> {
    let of_indexes = gather(&state).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(state.metrics.render() + &of_indexes.text()))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floats; counts stay far below 2^52"
)]
async fn gather(state: &AppState) -> ApiResult<OfIndexes> {
    metrics_process::Collector::default().collect();
    let now = chrono::Utc::now();
    let indexes = state.store.index_states().await?;
    for status in IndexStatus::ALL {
        let count = indexes
            .iter()
            .filter(|of| of.index.status == status)
            .count();
        gauge!(INDEXES, "status" => status.as_str()).set(count as f64);
    }
    let mut of_indexes = OfIndexes::default();
    for of in &indexes {
        let index = &of.index;
        // An agent id has no character that would have to be escaped.
        let agent = format!("agent=\"{}\"", index.settings.agent_id);
        of_indexes.put(DOCUMENTS, &agent, index.document_count);
        let (pending, failed) = state.store.unsettled_pages(index.id).await?;
        for (word, count) in [("pending", pending), ("failed", failed)] {
            of_indexes.put(UNSETTLED, &format!("{agent},state=\"{word}\""), count);
        }
        if let Some(synced) = index.as_of {
            of_indexes.put(SYNC_AGE, &agent, (now - synced).num_seconds().max(0));
        }
        let open = state.store.open_holdings(of.serving).await?;
        of_indexes.put(
            OUTBOX,
            &format!("{agent},state=\"waiting\""),
            open.waiting + open.claimed,
        );
        of_indexes.put(
            OUTBOX,
            &format!("{agent},state=\"accepted\""),
            open.accepted,
        );
        let age = if open.oldest == 0 {
            0
        } else {
            now.timestamp() - open.oldest
        };
        of_indexes.put(OUTBOX_AGE, &agent, age);
        let evaluated = state.store.evaluation_results(index.id, 1).await?;
        if let Some(result) = evaluated.first() {
            of_indexes.put_evaluation(&agent, result, now);
        }
    }
    let engine = state.engine.status().await;
    let running = engine
        .indexes
        .iter()
        .filter(|index| index.run.is_some())
        .count();
    gauge!(RUNNING).set(running as f64);
    counter!(CONFLUENCE_REQUESTS).absolute(engine.source.requests);
    gauge!(CONFLUENCE_IN_FLIGHT).set(engine.source.in_flight as f64);
    gauge!(CONFLUENCE_LIMIT).set(engine.source.concurrency_limit as f64);
    let pause = engine
        .source
        .paused_until
        .map_or(0, |until| (until - now).num_seconds().max(0));
    gauge!(CONFLUENCE_PAUSE).set(pause as f64);
    for backend in &engine.backends {
        counter!(STORE_REQUESTS, "store" => backend.kind.as_str())
            .absolute(backend.health.requests);
        gauge!(STORE_IN_FLIGHT, "store" => backend.kind.as_str()).set(backend.in_flight as f64);
        if let Some(vectors) = &backend.health.vectors {
            counter!(EMBEDDING_REQUESTS).absolute(vectors.requests);
            counter!(WORDS_ALONE).absolute(vectors.unanswered);
            for (state, count) in [
                ("embedded", vectors.embedded),
                ("waiting", vectors.waiting),
                ("refused", vectors.refused),
            ] {
                gauge!(EMBEDDING_PASSAGES, "state" => state).set(count as f64);
            }
        }
    }
    gauge!(TOMBSTONES).set(engine.leaving as f64);
    state.fairness.measure();
    counter!(RESPAWNS).absolute(engine.respawns);
    let disk = state.store.disk_use().await?;
    gauge!(DATABASE_BYTES).set(disk.database_bytes as f64);
    gauge!(BODIES_BYTES).set(disk.bodies_bytes as f64);
    Ok(of_indexes)
}

/// Gauges of single indexes, written for each answer: the recorder would go on to tell of an index that was deleted.
#[derive(Default)]
struct OfIndexes(BTreeMap<&'static str, String>);

impl OfIndexes {
    const HELP: [(&'static str, &'static str); 10] = [
        (DOCUMENTS, "Documents, by index"),
        (
            UNSETTLED,
            "Pages that are pending or failed, by index and state",
        ),
        (
            SYNC_AGE,
            "Seconds since the last run of an index that succeeded, in full or in part, ended",
        ),
        (OUTBOX, "Pending changes of the store, by index and state"),
        (OUTBOX_AGE, "Age of the oldest pending change, by index"),
        (
            EVALUATION_HITS,
            "Share of the questions of the last evaluation that found a right page within so many, by index",
        ),
        (
            EVALUATION_RANK,
            "Mean of one over the place of the first right page in the last evaluation, by index",
        ),
        (
            EVALUATION_ANSWERS,
            "Share of the questions of the last evaluation that found their answer in the first eight passages, by index",
        ),
        (
            EVALUATION_SLOW,
            "Time within which 95 of 100 answers of the last evaluation came, by index",
        ),
        (
            EVALUATION_AGE,
            "Seconds since the last evaluation, by index",
        ),
    ];

    fn put_evaluation(&mut self, agent: &str, result: &EvaluationResult, now: Timestamp) {
        let all = &result.all;
        for (within, share) in [("1", all.hit_1), ("3", all.hit_3), ("10", all.hit_10)] {
            let labels = format!("{agent},within=\"{within}\"");
            self.put(EVALUATION_HITS, &labels, share);
        }
        self.put(EVALUATION_RANK, agent, all.mrr);
        if let Some(share) = all.answer {
            self.put(EVALUATION_ANSWERS, agent, share);
        }
        self.put(EVALUATION_SLOW, agent, all.p95_milliseconds / 1000.0);
        self.put(
            EVALUATION_AGE,
            agent,
            (now - result.at).num_seconds().max(0),
        );
    }

    fn put(&mut self, name: &'static str, labels: &str, value: impl Display) {
        let lines = self.0.entry(name).or_default();
        lines.push_str(&format!("{name}{{{labels}}} {value}\n"));
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, help) in Self::HELP {
            if let Some(lines) = self.0.get(name) {
                text.push_str(&format!(
                    "# HELP {name} {help}\n# TYPE {name} gauge\n{lines}\n"
                ));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Names of ours in a text, without what histograms add to them.
    fn names(text: &str) -> BTreeSet<&str> {
        text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'))
            .filter(|word| word.starts_with("mcp_") && word.len() > "mcp_confluence".len())
            .map(|word| word.trim_end_matches("_bucket"))
            .collect()
    }

    #[test]
    fn what_is_told_is_documented_and_rules_and_dashboard_ask_for_nothing_else() {
        let documented = names(include_str!("../../docs/METRICS.md"));
        let code = include_str!("metrics.rs").split("#[cfg(test)]").next();
        let code = names(code.unwrap_or_default());
        let elsewhere = [
            include_str!("fairness.rs"),
            include_str!("../mcp/sse/mod.rs"),
            include_str!("../mcp/streamable/mod.rs"),
            include_str!("../../crates/upstream/src/exchange.rs"),
            include_str!("../../actors/src/counters.rs"),
        ];
        let told: BTreeSet<&str> = elsewhere.into_iter().flat_map(names).chain(code).collect();
        assert_eq!(documented, told);
        for asking in [
            include_str!("../../config/monitoring/alerts.yml"),
            include_str!("../../config/monitoring/alerts.test.yml"),
            include_str!("../../config/monitoring/grafana-dashboard.json"),
        ] {
            let unknown: Vec<_> = names(asking).difference(&documented).copied().collect();
            assert!(unknown.is_empty(), "{unknown:?}");
        }
    }
}
