//! Attached files that are made to take all memory, or never to end. The reader of one ends; the service and the other files do not.

use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use domain::ports::reader::{FetchedFile, FileReader, Unread};
use mcp_confluence::reading::ChildReader;
use serde_json::json;
use simulators::confluence::Site;
use zip::write::SimpleFileOptions;

use super::{all_held, peak};
use crate::process::{borrowed, listening, program, terminate};
use crate::support::{client, id, prepared, until};

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// A PDF of the given objects, numbered from 1; the first is the catalog.
fn pdf_of(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend(format!("{} 0 obj\n", at + 1).bytes());
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    let xref = out.len();
    let count = objects.len() + 1;
    out.extend(format!("xref\n0 {count}\n0000000000 65535 f \n").bytes());
    for place in places {
        out.extend(format!("{place:010} 00000 n \n").bytes());
    }
    let end = format!("trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{xref}\n%%EOF\n");
    out.extend(end.bytes());
    out
}

fn stream(entries: &str, data: &[u8]) -> Vec<u8> {
    let mut out = format!("<< {entries} /Length {} >>\nstream\n", data.len()).into_bytes();
    out.extend(data);
    out.extend(b"\nendstream");
    out
}

/// A PDF of one page with these contents; `rest` are the objects from 5 on.
fn one_page(resources: &str, contents: Vec<u8>, rest: Vec<Vec<u8>>) -> Vec<u8> {
    let page = format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << {resources} >> >>"
    );
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        page.into_bytes(),
        contents,
    ];
    objects.extend(rest);
    pdf_of(&objects)
}

/// 2 MB that unpack to 8 GB: a pair of 0x81 stands for 128 of them, and the filter is there twice; 0x80 ends the outer layer.
fn run_length_bomb() -> Vec<u8> {
    let filter = "/Filter [/RunLengthDecode /RunLengthDecode]";
    one_page(
        "",
        stream(filter, &[vec![0x81; 2 << 20], vec![0x80]].concat()),
        Vec::new(),
    )
}

/// Forms that draw one another twice, 2^40 times in all, and show nothing.
fn endless_pdf() -> Vec<u8> {
    let forms = (5..45).map(|n| {
        let form = format!(
            "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X {} 0 R >> >>",
            n + 1
        );
        stream(&form, b"/X Do /X Do")
    });
    let leaf = stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9]", b"");
    let forms = forms.chain([leaf]).collect();
    one_page("/XObject << /X 5 0 R >>", stream("", b"/X Do"), forms)
}

fn deep_html() -> Vec<u8> {
    "<b><i>".repeat(15 << 20 >> 3).into_bytes()
}

/// Tables in tables; 30 kB that unpack to 15 MB.
fn deep_docx() -> Vec<u8> {
    const W: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    let document = format!(
        "<w:document xmlns:w=\"{W}\"><w:body>{}",
        "<w:tbl><w:tr><w:tc>".repeat(800_000)
    );
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("word/document.xml", SimpleFileOptions::default())
        .unwrap();
    writer.write_all(document.as_bytes()).unwrap();
    writer.finish().unwrap().into_inner()
}

fn file(name: &str, media_type: &str, bytes: Vec<u8>) -> FetchedFile {
    FetchedFile {
        media_type: media_type.to_owned(),
        name: name.to_owned(),
        bytes,
    }
}

#[actix_web::test]
async fn a_file_is_read_within_its_bounds_of_memory_and_time() {
    let reader = ChildReader::new(env!("CARGO_BIN_EXE_mcp-confluence").into());
    let read = async |name: &str, bytes| {
        let began = Instant::now();
        let read = reader.read(file(name, "", bytes)).await;
        (read, began.elapsed())
    };
    assert_eq!(
        read("a.txt", b"plain words".to_vec()).await.0,
        Ok("plain words".to_owned())
    );
    let (none, _) = read("a.txt", Vec::new()).await;
    assert!(matches!(none, Err(Unread::NoText(_))), "{none:?}");

    let (bomb, _) = read("a.pdf", run_length_bomb()).await;
    // Which limit is met first is a matter of the machine.
    let (memory, time) = (
        Unread::Lost("reading it takes more than 256 MiB of memory".to_owned()),
        Unread::Lost("reading it takes longer than 20 s".to_owned()),
    );
    assert!(bomb == Err(memory) || bomb == Err(time.clone()), "{bomb:?}");
    for (name, bytes) in [("a.html", deep_html()), ("a.docx", deep_docx())] {
        let (deep, took) = read(name, bytes).await;
        assert!(
            matches!(&deep, Err(Unread::NoText(why)) if why.contains("nested too deep")),
            "{name}: {deep:?} after {took:?}"
        );
    }
    let (slow, took) = read("a.pdf", endless_pdf()).await;
    let from_inside = "reading the file took longer than 15 s: split it into smaller files";
    assert_eq!(slow, Err(Unread::NoText(from_inside.to_owned())));
    assert!(took < Duration::from_secs(22), "{took:?}");

    // One that heeds no time of its own is ended, and is gone.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("reader");
    let pid = folder.path().join("pid");
    let script = format!("#!/bin/sh\necho $$ > {}\nexec sleep 600\n", pid.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let began = Instant::now();
    let endless = ChildReader::new(program);
    let read = endless.read(file("a.txt", "", b"words".to_vec())).await;
    assert_eq!((read, began.elapsed().as_secs()), (Err(time), 20));
    let pid = std::fs::read_to_string(pid).unwrap();
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());

    let missing = ChildReader::new("/nowhere/mcp-confluence".into());
    let read = missing.read(file("a.txt", "", b"words".to_vec())).await;
    assert!(matches!(read, Err(Unread::NotTried(_))), "{read:?}");
}

#[actix_web::test]
async fn hostile_files_cost_the_service_nothing_and_one_that_ends_it_is_left_alone() {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    let page = site.create_page("ENG", None, "Guide", "<p>Begin here.</p>");
    site.attach(page, "bomb.pdf", "application/pdf", &run_length_bomb());
    site.attach(page, "deep.html", "text/html", &deep_html());
    site.attach(page, "deep.docx", DOCX, &deep_docx());
    site.attach(page, "good.txt", "text/plain", b"wholesome words");
    let (_sim, folder, settings) = prepared(site.clone(), &[]).await;
    let database: String = folder.url();
    let http = client();
    let start = |failpoint: &str| {
        let mut settings = borrowed(&settings);
        settings.push(("MCP_CONFLUENCE_FAILPOINT", failpoint));
        program(&folder, &["serve"], &settings).spawn().unwrap()
    };
    let mut child = start("nowhere");
    let base = listening(&database).await["address"]
        .as_str()
        .unwrap()
        .to_owned();
    let index = json!({"name": "A", "agent_id": "a", "confluence_spaces": ["ENG"], "include_attachments": true});
    let made = http
        .post(format!("{base}/api/indexes"))
        .json(&index)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    let made: serde_json::Value = made.json().await.unwrap();
    let pages = async |base: &str| -> Vec<(String, String, String)> {
        let list = http
            .get(format!("{base}/api/indexes/{}/pages", id(&made)))
            .send()
            .await
            .unwrap();
        let list: serde_json::Value = list.json().await.unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let mut rows: Vec<_> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|page| {
                (
                    text(&page["title"]),
                    text(&page["state"]),
                    text(&page["reason"]),
                )
            })
            .collect();
        rows.sort();
        rows
    };
    let stands = |rows: &[(String, String, String)]| -> Vec<String> {
        rows.iter()
            .map(|(title, state, _)| format!("{title} {state}"))
            .collect()
    };
    let settled = [
        "Engineering Home searchable",
        "Guide searchable",
        "bomb.pdf failed",
        "deep.docx skipped",
        "deep.html skipped",
        "good.txt searchable",
    ];
    until("every file was tried", async || {
        let rows = pages(&base).await;
        (stands(&rows) == settled).then_some(())
    })
    .await;
    let peak = peak(child.id());
    println!("the service held {peak} MB at most");
    assert!(peak < 100, "{peak} MB");
    all_held("C1", 3, Some(child.id()));
    terminate(&mut child).await;

    // One more that ends the process itself, each time that it is begun.
    site.attach(page, "killer.txt", "text/plain", b"words");
    let serving = async || {
        until("the service serves", async || {
            let holder = listening(&database).await;
            let base = holder["address"].as_str().unwrap().to_owned();
            let answer = http.get(format!("{base}/health/live")).send().await;
            answer.ok()?.status().is_success().then_some(base)
        })
        .await
    };
    for begins in [true, false] {
        let mut child = start("after_read_counted");
        if begins {
            let base = serving().await;
            let order = http.post(format!("{base}/api/indexes/{}/sync", id(&made)));
            let _ = order.json(&json!({})).send().await;
        }
        // The second one goes on by itself from where the first one died.
        until("the process died", async || child.try_wait().unwrap()).await;
    }
    let mut child = start("nowhere");
    let base = serving().await;
    let reason = until("it is left alone", async || {
        let rows = pages(&base).await;
        let (_, _, reason) = rows
            .into_iter()
            .find(|(title, state, _)| title == "killer.txt" && state == "skipped")?;
        Some(reason)
    })
    .await;
    assert!(
        reason.contains("256 MiB of memory and 20 s") && reason.contains("left alone"),
        "{reason}"
    );
    all_held("C2", 2, Some(child.id()));
    terminate(&mut child).await;
}
