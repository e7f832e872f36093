//! Brings the variables together before anything is read from them: the environment over `.env`, `NAME_FILE` over
//! nothing. Tests pass pairs of their own, so the process environment is touched in one place only.

use std::collections::BTreeMap;
use std::path::Path;

use super::variables::{OUR_PREFIXES, SECRETS, accepted_names};
use super::{SettingsError, Trouble, Warning};

/// Variables by name.
pub type Pairs = BTreeMap<String, String>;

/// The process environment over the `.env` of `directory`, if there is one.
///
/// # Errors
/// When `.env` is there and cannot be read as one.
pub fn from_environment(directory: &Path) -> Result<Pairs, SettingsError> {
    let mut pairs = Pairs::new();
    let file = directory.join(".env");
    if file.is_file() {
        let unreadable = |line: Option<usize>| {
            SettingsError(vec![Trouble {
                variable: ".env".to_owned(),
                message: match line {
                    // The driver's own message quotes the line, and so perhaps a secret.
                    Some(line) => format!("entry {line} is not of the form NAME=value"),
                    None => "the file cannot be read".to_owned(),
                },
            }])
        };
        let entries = dotenvy::from_path_iter(&file).map_err(|_| unreadable(None))?;
        for (number, entry) in entries.enumerate() {
            let (name, value) = entry.map_err(|_| unreadable(Some(number + 1)))?;
            pairs.insert(name, value);
        }
    }
    pairs.extend(
        std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    );
    Ok(pairs)
}

/// Replaces each `NAME_FILE` of a secret by the trimmed text of its file, and drops empty values: compose files set
/// variables that are not wanted to nothing.
pub(super) fn resolve(pairs: &Pairs, troubles: &mut Vec<Trouble>) -> Pairs {
    let mut resolved: Pairs = pairs
        .iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(name, value)| (name.clone(), value.trim().to_owned()))
        .collect();
    for secret in SECRETS {
        let file_variable = format!("{secret}_FILE");
        let Some(path) = resolved.remove(&file_variable) else {
            continue;
        };
        if resolved.contains_key(*secret) {
            troubles.push(Trouble::new(
                secret,
                format!("is set, and so is {file_variable}: set only one of them"),
            ));
            continue;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => {
                troubles.push(Trouble::new(
                    &file_variable,
                    format!("the file {path} is empty"),
                ));
            }
            Ok(text) => {
                resolved.insert((*secret).to_owned(), text.trim().to_owned());
            }
            Err(error) => troubles.push(Trouble::new(
                &file_variable,
                format!("the file {path} cannot be read: {}", error.kind()),
            )),
        }
    }
    resolved
}

/// Variables that look like ours and are not, each with the nearest that is.
pub(super) fn unknown(pairs: &Pairs) -> Vec<Warning> {
    let accepted = accepted_names();
    pairs
        .keys()
        .filter(|name| OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| !accepted.contains(name))
        .map(|name| {
            let nearest = accepted.iter().max_by(|a, b| {
                strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name))
            });
            Warning {
                variable: name.clone(),
                message: match nearest {
                    Some(nearest) => format!("is not a setting; did you mean {nearest}?"),
                    None => "is not a setting".to_owned(),
                },
            }
        })
        .collect()
}
