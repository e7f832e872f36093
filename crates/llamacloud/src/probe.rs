//! What this client takes for granted of LlamaCloud, each with the request that rests on it and a look whether it holds. Nothing is
//! changed: the two writes among them are of an empty object, which no service can take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Method;
use serde_json::{Value, json};
use upstream::probe::Verdict::{Broken, Held, Unknown};
use upstream::probe::{Assumption, Notebook, Seen, held_if, seen};

use crate::LlamaCloud;
use crate::call::Call;
use crate::v2::DIRECTORIES;

/// The table. In its order, since later entries use what earlier ones have read.
pub static ASSUMPTIONS: &[Assumption<Prober>] = &[
    Assumption {
        name: "v1: pipelines come as an array",
        rests: "finding the pipeline of an index by its name (GET /api/v1/pipelines)",
        remedy: "set LLAMA_CLOUD_INDEX_API=v2; report the shape",
        check: |prober| Box::pin(pipelines(prober)),
    },
    Assumption {
        name: "v1: documents are listed in pages, with their number",
        rests: "an audit compares what is there with what is wanted (GET …/documents/paginated)",
        remedy: "report the shape; nothing is removed by a list that cannot be read",
        check: |prober| Box::pin(documents(prober)),
    },
    Assumption {
        name: "v1: a write is refused for what is wrong with it",
        rests: "`auto` takes v1 where the plan lets it be written (PUT /api/v1/pipelines)",
        remedy: "where it is 403, the plan only reads v1: set LLAMA_CLOUD_INDEX_API=v2",
        check: |prober| Box::pin(write(prober, "v1", Method::PUT, &["v1", "pipelines"])),
    },
    Assumption {
        name: "v2: directories come as `items`",
        rests: "finding the directory of an index by its name (GET /api/v1/beta/directories)",
        remedy: "set LLAMA_CLOUD_INDEX_API=v1; report the shape",
        check: |prober| Box::pin(directories(prober)),
    },
    Assumption {
        name: "v2: indexes come as `items`, each with an id",
        rests: "finding the index of a directory, and which of its ids is taken (GET /api/v1/indexes)",
        remedy: "set LLAMA_CLOUD_INDEX_API=v1; report the shape",
        check: |prober| Box::pin(indexes(prober)),
    },
    Assumption {
        name: "v2: a write is refused for what is wrong with it",
        rests: "`auto` takes v2 where v1 is refused (POST /api/v1/indexes)",
        remedy: "where it is 403, the plan does not include v2: set LLAMA_CLOUD_INDEX_API=v1",
        check: |prober| Box::pin(write(prober, "v2", Method::POST, &["v1", "indexes"])),
    },
    Assumption {
        name: "what is not there is 404",
        rests: "an object that somebody removed is told from one that cannot be reached",
        remedy: "report the status: such an index would wait instead of saying that its object is gone",
        check: |prober| Box::pin(absent(prober)),
    },
    Assumption {
        name: "one of the generations is served",
        rests: "everything",
        remedy: "check LLAMA_CLOUD_API_KEY (keys belong to a region and a project), LLAMA_CLOUD_BASE_URL and the plan",
        check: |prober| Box::pin(served(prober)),
    },
    Assumption {
        name: "limits are told, or refusals are bare",
        rests: "waits: as long as is asked, else a minute after some refusals in a row",
        remedy: "set LLAMA_CLOUD_MAX_REQUESTS_PER_MINUTE to what the plan allows; report the header",
        check: |prober| Box::pin(limits(prober)),
    },
];

/// Asks an account, notes what it answers, and keeps what later looks need.
pub struct Prober {
    client: LlamaCloud,
    notebook: Arc<Notebook>,
    pipeline: Mutex<Option<String>>,
    served: Mutex<Vec<&'static str>>,
    refusals: Mutex<Vec<u16>>,
    limits: Mutex<Vec<String>>,
}

impl Prober {
    /// Over a client, within the budget of a notebook.
    #[must_use]
    pub fn new(client: LlamaCloud, notebook: Arc<Notebook>) -> Self {
        Self {
            client,
            notebook,
            pipeline: Mutex::default(),
            served: Mutex::default(),
            refusals: Mutex::default(),
            limits: Mutex::default(),
        }
    }

    /// `name` is the path for the notes, without ids.
    async fn look(&self, call: &Call, name: &str) -> Result<(u16, Value), Seen> {
        self.notebook.take()?;
        let answer = self.client.http.look(call).await;
        let answer = answer.map_err(|said| (Unknown, said))?;
        let status = answer.status.as_u16();
        let parameters: Vec<&str> = call.query.iter().map(|(name, _)| *name).collect();
        let request = format!("{} /api/{name}", call.method);
        self.notebook
            .note(&request, &parameters, status, &answer.headers, &answer.body);
        let told = answer.headers.keys().map(ToString::to_string);
        let told =
            told.filter(|name| name.contains("ratelimit") || name.starts_with("retry-after"));
        lock(&self.limits).extend(told);
        if !answer.status.is_success() {
            lock(&self.refusals).push(status);
        }
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok((status, body))
    }

    /// The value of a good answer.
    async fn value(&self, call: &Call, name: &str) -> Result<Value, Seen> {
        match self.look(call, name).await? {
            (200..=299, body) => Ok(body),
            (status @ (401 | 402 | 403 | 404 | 429 | 500..), _) => {
                Err((Unknown, format!("answered {status}")))
            }
            (status, _) => Err((Broken, format!("refused with {status}"))),
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pipelines(prober: &Prober) -> Seen {
    let look = async {
        let call = Call::new(Method::GET, ["v1", "pipelines"]);
        let list = prober.value(&call, "v1/pipelines").await?;
        let Some(items) = list.as_array() else {
            return Err((Broken, "no array came".to_owned()));
        };
        lock(&prober.served).push("v1");
        let first = items.first().and_then(|pipeline| pipeline["id"].as_str());
        *lock(&prober.pipeline) = first.map(str::to_owned);
        let ids = items.iter().filter(|item| item["id"].is_string()).count();
        Ok(held_if(
            ids == items.len(),
            format!("{} came, {ids} with an id", items.len()),
        ))
    };
    seen(look.await)
}

async fn documents(prober: &Prober) -> Seen {
    let look = async {
        let Some(id) = lock(&prober.pipeline).clone() else {
            return Err((Unknown, "there is no pipeline".to_owned()));
        };
        let call = Call::new(
            Method::GET,
            ["v1", "pipelines", &id, "documents", "paginated"],
        )
        .query("skip", 0)
        .query("limit", 1);
        let list = prober
            .value(&call, "v1/pipelines/{id}/documents/paginated")
            .await?;
        let (items, total) = (
            list["documents"].is_array(),
            list["total_count"].is_number(),
        );
        Ok(held_if(
            items && total,
            format!("documents: {items}, their number: {total}"),
        ))
    };
    seen(look.await)
}

async fn directories(prober: &Prober) -> Seen {
    let look = async {
        let call = Call::new(Method::GET, DIRECTORIES).query("page_size", 1);
        let list = prober.value(&call, "v1/beta/directories").await?;
        let Some(items) = list["items"].as_array() else {
            return Err((Broken, "no `items` came".to_owned()));
        };
        Ok((Held, format!("{} came", items.len())))
    };
    seen(look.await)
}

async fn indexes(prober: &Prober) -> Seen {
    let look = async {
        let call = Call::new(Method::GET, ["v1", "indexes"]).query("page_size", 1);
        let list = prober.value(&call, "v1/indexes").await?;
        let Some(items) = list["items"].as_array() else {
            return Err((Broken, "no `items` came".to_owned()));
        };
        lock(&prober.served).push("v2");
        let has = |field: &str| items.iter().all(|item| item[field].is_string());
        let said = format!(
            "{} came; `id` on all: {}, `export_config_id` on all: {}",
            items.len(),
            has("id"),
            has("export_config_id")
        );
        Ok(held_if(has("id") || has("export_config_id"), said))
    };
    seen(look.await)
}

async fn write(prober: &Prober, of: &'static str, method: Method, path: &[&str]) -> Seen {
    let look = async {
        if !lock(&prober.served).contains(&of) {
            return Err((Unknown, format!("{of} is not served")));
        }
        let name = path.join("/");
        let call = Call::new(method, path.iter().copied()).json(&json!({}));
        let (status, _) = prober.look(&call, &name).await?;
        let said = format!("an empty object is answered {status}");
        match status {
            429 | 500.. => Err((Unknown, said)),
            _ => Ok(held_if(matches!(status, 400 | 422), said)),
        }
    };
    seen(look.await)
}

async fn absent(prober: &Prober) -> Seen {
    let look = async {
        let nobody = "00000000-0000-0000-0000-000000000000";
        let mut told = Vec::new();
        for (of, kind) in [("v1", "pipelines"), ("v2", "indexes")] {
            if lock(&prober.served).contains(&of) {
                let call = Call::new(Method::GET, ["v1", kind, nobody]);
                let (status, _) = prober.look(&call, &format!("v1/{kind}/{{id}}")).await?;
                told.push((of, status));
            }
        }
        if told.is_empty() {
            return Err((Unknown, "neither generation is served".to_owned()));
        }
        let words: Vec<String> = told
            .iter()
            .map(|(of, status)| format!("{of}: {status}"))
            .collect();
        Ok(held_if(
            told.iter().all(|(_, status)| *status == 404),
            words.join(", "),
        ))
    };
    seen(look.await)
}

async fn served(prober: &Prober) -> Seen {
    let served = lock(&prober.served).clone();
    let refusals = lock(&prober.refusals).clone();
    held_if(
        !served.is_empty(),
        format!("served: {served:?}; refusals: {refusals:?}"),
    )
}

/// Headers that the client heeds.
const KNOWN_LIMITS: &[&str] = &["retry-after", "retry-after-ms"];

async fn limits(prober: &Prober) -> Seen {
    let mut told = lock(&prober.limits).clone();
    told.sort_unstable();
    told.dedup();
    let unknown = told
        .iter()
        .filter(|name| !KNOWN_LIMITS.contains(&name.as_str()))
        .count();
    held_if(
        unknown == 0,
        format!("told: {told:?}, {unknown} of them not heeded"),
    )
}
