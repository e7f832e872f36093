//! Reads single variables; every problem is kept, by name and never by value.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use upstream::is_loopback;
use url::Url;

use super::Trouble;

/// Reads variables one by one and notes what is wrong.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) troubles: Vec<Trouble>,
}

impl Reader {
    pub(super) fn fail(&mut self, variable: &str, message: impl Into<String>) {
        self.troubles.push(Trouble::new(variable, message));
    }

    pub(super) fn parsed<T: FromStr>(
        &mut self,
        variable: &str,
        text: &Option<String>,
        wanted: &str,
    ) -> Option<T> {
        let parsed = text.as_deref()?.parse().ok();
        if parsed.is_none() {
            self.fail(variable, format!("must be {wanted}"));
        }
        parsed
    }

    pub(super) fn number<T>(
        &mut self,
        variable: &str,
        text: &Option<String>,
        default: T,
        range: RangeInclusive<T>,
    ) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = text.as_deref() else {
            return default;
        };
        match text.parse::<T>() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.fail(
                    variable,
                    format!(
                        "must be a whole number from {} to {}",
                        range.start(),
                        range.end()
                    ),
                );
                default
            }
        }
    }

    pub(super) fn one_of<T: Copy>(
        &mut self,
        variable: &str,
        text: &Option<String>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = text.as_deref()?.to_ascii_lowercase();
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.fail(variable, format!("must be one of {}", known.join(", ")));
        }
        found
    }

    /// An address of a service: https, or http on this machine only, since credentials travel there.
    pub(super) fn service_url(
        &mut self,
        variable: &str,
        text: &Option<String>,
        example: &str,
    ) -> Option<Url> {
        let url = self.parsed::<Url>(variable, text, &format!("an address such as {example}"))?;
        if url.host_str().is_none() || !matches!(url.scheme(), "http" | "https") {
            self.fail(variable, format!("must be an address such as {example}"));
            return None;
        }
        let named_local = |name: &str| name.ends_with(".localhost");
        let is_local = is_loopback(&url) || url.domain().is_some_and(named_local);
        if url.scheme() == "http" && !is_local {
            self.fail(
                variable,
                "must begin with https:// (http:// is for this machine only)",
            );
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() {
            self.fail(variable, "must not hold credentials");
            return None;
        }
        Some(url)
    }
}
