//! `token`: agent tokens, straight in the database; the service may run meanwhile.

use clap::Subcommand;
use domain::TokenId;
use domain::ports::store::AdminStore;
use secrecy::ExposeSecret;

use super::engine_or_service::indexes;
use super::table::table;
use super::{CliError, CliResult, DONE, Which, quiet_settings};
use crate::http::auth::new_token;
use crate::http::fields::wrong_name;
use crate::http::tokens::{MAX_NAME, ends_in};
use crate::settings::Need;
use crate::wiring::open_store;

#[derive(Subcommand, Debug)]
pub(super) enum TokenCommand {
    /// Make a token that reads one index; its secret is printed once.
    Create {
        #[command(flatten)]
        which: Which,
        /// A name for people.
        #[arg(long, default_value = "agent")]
        name: String,
        /// Days after which it ends by itself; without this it does not.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires_in_days: Option<u32>,
    },
    /// List tokens, of one index or of all.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Revoke a token.
    Revoke {
        /// The id of the token, as `list` shows it.
        id: String,
    },
}

pub(super) async fn run(command: TokenCommand) -> CliResult {
    let settings = quiet_settings(Need::Local)?;
    let store = open_store(&settings)?;
    match command {
        TokenCommand::Create {
            which,
            name,
            expires_in_days,
        } => {
            if which.agent.is_none() && which.index.is_none() {
                return Err(CliError::usage("say which index: --agent ID or --index ID"));
            }
            let name = name.trim();
            if let Some(wrong) = wrong_name(name, MAX_NAME) {
                return Err(CliError::usage(format!("--name {wrong}")));
            }
            for index in indexes(&store, &which).await? {
                let token = new_token();
                let record = store
                    .create_token(
                        index.id,
                        name,
                        (&token.prefix, &token.hash),
                        ends_in(expires_in_days),
                    )
                    .await?;
                eprintln!(
                    "Token {} ({name}) reads the index of {}. It is shown only now:",
                    record.id, index.settings.agent_id
                );
                super::print(token.secret.expose_secret());
            }
        }
        TokenCommand::List { which } => {
            let mut rows = Vec::new();
            for index in indexes(&store, &which).await? {
                for token in store.tokens(index.id).await? {
                    rows.push(vec![
                        token.id.to_string(),
                        index.settings.agent_id.to_string(),
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
                    ]);
                }
            }
            super::print(&table(
                &[
                    "id",
                    "agent",
                    "name",
                    "token",
                    "created",
                    "last used",
                    "expires",
                ],
                &rows,
            ));
        }
        TokenCommand::Revoke { id } => {
            let token: TokenId = id
                .parse()
                .map_err(|_| CliError::usage(format!("{id} is no id of a token")))?;
            for index in indexes(&store, &Which::default()).await? {
                if store
                    .tokens(index.id)
                    .await?
                    .iter()
                    .any(|known| known.id == token)
                {
                    store.revoke_token(index.id, token).await?;
                    eprintln!("Token {token} is revoked.");
                    return Ok(DONE);
                }
            }
            return Err(CliError::failed(format!("there is no token {token}")));
        }
    }
    Ok(DONE)
}
