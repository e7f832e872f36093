use std::time::{Duration, Instant};

use attachment_text::{Limits, Refusal, extract};

use crate::make::{deflate, pdf, pdf_of, show, stream};
use crate::read;

#[test]
fn headings_paragraphs_and_lists_of_several_pages() {
    let first = show(&[
        (24, 72, 770, "Annual report"),
        (11, 72, 730, "The first line of a para-"),
        (11, 72, 717, "graph that goes on \\(here\\)."),
        (11, 72, 690, "Another one: a*b, <tag>"),
        (16, 72, 650, "Findings"),
        (11, 72, 630, "\\225 cheap"),
        (11, 72, 617, "\\225 f\\374r alle"),
    ]);
    let second = show(&[(11, 72, 770, "Second page.")]);
    for packed in [false, true] {
        let found = read("a.pdf", &pdf(&[&first, &second], packed)).unwrap();
        assert_eq!(
            found.markdown.trim(),
            "# Annual report\n\nThe first line of a paragraph that goes on (here).\n\nAnother one: a\\*b, \\<tag>\n\n\
             ## Findings\n\n- cheap\n- für alle\n\nSecond page."
        );
        assert_eq!((found.pages, found.truncated), (Some(2), false));
    }
}

#[test]
fn words_set_apart_by_kerning_and_drawn_in_pieces_are_words() {
    let page = "BT /F1 11 Tf 72 700 Td [(Kern) -300 (ed) 20 (ly)] TJ ET BT /F1 11 Tf 150 700 Td (beside) Tj ET";
    assert_eq!(
        read("a.pdf", &pdf(&[page], true)).unwrap().markdown.trim(),
        "Kern edly beside"
    );
}

#[test]
fn pages_over_the_limit_are_left_out_and_said() {
    let page = show(&[(11, 72, 700, "Same page")]);
    let file = pdf(&[&page, &page, &page], true);
    let limits = Limits {
        max_pages: 2,
        ..Limits::default()
    };
    let found = extract("application/pdf", "x", &file, &limits).unwrap();
    assert_eq!((found.pages, found.truncated), (Some(2), true));
    assert_eq!(found.markdown.matches("Same page").count(), 2);
    assert!(
        found
            .markdown
            .ends_with("*The rest of this file is left out: it has 3 pages, and 2 are read.*\n")
    );
}

#[test]
fn refusals_name_the_cause() {
    let of = |bytes: &[u8]| read("a.pdf", bytes).unwrap_err();
    assert!(matches!(
        of(b"%PDF-1.4 and no more"),
        Refusal::Damaged { kind: "PDF", .. }
    ));
    let scan = pdf(&["0 0 595 842 re f"], true);
    assert_eq!(of(&scan), Refusal::NoText);
    assert!(of(&scan).to_string().contains("text recognition"));
}

#[test]
fn a_password_is_asked_for() {
    // Keys that no empty password opens.
    let file = pdf(&["BT ET"], false);
    let encrypt = format!(
        "trailer\n<< /ID [<00><00>] /Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -1 /O <{}> /U <{}> >>",
        "ab".repeat(32),
        "cd".repeat(32)
    );
    let at = file.windows(10).rposition(|w| w == b"trailer\n<<").unwrap();
    let file = [&file[..at], encrypt.as_bytes(), &file[at + 10..]].concat();
    assert_eq!(read("a.pdf", &file), Err(Refusal::Encrypted));
}

#[test]
fn a_stream_that_unpacks_to_more_than_allowed_is_refused() {
    let limits = Limits {
        max_unpacked_bytes: 1 << 20,
        ..Limits::default()
    };
    let once = deflate(&vec![b' '; 3 << 20]);
    let twice = deflate(&once);
    for (filter, data) in [
        ("/FlateDecode", once),
        ("[/FlateDecode /FlateDecode]", twice),
    ] {
        let file = pdf_of(&[
            b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>".to_vec(),
            stream(&format!("/Filter {filter}"), &data),
        ]);
        assert!(file.len() < 20_000, "it is small: {}", file.len());
        assert_eq!(
            extract("", "a.pdf", &file, &limits),
            Err(Refusal::UnpacksTooLarge { max: 1 << 20 }),
            "{filter}"
        );
    }
}

#[test]
fn a_form_that_draws_itself_ends() {
    let file = pdf_of(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R 2 0 R] /Count 2 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /XObject << /X 4 0 R >> /Font << /F1 6 0 R >> >> >>".to_vec(),
        stream("/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << /XObject << /X 4 0 R >> >>", b"/X Do"),
        stream("", b"BT /F1 11 Tf 72 700 Td (words) Tj ET /X Do"),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
    ]);
    assert_eq!(read("a.pdf", &file).unwrap().markdown.trim(), "words");
}

#[test]
fn time_is_bounded_and_pages_read_until_then_are_shown() {
    // Forms that draw one another twice: 2^28 glyphs.
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 6 0 R >> >> >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 7 0 R /Resources << /XObject << /X 8 0 R >> >> >>".to_vec(),
        stream("", b"BT /F1 11 Tf 72 700 Td (the first page) Tj ET"),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        stream("", b"/X Do"),
    ];
    for n in 8..36 {
        objects.push(stream(
            &format!("/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << /XObject << /X {} 0 R >> /Font << /F1 6 0 R >> >>", n + 1),
            b"/X Do /X Do 0 0 m 9 9 l S",
        ));
    }
    objects.push(stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 9 9]",
        b"0 0 m 9 9 l S",
    ));
    let limits = Limits {
        max_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let began = Instant::now();
    let found = extract("", "a.pdf", &pdf_of(&objects), &limits).unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert!(found.truncated && found.markdown.starts_with("the first page"));
    assert!(
        found.markdown.contains("page 2 took too long"),
        "{}",
        found.markdown
    );
}
