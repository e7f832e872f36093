//! Reads a `.env` file as people write it: byte order mark, Windows line ends, `export`, quotes and comments are fine, and `$` is a
//! dollar sign. Libraries that read such files replace `$NAME` by variables, and so change secrets without a word.
//!
//! Promises: what cannot be read is named by its line and never by its text, which may be a secret.

use super::{Pairs, Trouble, Warning};

/// Words that set-up guides put behind a value, and that are none of it.
const ASIDE: &str = "(optional)";

/// What a file sets, and what in it is probably a mistake.
#[derive(Default, PartialEq, Debug)]
pub(super) struct EnvFile {
    pub(super) pairs: Pairs,
    pub(super) warnings: Vec<Warning>,
}

/// Reads the text of the file of this name; later entries win over earlier ones.
pub(super) fn read(file: &str, text: &str) -> Result<EnvFile, Trouble> {
    let mut found = EnvFile::default();
    let mut lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line));
    while let Some((number, line)) = lines.next() {
        let wrong = |why: &str| Trouble::new(file, format!("line {number} cannot be read: {why}"));
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let (name, rest) = line
            .split_once('=')
            .ok_or_else(|| wrong("it is not of the form NAME=value"))?;
        let name = name.trim_end();
        if !is_name(name) {
            return Err(wrong("what stands before `=` is no name of a variable"));
        }
        let rest = rest.trim_start();
        let value = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let mut quoted = rest[1..].to_owned();
                // A quoted value, such as a certificate, may go on over lines.
                let (value, behind) = loop {
                    if let Some(end) = unquote(&quoted, quote) {
                        break end;
                    }
                    let (_, next) = lines
                        .next()
                        .ok_or_else(|| wrong("its quotation mark is never closed"))?;
                    quoted.push('\n');
                    quoted.push_str(next);
                };
                let behind = behind.trim();
                if !(behind.is_empty() || behind.starts_with('#') || behind == ASIDE) {
                    return Err(wrong("something stands behind the closing quotation mark"));
                }
                if behind == ASIDE {
                    found.warnings.push(aside(file, number, name));
                }
                value
            }
            _ => {
                let value = without_comment(rest);
                match value.strip_suffix(ASIDE) {
                    Some(value) => {
                        found.warnings.push(aside(file, number, name));
                        value.trim_end().to_owned()
                    }
                    None => value.to_owned(),
                }
            }
        };
        found.pairs.insert(name.to_owned(), value);
    }
    Ok(found)
}

fn aside(file: &str, line: usize, name: &str) -> Warning {
    Warning::new(
        name,
        format!(
            "{ASIDE} behind the value in line {line} of {file} is not taken for a part of it; delete it"
        ),
    )
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// A comment begins at the line's start or after a space: `#` inside a value is part of it.
fn without_comment(rest: &str) -> &str {
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        if c == '#' && before.is_whitespace() {
            return rest[..at].trim_end();
        }
        before = c;
    }
    rest.trim_end()
}

/// The value up to its closing quotation mark, and what stands behind that; nothing where it is not closed. In double quotation
/// marks `\n`, `\t`, `\"` and `\\` mean what they usually do, and any other backslash itself.
fn unquote(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((value, &text[at + 1..]));
        }
        if c != '\\' || quote == '\'' {
            value.push(c);
            continue;
        }
        match chars.next()?.1 {
            'n' => value.push('\n'),
            't' => value.push('\t'),
            escaped @ ('"' | '\\') => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line: &str) -> String {
        let found = read(".env", line).unwrap();
        assert!(found.warnings.is_empty(), "{line}");
        found.pairs.get("A").unwrap().clone()
    }

    #[test]
    fn a_value_is_what_people_mean_by_it() {
        for (line, meant) in [
            ("A=plain", "plain"),
            ("A = spaced out ", "spaced out"),
            ("export A=b", "b"),
            ("\u{feff}A=after a mark\r\n", "after a mark"),
            ("A=pa$$word$HOME${B}", "pa$$word$HOME${B}"),
            ("A=\"pa$word\"", "pa$word"),
            ("A='single \\n $x'", "single \\n $x"),
            (r#"A="say \"no\" \\ \d\n""#, "say \"no\" \\ \\d\n"),
            ("A=b # a comment", "b"),
            ("A=b#c", "b#c"),
            ("A=\"b # c\" # a comment", "b # c"),
            ("A=", ""),
            ("A= # nothing", ""),
            ("A=it's", "it's"),
            ("A=x=y==", "x=y=="),
            ("A=\"one\ntwo\"\nB=c", "one\ntwo"),
            ("# A=no\nA=b\n\n", "b"),
            ("A=b\nA=c", "c"),
        ] {
            assert_eq!(value(line), meant, "{line:?}");
        }
    }

    #[test]
    fn an_aside_is_no_part_of_a_value_and_is_told() {
        for (line, meant) in [
            ("A=key (optional)", "key"),
            ("A=(optional)", ""),
            ("A='key' (optional)", "key"),
        ] {
            let found = read(".env", &format!("B=c\n{line}")).unwrap();
            assert_eq!(found.pairs["A"], meant, "{line}");
            let [warning] = &found.warnings[..] else {
                panic!("{line}: {:?}", found.warnings)
            };
            assert_eq!(warning.variable, "A");
            assert!(
                warning.message.contains("line 2 of .env"),
                "{}",
                warning.message
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line_and_not_by_its_text() {
        for (text, line) in [
            ("A=b\nhush", "line 2 "),
            ("A=b\r\n\r\nhush hush=b", "line 3 "),
            ("=hush", "line 1 "),
            ("1A=hush", "line 1 "),
            ("A=\"hush\nB=hush\n", "line 1 "),
            ("A=\"b\" hush", "line 1 "),
        ] {
            let trouble = read("the file", text).unwrap_err();
            assert_eq!(trouble.variable, "the file");
            assert!(
                trouble.message.starts_with(line),
                "{text:?}: {}",
                trouble.message
            );
            assert!(!trouble.message.contains("hush"), "{}", trouble.message);
        }
    }
}
