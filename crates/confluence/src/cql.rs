//! Queries in CQL: quoting, and how a question of words becomes one.
//!
//! CQL is a language, so nothing of a user or of Confluence gets into a query but as a quoted literal.

use domain::{PageId, SpaceKey};

/// A quoted literal.
pub(crate) fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Types that have text.
const TEXTS: &str = "page, blogpost";
/// Types that only stand in the tree, the fullest choice first: not every site lets each of them be asked for.
pub(crate) const CONTAINERS: [&[&str]; 3] = [
    &["folder", "whiteboard", "database", "embed", "slide"],
    &["folder", "whiteboard", "database", "embed"],
    &[],
];

/// Everything in a space, oldest first, so that what is made meanwhile comes at the end of the walk.
pub(crate) fn everything_in(space: &SpaceKey, containers: &[&str]) -> String {
    let mut types = vec![TEXTS];
    types.extend(containers);
    format!(
        "space = {} and type in ({}) order by created asc",
        literal(space.as_str()),
        types.join(", ")
    )
}

/// Everything of one type that hangs on the pages of a space (comments, attachments), oldest first.
pub(crate) fn attached_in(space: &SpaceKey, kind: &str) -> String {
    format!(
        "space = {} and type = {kind} order by created asc",
        literal(space.as_str())
    )
}

/// These items; `None` when none of the ids can be one.
pub(crate) fn these(ids: &[PageId]) -> Option<String> {
    let ids: Vec<&str> = ids
        .iter()
        .map(PageId::as_str)
        .filter(|id| is_number(id))
        .collect();
    (!ids.is_empty()).then(|| format!("id in ({})", ids.join(",")))
}

/// Whether a text is an id as pages and spaces have them.
pub(crate) fn is_number(id: &str) -> bool {
    !id.is_empty() && id.len() <= 19 && id.bytes().all(|b| b.is_ascii_digit())
}

/// Words of a question that say nothing about its subject.
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "by", "can", "could", "did",
    "do", "does", "for", "from", "get", "had", "has", "have", "how", "i", "if", "in", "into", "is",
    "it", "its", "me", "my", "need", "no", "not", "of", "on", "or", "our", "please", "should",
    "so", "some", "that", "the", "their", "there", "these", "they", "this", "to", "us", "was",
    "we", "were", "what", "when", "where", "which", "who", "whom", "why", "will", "with", "would",
    "you", "your",
];
/// More words make a query slower and rarely better.
const MAX_WORDS: usize = 12;

/// The words of a question that are worth searching, in order, each once; all of them when none is worth it.
pub(crate) fn words(question: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in question
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
    {
        let word = word.to_lowercase();
        if !all.contains(&word) {
            all.push(word);
        }
    }
    let telling = |word: &&String| !STOP_WORDS.contains(&word.as_str());
    let mut chosen: Vec<String> = all.iter().filter(telling).cloned().collect();
    if chosen.is_empty() {
        chosen = all;
    }
    chosen.truncate(MAX_WORDS);
    chosen
}

/// Which of its words a hit must have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Match {
    /// As the search of the site itself, which orders what it finds; the field is documented nowhere.
    Ranked,
    All,
    Any,
}

/// Pages and blog posts of some spaces with these words; a title with all of them counts besides the text.
pub(crate) fn search(words: &[String], spaces: &[SpaceKey], wanted: Match) -> String {
    let keys: Vec<String> = spaces.iter().map(|key| literal(key.as_str())).collect();
    let texts: Vec<String> = words
        .iter()
        .map(|word| format!("text ~ {}", literal(word)))
        .collect();
    let title = format!("title ~ {}", literal(&words.join(" ")));
    if wanted == Match::Ranked {
        return format!(
            "space in ({}) and type in ({TEXTS}) and siteSearch ~ {}",
            keys.join(","),
            literal(&words.join(" "))
        );
    }
    let text = match wanted {
        Match::All if texts.len() > 1 => format!("({})", texts.join(" and ")),
        _ => texts.join(" or "),
    };
    format!(
        "space in ({}) and type in ({TEXTS}) and ({title} or {text})",
        keys.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(literal("~712020abc"), r#""~712020abc""#);
        assert_eq!(
            literal("a\" or type = page or \"\\"),
            r#""a\" or type = page or \"\\""#
        );
        assert_eq!(literal("a\nb\u{0}"), r#""ab""#);
    }

    #[test]
    fn queries_read_as_meant() {
        assert_eq!(
            everything_in(&SpaceKey::from("~7"), &[]),
            r#"space = "~7" and type in (page, blogpost) order by created asc"#
        );
        assert!(
            everything_in(&SpaceKey::from("ENG"), CONTAINERS[0])
                .contains("(page, blogpost, folder, whiteboard, database, embed, slide)")
        );
        let ids = ["12", "att3", "", "1 or 1=1", "4"].map(PageId::from);
        assert_eq!(these(&ids).as_deref(), Some("id in (12,4)"));
        assert_eq!(these(&[PageId::from("att3")]), None);
    }

    #[test]
    fn questions_lose_their_stop_words_and_their_syntax() {
        for (question, want) in [
            (
                "How do we restart the VPN gateway?",
                vec!["restart", "vpn", "gateway"],
            ),
            ("what is it", vec!["what", "is", "it"]),
            (
                r#"title:"x" AND (foo* OR ~bar) \ ""#,
                vec!["title", "x", "foo", "bar"],
            ),
            ("vpn VPN Vpn", vec!["vpn"]),
            (
                "Überweisung größer 数据库",
                vec!["überweisung", "größer", "数据库"],
            ),
            (" ?! ", vec![]),
        ] {
            assert_eq!(words(question), want, "{question}");
        }
        assert_eq!(
            words(&(0..99).map(|n| format!("w{n} ")).collect::<String>()).len(),
            MAX_WORDS
        );
    }

    #[test]
    fn searches_ask_for_all_words_then_for_any() {
        let words = vec!["vpn".to_owned(), "gateway".to_owned()];
        let spaces = [SpaceKey::from("ENG"), SpaceKey::from("~7")];
        assert_eq!(
            search(&words, &spaces, Match::All),
            r#"space in ("ENG","~7") and type in (page, blogpost) and (title ~ "vpn gateway" or (text ~ "vpn" and text ~ "gateway"))"#
        );
        assert_eq!(
            search(&words, &spaces, Match::Any),
            r#"space in ("ENG","~7") and type in (page, blogpost) and (title ~ "vpn gateway" or text ~ "vpn" or text ~ "gateway")"#
        );
    }

    proptest::proptest! {
        /// No text closes the literal it stands in: after taking escapes away, no quote is left inside.
        #[test]
        fn literals_hold_anything(text in ".{0,60}") {
            let quoted = literal(&text);
            let inside = &quoted[1..quoted.len() - 1];
            let bare = inside.replace("\\\\", "").replace("\\\"", "");
            proptest::prop_assert!(!bare.contains('"') && !bare.contains('\\'), "{}", quoted);
            proptest::prop_assert!(quoted.starts_with('"') && quoted.ends_with('"'));
        }

        #[test]
        fn words_are_bare(question in ".{0,80}") {
            for word in words(&question) {
                proptest::prop_assert!(word.chars().all(|c| c.is_alphanumeric() || c == '_' || !c.is_ascii()), "{}", word);
            }
        }
    }
}
