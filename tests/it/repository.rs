//! What stands in the repository beside the code: files that other programs read.

use std::path::{Path, PathBuf};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Folders that builds and package managers fill.
const MADE: [&str; 4] = [".git", ".work", "node_modules", "target"];

pub fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of the repository with one of these extensions.
fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from(ROOT)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = entry.file_name();
            if kind.is_dir() && !MADE.iter().any(|made| name == *made) {
                folders.push(path);
            } else if kind.is_file()
                && path
                    .extension()
                    .is_some_and(|of| extensions.iter().any(|e| of == *e))
            {
                found.push(path);
            }
        }
    }
    found
}

/// What stands between the fences of this language, without the indentation of the fence.
pub fn fenced(markdown: &str, language: &str) -> Vec<String> {
    let (mut blocks, mut open): (Vec<String>, Option<usize>) = (Vec::new(), None);
    for line in markdown.lines() {
        let (text, indent) = (line.trim(), line.len() - line.trim_start().len());
        match open {
            None if text == format!("```{language}") => {
                open = Some(indent);
                blocks.push(String::new());
            }
            None => {}
            Some(_) if text == "```" => open = None,
            Some(indent) => {
                let block = blocks.last_mut().unwrap();
                block.push_str(line.get(indent..).unwrap_or_default());
                block.push('\n');
            }
        }
    }
    assert_eq!(open, None, "a fence is not closed");
    blocks
}

fn yaml(text: &str) -> Result<Vec<Value>, serde_saphyr::Error> {
    serde_saphyr::from_multiple(text)
}

#[test]
fn every_yaml_and_json_file_can_be_read() {
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    for path in files(&["yaml", "yml", "json"]) {
        let text = read(&path);
        let name = path.strip_prefix(ROOT).unwrap().display().to_string();
        let read = match name.ends_with(".json") {
            true => serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()),
            false => yaml(&text)
                .map(Value::from)
                .map_err(|error| error.to_string()),
        };
        match read {
            Ok(_) => names.push(name),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert_eq!(wrong, [""; 0]);
    for known in [
        "compose.yaml",
        "config/librechat.yaml",
        "config/llamacloud-prices.json",
    ] {
        assert!(
            names.iter().any(|name| name == known),
            "{known} in {names:?}"
        );
    }
    for name in ["README.md", "docs/OPERATIONS.md"] {
        let blocks = fenced(&read(name), "yaml");
        assert!(!blocks.is_empty());
        for block in blocks {
            yaml(&block).unwrap_or_else(|error| panic!("{name}: {error} in {block}"));
        }
    }
}

/// What is published is the port at which the container listens, whatever `.env` says; the rest of the settings is that file's, so
/// that a key in a file, or OAuth alone, do as well.
#[test]
fn the_containers_run_what_the_image_builds_with_the_settings_of_the_file() {
    let settings = |service: &Value, name: &str| service["environment"][name].clone();
    let compose = &yaml(&read("compose.yaml")).unwrap()[0];
    let alone = &compose["services"]["confluence-sync"];
    assert_eq!(alone["env_file"], ".env");
    assert_eq!(alone["ports"][0], "127.0.0.1:8001:8001");
    let compose = &yaml(&read("compose.librechat.yaml")).unwrap()[0];
    let beside = &compose["services"]["mcp-confluence"];
    assert_eq!(beside["hostname"], "mcp-confluence");
    assert_eq!(beside["working_dir"], "/app");
    assert_eq!(beside["volumes"][0], "./mcp-confluence/.env:/app/.env:ro");
    for (service, context) in [(alone, "."), (beside, "./mcp-confluence")] {
        assert_eq!(service["build"]["context"], context);
        assert_eq!(settings(service, "API_PORT"), "8001");
        assert_eq!(settings(service, "API_HOST"), "0.0.0.0");
        for fixed in ["API_KEY", "ALLOWED_HOSTS"] {
            assert!(settings(service, fixed).is_null(), "{fixed}");
        }
        for (what, value) in [("init", true), ("read_only", true)] {
            assert_eq!(service[what], value, "{what}");
        }
        for what in ["stop_grace_period", "mem_limit", "logging"] {
            assert!(!service[what].is_null(), "{what}");
        }
    }
}

/// Two builds must not write into one cache at once, and none may find the programs of another one.
#[test]
fn the_image_is_built_from_the_checkout_alone() {
    let dockerfile = read("Dockerfile").replace("\\\n", " ");
    let caches: Vec<&str> = dockerfile
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--mount=type=cache,"))
        .collect();
    assert!(!caches.is_empty(), "crates are fetched once");
    for cache in caches {
        let options: Vec<(&str, &str)> =
            cache.split(',').filter_map(|o| o.split_once('=')).collect();
        let option = |name| {
            options
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| *value)
        };
        assert!(option("id").is_some(), "{cache}");
        assert_eq!(option("sharing"), Some("locked"), "{cache}");
        let target = option("target").unwrap();
        assert!(!target.split('/').any(|part| part == "target"), "{cache}");
    }
    let ignored = read(".dockerignore");
    for pattern in ["**/target", "**/.env*", "**/*.db*", "**/data"] {
        assert!(ignored.lines().any(|line| line == pattern), "{pattern}");
    }
}
