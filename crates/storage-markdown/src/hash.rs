//! The content hash: what a body says, without the ids that every save changes.

use crate::attrs::Attrs;

/// Attributes that change without a change of content.
fn is_volatile(name: &str) -> bool {
    matches!(
        name,
        "local-id"
            | "ac:local-id"
            | "ac:macro-id"
            | "ac:schema-version"
            | "ac:task-list-id"
            | "ri:version-at-save"
            | "ri:local-id"
            | "data-uuid"
            | "ac:ref"
    )
}

/// BLAKE3 of the normalised storage: local ids, macro ids, task uuids and versions-at-save left out, tags in one
/// spelling. Equal content gives equal hashes whatever the editor did to the ids.
pub fn content_hash(storage: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut line = String::with_capacity(256);
    let mut rest = storage;
    // Inside an element whose text is an id.
    let mut id_text: Option<&str> = None;
    while !rest.is_empty() {
        let at = memchr::memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
        if id_text.is_none() {
            hasher.update(&rest.as_bytes()[..at]);
        }
        rest = &rest[at..];
        if rest.is_empty() {
            break;
        }
        if rest.starts_with("<![CDATA[") {
            let end = memchr::memmem::find(rest.as_bytes(), b"]]>").map_or(rest.len(), |n| n + 3);
            hasher.update(&rest.as_bytes()[..end]);
            rest = &rest[end..];
            continue;
        }
        let end = tag_end(rest);
        let tag = &rest[..end];
        rest = &rest[end..];
        let inner = tag.trim_start_matches('<').trim_end_matches('>');
        let (name, attrs) = match inner.find(|c: char| c.is_whitespace()) {
            Some(n) => inner.split_at(n),
            None => (inner, ""),
        };
        if let Some(id) = id_text {
            if name.strip_prefix('/') == Some(id) {
                id_text = None;
            }
            continue;
        }
        let empty = inner.ends_with('/');
        let name = name.trim_end_matches('/');
        let is_id = matches!(name, "ac:task-uuid" | "ac:task-id")
            || (matches!(name, "ac:adf-attribute" | "ac:adf-parameter")
                && crate::attrs::raw_attr(attrs, "key") == Some("local-id"));
        if is_id {
            if !empty {
                id_text = Some(name);
            }
            continue;
        }
        line.clear();
        line.push('<');
        line.push_str(name);
        for (key, value) in Attrs::new(attrs.trim_end_matches('/')) {
            if !key.is_empty() && !is_volatile(key) {
                line.push(' ');
                line.push_str(key);
                line.push_str("=\"");
                line.push_str(value);
                line.push('"');
            }
        }
        if empty {
            line.push('/');
        }
        line.push('>');
        hasher.update(line.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Length of the tag at the start of `text`; a `>` in a quoted value does not end it.
fn tag_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(n) = memchr::memchr3(b'>', b'"', b'\'', &bytes[at..]) {
        at += n;
        if bytes[at] == b'>' {
            return at + 1;
        }
        match memchr::memchr(bytes[at], &bytes[at + 1..]) {
            Some(close) => at += close + 2,
            None => return bytes.len(),
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_do_not_change_the_hash_and_content_does() {
        let one = r#"<p local-id="a">x<br /></p><ac:structured-macro ac:name="code" ac:schema-version="1" ac:macro-id="m1"><ac:plain-text-body><![CDATA[a < b]]></ac:plain-text-body></ac:structured-macro><ac:task><ac:task-id>1</ac:task-id><ac:task-uuid>u</ac:task-uuid></ac:task>"#;
        let two = r#"<p  local-id="b">x<br/></p><ac:structured-macro ac:name="code" ac:macro-id="m2"><ac:plain-text-body><![CDATA[a < b]]></ac:plain-text-body></ac:structured-macro><ac:task><ac:task-id>7</ac:task-id><ac:task-uuid>v</ac:task-uuid></ac:task>"#;
        assert_eq!(content_hash(one), content_hash(two));
        assert_ne!(
            content_hash(one),
            content_hash(&one.replace("a < b", "a > b"))
        );
        assert_ne!(
            content_hash(one),
            content_hash(&one.replace("\"code\"", "\"noformat\""))
        );
        assert_ne!(content_hash("<p>a</p>"), content_hash("<h1>a</h1>"));
    }

    #[test]
    fn broken_bodies_have_a_hash_too() {
        for body in ["", "<", "<p", "<p a=\"", "<![CDATA[x", "a < b", "</"] {
            let _ = content_hash(body);
        }
    }
}
