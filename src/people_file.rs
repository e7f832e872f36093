//! Whose addresses of e-mail are, as a file (`PEOPLE_FILE`), for indexes that answer per person: read at start and whenever it changes.
//!
//! A line is `address: account`, or `address,account`. The file counts before what was set by hand, which counts before what Confluence
//! shows. While anything in the file is wrong, nothing of it is done and what it said before goes on to count, also over a restart: no
//! mistake of writing gives somebody another's pages. Without the setting, what a file had said is forgotten at the next start.

use std::collections::BTreeMap;
use std::path::PathBuf;

use domain::AccountId;
use domain::access::Email;
use domain::audit::NewEntry;
use serde_json::json;

use crate::http::people::{MAX_PEOPLE, account};
use crate::mcp::text::cut;
use crate::state::AppState;
use crate::watched::{self, Complaint, NotDone};

/// The first line of a table, which is no address.
const HEADER: &str = "email,account_id";
/// Bytes that a complaint repeats of a line.
const REPEATED: usize = 80;

/// Carries the file out at start and after every change, until the service stops; without a file, forgets what one had said.
pub async fn follow(state: AppState, file: Option<PathBuf>) {
    let Some(file) = file else {
        match carry_out(&state, "").await {
            Ok(0) => {}
            Ok(forgotten) => tracing::warn!(
                forgotten,
                "PEOPLE_FILE is not set any more: what the file said of addresses is forgotten"
            ),
            Err(NotDone::Wrong(_)) => {}
            Err(NotDone::Later(why)) => {
                tracing::error!(why, "what a file of people had said could not be forgotten");
            }
        }
        return;
    };
    let carried_out = async |text: &str| {
        let changed = carry_out(&state, text).await?;
        tracing::info!(file = %file.display(), changed, "the file of people is carried out");
        Ok::<(), NotDone>(())
    };
    let (trouble, shutdown) = (&state.people_trouble, &state.shutdown);
    watched::follow(&file, "PEOPLE_FILE", trouble, shutdown, carried_out).await;
}

/// Answers how many addresses are another's than before.
async fn carry_out(state: &AppState, text: &str) -> Result<usize, NotDone> {
    let people = read(text).map_err(NotDone::Wrong)?;
    let changed = state.store.map_people_of_file(&people).await?;
    if changed > 0 {
        let entry = NewEntry {
            detail: Some(json!({"addresses": people.len(), "changed": changed})),
            ..NewEntry::done("the file of people", "map_people")
        };
        if let Err(error) = state.store.note(&entry).await {
            tracing::error!(%error, "what the file of people did could not be kept in the audit");
        }
    }
    Ok(changed)
}

/// Reads the file.
///
/// # Errors
/// Everything that is wrong with it.
fn read(text: &str) -> Result<BTreeMap<Email, AccountId>, Vec<Complaint>> {
    let mut people: BTreeMap<Email, (u64, AccountId)> = BTreeMap::new();
    let mut complaints = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        let is_header = line == 1 && text.eq_ignore_ascii_case(HEADER);
        if text.is_empty() || text.starts_with('#') || is_header {
            continue;
        }
        let mut wrong = |message: String| complaints.push(Complaint { line, message });
        let Some((email, whose)) = parts(text) else {
            wrong(format!(
                "\"{}\" is not `address: account` (nor `address,account`)",
                cut::snippet(text, REPEATED)
            ));
            continue;
        };
        let Some(email) = Email::parse(email) else {
            wrong(format!(
                "\"{}\" is no address of e-mail",
                cut::snippet(email, REPEATED)
            ));
            continue;
        };
        let Some(whose) = account(whose) else {
            wrong(format!(
                "{email} needs the Atlassian account id of one person, such as 557058:0a1b"
            ));
            continue;
        };
        match people.get(&email) {
            Some((before, other)) if *other != whose => wrong(format!(
                "{email} stands there twice: for {whose} here, and in line {before} for {other}; an address is one person's"
            )),
            Some(_) => {}
            None => {
                people.insert(email, (line, whose));
            }
        }
    }
    if people.len() > MAX_PEOPLE {
        complaints.push(Complaint {
            line: 0,
            message: format!("names more than {MAX_PEOPLE} people"),
        });
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let people = people.into_iter();
    Ok(people.map(|(email, (_, whose))| (email, whose)).collect())
}

/// Address and account of a line. An account id may hold a colon, an address may not hold a comma.
fn parts(text: &str) -> Option<(&str, &str)> {
    let (email, account) = text.split_once(',').or_else(|| text.split_once(": "))?;
    // What stands behind the account of a line of YAML.
    let account = account
        .split_once(" #")
        .map_or(account, |(account, _)| account);
    Some((unquoted(email), unquoted(account)))
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inner = |mark| text.strip_prefix(mark)?.strip_suffix(mark);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(u64, String)> {
        let complaints = read(text).unwrap_err().into_iter();
        complaints
            .map(|wrong| (wrong.line, wrong.message))
            .collect()
    }

    #[test]
    fn a_file_is_lines_of_an_address_and_an_account() {
        let yaml = "# People\n\nAnn@Example.org: 557058:0a-1b  # left in May\n\"bob@example.org\": '712020:2'\nann@example.org: 557058:0a-1b\n";
        let csv = "\u{feff}Email,Account_id\r\nann@example.org,557058:0a-1b\r\n\"bob@example.org\",\"712020:2\"\r\n";
        let expected = [
            ("ann@example.org", "557058:0a-1b"),
            ("bob@example.org", "712020:2"),
        ]
        .map(|(email, account)| (Email::parse(email).unwrap(), account.into()));
        for text in [yaml, csv] {
            assert_eq!(
                read(text).unwrap(),
                BTreeMap::from(expected.clone()),
                "{text}"
            );
        }
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let wrong = "ann@example.org: 1\nnobody\nbob: 2\ncat@example.org:\ncat@example.org: a b\nANN@example.org: 2\n";
        let told = told(wrong);
        let lines: Vec<u64> = told.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6], "{told:?}");
        assert!(told[1].1.contains("\"bob\" is no address"), "{told:?}");
        assert!(
            told[3].1.contains("cat@example.org needs the Atlassian"),
            "{told:?}"
        );
        assert_eq!(
            told[4].1,
            "ann@example.org stands there twice: for 2 here, and in line 1 for 1; an address is one person's"
        );
    }
}
