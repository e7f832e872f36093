//! Text as the terms that it is found by: words as they stand, their stems, and names whole and in parts.
//!
//! A term that begins with [`STEM`] is a stem; one that begins with [`MARK`] says something of the passage. Whatever people
//! type is words, never query syntax.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::language::Language;

/// Begins the term of a stem.
pub(crate) const STEM: char = '~';
/// Begins the term of what a passage is, such as its language.
pub(crate) const MARK: char = '!';

/// Bytes of a term at most; what is longer is no word that anybody asks for.
const MAX_TERM: usize = 64;
/// Parts of a name that is also found whole.
const MAX_PARTS: usize = 6;

/// What a piece of text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A word, or a part of a name.
    Word,
    /// A name of several parts, without what joins them: `retry-after`, `retry_after` and `retryAfter` are one.
    Whole,
    /// Two neighbours of a writing without spaces, or one that stands alone.
    Signs,
    /// One sign of such a writing among others: texts are found by it, questions do not ask for it.
    Sign,
}

/// Calls `each` with every piece of a text, in lower case; its diacritics are still there ([`folded`] takes them away).
pub(crate) fn pieces(text: &str, mut each: impl FnMut(&str, Kind)) {
    let mut scratch = Scratch::default();
    let mut rest = text;
    while let Some(at) = rest.find(is_sign) {
        rest = &rest[at..];
        let end = end_of_run(rest);
        let (run, behind) = rest.split_at(end);
        rest = behind;
        name(run, &mut scratch, &mut each);
    }
}

#[derive(Default)]
struct Scratch {
    lower: String,
    whole: String,
}

fn is_sign(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

const fn joins(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | '/' | ':' | '\'' | '’')
}

/// Words with single joints between them, as one typed name.
fn end_of_run(text: &str) -> usize {
    let mut end = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        if is_sign(c) {
            end = at + c.len_utf8();
        } else if !(joins(c) && letters.peek().is_some_and(|(_, next)| is_sign(*next))) {
            break;
        }
    }
    end
}

fn name(run: &str, scratch: &mut Scratch, each: &mut impl FnMut(&str, Kind)) {
    if run.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return part(run, scratch, each);
    }
    // An address or a path: each step of it is a name.
    for step in run.split(['/', ':']) {
        let mut parts = 0;
        let mut whole = std::mem::take(&mut scratch.whole);
        whole.clear();
        for one in step.split(joins) {
            // What is left of "don't" and "team's".
            if one.len() <= 1 && parts > 0 && step.contains(['\'', '’']) {
                continue;
            }
            part(one, scratch, each);
            lower_into(one, &mut whole);
            parts += 1;
        }
        if (2..=MAX_PARTS).contains(&parts) && whole.len() <= MAX_TERM {
            each(&whole, Kind::Whole);
        }
        scratch.whole = whole;
    }
    // `TCP/IP`, but no path.
    if let Some((one, other)) = run.split_once('/')
        && [one, other]
            .iter()
            .all(|step| step.chars().all(char::is_alphanumeric))
        && run.len() <= 24
    {
        let mut whole = std::mem::take(&mut scratch.whole);
        whole.clear();
        lower_into(one, &mut whole);
        lower_into(other, &mut whole);
        each(&whole, Kind::Whole);
        scratch.whole = whole;
    }
}

fn lower_into(text: &str, out: &mut String) {
    out.extend(text.chars().flat_map(char::to_lowercase));
}

/// One part of a name; in camel case again of several.
fn part(word: &str, scratch: &mut Scratch, each: &mut impl FnMut(&str, Kind)) {
    if word.is_empty() {
        return;
    }
    if !word.is_ascii() && word.chars().any(is_unspaced) {
        return unspaced(word, scratch, each);
    }
    if word.len() > MAX_TERM {
        return;
    }
    let humps = humps(word);
    if humps.len() > 1 && humps.len() <= MAX_PARTS {
        for hump in humps {
            scratch.lower.clear();
            lower_into(hump, &mut scratch.lower);
            each(&scratch.lower, Kind::Word);
        }
        scratch.lower.clear();
        lower_into(word, &mut scratch.lower);
        return each(&scratch.lower, Kind::Whole);
    }
    scratch.lower.clear();
    lower_into(word, &mut scratch.lower);
    each(&scratch.lower, Kind::Word);
}

/// `retryAfter` is `retry`, `After`; `HTTPServer` is `HTTP`, `Server`; where a part would have fewer than three letters (`IDs`, `IPv6`),
/// the word stays whole.
fn humps(word: &str) -> Vec<&str> {
    let bytes = word.as_bytes();
    let mut cuts = vec![0];
    for at in 1..bytes.len() {
        let (before, here) = (bytes[at - 1], bytes[at]);
        let next = bytes.get(at + 1).copied().unwrap_or(b'A');
        let rises = before.is_ascii_lowercase() && here.is_ascii_uppercase();
        let falls =
            before.is_ascii_uppercase() && here.is_ascii_uppercase() && next.is_ascii_lowercase();
        if rises || falls {
            cuts.push(at);
        }
    }
    cuts.push(bytes.len());
    if cuts.len() == 2 || !word.is_ascii() {
        return vec![word];
    }
    let humps: Vec<&str> = cuts
        .windows(2)
        .map(|pair| &word[pair[0]..pair[1]])
        .collect();
    if humps.iter().any(|hump| hump.len() < 3) {
        vec![word]
    } else {
        humps
    }
}

/// Writings that put no spaces between words, and Korean, whose words carry their particles.
const fn is_unspaced(c: char) -> bool {
    matches!(c as u32,
        0x0E00..=0x0E7F | 0x1100..=0x11FF | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF
        | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0x20000..=0x2FA1F)
}

fn unspaced(word: &str, scratch: &mut Scratch, each: &mut impl FnMut(&str, Kind)) {
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let of_them = is_unspaced(first);
        let end = rest
            .find(|c| is_unspaced(c) != of_them)
            .unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        rest = behind;
        if !of_them {
            part(run, scratch, each);
            continue;
        }
        let places: Vec<usize> = run
            .char_indices()
            .map(|(at, _)| at)
            .chain([run.len()])
            .collect();
        if places.len() == 2 {
            each(run, Kind::Signs);
            continue;
        }
        for three in places.windows(3) {
            each(&run[three[0]..three[2]], Kind::Signs);
        }
        for two in places.windows(2) {
            each(&run[two[0]..two[1]], Kind::Sign);
        }
    }
}

/// A lower-case word without its diacritics, as it is found.
pub(crate) fn folded(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let plain = word.nfkd().filter(|c| !is_combining_mark(*c)).nfc();
    let mut out = String::with_capacity(word.len());
    for c in plain {
        match c {
            'ß' => out.push_str("ss"),
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'æ' => out.push_str("ae"),
            other => out.push(other),
        }
    }
    out
}

/// The term of a word's stem; `None` for what has none, such as numbers.
pub(crate) fn stem_term(word: &str, language: Language) -> Option<String> {
    if word.len() > MAX_TERM || word.chars().any(|c| c.is_ascii_digit()) {
        return None;
    }
    let mut term = String::from(STEM);
    term.push_str(&folded(&language.stem(word)));
    (term.len() > STEM.len_utf8()).then_some(term)
}

/// The term that says that a passage is written in a language.
pub(crate) fn language_term(language: Language) -> String {
    format!("{MARK}{}", language.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        pieces(text, |piece, kind| {
            let mark = match kind {
                Kind::Word => "",
                Kind::Whole => "=",
                Kind::Signs => "+",
                Kind::Sign => "-",
            };
            all.push(format!("{mark}{piece}"));
        });
        all
    }

    #[test]
    fn names_are_found_whole_and_in_parts() {
        for (text, expected) in [
            ("How do I roll back?", "how do i roll back"),
            ("retry-after", "retry after =retryafter"),
            (
                "SYNC_UPLOAD_DEADLINE",
                "sync upload deadline =syncuploaddeadline",
            ),
            ("--env-file=x", "env file =envfile x"),
            ("retryAfter", "retry after =retryafter"),
            ("HTTPServer2", "http server2 =httpserver2"),
            ("PostgreSQL IPv6 IDs", "postgre sql =postgresql ipv6 ids"),
            ("INC-2041", "inc 2041 =inc2041"),
            ("/var/log/mail.log", "var log mail log =maillog"),
            ("TCP/IP", "tcp ip =tcpip"),
            ("don't the team's", "don the team"),
            ("end. Next... a.b", "end next a b =ab"),
            ("Überprüfung größe", "überprüfung größe"),
            ("?!…", ""),
        ] {
            assert_eq!(told(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn writing_without_spaces_is_cut_into_twos() {
        assert_eq!(
            told("部署回滚 ops手册1 学").join(" "),
            "+部署 +署回 +回滚 -部 -署 -回 -滚 ops +手册 -手 -册 1 +学"
        );
    }

    #[test]
    fn stems_and_folding() {
        let (english, german) = (
            Language::named("english").unwrap(),
            Language::named("german").unwrap(),
        );
        assert_eq!(
            stem_term("reservations", english).as_deref(),
            Some("~reserv")
        );
        assert_eq!(stem_term("häuser", german).as_deref(), Some("~haus"));
        assert_eq!(stem_term("b2b", english), None);
        assert_eq!(folded("größe"), "grosse");
        assert_eq!(folded("żółć"), "zolc");
    }
}
