//! Attached files over the whole service: found by their words, fetched from another host, replaced, deleted, gone with their
//! page or by choice.

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use simulators::confluence::{ContentId, Site};
use zip::write::SimpleFileOptions;

use crate::support::{self, Service};

/// A PDF of one page with one line.
fn pdf(line: &str) -> Vec<u8> {
    let show = format!("BT /F1 12 Tf 72 720 Td ({line}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [4 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{show}\nendstream", show.len()),
    ];
    let mut out = "%PDF-1.7\n".to_owned();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    let xref = out.len();
    out.push_str("xref\n0 6\n0000000000 65535 f \n");
    for place in places {
        out.push_str(&format!("{place:010} 00000 n \n"));
    }
    out.push_str(&format!(
        "trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{xref}\n%%EOF\n"
    ));
    out.into_bytes()
}

/// A Word document of one paragraph.
fn docx(text: &str) -> Vec<u8> {
    const W: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let document = format!(
        "<?xml version=\"1.0\"?><w:document xmlns:w=\"{W}\"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>"
    );
    let links = format!(
        "<Relationships><Relationship Id=\"r1\" Type=\"{OFFICE}/officeDocument\" Target=\"word/document.xml\"/></Relationships>"
    );
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, part) in [("_rels/.rels", links), ("word/document.xml", document)] {
        writer
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(part.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

struct Made {
    site: Site,
    page: ContentId,
    report: ContentId,
    letter: ContentId,
}

fn made() -> Made {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    let page = site.create_page("ENG", None, "Guide", "<p>Begin here.</p>");
    let report = site.attach(
        page,
        "report.pdf",
        "application/pdf",
        &pdf("The quokka report"),
    );
    let letter = site.attach(page, "letter.docx", DOCX, &docx("Dear narwhal"));
    site.attach(page, "photo.png", "image/png", b"\x89PNG");
    site.attach(page, "broken.pdf", "application/pdf", b"no pdf");
    Made {
        site,
        page,
        report,
        letter,
    }
}

/// What is found with this word: kind, title and breadcrumb.
async fn found(service: &Service, word: &str) -> Vec<String> {
    let (_, answer) = service
        .post("/api/indexes/agent/reader/query", json!({"query": word}))
        .await;
    answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|result| result["text"].as_str().unwrap().contains(word))
        .map(|result| {
            let page = &result["page"];
            let text = |name: &str| page[name].as_str().unwrap().to_owned();
            assert!(page["url"].as_str().unwrap().starts_with("http"), "{page}");
            format!("{} {} {}", text("kind"), text("title"), page["breadcrumb"])
        })
        .collect()
}

async fn pages(service: &Service, index: &Value) -> Vec<Value> {
    let path = format!("/api/indexes/{}/pages", support::id(index));
    let (_, list) = service.get(&path).await;
    list["items"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn files_are_found_and_follow_what_happens_to_them() {
    let made = made();
    let service = support::start(made.site.clone(), &[]).await;
    let (status, index) = service
        .post(
            "/api/indexes/",
            json!({"name": "Reader", "agent_id": "reader", "confluence_spaces": ["ENG"],
                "include_attachments": true, "include_comments": true}),
        )
        .await;
    assert_eq!(status, 201, "{index}");
    let run = service.over(&index).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(
        found(&service, "quokka").await,
        [r#"attachment report.pdf ["Guide"]"#]
    );
    assert_eq!(
        found(&service, "narwhal").await,
        [r#"attachment letter.docx ["Guide"]"#]
    );
    let all = pages(&service, &index).await;
    let state = |title: &str| {
        let page = all.iter().find(|page| page["title"] == title).unwrap();
        (
            page["kind"].as_str().unwrap().to_owned(),
            page["state"].as_str().unwrap().to_owned(),
            page["reason"].as_str().unwrap_or_default().to_owned(),
        )
    };
    for title in ["photo.png", "broken.pdf"] {
        let (kind, state, reason) = state(title);
        assert_eq!((kind.as_str(), state.as_str()), ("attachment", "skipped"));
        assert!(!reason.is_empty());
    }
    assert_eq!(state("report.pdf").1, "searchable");

    made.site
        .replace_attachment(made.report, &pdf("The wombat report"));
    made.site.trash_attachment(made.letter);
    let run = service.swept(&index).await;
    assert_eq!(
        (
            &run["status"],
            &run["counts"]["uploaded"],
            &run["counts"]["deleted"]
        ),
        (&json!("succeeded"), &json!(1), &json!(1)),
        "{run}"
    );
    assert_eq!(found(&service, "wombat").await.len(), 1);
    assert!(found(&service, "quokka").await.is_empty());
    assert!(found(&service, "narwhal").await.is_empty());

    let id = support::id(&index);
    for (choice, files) in [(false, 0), (true, 1)] {
        let (status, _) = service
            .patch(
                &format!("/api/indexes/{id}"),
                json!({"include_attachments": choice}),
            )
            .await;
        assert_eq!(status, 200);
        let run = service.swept(&index).await;
        assert_eq!(run["status"], "succeeded", "{run}");
        assert_eq!(found(&service, "wombat").await.len(), files);
        assert_eq!(found(&service, "Begin").await.len(), 1);
    }

    made.site.restrict_to_user(made.page, "somebody");
    let run = service.swept(&index).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert!(found(&service, "wombat").await.is_empty());
    support::assert_official(&service);
    service.stop().await;
}
