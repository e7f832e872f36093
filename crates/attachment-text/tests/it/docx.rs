use attachment_text::{Limits, Refusal, TextKind, extract};

use crate::make::{docx, p, zip};
use crate::read;

fn markdown(body: &str) -> String {
    read("a.docx", &docx(body)).unwrap().markdown
}

#[test]
fn headings_lists_links_and_emphasis_keep_their_meaning() {
    let body = [
        p("<w:pStyle w:val=\"Titel\"/>", "Plan"),
        p("<w:pStyle w:val=\"berschrift1\"/>", "Why"),
        p("<w:pStyle w:val=\"Mine\"/>", "Own style"),
        p("<w:outlineLvl w:val=\"2\"/>", "Third level"),
        "<w:p><w:r><w:t>We </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>must</w:t></w:r><w:r><w:rPr><w:b w:val=\"0\"/><w:i/></w:rPr>\
         <w:t xml:space=\"preserve\"> move</w:t></w:r><w:r><w:tab/><w:t>a &amp; b &lt;c&gt;</w:t></w:r></w:p>".to_owned(),
        p("<w:pStyle w:val=\"Bulleted\"/>", "one"),
        p("<w:numPr><w:ilvl w:val=\"1\"/><w:numId w:val=\"1\"/></w:numPr>", "one and a half"),
        p("<w:pStyle w:val=\"Bulleted\"/>", "two"),
        p("<w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"2\"/></w:numPr>", "first"),
        p("<w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"2\"/></w:numPr>", "second"),
        "<w:p><w:hyperlink r:id=\"rId9\"><w:r><w:t>the page</w:t></w:r></w:hyperlink><w:r><w:t xml:space=\"preserve\"> says so</w:t></w:r></w:p>".to_owned(),
    ]
    .concat();
    assert_eq!(
        markdown(&body).trim(),
        "# Plan\n\n# Why\n\n## Own style\n\n### Third level\n\nWe **must** *move* a & b \\<c>\n\n\
         - one\n  - one and a half\n- two\n\n1. first\n2. second\n\n[the page](https://example.com/?a=1&b=2) says so\n\n\
         A note at the foot"
    );
}

#[test]
fn tables_keep_rows_and_columns() {
    let cell = |text: &str| format!("<w:tc><w:tcPr/>{}</w:tc>", p("", text));
    let empty = "<w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc>";
    let body = format!(
        "<w:tbl><w:tr><w:trPr><w:tblHeader/></w:trPr>{}{}</w:tr><w:tr>{}{}</w:tr><w:tr>{empty}{}</w:tr></w:tbl>{}",
        cell("Name"),
        cell("Role"),
        cell("Ada"),
        cell("a|b"),
        cell("second"),
        p("", "after"),
    );
    let text = markdown(&body);
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows[0], "| Name | Role |", "{text}");
    assert_eq!(rows[2], "| Ada | a\\|b |", "{text}");
    assert_eq!(rows[3].replace(' ', ""), "||second|", "{text}");
    assert!(text.contains("\n\nafter"), "{text}");
}

#[test]
fn what_readers_do_not_see_is_left_out_and_text_boxes_stay() {
    let text = markdown(
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins>\
         <w:r><w:instrText>PAGE</w:instrText></w:r>\
         <w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent></mc:Choice>\
         <mc:Fallback><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent></mc:Fallback></mc:AlternateContent></w:r>\
         <w:r><w:t>end</w:t></w:r></w:p>",
    );
    assert_eq!(text.trim(), "new boxed end\n\nA note at the foot");
}

#[test]
fn refusals_name_the_cause() {
    let doc = |bytes: &[u8]| read("a.docx", bytes).unwrap_err();
    assert!(matches!(
        doc(b"no zip"),
        Refusal::Damaged { kind: "DOCX", .. }
    ));
    assert!(matches!(
        doc(&zip(&[("other.txt", "x")])),
        Refusal::Damaged { .. }
    ));
    assert_eq!(
        doc(&zip(&[("word/document.xml", "<w:document/>")])),
        Refusal::NoText
    );
    let mut compound = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    assert!(doc(&compound).to_string().contains("Word 97"));
    compound.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(doc(&compound), Refusal::Encrypted);
}

#[test]
fn a_part_that_unpacks_to_more_than_allowed_is_refused() {
    let bomb = docx(&p("", &" ".repeat(3 << 20)));
    assert!(bomb.len() < 20_000, "it is small: {}", bomb.len());
    let limits = Limits {
        max_unpacked_bytes: 1 << 20,
        ..Limits::default()
    };
    assert_eq!(
        extract("", "a.docx", &bomb, &limits),
        Err(Refusal::UnpacksTooLarge { max: 1 << 20 })
    );
}

#[test]
fn a_document_cut_short_shows_what_came_before() {
    let whole = docx(&p("", "kept").repeat(3));
    let document = "<w:document><w:body><w:p><w:r><w:t>kept</w:t></w:r></w:p><w:p><w:r><w:t>lost";
    let text = read("a.docx", &zip(&[("word/document.xml", document)])).unwrap();
    assert!(text.markdown.starts_with("kept"));
    assert_eq!(text.kind, TextKind::Docx);
    assert!(matches!(
        read("a.docx", &whole[..whole.len() / 2]),
        Err(Refusal::Damaged { .. })
    ));
}

#[test]
fn parts_nested_without_end_are_read_as_far_as_people_nest_them() {
    for tag in ["w:tbl", "w:tc", "w:p", "w:x"] {
        let deep = format!("<{tag}>").repeat(1_000_000);
        let document = format!("<w:document><w:body>{deep}");
        let alone = zip(&[("word/document.xml", &document)]);
        assert_eq!(read("a.docx", &alone), Err(Refusal::TooDeep), "{tag}");
        let found = markdown(&format!("{}{deep}{}", p("", "words"), p("", "more")));
        assert_eq!(
            found,
            "words\n\nA note at the foot\n\n*The rest of this file is left out: its elements are nested too deep.*\n",
            "{tag}"
        );
    }
}
