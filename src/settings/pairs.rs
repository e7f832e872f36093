//! Brings the variables together before anything is read from them: the environment over `.env`, `NAME_FILE` over
//! nothing. Tests pass pairs of their own, so the process environment is touched in one place only.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use super::env_file::{self, EnvFile};
use super::variables::{OUR_PREFIXES, SECRETS, accepted_names};
use super::{SettingsError, Trouble, Warning};

/// Variables by name.
pub type Pairs = BTreeMap<String, String>;

/// The process environment over the `.env` of `directory`, if there is one; and what in that file is probably a mistake.
///
/// # Errors
/// When `.env` is there and cannot be read as one.
pub fn from_environment(directory: &Path) -> Result<(Pairs, Vec<Warning>), SettingsError> {
    let file = directory.join(".env");
    let unreadable =
        |why: String| SettingsError(vec![Trouble::new(&file.display().to_string(), why)]);
    let EnvFile {
        mut pairs,
        warnings,
    } = match std::fs::read(&file) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes)
                .map_err(|_| unreadable("is not text in UTF-8; save it as such".to_owned()))?;
            env_file::read(&file.display().to_string(), &text)
                .map_err(|trouble| SettingsError(vec![trouble]))?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => EnvFile::default(),
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            return Err(unreadable(
                "is a directory where a file should be; a container engine makes one when the file that is to be mounted there is missing: \
                 remove it, and make the file"
                    .to_owned(),
            ));
        }
        Err(error) => return Err(unreadable(format!("cannot be read: {}", error.kind()))),
    };
    pairs.extend(
        std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    );
    Ok((pairs, warnings))
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

/// Variables that are none of ours and are written nearly as one is; and whatever begins as ours do.
pub(super) fn unknown(pairs: &Pairs) -> Vec<Warning> {
    let accepted = accepted_names();
    let suspicious = |name: &str| {
        let (nearest, likeness) = nearest(&accepted, name)?;
        let ours = OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        // The right one is set as well: a variable of another program, or of another version.
        let instead = !pairs.contains_key(nearest) && likeness >= LIKE_ENOUGH;
        (ours || instead).then(|| nearest.to_owned())
    };
    pairs
        .keys()
        .filter(|name| !accepted.contains(name))
        .filter_map(|name| {
            let nearest = suspicious(name)?;
            Some(Warning::new(
                name,
                format!("is not a setting; did you mean {nearest}?"),
            ))
        })
        .collect()
}

/// From this likeness on (1 is the same) a variable is taken for one of ours that was miswritten.
const LIKE_ENOUGH: f64 = 0.94;

fn nearest<'a>(accepted: &'a [String], name: &str) -> Option<(&'a str, f64)> {
    accepted
        .iter()
        .map(|known| (known.as_str(), strsim::jaro_winkler(known, name)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
}
