//! Languages: which one a text is written in, and the stems of its words.

use std::sync::OnceLock;

use snowball_stemmers_rs::{Algorithm, Stemmer};
use whatlang::{Detector, Lang};

/// A language with a stemmer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Language(usize);

/// Name, detector's language, stemming rules.
type Row = (&'static str, Lang, Algorithm);

/// In the order in which a text that could be of several is told.
const TABLE: &[Row] = &[
    ("english", Lang::Eng, Algorithm::English),
    ("german", Lang::Deu, Algorithm::German),
    ("french", Lang::Fra, Algorithm::French),
    ("spanish", Lang::Spa, Algorithm::Spanish),
    ("italian", Lang::Ita, Algorithm::Italian),
    ("portuguese", Lang::Por, Algorithm::Portuguese),
    ("dutch", Lang::Nld, Algorithm::Dutch),
    ("polish", Lang::Pol, Algorithm::Polish),
    ("czech", Lang::Ces, Algorithm::Czech),
    ("danish", Lang::Dan, Algorithm::Danish),
    ("swedish", Lang::Swe, Algorithm::Swedish),
    ("norwegian", Lang::Nob, Algorithm::Norwegian),
    ("finnish", Lang::Fin, Algorithm::Finnish),
    ("hungarian", Lang::Hun, Algorithm::Hungarian),
    ("romanian", Lang::Ron, Algorithm::Romanian),
    ("turkish", Lang::Tur, Algorithm::Turkish),
    ("russian", Lang::Rus, Algorithm::Russian),
    ("ukrainian", Lang::Ukr, Algorithm::Ukrainian),
    ("greek", Lang::Ell, Algorithm::Greek),
    ("arabic", Lang::Ara, Algorithm::Arabic),
    ("hindi", Lang::Hin, Algorithm::Hindi),
];

/// Letters of a text that are looked at: more make a detector slower and hardly surer.
const LOOKED_AT: usize = 240;
/// Words that stand in nearly every English text and in hardly any other: where some of them are met, no detector need be asked, which
/// takes longer than all else that is done with a passage.
const ENGLISH: [&str; 10] = [
    "the", "and", "with", "this", "that", "from", "which", "are", "when", "for",
];
/// How many different ones of them are enough.
const ENOUGH: usize = 3;

impl Language {
    /// The language of a name; `None` for one without a stemmer.
    pub(crate) fn named(name: &str) -> Option<Self> {
        TABLE.iter().position(|row| row.0 == name).map(Self)
    }

    /// Its name in English.
    pub(crate) fn name(self) -> &'static str {
        TABLE[self.0].0
    }

    /// The stem of a lower-case word.
    pub(crate) fn stem(self, word: &str) -> std::borrow::Cow<'_, str> {
        static STEMMERS: OnceLock<Vec<Stemmer>> = OnceLock::new();
        let make = || TABLE.iter().map(|row| Stemmer::create(row.2)).collect();
        STEMMERS.get_or_init(make)[self.0].stem(word)
    }
}

/// The languages that may stand in an index.
#[derive(Clone, Debug)]
pub(crate) struct Languages {
    /// `auto`, or the names in order: a change means that what is indexed has to be read anew.
    pub(crate) signature: String,
    choice: Choice,
}

#[derive(Clone, Debug)]
enum Choice {
    /// No stems.
    None,
    One(Language),
    Several(Box<Several>),
}

#[derive(Clone, Debug)]
struct Several {
    allowed: Vec<Language>,
    detector: Detector,
}

impl Languages {
    /// Of a setting: `auto`, or names joined by commas; names without a stemmer count as none.
    pub(crate) fn of(setting: &str) -> Self {
        let named: Vec<Language> = setting
            .split(',')
            .filter_map(|name| Language::named(name.trim().to_ascii_lowercase().as_str()))
            .collect();
        let auto = setting.trim().eq_ignore_ascii_case("auto");
        let several = |allowed: Vec<Language>| {
            let known = allowed.iter().map(|language| TABLE[language.0].1).collect();
            let detector = Detector::with_allowlist(known);
            Choice::Several(Box::new(Several { allowed, detector }))
        };
        let (signature, choice) = match named.as_slice() {
            _ if auto => (
                "auto".to_owned(),
                several((0..TABLE.len()).map(Language).collect()),
            ),
            [] => ("none".to_owned(), Choice::None),
            [one] => (one.name().to_owned(), Choice::One(*one)),
            some => {
                let names: Vec<&str> = some.iter().map(|language| language.name()).collect();
                (names.join(","), several(some.to_vec()))
            }
        };
        Self { signature, choice }
    }

    /// The language of a text, as far as it can be told; else the one that the texts around it have.
    pub(crate) fn detect(&self, text: &str, around: Option<Language>) -> Option<Language> {
        let several = match &self.choice {
            Choice::None => return None,
            Choice::One(language) => return Some(*language),
            Choice::Several(several) => several,
        };
        let english = several.allowed.iter().find(|language| language.0 == 0);
        let mut met = 0_u16;
        let mut sample = String::with_capacity(LOOKED_AT + 16);
        // Prose only: names, code and addresses are of no language.
        for word in text.split_whitespace() {
            let letters = word.trim_matches(|c: char| c.is_ascii_punctuation());
            if letters.is_empty() || !letters.chars().all(char::is_alphabetic) {
                continue;
            }
            if let Some(at) = ENGLISH.iter().position(|known| *known == letters) {
                met |= 1 << at;
            }
            if met.count_ones() as usize >= ENOUGH && english.is_some() {
                return english.copied();
            }
            sample.push_str(letters);
            sample.push(' ');
            if sample.len() >= LOOKED_AT {
                break;
            }
        }
        let found = several
            .detector
            .detect(&sample)
            .filter(|info| info.is_reliable());
        let language = found.and_then(|info| {
            let row = TABLE.iter().position(|row| row.1 == info.lang())?;
            several
                .allowed
                .contains(&Language(row))
                .then_some(Language(row))
        });
        language
            .or(around)
            .or_else(|| several.allowed.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_known_by_their_language() {
        let auto = Languages::of("auto");
        for (text, language) in [
            (
                "The service is restarted when the configuration has changed, and the users are told about it.",
                "english",
            ),
            (
                "Der Dienst wird neu gestartet, wenn sich die Einstellungen geändert haben, und die Leute erfahren davon.",
                "german",
            ),
            (
                "Le service redémarre lorsque la configuration a changé, et les utilisateurs en sont informés.",
                "french",
            ),
            (
                "Usługa uruchamia się ponownie, gdy zmieni się konfiguracja, o czym są informowani użytkownicy.",
                "polish",
            ),
            ("cp -r a/b c && x=1", "english"),
        ] {
            assert_eq!(
                auto.detect(text, None).map(Language::name),
                Some(language),
                "{text}"
            );
        }
        let text = "Der Dienst wird neu gestartet, wenn sich die Einstellungen geändert haben.";
        assert_eq!(
            Languages::of("english")
                .detect(text, None)
                .map(Language::name),
            Some("english")
        );
        assert_eq!(Languages::of("none").detect(text, None), None);
        let around = Language::named("german");
        assert_eq!(auto.detect("ok", around), around);
    }

    #[test]
    fn settings_name_their_languages() {
        for (setting, signature) in [
            ("auto", "auto"),
            (" English ", "english"),
            ("german, english", "german,english"),
            ("none", "none"),
            ("klingon", "none"),
        ] {
            assert_eq!(Languages::of(setting).signature, signature, "{setting}");
        }
    }
}
