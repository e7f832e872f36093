//! `index`: indexes from the command line.
//!
//! `create`, `edit` and `delete` are orders to the running service, over REST: it asks Confluence for the spaces, knows what a change
//! means for a run under way, and begins the next one; rows that another process wrote would be noticed late. So these need a
//! service on this database. `list`, `pages` and `questions` only read, and read the database, whether a service runs or not. `export` lists by
//! the database what may be shown, and takes each text from whoever answers questions (the service, or an engine of its own where
//! none runs), so that each passes the same gate as an answer. None of them migrates a database.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use domain::index::Index;
use domain::page::{Page, PageState};
use domain::ports::store::{AdminStore, PageFilter, QueryStore};
use serde_json::{Map, Value, json};

use super::engine_or_service::{EngineOrService, Service, indexes};
use super::table::table;
use super::{CliError, CliResult, DONE, FAILED, NEEDS_CONFIRMATION, Which, quiet_settings};
use crate::settings::{Need, Settings};
use crate::wiring::open_store;

/// Pages that are read at once.
const BATCH: usize = 500;
/// Characters of a title that a file's name keeps.
const IN_NAME: usize = 80;

#[derive(Subcommand, Debug)]
pub(super) enum IndexCommand {
    /// List the indexes.
    List {
        /// Print JSON, as REST has it.
        #[arg(long)]
        json: bool,
    },
    /// Create an index; its first sync starts at once. Needs the running service.
    Create {
        /// The agent that asks it.
        #[arg(long, value_name = "ID")]
        agent: String,
        /// Its name for people.
        #[arg(long)]
        name: String,
        /// The keys of its spaces; one such option each, or separated by commas.
        #[arg(
            long = "space",
            value_name = "KEY",
            value_delimiter = ',',
            required = true
        )]
        spaces: Vec<String>,
        #[command(flatten)]
        more: More,
    },
    /// Change what is named of an index. Needs the running service.
    Edit {
        #[command(flatten)]
        which: Which,
        /// Another agent id.
        #[arg(long, value_name = "ID")]
        new_agent: Option<String>,
        /// Another name for people.
        #[arg(long)]
        name: Option<String>,
        /// The keys of its spaces from now on: all of them.
        #[arg(long = "space", value_name = "KEY", value_delimiter = ',')]
        spaces: Vec<String>,
        #[command(flatten)]
        more: More,
    },
    /// Delete an index with what the store holds of it. Needs the running service.
    Delete {
        #[command(flatten)]
        which: Which,
        /// Do it; without this it is only said what would go.
        #[arg(long)]
        yes: bool,
    },
    /// List the pages of an index: what is in it and what is not, and why.
    Pages {
        #[command(flatten)]
        which: Which,
        /// Only pages that stand so; one such option each, or separated by commas.
        #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
        states: Vec<String>,
        /// Print JSON, as REST has it.
        #[arg(long)]
        json: bool,
    },
    /// List the questions that found little in an index, asked last first (`QUESTIONS_KEPT_DAYS`).
    Questions {
        #[command(flatten)]
        which: Which,
        /// Print JSON, as REST has it.
        #[arg(long)]
        json: bool,
    },
    /// Write the pages of an index that may be shown as Markdown files into a new or empty folder.
    Export {
        #[command(flatten)]
        which: Which,
        /// The folder.
        folder: PathBuf,
    },
}

/// What may be set of an index beyond what it cannot be without.
#[derive(Args, Debug, Default)]
pub(super) struct More {
    /// Minutes between scheduled runs.
    #[arg(long, value_name = "MINUTES")]
    interval_minutes: Option<u32>,
    /// Whether scheduled runs happen.
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    /// Hours in which no scheduled run starts (`22:00-06:00 Europe/Berlin`); empty: those of the service.
    #[arg(long, value_name = "HOURS")]
    quiet_hours: Option<String>,
    /// Which store holds it; of an index that is there, a change moves it.
    #[arg(long, value_parser = ["llamacloud", "local"])]
    backend: Option<String>,
    /// Blog posts too.
    #[arg(long, value_name = "true|false")]
    include_blog_posts: Option<bool>,
    /// Comments too.
    #[arg(long, value_name = "true|false")]
    include_comments: Option<bool>,
    /// Attached files that hold text, too.
    #[arg(long, value_name = "true|false")]
    include_attachments: Option<bool>,
    /// Only pages with one of these labels; empty: all.
    #[arg(long, value_name = "LABEL,…")]
    labels: Option<String>,
    /// No page with one of these labels.
    #[arg(long, value_name = "LABEL,…")]
    exclude_labels: Option<String>,
    /// Only these pages and all below them; empty: all.
    #[arg(long, value_name = "ID,…")]
    root_page_ids: Option<String>,
    /// What becomes of pages whose reading is restricted.
    #[arg(long, value_parser = ["skip", "include"])]
    restricted_pages: Option<String>,
    /// Whom it answers: everyone alike, or each person with what that person may read.
    #[arg(long, value_parser = ["everyone", "per_user", "per_user_checked"])]
    access: Option<String>,
}

impl More {
    /// The fields that are named, as REST has them.
    fn fields(&self) -> Map<String, Value> {
        let list = |text: &Option<String>| {
            let text = text.as_deref()?;
            let entries = text.split(',').map(str::trim).filter(|one| !one.is_empty());
            Some(json!(entries.collect::<Vec<_>>()))
        };
        [
            ("interval_minutes", self.interval_minutes.map(|n| json!(n))),
            ("enabled", self.enabled.map(|is| json!(is))),
            (
                "quiet_hours",
                self.quiet_hours
                    .as_ref()
                    .map(|hours| json!(Some(hours).filter(|hours| !hours.trim().is_empty()))),
            ),
            ("backend", self.backend.as_ref().map(|word| json!(word))),
            (
                "include_blog_posts",
                self.include_blog_posts.map(|is| json!(is)),
            ),
            (
                "include_comments",
                self.include_comments.map(|is| json!(is)),
            ),
            (
                "include_attachments",
                self.include_attachments.map(|is| json!(is)),
            ),
            ("labels", list(&self.labels)),
            ("exclude_labels", list(&self.exclude_labels)),
            ("root_page_ids", list(&self.root_page_ids)),
            (
                "restricted_pages",
                self.restricted_pages.as_ref().map(|word| json!(word)),
            ),
            ("access", self.access.as_ref().map(|word| json!(word))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

pub(super) async fn run(command: IndexCommand) -> CliResult {
    match command {
        IndexCommand::List { json } => list(json).await,
        IndexCommand::Create {
            agent,
            name,
            spaces,
            more,
        } => {
            let mut fields = more.fields();
            fields.insert("agent_id".to_owned(), json!(agent));
            fields.insert("name".to_owned(), json!(name));
            fields.insert("confluence_spaces".to_owned(), json!(spaces));
            let settings = quiet_settings(Need::Local)?;
            let service = Service::of(&settings)?;
            let index: Value = service
                .post("/api/indexes/", &Value::Object(fields))
                .await?;
            say(&index, "is created; its first sync starts");
            Ok(DONE)
        }
        IndexCommand::Edit {
            which,
            new_agent,
            name,
            spaces,
            more,
        } => {
            let mut fields = more.fields();
            let mut put = |field: &str, value: Option<Value>| {
                fields.extend(value.map(|value| (field.to_owned(), value)));
            };
            put("agent_id", new_agent.map(|agent| json!(agent)));
            put("name", name.map(|name| json!(name)));
            let spaces = Some(spaces).filter(|spaces| !spaces.is_empty());
            put("confluence_spaces", spaces.map(|spaces| json!(spaces)));
            if fields.is_empty() {
                return Err(CliError::usage(
                    "say what to change: see `index edit --help`",
                ));
            }
            let settings = quiet_settings(Need::Local)?;
            let index = one(&settings, &which).await?;
            let service = Service::of(&settings)?;
            let path = format!("/api/indexes/{}", index.id);
            let index: Value = service.patch(&path, &Value::Object(fields)).await?;
            say(&index, "is changed");
            Ok(DONE)
        }
        IndexCommand::Delete { which, yes } => delete(&which, yes).await,
        IndexCommand::Pages {
            which,
            states,
            json,
        } => pages(&which, &states, json).await,
        IndexCommand::Questions { which, json } => questions(&which, json).await,
        IndexCommand::Export { which, folder } => export(&which, &folder).await,
    }
}

/// Says what came of an index as REST shows it; its id is for programs.
fn say(index: &Value, what: &str) {
    let text = |field: &str| index[field].as_str().unwrap_or_default();
    eprintln!("The index of {} {what}.", text("agent_id"));
    super::print(text("id"));
}

/// The one index that a command names.
async fn one(settings: &Settings, which: &Which) -> Result<Index, CliError> {
    if which.agent.is_none() && which.index.is_none() {
        return Err(CliError::usage("say which index: --agent ID or --index ID"));
    }
    let store = open_store(settings)?;
    let mut named = indexes(&store, which).await?;
    Ok(named.remove(0))
}

async fn list(as_json: bool) -> CliResult {
    let settings = quiet_settings(Need::Local)?;
    let store = open_store(&settings)?;
    let all = indexes(&store, &Which::default()).await?;
    if as_json {
        print_json(&all)?;
        return Ok(DONE);
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|index| {
            let keys = index.settings.confluence_spaces.iter();
            let keys: Vec<&str> = keys.map(domain::SpaceKey::as_str).collect();
            let moment = |at: Option<domain::Timestamp>| {
                at.map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M").to_string())
            };
            vec![
                index.settings.agent_id.to_string(),
                index.settings.name.clone(),
                keys.join(","),
                index.settings.backend.to_string(),
                index.status.as_str().to_owned(),
                index.document_count.to_string(),
                moment(index.as_of),
                index.id.to_string(),
            ]
        })
        .collect();
    let headings = [
        "agent",
        "name",
        "spaces",
        "store",
        "status",
        "documents",
        "as of",
        "id",
    ];
    super::print(&table(&headings, &rows));
    Ok(DONE)
}

fn print_json(what: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(what).map_err(CliError::failed)?;
    super::print_exactly(&text);
    Ok(())
}

async fn delete(which: &Which, yes: bool) -> CliResult {
    let settings = quiet_settings(Need::Local)?;
    let index = one(&settings, which).await?;
    if !yes {
        eprintln!(
            "The index {:?} of {} with {} documents would go, from the store too; --yes deletes it.",
            index.settings.name, index.settings.agent_id, index.document_count
        );
        return Ok(NEEDS_CONFIRMATION);
    }
    let service = Service::of(&settings)?;
    service
        .delete(&format!("/api/indexes/{}", index.id))
        .await?;
    eprintln!("The index of {} is deleted.", index.settings.agent_id);
    Ok(DONE)
}

async fn questions(which: &Which, as_json: bool) -> CliResult {
    let settings = quiet_settings(Need::Local)?;
    let index = one(&settings, which).await?;
    let store = open_store(&settings)?;
    // No index keeps more than one read takes.
    let all = store.questions(index.id, None, BATCH).await?.items;
    if as_json {
        print_json(&all)?;
        return Ok(DONE);
    }
    let rows: Vec<Vec<String>> = all
        .into_iter()
        .map(|one| {
            vec![
                one.times.to_string(),
                one.last_asked_at.format("%Y-%m-%d").to_string(),
                one.found.as_str().replace('_', " "),
                one.question,
                one.unknown_words.join(", "),
            ]
        })
        .collect();
    let head = ["times", "last", "found", "question", "in no page"];
    super::print(&table(&head, &rows));
    if settings.questions_kept_days.is_none() {
        eprintln!("No question is kept: QUESTIONS_KEPT_DAYS says for how many days they are.");
    }
    Ok(DONE)
}

async fn pages(which: &Which, states: &[String], as_json: bool) -> CliResult {
    let states = states
        .iter()
        .map(|word| {
            PageState::parse(word.trim()).ok_or_else(|| {
                let known = PageState::ALL.map(PageState::as_str).join(", ");
                CliError::usage(format!("--state: {word} is none of {known}"))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let settings = quiet_settings(Need::Local)?;
    let index = one(&settings, which).await?;
    let store = open_store(&settings)?;
    let mut filter = PageFilter {
        states,
        limit: BATCH,
        ..PageFilter::default()
    };
    let mut all: Vec<Page> = Vec::new();
    loop {
        let listed = store.pages(index.id, &filter).await?;
        all.extend(listed.items.iter().map(domain::page::PlacedPage::page));
        filter.cursor = listed.next_cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
    if as_json {
        print_json(&all)?;
        return Ok(DONE);
    }
    let rows: Vec<Vec<String>> = all
        .into_iter()
        .map(|page| {
            vec![
                page.id.to_string(),
                page.state.as_str().to_owned(),
                page.space_key.to_string(),
                page.title,
                page.reason.unwrap_or_default(),
            ]
        })
        .collect();
    super::print(&table(&["id", "state", "space", "title", "reason"], &rows));
    Ok(DONE)
}

async fn export(which: &Which, folder: &Path) -> CliResult {
    let settings = quiet_settings(Need::Confluence)?;
    let index = one(&settings, which).await?;
    empty_folder(folder)?;
    let store = open_store(&settings)?;
    let through = EngineOrService::find(&settings).await?;
    let written = write_all(&store, &through, &index, folder).await;
    through.stop().await;
    let Written { files, left_out } = written?;
    eprintln!(
        "{files} pages of the index of {} are in {}.",
        index.settings.agent_id,
        folder.display()
    );
    if left_out > 0 {
        eprintln!(
            "{left_out} pages changed meanwhile so that they may not be shown; they are left out."
        );
    }
    Ok(if files == 0 && left_out > 0 {
        FAILED
    } else {
        DONE
    })
}

/// Makes the folder, or finds it empty: nothing that stands there is written over, and nothing of an earlier export stays.
fn empty_folder(folder: &Path) -> Result<(), CliError> {
    let at = |error: std::io::Error| CliError::failed(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(at)?;
    if fs::read_dir(folder).map_err(at)?.next().is_some() {
        return Err(CliError::usage(format!(
            "{} is not empty; name a new folder",
            folder.display()
        )));
    }
    Ok(())
}

struct Written {
    files: usize,
    left_out: usize,
}

async fn write_all(
    store: &impl QueryStore,
    through: &EngineOrService,
    index: &Index,
    folder: &Path,
) -> Result<Written, CliError> {
    let mut filter = PageFilter {
        shown: true,
        limit: BATCH,
        ..PageFilter::default()
    };
    let mut written = Written {
        files: 0,
        left_out: 0,
    };
    loop {
        let listed = store.pages(index.id, &filter).await?;
        for placed in &listed.items {
            let Some((page, markdown)) = through.markdown(index.id, &placed.record.page_id).await?
            else {
                written.left_out += 1;
                continue;
            };
            let folder = folder.join(safe(page.space_key.as_str(), IN_NAME));
            let file = folder.join(file_name(&page));
            let failed =
                |error: std::io::Error| CliError::failed(format!("{}: {error}", file.display()));
            fs::create_dir_all(&folder).map_err(failed)?;
            fs::write(&file, document(&page, &markdown)).map_err(failed)?;
            written.files += 1;
        }
        filter.cursor = listed.next_cursor;
        if filter.cursor.is_none() {
            return Ok(written);
        }
    }
}

/// `Rollback-runbook-98312.md`: the id keeps two pages of one title apart, also where capitals do not count.
fn file_name(page: &Page) -> String {
    let title = safe(&page.title, IN_NAME);
    let id = safe(page.id.as_str(), IN_NAME);
    format!("{title}-{id}.md")
}

/// Letters, digits, `_`, `~` and `-` for all else: no separator, no dot, nothing that a shell or a file system would take for
/// something else.
fn safe(text: &str, most: usize) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let kept = c.is_alphanumeric() || matches!(c, '_' | '~');
        if kept {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        // A letter takes up to four bytes, and a name may have 255.
        if name.chars().count() >= most || name.len() >= 150 {
            break;
        }
    }
    let name = name.trim_matches(['-', '~']);
    if name.is_empty() {
        "page".to_owned()
    } else {
        name.to_owned()
    }
}

/// The file: what is known of the page as front matter, its title, its Markdown.
fn document(page: &Page, markdown: &str) -> String {
    let facts = [
        ("title", json!(page.title)),
        ("url", json!(page.url)),
        ("id", json!(page.id)),
        ("kind", json!(page.kind)),
        ("space", json!(page.space_key)),
        ("version", json!(page.version)),
        ("updated", json!(page.last_modified)),
        ("labels", json!(page.labels)),
        ("breadcrumb", json!(page.breadcrumb)),
    ];
    // JSON's strings and lists are YAML's too.
    let facts: Vec<String> = facts
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    format!(
        "---\n{}\n---\n\n# {}\n\n{}\n",
        facts.join("\n"),
        page.title.split_whitespace().collect::<Vec<_>>().join(" "),
        markdown.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe_wherever_they_come_from() {
        for (title, name) in [
            ("Rollback runbook", "Rollback-runbook"),
            ("../../etc/passwd", "etc-passwd"),
            ("C:\\con.txt", "C-con-txt"),
            (".hidden", "hidden"),
            ("a\0b\n$(rm) `x`; *?", "a-b-rm-x"),
            ("日本語のページ", "日本語のページ"),
            ("~me", "me"),
            ("…", "page"),
            ("", "page"),
        ] {
            assert_eq!(safe(title, IN_NAME), name);
        }
        assert_eq!(safe(&"x".repeat(500), IN_NAME).len(), IN_NAME);
        assert!(safe(&"語".repeat(500), IN_NAME).len() <= 153);
    }

    #[test]
    fn options_become_the_fields_of_rest() {
        let more = More {
            labels: Some("a, b,".to_owned()),
            backend: Some("llamacloud".to_owned()),
            restricted_pages: Some("skip".to_owned()),
            enabled: Some(false),
            ..More::default()
        };
        assert_eq!(
            Value::Object(more.fields()),
            json!({"labels": ["a", "b"], "backend": "llamacloud", "restricted_pages": "skip", "enabled": false})
        );
    }
}
