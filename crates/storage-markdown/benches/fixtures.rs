//! Bodies made on the spot, so that the benchmark runs anywhere.

/// A page as people write them: headings, prose with marks and links, a callout, lists, a table, code, tasks.
pub fn mixed_page(seed: usize) -> String {
    let mut out = String::new();
    for section in 0..6 {
        let n = seed * 7 + section;
        out.push_str(&format!(
            r#"<h2 local-id="{n:012x}">Section {n}: operating the gateway</h2><p local-id="{n:012x}">The <strong>gateway</strong> of region {n} forwards orders to <code>billing_{n}</code>; see <ac:link><ri:page ri:content-title="Runbook {n}" ri:version-at-save="{section}" /><ac:link-body>the runbook</ac:link-body></ac:link> and <a href="https://example.com/status/{n}">its status page</a>. Don&rsquo;t restart it &mdash; drain it first.</p>"#
        ));
        out.push_str(
            r#"<ac:structured-macro ac:name="info" ac:schema-version="1" ac:macro-id="0c0ffee0-0000-4000-8000-000000000000"><ac:rich-text-body><p>Changes are <em>rolled out</em> on Tuesdays.</p></ac:rich-text-body></ac:structured-macro><ul><li><p>Check the queue depth</p><ul><li><p>below 200: go on</p></li><li><p>above: wait</p></li></ul></li><li><p>Drain with <code>drain --all</code></p></li></ul>"#,
        );
        out.push_str(r#"<table data-table-width="760" data-layout="default"><tbody><tr><th><p>Name</p></th><th><p>Limit</p></th><th><p>Owner</p></th></tr>"#);
        for row in 0..8 {
            out.push_str(&format!(
                r#"<tr><td><p>queue_{row}</p></td><td><p>{}</p></td><td><p><ac:link><ri:user ri:account-id="557058:{row:08x}" /></ac:link></p></td></tr>"#,
                row * 100 + n
            ));
        }
        out.push_str("</tbody></table>");
        out.push_str(
            r#"<ac:structured-macro ac:name="code" ac:schema-version="1"><ac:parameter ac:name="language">bash</ac:parameter><ac:plain-text-body><![CDATA[for q in $(queues); do
  drain "$q" && echo ok
done]]></ac:plain-text-body></ac:structured-macro><ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body><span class="placeholder-inline-tasks">Write the report by <time datetime="2026-10-01" /></span></ac:task-body></ac:task></ac:task-list>"#,
        );
    }
    out
}

/// One table of `rows` by eight columns.
pub fn wide_table(rows: usize) -> String {
    let mut out = String::from("<table><tbody><tr>");
    for column in 0..8 {
        out.push_str(&format!("<th><p><strong>Column {column}</strong></p></th>"));
    }
    out.push_str("</tr>");
    for row in 0..rows {
        out.push_str("<tr>");
        for column in 0..8 {
            out.push_str(&format!(
                "<td><p>cell {row}/{column} with some words</p></td>"
            ));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    out
}

/// Long paragraphs with marks, references and links.
pub fn prose(paragraphs: usize) -> String {
    let mut out = String::new();
    for n in 0..paragraphs {
        out.push_str(&format!(
            "<p>Paragraph {n} tells how the <strong>service</strong> came to be; it was the team&rsquo;s idea to keep it small, and it has stayed so for years &ndash; with a few <em>exceptions</em> that are listed in <a href=\"https://example.com/history/{n}\">the history</a>. Nobody regrets it, although some would have liked a different name, and a few more tests around snake_case names.</p>"
        ));
    }
    out
}

/// Lists inside lists.
pub fn nested_lists(depth: usize) -> String {
    let mut out = String::new();
    for n in 0..depth {
        out.push_str(&format!("<ul><li>level {n}"));
    }
    out.push_str(&"</li></ul>".repeat(depth));
    out
}
