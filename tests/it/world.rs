//! A program of its own with everything around it, which survives the deaths of its processes: requests are asked again of the
//! next one, runs are followed over restarts.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulators::confluence::{ConfluenceSim, Site};
use simulators::llamacloud::LlamaCloudSim;
use test_database::Database;

use crate::support::{TIMEOUT, client, id, pairs};

pub const PIPELINE: &str = "confluence-kill";
pub const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
/// No run takes longer, be it over several programs.
const LONGEST: Duration = Duration::from_secs(180);

/// Where and when programs of a world are killed.
#[derive(Clone, Debug, Default)]
pub struct KillPlan {
    /// Dies by itself where it passes this place in this phase.
    pub place: Option<(String, Phase)>,
    /// Is killed so long after the beginning of each phase.
    pub instants: Vec<(Phase, Duration)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The first sync.
    First,
    /// A sweep after edits, moves and removals.
    Sweep,
}

/// What is compared with an undisturbed program.
#[derive(PartialEq, Debug)]
pub struct Held {
    pub pages: BTreeMap<String, Value>,
    pub documents: BTreeMap<String, Value>,
}

/// One program with its own world.
pub struct World {
    pub confluence: ConfluenceSim,
    pub llama: LlamaCloudSim,
    pub folder: Database,
    pub http: reqwest::Client,
    pub spaces: Vec<&'static str>,
    /// What the index is asked to be, beside its spaces.
    pub choices: Value,
    pub plan: KillPlan,
    pub phase: Phase,
    pub began: Instant,
    /// The signals that ended programs of this world.
    pub deaths: Vec<i32>,
    pub program: Option<Program>,
}

pub struct Program {
    pub child: Child,
    pub base: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program is gone.
pub struct Dead;

impl World {
    /// A world around this site; `spaces` are what its index covers.
    pub async fn of(site: Site, plan: KillPlan, spaces: &[&'static str]) -> Self {
        let confluence = ConfluenceSim::builder().site(site).start().await.unwrap();
        let llama = LlamaCloudSim::builder().start().await.unwrap();
        llama.switches(|switches| switches.latency = Duration::from_millis(15));
        Self {
            confluence,
            llama,
            folder: Database::new(),
            http: client(),
            spaces: spaces.to_vec(),
            choices: json!({}),
            plan,
            phase: Phase::First,
            began: Instant::now(),
            deaths: Vec::new(),
            program: None,
        }
    }

    /// Starts a program; it dies at its place only if that is of this phase and was not passed yet.
    pub async fn start(&mut self) {
        let armed = match &self.plan.place {
            Some((place, phase)) if *phase == self.phase && self.deaths.is_empty() => Some(place),
            _ => None,
        };
        let base = self.llama.base_url();
        let mut settings = pairs(
            &self.confluence,
            &self.folder,
            &[
                ("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY),
                ("LLAMA_CLOUD_BASE_URL", base),
                ("LLAMA_CLOUD_MAX_REQUESTS_PER_SECOND", "1000"),
            ],
        );
        if let Some(place) = armed {
            settings.insert("MCP_CONFLUENCE_FAILPOINT".to_owned(), place.clone());
        }
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mcp-confluence"))
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&settings)
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut program = Program {
            child,
            base: String::new(),
        };
        let began = Instant::now();
        loop {
            let holder: Option<Value> = test_database::holder(&settings["DATABASE_URL"])
                .and_then(|text| serde_json::from_str(&text).ok());
            if let Some(holder) = holder
                && holder["pid"] == program.child.id()
                && let Some(address) = holder["address"].as_str()
            {
                address.clone_into(&mut program.base);
                self.program = Some(program);
                return;
            }
            let ended = program.child.try_wait().unwrap();
            assert!(ended.is_none(), "{:?} ended: {}", self.plan, self.log());
            assert!(began.elapsed() < TIMEOUT, "no start: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A request to the program that lives now. `Dead`: it died before it answered, and another was started.
    pub async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Dead> {
        self.kill_if_due();
        let program = self.program.as_ref().unwrap();
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", program.base));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = async {
            let answer = request.send().await.ok()?;
            let status = answer.status();
            let body: Value = answer.json().await.ok()?;
            Some((status, body))
        };
        match answer.await {
            Some((status, body)) if status.is_success() => Ok(body),
            Some((status, _)) if status == reqwest::StatusCode::NOT_FOUND => Ok(Value::Null),
            Some((status, body)) => panic!("{status} {body}"),
            None => {
                self.bury().await;
                Err(Dead)
            }
        }
    }

    pub fn kill_if_due(&mut self) {
        let (phase, elapsed) = (self.phase, self.began.elapsed());
        let due = |(of, after): &(Phase, Duration)| *of == phase && *after <= elapsed;
        if let Some(at) = self.plan.instants.iter().position(due) {
            self.plan.instants.remove(at);
            self.program.as_mut().unwrap().child.kill().unwrap();
        }
    }

    /// Waits for the end of the program that does not answer any more, and starts another.
    pub async fn bury(&mut self) {
        let mut program = self.program.take().unwrap();
        let began = Instant::now();
        let status = loop {
            if let Some(status) = program.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < TIMEOUT, "it lives and does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let signal = status.signal();
        assert!(
            matches!(signal, Some(SIGABRT | SIGKILL)),
            "{:?} ended with {status}: {}",
            self.plan,
            self.log()
        );
        self.deaths.extend(signal);
        self.start().await;
    }

    /// The index, created if it is not there.
    pub async fn index(&mut self) -> Value {
        loop {
            let Ok(index) = self.ask("GET", "/api/indexes/agent/kill", None).await else {
                continue;
            };
            if !index.is_null() {
                return index;
            }
            let mut body =
                json!({"name": "Kill", "agent_id": "kill", "confluence_spaces": self.spaces});
            let choices = self.choices.as_object().cloned().unwrap_or_default();
            body.as_object_mut().unwrap().extend(choices);
            // Whether it was stored when the program died shows the next look.
            let _ = self.ask("POST", "/api/indexes/", Some(body)).await;
        }
    }

    /// Orders a run, once: an order that was stored is not given again.
    pub async fn order(&mut self, body: Value) -> String {
        let before = self.index().await["last_run"]["id"].clone();
        loop {
            let path = "/api/indexes/agent/kill/sync";
            match self.ask("POST", path, Some(body.clone())).await {
                Ok(run) => return id(&run).to_owned(),
                Err(Dead) => {
                    let last = self.index().await["last_run"]["id"].clone();
                    if last != before {
                        return last.as_str().unwrap().to_owned();
                    }
                }
            }
        }
    }

    /// Waits for the end of a run, over the deaths of programs: what was interrupted names what goes on in its place,
    /// and what a full one was ordered during names that.
    pub async fn over(&mut self, run: &str) -> Value {
        let (mut run, began) = (run.to_owned(), Instant::now());
        loop {
            if let Ok(now) = self.ask("GET", &format!("/api/runs/{run}"), None).await {
                if let Some(next) = now["follow_up_run_id"].as_str() {
                    // Interrupted; or over, and a full one was ordered meanwhile.
                    assert!(!now["finished_at"].is_null(), "{now}");
                    next.clone_into(&mut run);
                } else if !now["finished_at"].is_null() {
                    return now;
                }
            }
            assert!(began.elapsed() < LONGEST, "no end: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn held(&mut self) -> Held {
        let index = self.index().await;
        let path = format!("/api/indexes/{}/pages?limit=500", id(&index));
        let listed = loop {
            if let Ok(listed) = self.ask("GET", &path, None).await {
                break listed;
            }
        };
        let pages = listed["items"].as_array().unwrap().iter().map(|page| {
            let mut page = page.clone();
            page.as_object_mut().unwrap().remove("url");
            (id(&page).to_owned(), page)
        });
        let pages: BTreeMap<String, Value> = pages.collect();
        let found = self.llama.documents(PIPELINE);
        let count = found.len();
        let documents = found.into_iter().map(|document| {
            let mut metadata = document.metadata.clone();
            for own in ["cf_index", "cf_url", "cf_hash"] {
                let removed = metadata.remove(own);
                assert!(removed.is_some(), "{own}");
            }
            (document.id, json!([document.text, metadata]))
        });
        let documents: BTreeMap<String, Value> = documents.collect();
        assert_eq!(documents.len(), count, "each document once");
        Held { pages, documents }
    }

    pub fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.began = Instant::now();
    }
}
