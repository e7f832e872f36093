//! Markdown read back with an independent parser.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// What a CommonMark + GFM parser finds in a text.
#[derive(Debug, Default)]
pub struct ReadBack {
    /// Level and words of each heading.
    pub headings: Vec<(u8, String)>,
    /// Info string and body of each code block.
    pub code: Vec<(String, String)>,
    /// Rows of cells of each table, the header first.
    pub tables: Vec<Vec<Vec<String>>>,
    /// State of each task.
    pub tasks: Vec<bool>,
    /// All words: text, code, link targets left out.
    pub text: String,
}

pub fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM
        | Options::ENABLE_FOOTNOTES
}

pub fn read(markdown: &str) -> ReadBack {
    let mut found = ReadBack::default();
    let mut heading: Option<(u8, String)> = None;
    let mut code: Option<(String, String)> = None;
    let mut cell: Option<String> = None;
    for event in Parser::new_ext(markdown, options()) {
        let mut push = |text: &str| {
            found.text.push_str(text);
            if let Some((_, h)) = &mut heading {
                h.push_str(text);
            }
            if let Some(c) = &mut cell {
                c.push_str(text);
            }
        };
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                heading = Some((level as u8, String::new()))
            }
            Event::End(TagEnd::Heading(_)) => {
                found
                    .headings
                    .extend(heading.take().map(|(l, t)| (l, t.trim().to_string())));
                found.text.push('\n');
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => "INDENTED".to_string(),
                };
                code = Some((info, String::new()));
            }
            Event::End(TagEnd::CodeBlock) => {
                found.text.push('\n');
                found.code.extend(code.take());
            }
            Event::Start(Tag::Table(_)) => found.tables.push(Vec::new()),
            Event::Start(Tag::TableHead | Tag::TableRow) => {
                if let Some(t) = found.tables.last_mut() {
                    t.push(Vec::new());
                }
            }
            Event::Start(Tag::TableCell) => cell = Some(String::new()),
            Event::End(TagEnd::TableCell) => {
                if let (Some(text), Some(row)) = (
                    cell.take(),
                    found.tables.last_mut().and_then(|t| t.last_mut()),
                ) {
                    row.push(text);
                }
                found.text.push('\n');
            }
            Event::Text(text) => match &mut code {
                Some((_, body)) => {
                    body.push_str(&text);
                    found.text.push_str(&text);
                }
                None => push(&text),
            },
            Event::Code(text) => push(&text),
            Event::SoftBreak | Event::HardBreak => push("\n"),
            Event::InlineHtml(html) | Event::Html(html) => {
                if html.starts_with("<br") {
                    push("\n");
                } else if !html.contains("sub>") && !html.contains("sup>") {
                    push(&format!("RAWHTML{html}"));
                }
            }
            Event::TaskListMarker(done) => found.tasks.push(done),
            Event::End(_) | Event::Start(Tag::Item)
                if (matches!(event, Event::End(TagEnd::Paragraph | TagEnd::Item))
                    || matches!(event, Event::Start(Tag::Item))) =>
            {
                found.text.push('\n');
            }
            _ => {}
        }
    }
    found
}
