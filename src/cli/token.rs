//! `token`: agents' tokens and keys with a role, straight in the database; the service may run meanwhile.

use std::collections::HashMap;

use chrono::TimeDelta;
use clap::Subcommand;
use domain::audit::NewEntry;
use domain::ports::store::AdminStore;
use domain::token::{NewToken, Role, Token};
use domain::{IndexId, TokenId};
use metastore::Metastore;
use secrecy::ExposeSecret;

use super::engine_or_service::indexes;
use super::table::table;
use super::{CliError, CliResult, DONE, Which, quiet_settings};
use crate::http::auth::{NewSecret, new_secret};
use crate::http::fields::wrong_name;
use crate::http::tokens::{MAX_NAME, ends_in};
use crate::settings::Need;
use crate::wiring::open_store;

#[derive(Subcommand, Debug)]
pub(super) enum TokenCommand {
    /// Make a token that reads one index, or a key with a role; its secret is printed once.
    Create {
        #[command(flatten)]
        which: Which,
        /// What it lets its bearer do: an agent reads one index, a reader all; an editor makes indexes and looks after those; an
        /// administrator may do everything.
        #[arg(long, default_value = "agent", value_parser = role)]
        role: Role,
        /// A name for people.
        #[arg(long, default_value = "agent")]
        name: String,
        /// Days after which it ends by itself; without this it does not.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires_in_days: Option<u32>,
        /// Its bearer may say for whom it asks (`X-User-Email`), so that each person is shown what that person may read. Agents only.
        #[arg(long)]
        speaks_for_others: bool,
    },
    /// List tokens and keys: those of one index, or all.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Make another token with the same name and rights; the old one ends after a while. The new secret is printed once.
    Replace {
        /// The id of the token, as `list` shows it.
        id: String,
        /// Hours for which the old one stays good.
        #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=720))]
        old_ends_in_hours: u32,
    },
    /// Revoke a token or key.
    Revoke {
        /// The id of the token, as `list` shows it.
        id: String,
    },
}

fn role(text: &str) -> Result<Role, String> {
    let all = Role::ALL.map(Role::as_str).join(", ");
    Role::parse(text).ok_or_else(|| format!("must be one of {all}"))
}

/// Who makes tokens here, for people.
const BY: &str = "the command line";

pub(super) async fn run(command: TokenCommand) -> CliResult {
    let settings = quiet_settings(Need::Local)?;
    let store = open_store(&settings)?;
    match command {
        TokenCommand::Create {
            which,
            role,
            name,
            expires_in_days,
            speaks_for_others,
        } => {
            let names_index = which.agent.is_some() || which.index.is_some();
            match role {
                Role::Agent if !names_index => {
                    return Err(CliError::usage("say which index: --agent ID or --index ID"));
                }
                Role::Reader | Role::Administrator if names_index => {
                    return Err(CliError::usage(format!(
                        "leave --agent and --index out: the role {} is for all indexes",
                        role.as_str()
                    )));
                }
                _ => {}
            }
            if speaks_for_others && role != Role::Agent {
                return Err(CliError::usage("--speaks-for-others is for agents"));
            }
            let name = name.trim();
            if let Some(wrong) = wrong_name(name, MAX_NAME) {
                return Err(CliError::usage(format!("--name {wrong}")));
            }
            let its = if names_index {
                indexes(&store, &which).await?
            } else {
                Vec::new()
            };
            let NewSecret {
                secret,
                prefix,
                hash,
            } = new_secret();
            let record = store
                .create_token(&NewToken {
                    role,
                    indexes: its.iter().map(|index| index.id).collect(),
                    speaks_for_others,
                    name: name.to_owned(),
                    prefix,
                    secret_hash: hash,
                    created_by: Some(BY.to_owned()),
                    expires_at: ends_in(expires_in_days),
                })
                .await?;
            let made = NewEntry::done(BY, "create_key").to(record.id);
            store.note(&made).await?;
            let may = match (role, its.first()) {
                (Role::Agent, Some(index)) => {
                    format!("reads the index of {}", index.settings.agent_id)
                }
                _ => format!("lets in as {}", role.as_str()),
            };
            eprintln!("Token {} ({name}) {may}. It is shown only now:", record.id);
            super::print(secret.expose_secret());
        }
        TokenCommand::List { which } => {
            let all = indexes(&store, &Which::default()).await?;
            let agents: HashMap<IndexId, String> = all
                .iter()
                .map(|index| (index.id, index.settings.agent_id.to_string()))
                .collect();
            let mut tokens = store.tokens().await?;
            if which.agent.is_some() || which.index.is_some() {
                let named = indexes(&store, &which).await?;
                tokens.retain(|token| named.iter().any(|index| token.indexes.contains(&index.id)));
            }
            let rows: Vec<Vec<String>> = tokens
                .into_iter()
                .map(|token| row(token, &agents))
                .collect();
            super::print(&table(
                &[
                    "id",
                    "role",
                    "indexes of",
                    "name",
                    "token",
                    "created",
                    "last used",
                    "expires",
                ],
                &rows,
            ));
        }
        TokenCommand::Replace {
            id,
            old_ends_in_hours,
        } => {
            let old = existing(&store, &id).await?;
            let new = new_secret();
            let after = TimeDelta::hours(old_ends_in_hours.into());
            let record = store
                .replace_token(old.id, (&new.prefix, &new.hash), BY, after)
                .await?;
            let replaced = NewEntry::done(BY, "replace_key").to(old.id);
            store.note(&replaced).await?;
            eprintln!(
                "Token {} ({}) replaces {}, which ends in {old_ends_in_hours} hours. It is shown only now:",
                record.id, record.name, old.id
            );
            super::print(new.secret.expose_secret());
        }
        TokenCommand::Revoke { id } => {
            let token = existing(&store, &id).await?;
            store.revoke_token(token.id).await?;
            let revoked = NewEntry::done(BY, "revoke_key").to(token.id);
            store.note(&revoked).await?;
            eprintln!("Token {} is revoked.", token.id);
        }
    }
    Ok(DONE)
}

/// The token of an id that somebody typed.
async fn existing(store: &Metastore, id: &str) -> Result<Token, CliError> {
    let wanted: TokenId = id
        .parse()
        .map_err(|_| CliError::usage(format!("{id} is no id of a token")))?;
    let mut tokens = store.tokens().await?.into_iter();
    tokens
        .find(|token| token.id == wanted)
        .ok_or_else(|| CliError::failed(format!("there is no token {wanted}")))
}

fn row(token: Token, agents: &HashMap<IndexId, String>) -> Vec<String> {
    let its: Vec<&str> = token
        .indexes
        .iter()
        .filter_map(|id| agents.get(id).map(String::as_str))
        .collect();
    let its = if token.role.has_own_indexes() {
        its.join(", ")
    } else {
        "all".to_owned()
    };
    vec![
        token.id.to_string(),
        token.role.as_str().to_owned(),
        its,
        token.name,
        format!("{}…", token.prefix),
        token.created_at.format("%Y-%m-%d").to_string(),
        token.last_used_at.map_or_else(
            || "never".to_owned(),
            |at| at.format("%Y-%m-%d %H:%M").to_string(),
        ),
        token.expires_at.map_or_else(
            || "never".to_owned(),
            |at| at.format("%Y-%m-%d").to_string(),
        ),
    ]
}
