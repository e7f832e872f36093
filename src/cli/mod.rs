//! The command line: what each command is, and how it ends.
//!
//! Exit codes: 0 done; 1 failed; 2 wrong usage or settings; 3 partial; 4 needs confirmation; 130 interrupted, 143 terminated before
//! it was done. Each command is a module with one `run`; results go to standard output, everything else to standard error.

mod backup;
mod convert;
#[cfg(feature = "postgres")]
mod copy;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod engine_or_service;
mod eval;
mod healthcheck;
mod index;
mod probe;
mod read_file;
mod serve;
mod sync;
mod table;
mod token;

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::mcp::text::clean;
use crate::settings::{Need, Pairs, Settings, SettingsError, Warning, pairs};
use crate::shutdown::Signals;
use crate::wiring::StartError;
use crate::{http, telemetry};

/// Done.
pub const DONE: u8 = 0;
/// Failed.
pub const FAILED: u8 = 1;
/// Wrong usage or settings.
pub const USAGE: u8 = 2;
/// Some pages failed.
pub const PARTIAL: u8 = 3;
/// The mass-deletion guard waits for the administrator.
pub const NEEDS_CONFIRMATION: u8 = 4;

/// Keeps retrieval indexes in step with Confluence and serves them to AI agents over MCP and REST.
#[derive(Parser, Debug)]
#[command(name = "mcp-confluence", version = crate::version(), about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the service (what happens without a command).
    Serve,
    /// Run the service against a simulated Confluence with sample spaces: no account, no key, nothing kept.
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    /// Sync one index, or all, in sight; beside a running service the order is handed over and followed.
    Sync(sync::SyncArgs),
    /// Check settings, database, Confluence and the retrieval store, and say what is wrong.
    Doctor {
        /// Print one JSON object, as `GET /api/doctor` answers it, when all is looked at.
        #[arg(long)]
        json: bool,
    },
    /// Convert a page body to Markdown.
    Convert(convert::ConvertArgs),
    /// Ask an index a list of questions and say how well it answers (recall@k, MRR).
    Eval(eval::EvalArgs),
    /// List, create, change, delete and export indexes.
    #[command(subcommand)]
    Index(index::IndexCommand),
    /// Make, list and revoke agent tokens.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Write a consistent copy of the database into a new file; the service may run meanwhile.
    Backup {
        /// The file to write.
        file: PathBuf,
    },
    /// Put a backup in the place of the database; the service must not run.
    Restore {
        /// The file that `backup` wrote.
        file: PathBuf,
    },
    /// Move the database from a file to a PostgreSQL server, or back: into an empty one, or on where an earlier copy was cut off. The service
    /// must not run on either.
    #[cfg(feature = "postgres")]
    Copy(copy::CopyArgs),
    /// Ask Confluence and LlamaCloud whether what the sync takes for granted of them holds, by 60 requests at most that change
    /// nothing; writes a file of shapes without anything of yours, fit for a bug report.
    Probe {
        /// Where to write the shapes.
        #[arg(long, default_value = "probe-shapes.json")]
        out: PathBuf,
    },
    /// Print the OpenAPI document.
    Openapi {
        /// The one for assistants such as LibreChat's Actions: without streams and null.
        #[arg(long)]
        tools: bool,
    },
    /// Ask a running service whether it is ready (for containers).
    Healthcheck,
    /// Read one attached file; the service starts this.
    #[command(name = crate::reading::COMMAND, hide = true)]
    ReadFile,
}

/// Which index a command is about.
#[derive(Args, Debug, Clone, Default)]
#[group(multiple = false)]
struct Which {
    /// The index of this agent.
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// The index with this id.
    #[arg(long, value_name = "ID")]
    index: Option<String>,
}

/// In which form a page body comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum BodyForm {
    /// Storage format, as editors keep it.
    Storage,
    /// Rendered HTML.
    View,
}

/// Why a command did not do it: what to say, and the exit code.
#[derive(Debug)]
pub struct CliError {
    code: u8,
    message: String,
}

impl CliError {
    fn failed(message: impl Display) -> Self {
        Self {
            code: FAILED,
            message: message.to_string(),
        }
    }

    fn usage(message: impl Display) -> Self {
        Self {
            code: USAGE,
            message: message.to_string(),
        }
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        Self::usage(error)
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Settings(error) => error.into(),
            other => Self::failed(other),
        }
    }
}

impl From<domain::ports::store::StoreError> for CliError {
    fn from(error: domain::ports::store::StoreError) -> Self {
        Self::failed(error)
    }
}

/// The exit code of a command that came to its end.
type CliResult = Result<u8, CliError>;

/// Reads the command line, runs the command, ends the process with its exit code.
pub fn main() -> ! {
    let cli = Cli::parse();
    let system = actix_web::rt::System::new();
    let outcome = system.block_on(run(cli.command.unwrap_or(Command::Serve)));
    let code = outcome.unwrap_or_else(|error| {
        eprintln!("mcp-confluence: {}", clean(&error.message).text);
        error.code
    });
    // Before the system is dropped: it would wait for its threads, and one that looks a name up can hang for a minute.
    std::process::exit(i32::from(code))
}

async fn run(command: Command) -> CliResult {
    // Before anything else: a container's first process is not ended by a signal that it has not taken over.
    let mut signals = Signals::take_over().map_err(CliError::failed)?;
    match command {
        Command::Serve => serve::run(&mut signals).await,
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args, &mut signals).await,
        Command::Sync(args) => sync::run(&args, &mut signals).await,
        // Neither is to be left half done, and both are over in no time, or bounded by who started them.
        Command::Restore { file } => backup::restore(&file),
        Command::ReadFile => Ok(read_file::run()),
        other => tokio::select! {
            done = run_to_its_end(other) => done,
            signal = signals.next() => Ok(signal.code_of_what_it_cut()),
        },
    }
}

/// The commands that a signal may end anywhere.
async fn run_to_its_end(command: Command) -> CliResult {
    match command {
        Command::Doctor { json } => doctor::run(json).await,
        Command::Convert(args) => actix_web::rt::task::spawn_blocking(move || convert::run(&args))
            .await
            .map_err(CliError::failed)?,
        Command::Eval(args) => eval::run(&args).await,
        Command::Index(command) => index::run(command).await,
        Command::Token(command) => token::run(command).await,
        Command::Backup { file } => backup::backup(&file).await,
        #[cfg(feature = "postgres")]
        Command::Copy(args) => copy::run(args).await,
        Command::Probe { out } => probe::run(&out).await,
        Command::Openapi { tools } => openapi(tools),
        Command::Healthcheck => healthcheck::run().await,
        Command::Serve
        | Command::Demo(_)
        | Command::Sync(_)
        | Command::Restore { .. }
        | Command::ReadFile => unreachable!("these stop in their own ways"),
    }
}

/// The settings of the environment and of `.env`; starts logging by them.
fn settings(need: Need) -> Result<Settings, CliError> {
    let (pairs, asides) = pairs::from_environment(Path::new("."))?;
    read(&pairs, &asides, need)
}

/// The settings of a command whose output is for a person or another program: only warnings and worse are logged.
fn quiet_settings(need: Need) -> Result<Settings, CliError> {
    let (mut pairs, asides) = pairs::from_environment(Path::new("."))?;
    pairs
        .entry("RUST_LOG".to_owned())
        .or_insert_with(|| "warn".to_owned());
    read(&pairs, &asides, need)
}

/// The settings of these variables; starts logging by them and tells what is odd.
fn read(pairs: &Pairs, asides: &[Warning], need: Need) -> Result<Settings, CliError> {
    let (settings, warnings) = Settings::from_pairs(pairs, need)?;
    telemetry::start(&settings.log);
    telemetry::warn_of(asides);
    telemetry::warn_of(&warnings);
    Ok(settings)
}

fn openapi(tools: bool) -> CliResult {
    let (pairs, _) = pairs::from_environment(Path::new("."))?;
    let (settings, _) = Settings::from_pairs(&pairs, Need::Local)?;
    let base_url = settings.base_url(settings.http.port);
    let document = if tools {
        http::openapi::tools(&base_url)
    } else {
        http::openapi::document(&base_url)
    };
    let text = serde_json::to_string_pretty(&document).map_err(CliError::failed)?;
    print_exactly(&text);
    Ok(DONE)
}

/// Prints lines for people, without what would act on their terminal: names and messages in them are other people's.
fn print(text: &str) {
    print_exactly(&clean(text).text);
}

/// Prints what another program reads; that the reader has gone is no error (`… | head`).
fn print_exactly(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_serves_by_default() {
        Cli::command().debug_assert();
        assert!(
            Cli::try_parse_from(["mcp-confluence"])
                .unwrap()
                .command
                .is_none()
        );
        for good in [
            &["sync", "--agent", "a", "--full", "--dry-run"][..],
            &["convert", "-", "--from", "view"],
            &[
                "index",
                "edit",
                "--agent",
                "a",
                "--space",
                "A,B",
                "--enabled",
                "false",
            ],
            &["index", "export", "--agent", "a", "out"],
            &["token", "create", "--agent", "a", "--name", "n"],
            &["eval", "questions.yaml", "--agent", "a"],
            &["healthcheck"],
        ] {
            let line = std::iter::once(&"mcp-confluence").chain(good);
            assert!(Cli::try_parse_from(line).is_ok(), "{good:?}");
        }
        let both = ["mcp-confluence", "sync", "--agent", "a", "--index", "b"];
        assert_eq!(
            Cli::try_parse_from(both).unwrap_err().exit_code(),
            i32::from(USAGE)
        );
    }
}
