//! The body of a document as HTML: paragraphs, headings, lists, tables, links, emphasis.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};

use super::xml::{Depth, Numbering, Style, attribute, heading_by_level, reader};
use crate::markup::escape;

/// What the body refers to.
pub(super) struct Context {
    /// Addresses by relation id.
    pub links: HashMap<String, String>,
    pub styles: HashMap<String, Style>,
    pub numbering: Numbering,
}

/// HTML of a part that holds paragraphs, and whether it ends where elements are nested too deep. Stops after about `most` bytes.
/// An error says what is not XML about it.
pub(super) fn html(part: &str, context: &Context, most: usize) -> Result<(String, bool), String> {
    let mut reader = reader(part);
    let mut body = Body::new(context);
    let mut depth = Depth::default();
    loop {
        let event = reader.read_event();
        if depth.is_too_deep(&event) {
            return Ok((body.finish(), true));
        }
        match event {
            Ok(Event::Start(tag)) => body.start(&tag, false),
            Ok(Event::Empty(tag)) => {
                body.start(&tag, true);
                body.end(tag.local_name().as_ref());
            }
            Ok(Event::End(tag)) => body.end(tag.local_name().as_ref()),
            Ok(Event::Text(text)) if body.in_text => body.text(&text.into_inner()),
            Ok(Event::CData(text)) if body.in_text => body.text(&text.into_inner()),
            Ok(Event::GeneralRef(name)) if body.in_text => {
                let reference = format!("&{};", name.into_inner());
                body.text(
                    quick_xml::escape::unescape(&reference)
                        .as_deref()
                        .unwrap_or(&reference),
                );
            }
            Ok(Event::Eof) => break,
            // Cut short: what came before is shown.
            Err(_) if !body.is_empty() => break,
            Err(error) => return Err(error.to_string()),
            Ok(_) => {}
        }
        if body.out.len() > most {
            break;
        }
    }
    Ok((body.finish(), false))
}

#[derive(Default)]
struct Paragraph {
    html: String,
    heading: Option<u8>,
    list: Option<String>,
    level: usize,
}

struct Body<'a> {
    context: &'a Context,
    out: String,
    /// Open paragraph; those within one (text boxes) add their words to it.
    paragraph: Option<Paragraph>,
    nested: usize,
    /// Inside of `w:t`.
    in_text: bool,
    in_run: bool,
    bold: bool,
    italic: bool,
    strike: bool,
    /// The open hyperlinks: whether a tag was written for them.
    links: Vec<bool>,
    /// Elements of which nothing is shown, with all that is in them.
    hidden: usize,
    /// Open lists, outermost first: whether they are numbered.
    lists: Vec<bool>,
    /// How many tables are open, one in another.
    tables: usize,
    /// The open row repeats on each page.
    header: bool,
    cell: Cell,
}

#[derive(Default)]
struct Cell {
    span: usize,
    open: bool,
}

impl<'a> Body<'a> {
    fn new(context: &'a Context) -> Body<'a> {
        Body {
            context,
            out: String::new(),
            paragraph: None,
            nested: 0,
            in_text: false,
            in_run: false,
            bold: false,
            italic: false,
            strike: false,
            links: Vec::new(),
            hidden: 0,
            lists: Vec::new(),
            tables: 0,
            header: false,
            cell: Cell::default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.out.is_empty() && self.paragraph.is_none()
    }

    fn start(&mut self, tag: &BytesStart<'_>, empty: bool) {
        let name = tag.local_name();
        if self.hidden > 0 {
            self.hidden += 1;
            return;
        }
        match name.as_ref() {
            // Deleted in a tracked change; the older twin of a drawing; what a field was asked to show.
            "del" | "moveFrom" | "Fallback" | "instrText" | "delText" => self.hidden = 1,
            // The notes that draw the line above the notes.
            "footnote" | "endnote" if attribute(tag, "type").is_some_and(|t| t != "normal") => {
                self.hidden = 1
            }
            "p" if self.paragraph.is_some() => {
                self.nested += 1;
                self.inline(" ");
            }
            "p" => self.paragraph = Some(Paragraph::default()),
            "r" => {
                self.in_run = true;
                (self.bold, self.italic, self.strike) = (false, false, false);
            }
            "b" if self.in_run => self.bold = on(tag),
            "i" if self.in_run => self.italic = on(tag),
            "strike" | "dstrike" if self.in_run => self.strike = on(tag),
            "t" => self.in_text = !empty,
            "tab" if self.in_run => self.inline(" "),
            "br" | "cr" if self.in_run => self.inline("<br/>"),
            "noBreakHyphen" => self.inline("-"),
            "hyperlink" => {
                let href = attribute(tag, "id").and_then(|id| self.context.links.get(&id));
                self.links.push(href.is_some());
                if let Some(href) = href {
                    let open = format!("<a href=\"{}\">", escape(href));
                    self.inline(&open);
                }
            }
            "tbl" => self.open_table(),
            "tr" if self.tables > 0 => {
                self.header = false;
                self.out.push_str("<tr>");
            }
            "tc" if self.tables > 0 => {
                self.cell = Cell {
                    span: 1,
                    ..Cell::default()
                }
            }
            "gridSpan" => {
                let span = attribute(tag, "val")
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(1);
                self.cell.span = usize::clamp(span, 1, 64);
            }
            "tblHeader" => self.header = on(tag),
            _ => self.property(name.as_ref(), tag),
        }
    }

    /// What `w:pPr` says of its paragraph.
    fn property(&mut self, name: &str, tag: &BytesStart<'_>) {
        if self.nested > 0 {
            return;
        }
        let Some(paragraph) = &mut self.paragraph else {
            return;
        };
        let Some(value) = attribute(tag, "val") else {
            return;
        };
        match name {
            "pStyle" => {
                let style = self.context.styles.get(&value);
                // Without a style sheet the usual ids have to do.
                let by_id = || {
                    value
                        .strip_prefix("Heading")?
                        .parse()
                        .ok()
                        .map(|n: u8| n.clamp(1, 6))
                };
                paragraph.heading = style.map_or_else(by_id, |style| style.heading);
                paragraph.list = style.and_then(|style| style.list.clone());
            }
            "outlineLvl" => paragraph.heading = heading_by_level(&value).or(paragraph.heading),
            "ilvl" => paragraph.level = value.parse().unwrap_or(0).min(8),
            // 0 takes a paragraph out of the list of its style.
            "numId" => paragraph.list = Some(value).filter(|id| id != "0"),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if self.hidden > 0 {
            self.hidden -= 1;
            return;
        }
        match name {
            "p" if self.nested > 0 => {
                self.nested -= 1;
                self.inline(" ");
            }
            "p" => self.close_paragraph(),
            "r" => self.in_run = false,
            "t" => self.in_text = false,
            "hyperlink" if self.links.pop() == Some(true) => self.inline("</a>"),
            "tc" if self.tables > 0 => self.close_cell(),
            "tr" if self.tables > 0 => self.out.push_str("</tr>"),
            "tbl" => self.close_table(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.hidden > 0 || text.is_empty() {
            return;
        }
        let marks = [
            (self.bold, "strong"),
            (self.italic, "em"),
            (self.strike, "s"),
        ];
        // A space in bold says nothing, and its marks would stand alone.
        let marked = !text.trim().is_empty();
        let on = || {
            marks
                .iter()
                .filter(|(on, _)| *on && marked)
                .map(|(_, name)| *name)
        };
        let mut html = String::with_capacity(text.len() + 16);
        on().for_each(|name| html.push_str(&format!("<{name}>")));
        html.push_str(&escape(text));
        on().rev()
            .for_each(|name| html.push_str(&format!("</{name}>")));
        self.inline(&html);
    }

    fn inline(&mut self, html: &str) {
        if let Some(paragraph) = &mut self.paragraph {
            paragraph.html.push_str(html);
        }
    }

    fn close_paragraph(&mut self) {
        let Some(paragraph) = self.paragraph.take() else {
            return;
        };
        self.links.clear();
        if paragraph.html.trim().is_empty() {
            return;
        }
        self.open_cell();
        let text = paragraph
            .html
            .replace("</strong><strong>", "")
            .replace("</em><em>", "");
        if let Some(level) = paragraph.heading {
            self.close_lists(0);
            self.out.push_str(&format!("<h{level}>{text}</h{level}>"));
        } else if let Some(list) = paragraph.list {
            let numbered = self.context.numbering.get(&(list, paragraph.level)) == Some(&true);
            self.item(paragraph.level, numbered, &text);
        } else {
            self.close_lists(0);
            self.out.push_str(&format!("<p>{text}</p>"));
        }
    }

    fn item(&mut self, level: usize, numbered: bool, text: &str) {
        self.close_lists(level + 1);
        if self.lists.len() == level + 1 {
            if self.lists[level] == numbered {
                self.out.push_str("</li><li>");
            } else {
                self.close_lists(level);
            }
        }
        // A level that was left out has no item of its own.
        while self.lists.len() <= level {
            self.lists.push(numbered);
            self.out
                .push_str(if numbered { "<ol><li>" } else { "<ul><li>" });
        }
        self.out.push_str(text);
    }

    fn close_lists(&mut self, keep: usize) {
        while self.lists.len() > keep {
            let numbered = self.lists.pop() == Some(true);
            self.out
                .push_str(if numbered { "</li></ol>" } else { "</li></ul>" });
        }
    }

    fn open_table(&mut self) {
        self.close_lists(0);
        self.open_cell();
        self.tables += 1;
        self.out.push_str("<table><tbody>");
    }

    fn close_table(&mut self) {
        if self.tables > 0 {
            self.tables -= 1;
            self.out.push_str("</tbody></table>");
            // The cell around it is open: this table stands in it.
            self.cell = Cell {
                open: self.tables > 0,
                span: 1,
            };
        }
    }

    /// The tag of a cell is written with its first content, when its properties are known.
    fn open_cell(&mut self) {
        if self.tables > 0 && !self.cell.open {
            self.cell.open = true;
            let name = self.cell_name();
            self.out.push_str(&match self.cell.span {
                0 | 1 => format!("<{name}>"),
                span => format!("<{name} colspan=\"{span}\">"),
            });
        }
    }

    fn cell_name(&self) -> &'static str {
        if self.header { "th" } else { "td" }
    }

    fn close_cell(&mut self) {
        self.close_paragraph();
        self.close_lists(0);
        self.open_cell();
        self.out.push_str(&format!("</{}>", self.cell_name()));
        self.cell = Cell::default();
    }

    fn finish(mut self) -> String {
        self.close_paragraph();
        self.close_lists(0);
        while self.tables > 0 {
            self.close_table();
        }
        self.out
    }
}

/// A switch without a value is on.
fn on(tag: &BytesStart<'_>) -> bool {
    !matches!(
        attribute(tag, "val").as_deref(),
        Some("0" | "false" | "off" | "none")
    )
}
