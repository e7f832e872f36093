//! Bodies in the other formats: a simple `view`, `export_view`, and an ADF document with the page's text.
//!
//! This is not the server's renderer: it shows the same content in plain HTML, resolves page links, users and
//! includes the way the real one does, and is the same for every call.

use serde_json::json;

use super::markup::{self, Element, Node};
use super::model::{Content, Kind, State, Status};
use super::site::escape;

pub(crate) struct Renderer<'a> {
    pub state: &'a State,
    pub site_url: &'a str,
    pub content: &'a Content,
}

/// The body of a version in this format.
pub(crate) fn body(storage: &str, format: &str, renderer: &Renderer<'_>) -> String {
    match format {
        "storage" | "editor" => storage.to_owned(),
        "atlas_doc_format" => adf(storage),
        "styled_view" => format!(
            "<!DOCTYPE html><html><head><style>body{{font-family:sans-serif}}</style></head><body>{}</body></html>",
            renderer.html(storage)
        ),
        _ => renderer.html(storage),
    }
}

/// The words of a body.
pub(crate) fn plain_text(storage: &str) -> String {
    markup::text_of(&markup::parse(storage))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// An ADF document, as a string, that holds the text of the body paragraph by paragraph.
pub(crate) fn adf(storage: &str) -> String {
    let blocks: Vec<_> = markup::parse(storage)
        .iter()
        .filter_map(|node| {
            let text = match node {
                Node::Element(e) => markup::text_of(&e.children),
                Node::Text(text) => markup::unescape(text),
                Node::CData(text) => text.clone(),
            };
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            (!text.is_empty())
                .then(|| json!({"type": "paragraph", "content": [{"type": "text", "text": text}]}))
        })
        .collect();
    json!({"type": "doc", "version": 1, "content": blocks}).to_string()
}

impl Renderer<'_> {
    pub(crate) fn html(&self, storage: &str) -> String {
        let mut out = String::new();
        self.nodes(&markup::parse(storage), &mut out, 0);
        out
    }

    fn nodes(&self, nodes: &[Node], out: &mut String, depth: u32) {
        for node in nodes {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::CData(text) => out.push_str(&escape(text)),
                Node::Element(element) => self.element(element, out, depth),
            }
        }
    }

    fn element(&self, e: &Element, out: &mut String, depth: u32) {
        match e.name.as_str() {
            "ac:structured-macro" => self.macro_html(e, out, depth),
            "ac:link" => self.link(e, out, depth),
            "ac:image" => self.image(e, out),
            "ac:task-list" => {
                self.wrap("ul", "class=\"inline-task-list\"", &e.children, out, depth)
            }
            "ac:task" => {
                let done = e
                    .child("ac:task-status")
                    .is_some_and(|s| markup::text_of(&s.children).trim() == "complete");
                let class = if done { "class=\"checked\"" } else { "" };
                let body = e.child("ac:task-body").map_or(&[][..], |b| &b.children);
                self.wrap("li", class, body, out, depth);
            }
            "ac:emoticon" => out.push_str(e.attribute("ac:emoji-fallback").unwrap_or_default()),
            "time" => {
                let date = e.attribute("datetime").unwrap_or_default();
                out.push_str(&format!("<time datetime=\"{date}\">{date}</time>"));
            }
            "ac:placeholder" | "ac:parameter" | "ac:adf-fallback" => {}
            name if name.starts_with("ri:") => {}
            name if name.starts_with("ac:") => self.nodes(&e.children, out, depth),
            "br" | "hr" => out.push_str(&format!("<{} />", e.name)),
            name => {
                let attributes: Vec<String> = e
                    .attributes
                    .iter()
                    .filter(|(n, _)| {
                        matches!(
                            n.as_str(),
                            "href" | "colspan" | "rowspan" | "start" | "style"
                        )
                    })
                    .map(|(n, v)| format!("{n}=\"{}\"", escape(v)))
                    .collect();
                if name == "table" {
                    out.push_str("<div class=\"table-wrap\">");
                }
                self.wrap(name, &attributes.join(" "), &e.children, out, depth);
                if name == "table" {
                    out.push_str("</div>");
                }
            }
        }
    }

    fn wrap(&self, tag: &str, attributes: &str, children: &[Node], out: &mut String, depth: u32) {
        let gap = if attributes.is_empty() { "" } else { " " };
        out.push_str(&format!("<{tag}{gap}{attributes}>"));
        self.nodes(children, out, depth);
        out.push_str(&format!("</{tag}>"));
    }

    fn macro_html(&self, e: &Element, out: &mut String, depth: u32) {
        let name = e.attribute("ac:name").unwrap_or_default();
        let rich = e
            .child("ac:rich-text-body")
            .map_or(&[][..], |b| &b.children);
        let plain = e
            .child("ac:plain-text-body")
            .map(|b| markup::text_of(&b.children))
            .unwrap_or_default();
        match name {
            "code" => {
                let language = e.parameter("language").unwrap_or_else(|| "text".into());
                out.push_str("<div class=\"code panel pdl conf-macro output-block\" data-macro-name=\"code\">");
                if let Some(title) = e.parameter("title") {
                    out.push_str(&format!(
                        "<div class=\"codeHeader panelHeader pdl\"><b>{}</b></div>",
                        escape(&title)
                    ));
                }
                out.push_str(&format!(
                    "<div class=\"codeContent panelContent pdl\"><pre class=\"syntaxhighlighter-pre\" \
                     data-syntaxhighlighter-params=\"brush: {language}; gutter: false\">{}</pre></div></div>",
                    escape(&plain)
                ));
            }
            "info" | "note" | "warning" | "tip" => {
                let class = match name {
                    "info" => "information",
                    other => other,
                };
                out.push_str(&format!(
                    "<div class=\"confluence-information-macro confluence-information-macro-{class} conf-macro\">"
                ));
                if let Some(title) = e.parameter("title") {
                    out.push_str(&format!("<p class=\"title\">{}</p>", escape(&title)));
                }
                self.wrap(
                    "div",
                    "class=\"confluence-information-macro-body\"",
                    rich,
                    out,
                    depth,
                );
                out.push_str("</div>");
            }
            "expand" => {
                let title = e
                    .parameter("title")
                    .unwrap_or_else(|| "Click here to expand...".into());
                out.push_str(&format!(
                    "<div class=\"expand-container conf-macro\"><span class=\"expand-control-text\">{}</span>",
                    escape(&title)
                ));
                self.wrap("div", "class=\"expand-content\"", rich, out, depth);
                out.push_str("</div>");
            }
            "status" => out.push_str(&format!(
                "<span class=\"status-macro aui-lozenge conf-macro\">{}</span>",
                escape(&e.parameter("title").unwrap_or_default())
            )),
            "toc" => {
                out.push_str("<div class=\"toc-macro client-side-toc-macro conf-macro\"></div>")
            }
            "include" | "excerpt-include" if depth < 4 => self.include(e, out, depth),
            "children" => {
                out.push_str("<ul class=\"childpages-macro\">");
                for child in self.state.children_of(self.content.id) {
                    if let Some(child) = self
                        .state
                        .contents
                        .get(&child)
                        .filter(|c| c.status == Status::Current)
                    {
                        out.push_str(&format!(
                            "<li>{}</li>",
                            self.anchor(child, &escape(child.title()))
                        ));
                    }
                }
                out.push_str("</ul>");
            }
            _ if !rich.is_empty() => self.wrap("div", "class=\"conf-macro\"", rich, out, depth),
            _ if !plain.is_empty() => out.push_str(&format!("<pre>{}</pre>", escape(&plain))),
            _ => {}
        }
    }

    fn include(&self, e: &Element, out: &mut String, depth: u32) {
        let parameter = e.elements().find(|p| p.name == "ac:parameter");
        let target = parameter.and_then(|p| p.child("ac:link").unwrap_or(p).child("ri:page"));
        if let Some(content) = target.and_then(|t| self.page_named(t)) {
            let body = content.latest().body.clone();
            let named = |attribute: &str| escape(e.attribute(attribute).unwrap_or_default());
            out.push_str(&format!(
                "<div class=\"conf-macro output-block\" data-hasbody=\"false\" data-macro-name=\"{}\" data-macro-id=\"{}\">",
                named("ac:name"),
                named("ac:macro-id")
            ));
            self.nodes(&markup::parse(&body), out, depth + 1);
            out.push_str("</div>");
        }
    }

    fn page_named(&self, target: &Element) -> Option<&Content> {
        let title = target.attribute("ri:content-title")?;
        let space = match target.attribute("ri:space-key") {
            Some(key) => self.state.space_by_key(key)?.id,
            None => self.content.space,
        };
        self.state
            .by_space
            .get(&space)?
            .iter()
            .filter_map(|id| self.state.contents.get(id))
            .find(|c| {
                c.kind == Kind::Page
                    && c.status == Status::Current
                    && c.title().eq_ignore_ascii_case(title)
            })
    }

    fn anchor(&self, content: &Content, html: &str) -> String {
        let key = self
            .state
            .spaces
            .get(&content.space)
            .map(|s| s.shown_key())
            .unwrap_or_default();
        let (id, title) = (content.id, super::shapes::slug(content.title()));
        format!(
            "<a href=\"{}/wiki/spaces/{key}/pages/{id}/{title}\" data-linked-resource-id=\"{id}\" \
             data-linked-resource-type=\"page\">{html}</a>",
            self.site_url
        )
    }

    fn link(&self, e: &Element, out: &mut String, depth: u32) {
        let mut text = String::new();
        if let Some(body) = e.child("ac:link-body") {
            self.nodes(&body.children, &mut text, depth);
        } else if let Some(body) = e.child("ac:plain-text-link-body") {
            text = escape(&markup::text_of(&body.children));
        }
        if let Some(target) = e.child("ri:page") {
            if text.is_empty() {
                text = escape(target.attribute("ri:content-title").unwrap_or_default());
            }
            match self.page_named(target) {
                Some(content) => out.push_str(&self.anchor(content, &text)),
                None => out.push_str(&text),
            }
        } else if let Some(user) = e.child("ri:user") {
            let id = user.attribute("ri:account-id").unwrap_or_default();
            let name = self
                .state
                .users
                .get(id)
                .map_or("Unknown user", |u| u.display_name.as_str());
            out.push_str(&format!(
                "<a class=\"confluence-userlink user-mention\" data-account-id=\"{}\">{}</a>",
                escape(id),
                escape(name)
            ));
        } else if let Some(file) = e.child("ri:attachment") {
            let name = file.attribute("ri:filename").unwrap_or_default();
            let text = if text.is_empty() { escape(name) } else { text };
            out.push_str(&format!(
                "<a data-linked-resource-default-alias=\"{}\">{text}</a>",
                escape(name)
            ));
        } else {
            out.push_str(&text);
        }
    }

    fn image(&self, e: &Element, out: &mut String) {
        let alt = escape(e.attribute("ac:alt").unwrap_or_default());
        let file = e
            .child("ri:attachment")
            .and_then(|a| a.attribute("ri:filename"));
        let url = e.child("ri:url").and_then(|u| u.attribute("ri:value"));
        let source = match (file, url) {
            (Some(name), _) => {
                format!(
                    "{}/wiki/download/attachments/{}/{}",
                    self.site_url,
                    self.content.id,
                    super::shapes::slug(name)
                )
            }
            (None, Some(url)) => url.to_owned(),
            (None, None) => return,
        };
        let alias = escape(file.unwrap_or_default());
        out.push_str(&format!(
            "<span class=\"confluence-embedded-file-wrapper\"><img class=\"confluence-embedded-image\" alt=\"{alt}\" \
             data-linked-resource-default-alias=\"{alias}\" src=\"{}\" /></span>",
            escape(&source)
        ));
    }
}
