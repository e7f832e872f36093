use attachment_text::{Limits, Refusal, TextKind, extract};

use crate::read;

#[test]
fn each_kind_of_text_is_read_as_what_it_is() {
    for (name, bytes, kind, markdown) in [
        ("a.txt", &b"Gr\xfc\xdfe\r\nzwei"[..], TextKind::Plain, "Grüße\nzwei"),
        ("a.py", b"x = '''*'''\n", TextKind::Plain, "```py\nx = '''*'''\n```"),
        ("a.md", b"# Head\n\n* item", TextKind::Markdown, "# Head\n\n* item"),
        ("a.csv", b"a;b\n1;2\n", TextKind::Csv, "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        (
            "a.html",
            b"<!doctype html><html><head><title>T</title><style>p{}</style><script>alert(1)</script></head>\
              <body><h1>Head</h1><p>Some <b>bold</b> text</p><ul><li>x</li></ul></body></html>",
            TextKind::Html,
            "# Head\n\nSome **bold** text\n\n- x",
        ),
    ] {
        let found = read(name, bytes).unwrap();
        assert_eq!(found.kind, kind);
        assert_eq!(found.markdown.trim(), markdown);
        assert!(!found.truncated);
    }
}

#[test]
fn limits_are_kept_and_named() {
    let limits = Limits {
        max_bytes: 100,
        max_text_bytes: 40,
        ..Limits::default()
    };
    assert_eq!(
        extract("text/plain", "a", &[b'x'; 101], &limits),
        Err(Refusal::TooLarge {
            bytes: 101,
            max: 100
        })
    );
    let found = extract(
        "text/plain",
        "a",
        "words on a line\n".repeat(6).as_bytes(),
        &limits,
    )
    .unwrap();
    assert!(found.truncated);
    assert_eq!(
        found.markdown,
        "words on a line\nwords on a line\n\n*The rest of this file is left out: its text is longer than 40 bytes.*\n"
    );
}

#[test]
fn refusals_say_what_to_do() {
    assert_eq!(read("a.txt", b" \n\x00"), Err(Refusal::NoText));
    let unknown = extract("image/png", "a.png", b"x", &Limits::default()).unwrap_err();
    assert!(
        unknown.to_string().contains("\"image/png\"") && unknown.to_string().contains("PDF, DOCX")
    );
}

#[test]
fn elements_nested_without_end_are_read_as_far_as_people_nest_them() {
    let deep = "<b><i>".repeat(1_000_000);
    assert_eq!(read("a.html", deep.as_bytes()), Err(Refusal::TooDeep));
    let found = read("a.html", format!("<p>words</p>{deep}more").as_bytes()).unwrap();
    assert_eq!(
        (found.markdown.as_str(), found.truncated),
        (
            "words\n\n*The rest of this file is left out: its elements are nested too deep.*\n",
            true
        )
    );
    // Paragraphs without an end, as people once wrote them, nest nothing.
    let old = "<p>line\n".repeat(10_000);
    let found = read("a.html", old.as_bytes()).unwrap();
    assert_eq!(
        (found.markdown.matches("line").count(), found.truncated),
        (10_000, false)
    );
}
