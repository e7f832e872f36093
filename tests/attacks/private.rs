//! Files that the program writes are its user's alone, whatever the umask of the shell is.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use test_database::Database;

use super::all_held;
use crate::process::{borrowed, listening, terminate, text};
use crate::support::{answer, client, prepared, site, until};
use crate::world::Program;

/// The program in `folder`, from a shell that lets everybody read and write what is made.
fn careless(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_mcp-confluence"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(settings.iter().copied());
    command
}

/// The mode of every file and folder below `folder`, by path.
fn modes(folder: &Path) -> BTreeMap<String, u32> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                folders.push(entry.path());
            }
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            found.insert(name, meta.permissions().mode() & 0o777);
        }
    }
    found
}

/// These files and no others, each readable and writable by its owner alone.
fn assert_private(folder: &Database, names: &[&str]) {
    let expected: BTreeMap<String, u32> = names
        .iter()
        .map(|name| ((*name).to_owned(), 0o600))
        .collect();
    assert_eq!(modes(folder.path()), expected);
}

async fn start(folder: &Database, settings: &[(&str, &str)]) -> Program {
    let child = careless(folder.path(), &["serve"], settings)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut program = Program {
        child,
        base: String::new(),
    };
    let holder = listening(&folder.url::<String>()).await;
    holder["address"]
        .as_str()
        .unwrap()
        .clone_into(&mut program.base);
    program
}

const RUNNING: [&str; 7] = [
    "sync.db",
    "sync.db-shm",
    "sync.db-wal",
    "sync.db.lock",
    "sync.index.db",
    "sync.index.db-shm",
    "sync.index.db-wal",
];

#[actix_web::test]
async fn the_service_its_backups_and_restored_databases_are_private() {
    let (_sim, folder, settings) = prepared(site(3), &[]).await;
    let settings = borrowed(&settings);
    let run = async |arguments: &[&str]| {
        let mut command = careless(folder.path(), arguments, &settings);
        let ended = actix_web::web::block(move || command.output().unwrap())
            .await
            .unwrap();
        assert!(ended.status.success(), "{}", text(&ended.stderr));
    };

    let service = start(&folder, &settings).await;
    let base = &service.base;
    let http = client();
    let body = json!({"name": "A", "agent_id": "a", "confluence_spaces": ["OPS"]});
    let (status, index) = answer(http.post(format!("{base}/api/indexes")).json(&body)).await;
    assert_eq!(status, 201, "{index}");
    until("the first run is over", async || {
        let asked = http.get(format!("{base}/api/indexes/agent/a"));
        let (_, index): (_, Value) = answer(asked).await;
        (index["status"] == "ok").then_some(())
    })
    .await;
    run(&["backup", "one.db"]).await;
    assert_private(&folder, &[&["one.db"], &RUNNING[..]].concat());

    // As an earlier version left them; the logs lie there because it was killed.
    drop(service);
    for name in modes(folder.path()).keys() {
        let file = folder.path().join(name);
        std::fs::set_permissions(file, PermissionsExt::from_mode(0o666)).unwrap();
    }
    std::fs::remove_file(folder.path().join("one.db")).unwrap();
    std::fs::write(folder.path().join("sync.db.lock"), "").unwrap();
    let mut service = start(&folder, &settings).await;
    assert_private(&folder, &RUNNING);
    assert!(terminate(&mut service.child).await.success());

    run(&["backup", "two.db"]).await;
    // The administrator's own copy may be more open than what it is restored to.
    let two = folder.path().join("two.db");
    std::fs::set_permissions(&two, PermissionsExt::from_mode(0o644)).unwrap();
    run(&["restore", "two.db"]).await;
    run(&["restore", "two.db"]).await;
    assert_eq!(modes(folder.path())["two.db"], 0o644, "left as it is");
    std::fs::remove_file(two).unwrap();
    assert_private(
        &folder,
        &[
            "sync.db",
            "sync.db.before-restore",
            "sync.db.before-restore-2",
            "sync.db.lock",
            "sync.index.db",
        ],
    );
    // Each list of files counts once.
    all_held("A6", 4, None);
}

#[actix_web::test]
async fn the_demo_is_private_and_leaves_nothing() {
    let [folder, output] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let temporary = folder.path().to_str().unwrap();
    let output = output.path().join("output");
    let child = careless(folder.path(), &["demo"], &[("TMPDIR", temporary)])
        .stdout(std::fs::File::create(&output).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut demo = Program {
        child,
        base: String::new(),
    };
    until("the demo has synced", async || {
        let said = std::fs::read_to_string(&output).unwrap();
        said.contains("Ctrl-C ends it").then_some(())
    })
    .await;
    let found = modes(folder.path());
    assert!(terminate(&mut demo.child).await.success());
    let own = found.keys().next().unwrap();
    let files = RUNNING.map(|name| (format!("{own}/{}", name.replace("sync", "demo")), 0o600));
    let expected: BTreeMap<_, _> = files.into_iter().chain([(own.clone(), 0o700)]).collect();
    assert_eq!(found, expected);
    assert_eq!(modes(folder.path()), BTreeMap::new());
}
