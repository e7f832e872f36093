//! Variables that somebody forgot to fill in: LibreChat, Compose and shells send `${NAME}` or `{{NAME}}` as it stands when they
//! do not know the name. That is told from a wrong value, since the remedy is another.

/// Characters of a name that is repeated.
const NAME: usize = 80;

/// The variable that a value still is, as it was written: `${NAME}`, `$NAME`, `{{NAME}}` or `%NAME%`. `None` for every other
/// value. Only a plain name is taken, so what is repeated of it is no secret and forges nothing.
#[must_use]
pub fn unexpanded(value: &str) -> Option<&str> {
    let value = value.trim();
    let inside = |open: &str, close: &str| value.strip_prefix(open)?.strip_suffix(close);
    let name = inside("${", "}")
        .or_else(|| inside("{{", "}}"))
        .or_else(|| inside("%", "%"))
        .or_else(|| value.strip_prefix('$'))?
        .trim();
    let is_name = (1..=NAME).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-'));
    is_name.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_in_its_signs_is_a_variable() {
        for variable in [
            "${CONFLUENCE_SYNC_TOKEN}",
            "$CONFLUENCE_SYNC_TOKEN",
            "{{LIBRECHAT_USER_ID}}",
            "{{ token }}",
            "%TOKEN%",
            "${TOKEN:-none}",
        ] {
            assert_eq!(unexpanded(variable), Some(variable));
        }
        assert_eq!(unexpanded(" ${A} "), Some("${A}"));
        let long = format!("${{{}}}", "A".repeat(81));
        for value in [
            "mcs_abc",
            "$",
            "${}",
            "{{}}",
            "${a b}",
            "$1",
            "${a\u{1b}}",
            "a${B}",
            "${a`b`}",
            &long,
        ] {
            assert_eq!(unexpanded(value), None, "{value}");
        }
    }
}
