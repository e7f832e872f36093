//! The commands of the README: those of its demo, and those of its section for a real site, in its order, against a simulated site. The reader's shell is the
//! real one; the program that was built stands in for `cargo run --release`, this test sends what `curl` would send.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use simulators::confluence::ConfluenceSim;
use tempfile::TempDir;

use crate::process::{listening, terminate, text};
use crate::repository::{fenced, read};
use crate::support::{answer, client, until};
use crate::world::Program;

/// Where the README says that the service is.
const ADDRESS: &str = "http://127.0.0.1:8001";

/// Passes `cargo run --release [-- …]` on to the program, and nothing else.
const CARGO: &str = "#!/bin/sh\n[ \"$1 $2\" = 'run --release' ] || exit 64\nshift 2\n\
    [ $# = 0 ] || { [ \"$1\" = -- ] || exit 64; shift; }\nexec \"$PROGRAM\" \"$@\"\n";
/// For machines without it.
const OPENSSL: &str = "#!/bin/sh\n[ \"$*\" = 'rand -hex 32' ] || exit 64\n\
    od -An -v -tx1 -N32 /dev/urandom | tr -d ' \\n'\n";

/// Who follows the README: a folder with the repository's `config`, a shell, and the variables that it holds.
struct Reader {
    folder: TempDir,
    http: Client,
    variables: BTreeMap<String, String>,
    service: Option<Program>,
}

impl Reader {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for made in ["config", "first", "last"] {
            std::fs::create_dir(at(made)).unwrap();
        }
        std::fs::write(at("config/.env.example"), read("config/.env.example")).unwrap();
        for (shim, script) in [("first/cargo", CARGO), ("last/openssl", OPENSSL)] {
            std::fs::write(at(shim), script).unwrap();
            std::fs::set_permissions(at(shim), PermissionsExt::from_mode(0o755)).unwrap();
        }
        Self {
            folder,
            http: client(),
            variables: BTreeMap::new(),
            service: None,
        }
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn shell(&self, script: &str) -> Command {
        let [first, last] = ["first", "last"].map(|name| self.at(name).display().to_string());
        let path = std::env::var("PATH").unwrap();
        // As in the reader's shell: known to it, and not exported.
        let variables = self.variables.iter();
        let known: String = variables
            .map(|(name, value)| format!("{name}='{value}'\n"))
            .collect();
        let mut command = Command::new("sh");
        command
            .args(["-euc", &format!("{known}{script}")])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{first}:{path}:{last}"))
            .env("PROGRAM", env!("CARGO_BIN_EXE_mcp-confluence"))
            // The README's port may be taken on this machine.
            .env("API_PORT", "0");
        command
    }

    async fn run(&self, script: &str) -> String {
        let mut command = self.shell(script);
        let ended = actix_web::web::block(move || command.output().unwrap())
            .await
            .unwrap();
        let (out, err) = (text(&ended.stdout), text(&ended.stderr));
        assert!(ended.status.success(), "{script}\n{out}\n{err}");
        out
    }

    /// Step 2's last sentence: values for a simulated site, and none for LlamaCloud.
    fn fill_in(&self, values: &[(&str, &str)]) {
        let file = self.at(".env");
        let mut lines: Vec<String> = read(&file).lines().map(str::to_owned).collect();
        for (name, value) in values {
            let line = lines
                .iter_mut()
                .find(|line| line.starts_with(&format!("{name}=")));
            *line.unwrap_or_else(|| panic!("{name} is not in the example")) =
                format!("{name}={value}");
        }
        let count = lines.len();
        lines.retain(|line| !line.starts_with("LLAMA_CLOUD_API_KEY="));
        assert_eq!(lines.len() + 1, count);
        std::fs::write(file, lines.join("\n") + "\n").unwrap();
    }

    /// Sends what this `curl` command would send.
    fn curl(&self, command: &str) -> RequestBuilder {
        let base = &self.service.as_ref().unwrap().base;
        let mut words = shlex::split(command).unwrap().into_iter().skip(1);
        let (mut url, mut headers, mut body) = (None, Vec::new(), None);
        while let Some(word) = words.next() {
            match word.as_str() {
                "-s" | "-sN" => {}
                "-H" => headers.push(self.expanded(&words.next().unwrap())),
                "-d" => body = words.next(),
                option if option.starts_with('-') => panic!("{option} in {command}"),
                _ => assert_eq!(url.replace(word), None, "{command}"),
            }
        }
        let url = url.unwrap();
        let path = url
            .strip_prefix(ADDRESS)
            .unwrap_or_else(|| panic!("{command}"));
        let method = if body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let mut request = self.http.request(method, format!("{base}{path}"));
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        match body {
            Some(body) => request.body(body),
            None => request,
        }
    }

    /// With the shell's variables in it.
    fn expanded(&self, text: &str) -> String {
        let mut expanded = text.to_owned();
        for (name, value) in &self.variables {
            expanded = expanded.replace(&format!("${name}"), value);
        }
        assert!(
            !expanded.contains('$'),
            "a variable that was not set: {expanded}"
        );
        expanded
    }

    /// Starts the demo, and waits until it says what to try.
    async fn start_demo(&mut self, command: &str) {
        let file = self.at("demo.log");
        let log = std::fs::File::create(&file).unwrap();
        let demo = self.shell(&format!("exec {command}")).stdout(log).spawn();
        let mut program = Program {
            child: demo.unwrap(),
            base: String::new(),
        };
        program.base = until("the first sync of the demo is over", async || {
            let said = read(&file);
            let (_, address) = said.split_once(" serves at ")?;
            let address = address.lines().next().map(str::to_owned);
            address.filter(|_| said.contains("Ctrl-C ends it"))
        })
        .await;
        self.service = Some(program);
    }

    async fn start(&mut self, command: &str) {
        let log = std::fs::File::create(self.at("log")).unwrap();
        let service = self
            .shell(&format!("exec {command}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let mut program = Program {
            child: service.unwrap(),
            base: String::new(),
        };
        let database = format!("sqlite:///{}", self.at("confluence_sync.db").display());
        let holder = listening(&database).await;
        holder["address"]
            .as_str()
            .unwrap()
            .clone_into(&mut program.base);
        self.service = Some(program);
    }
}

/// The commands of a block, each on one line; what explains them is left out.
fn commands(block: &str) -> Vec<String> {
    let lines = block.replace("\\\n", " ");
    lines
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

fn section<'a>(readme: &'a str, title: &str) -> &'a str {
    let (_, rest) = readme.split_once(&format!("\n## {title}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

#[actix_web::test]
async fn the_way_to_a_real_site_ends_with_an_answer_for_an_agent() {
    let site = simulators::demo::site();
    let sim = ConfluenceSim::builder().site(site).start().await.unwrap();
    let readme = read("README.md");
    let blocks = fenced(section(&readme, "Run it for real"), "sh");
    let [settings, start, index, token] = &blocks[..] else {
        panic!("settings, start, index, token: {blocks:#?}");
    };
    let mut reader = Reader::new();

    for command in commands(settings) {
        reader.run(&command).await;
    }
    reader.fill_in(&[
        ("CONFLUENCE_BASE_URL", sim.base_url()),
        ("CONFLUENCE_EMAIL", ConfluenceSim::EMAIL),
        ("CONFLUENCE_API_TOKEN", ConfluenceSim::TOKEN),
    ]);
    let start = commands(start);
    let [doctor, serve] = &start[..] else {
        panic!("{start:?}");
    };
    let said = reader.run(doctor).await;
    assert!(
        said.contains("ok    Confluence") && !said.contains("FAIL"),
        "{said}"
    );
    reader.start(serve).await;

    let (mut created, mut found) = (Value::Null, Value::Null);
    for command in [commands(index), commands(token)].concat() {
        if command.starts_with("curl ") {
            let (status, said) = answer(reader.curl(&command)).await;
            assert!(status.is_success(), "{command}: {status} {said}");
            if said["results"].is_array() {
                found = said;
            } else if status == 201 {
                created = said;
            } else {
                // The reader asks again, as the text says.
                until("the first run is over", async || {
                    let (_, index) = answer(reader.curl(&command)).await;
                    assert_eq!(index["id"], created["id"]);
                    (index["status"] == "ok").then_some(())
                })
                .await;
            }
        } else if let Some((name, _)) = command.split_once("=$(") {
            let value = reader
                .run(&format!("{command}; printf %s \"${name}\""))
                .await;
            reader.variables.insert(name.to_owned(), value);
        } else {
            let printed = reader.run(&command).await;
            assert_eq!(printed.trim(), reader.variables["CONFLUENCE_SYNC_TOKEN"]);
        }
    }
    assert_eq!(created["confluence_spaces"], serde_json::json!(["ENG"]));
    assert_eq!(found["results"].as_array().unwrap().len(), 3, "{found}");
    assert!(!found["as_of"].is_null(), "{found}");
    let service = &mut reader.service.as_mut().unwrap().child;
    assert!(
        terminate(service).await.success(),
        "{}",
        read(reader.at("log"))
    );
}

#[actix_web::test]
async fn the_demo_answers_what_the_readme_asks_of_it() {
    let readme = read("README.md");
    let blocks = fenced(section(&readme, "Try it"), "sh");
    let [demo, asking, suite] = &blocks[..] else {
        panic!("the demo, what to ask of it, the suite: {blocks:#?}");
    };
    assert_eq!(commands(suite), ["cargo test --workspace"]);
    let mut reader = Reader::new();
    reader.start_demo(demo.trim()).await;
    let mut answers = 0;
    for command in commands(asking) {
        let request = || reader.curl(&command);
        if command.contains("-sN") {
            let mut stream = request().send().await.unwrap();
            let mut said = String::new();
            while !said.contains("event: snapshot") {
                let chunk = stream.chunk().await.unwrap();
                said.push_str(&String::from_utf8_lossy(
                    &chunk.unwrap_or_else(|| panic!("{said}")),
                ));
            }
        } else if command.contains("/query") {
            until("the new index answers", async || {
                let (status, found) = answer(request()).await;
                assert!(status.is_success(), "{command}: {status} {found}");
                (found["results"].as_array().unwrap().len() == 3).then_some(())
            })
            .await;
        } else {
            let (status, said) = answer(request()).await;
            assert!(status.is_success(), "{command}: {status} {said}");
        }
        answers += 1;
    }
    assert_eq!(answers, 4);
    let demo = &mut reader.service.as_mut().unwrap().child;
    assert!(terminate(demo).await.success());
}

#[test]
fn the_readme_names_the_rust_version_that_the_build_asks_for() {
    let manifest = read("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "));
    let named = format!("With Rust {} or newer", version.unwrap().trim_matches('"'));
    assert!(
        section(&read("README.md"), "Try it").contains(&named),
        "{named}"
    );
}
