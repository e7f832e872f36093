//! The event stream: a snapshot first, numbers that go on after a restart, and an end when the service stops.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Service, TIMEOUT, answer, assert_problem, id, site, start};

#[derive(Debug)]
pub struct Seen {
    pub event: String,
    pub id: i64,
    pub data: Value,
}

pub struct Stream {
    bytes: std::pin::Pin<Box<dyn futures_util::Stream<Item = Vec<u8>>>>,
    buffer: String,
}

impl Stream {
    async fn open(service: &Service, path: &str, last: Option<i64>) -> Self {
        let mut request = service.request(Method::GET, path);
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        Self::of(request).await
    }

    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(
            response.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/event-stream")
        );
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self {
            bytes: Box::pin(
                response
                    .bytes_stream()
                    .map(|chunk| chunk.unwrap_or_default().to_vec()),
            ),
            buffer: String::new(),
        }
    }

    /// The next event; `None` when the stream ended. Comments are skipped.
    async fn next(&mut self) -> Option<Seen> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                        .map(str::trim)
                };
                if let (Some(event), Some(data)) = (field("event"), field("data")) {
                    return Some(Seen {
                        event: event.to_owned(),
                        id: field("id").unwrap().parse().unwrap(),
                        data: serde_json::from_str(data).unwrap(),
                    });
                }
            }
            let chunk = tokio::time::timeout(TIMEOUT, self.bytes.next())
                .await
                .expect("an event in time")?;
            self.buffer.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    pub async fn until(&mut self, event: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        loop {
            seen.push(self.next().await.expect("the stream goes on"));
            if seen.last().unwrap().event == event {
                return seen;
            }
        }
    }
}

#[actix_web::test]
async fn a_run_is_told_in_order_and_numbers_rise() {
    let service = start(site(3), &[]).await;
    let mut stream = Stream::open(&service, "/api/events", None).await;
    let snapshot = stream.next().await.unwrap();
    assert_eq!(
        (snapshot.event.as_str(), &snapshot.data["indexes"]),
        ("snapshot", &json!([]))
    );
    assert_eq!(snapshot.data["id"], snapshot.id);

    let index = service.index("a", &["OPS"]).await;
    let seen = stream.until("run_finished").await;
    let names: Vec<&str> = seen.iter().map(|seen| seen.event.as_str()).collect();
    assert!(
        names.contains(&"run_started") && names.contains(&"index_changed"),
        "{names:?}"
    );
    assert!(
        seen.iter().map(|seen| seen.id).is_sorted_by(|a, b| a < b),
        "{seen:?}"
    );
    assert!(seen[0].id > snapshot.id);
    let finished = &seen.last().unwrap().data;
    assert_eq!(
        (&finished["index_id"], finished["status"].as_str()),
        (&index["id"], Some("succeeded"))
    );

    let mut late = Stream::open(&service, "/api/events", None).await;
    let snapshot = late.next().await.unwrap();
    assert_eq!(snapshot.data["indexes"][0]["id"], index["id"]);
    assert_eq!(snapshot.data["runs"][0]["id"], finished["id"]);
    service.stop().await;
}

#[actix_web::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let service = start(site(1), &[]).await;
    let index = service.index("a", &["OPS"]).await;
    service.over(&index).await;
    let tokens = format!("/api/indexes/{}/tokens", id(&index));
    let (_, token) = service.post(&tokens, json!({"name": "one"})).await;
    let (_, other) = service.post(&tokens, json!({"name": "two"})).await;
    let open = |token: &Value| {
        let request = service.http.get(format!("{}/api/events", service.base));
        Stream::of(request.bearer_auth(token["token"].as_str().unwrap()))
    };
    let (mut stream, mut kept) = (open(&token).await, open(&other).await);
    assert_eq!(stream.next().await.unwrap().event, "snapshot");
    assert_eq!(kept.next().await.unwrap().event, "snapshot");
    assert_eq!(
        service.delete(&format!("{tokens}/{}", id(&token))).await.0,
        204
    );
    let end = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), end)
        .await
        .expect("the stream ends");
    // The other one goes on, and is told of what happens next.
    service
        .post(&format!("/api/indexes/{}/sync", id(&index)), json!({}))
        .await;
    assert!(kept.next().await.is_some());
    service.stop().await;
}

#[actix_web::test]
async fn last_event_id_resumes_also_after_a_restart_or_brings_a_snapshot() {
    let mut service = start(site(3), &[]).await;
    let mut stream = Stream::open(&service, "/api/events", None).await;
    let start_id = stream.next().await.unwrap().id;
    service.index("a", &["OPS"]).await;
    let told = stream.until("run_finished").await;
    let last = told.last().unwrap().id;

    let mut again = Stream::open(&service, "/api/events", Some(start_id)).await;
    let replayed = again.until("run_finished").await;
    let ids = |seen: &[Seen]| {
        seen.iter()
            .map(|seen| (seen.id, seen.event.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&replayed),
        ids(&told),
        "the same events with the same numbers"
    );

    service.restart(&[]).await;
    let mut after = Stream::open(&service, "/api/events", Some(last - 1)).await;
    assert_eq!(after.next().await.unwrap().id, last);
    for impossible in [last + 1_000_000, -5] {
        let mut stream = Stream::open(&service, "/api/events", Some(impossible)).await;
        assert_eq!(
            stream.next().await.unwrap().event,
            "snapshot",
            "{impossible}"
        );
    }
    service.stop().await;
}

#[actix_web::test]
async fn the_stream_of_an_index_and_of_a_token_tells_of_that_index_only() {
    let service = start(site(3), &[("API_KEY", "administrator-key")]).await;
    let own = service.synced_index("own", &["OPS"]).await;
    let (_, token) = service.new_token(&own).await;
    let mut of_index =
        Stream::open(&service, &format!("/api/indexes/{}/events", id(&own)), None).await;
    let response = service
        .http
        .get(format!("{}/api/events", service.base))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    let mut of_token = Stream {
        bytes: Box::pin(
            response
                .bytes_stream()
                .map(|chunk| chunk.unwrap_or_default().to_vec()),
        ),
        buffer: String::new(),
    };
    for stream in [&mut of_index, &mut of_token] {
        let snapshot = stream.next().await.unwrap();
        assert_eq!(snapshot.data["indexes"].as_array().unwrap().len(), 1);
    }
    service.synced_index("other", &["ENG"]).await;
    service.post("/api/indexes/agent/own/sync", json!({})).await;
    for stream in [&mut of_index, &mut of_token] {
        for seen in stream.until("run_finished").await {
            let about = seen.data.get("index_id").unwrap_or(&seen.data["id"]);
            assert_eq!(about, &own["id"], "{seen:?}");
        }
    }
    assert_problem(
        &answer(service.request(Method::GET, "/api/indexes/none/events")).await,
        404,
        "not_found",
    );
    service.stop().await;
}

#[actix_web::test]
async fn open_streams_end_at_once_when_the_service_stops() {
    let service = start(site(1), &[]).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = Stream::open(&service, "/api/events", None).await;
        stream.next().await.unwrap();
        streams.push(stream);
    }
    let began = Instant::now();
    service.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "took {:?}",
        began.elapsed()
    );
    for mut stream in streams {
        assert!(stream.next().await.is_none());
    }
}

#[actix_web::test]
async fn a_reader_that_falls_behind_gets_a_new_snapshot_and_holds_up_nobody() {
    let service = start(site(1), &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let mut slow = Stream::open(&service, "/api/events", None).await;
    assert_eq!(slow.next().await.unwrap().event, "snapshot");

    // More than the hub keeps and the connection's buffers hold, while nobody reads.
    let hub = service.app.as_ref().unwrap().state.engine.hub().clone();
    let data = json!({"id": id(&index), "filler": "x".repeat(30_000)});
    for _ in 0..1_800 {
        hub.publish(domain::event::NewEvent {
            kind: domain::event::EventKind::IndexChanged,
            index_id: id(&index).parse().unwrap(),
            run_id: None,
            data: data.clone(),
        })
        .await;
    }
    assert_eq!(service.get("/health/live").await.0, 200);

    let mut last = 0;
    let snapshot = loop {
        let seen = slow.next().await.unwrap();
        if seen.event == "snapshot" {
            break seen;
        }
        assert!(seen.id > last, "{} after {last}", seen.id);
        last = seen.id;
    };
    assert!(
        snapshot.id > last + 1,
        "what was missed is in the snapshot: {last}, {}",
        snapshot.id
    );
    service.post("/api/indexes/agent/a/sync", json!({})).await;
    let after = slow.until("run_finished").await;
    assert!(after[0].id > snapshot.id);
    service.stop().await;
}
