//! A whole page, as a person would read it.

use storage_markdown::{Options, PageFacts, close_links, convert_storage, page_document};

use crate::site::{Site, told};

#[test]
fn a_runbook_reads_well() {
    let body = include_str!("../fixtures/runbook.xml");
    let mut page = convert_storage(body, &Options::default(), &Site);
    page.markdown = close_links(&page.markdown, told).into_owned();
    let facts = PageFacts {
        title: "Payment gateway".into(),
        space_name: "Engineering".into(),
        ancestors: vec!["Services".into()],
        ..PageFacts::default()
    };
    insta::assert_snapshot!("runbook", page_document(&facts, &page));
    insta::assert_json_snapshot!(
        "runbook_facts",
        (
            &page.outline,
            &page.links,
            &page.attachments,
            &page.tasks,
            &page.properties,
            &page.users,
            &page.dynamic_macros,
            &page.diagnostics,
            page.words
        )
    );
}
