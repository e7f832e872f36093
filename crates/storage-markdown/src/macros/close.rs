//! What a macro leaves in the output when it ends.

use std::borrow::Cow;

use crate::convert::Converter;
use crate::inline::{Mark, legal};
use crate::links::{Ri, resolve};
use crate::macros::{Kind, Macro, Param, address, diagram, formula, label, target, value};
use crate::model::Excerpt;
use crate::secrets::without_secrets;
use crate::writer::Mode;

impl<'a> Converter<'a> {
    /// The innermost macro has ended.
    pub(crate) fn close_macro(&mut self) {
        let Some(current) = self.macros.pop() else {
            return;
        };
        // Closing a macro reads no other's parameters: the list can be lent out meanwhile.
        let mut all = std::mem::take(&mut self.params);
        let from = current.params_from.min(all.len());
        let params = &all[from..];
        if !(current.kind.is_dynamic(params) && self.splice(&current)) {
            // A block ends the paragraph, and with it what stands open there: nothing of a sentence is about it.
            let (before, was_open) = (self.w.out.len(), self.w.leaf_open);
            let in_sentence = current.inline && (current.kind != Kind::Nothing || self.w.leaf_open);
            self.leave(&current, params);
            let silent = matches!(current.kind, Kind::Silent | Kind::Anchor | Kind::Footnote);
            if in_sentence
                && !silent
                && !current.opened
                && current.body.is_none()
                && self.w.out.len() == before
                && self.w.leaf_open == was_open
            {
                // A sentence must not close over what it was about.
                let label = label(params).or_else(|| value(params, "buttonLabel"));
                self.bracket("App", None, Some(label.unwrap_or(current.name)));
            }
        }
        all.truncate(from);
        self.params = all;
    }

    fn leave(&mut self, current: &Macro<'a>, params: &[Param<'a>]) {
        let body = current.body.as_deref();
        match current.kind {
            Kind::Code | Kind::NoFormat => self.close_code(current, params),
            Kind::Callout(_) | Kind::Panel | Kind::Titled | Kind::Conditional => {
                if !current.opened {
                    // A body that came as plain text, or none: the title still says something.
                    if let Some(body) = body {
                        self.bold_line(label(params));
                        self.w.text(body);
                        self.w.end_leaf();
                    } else if current.kind == Kind::Titled {
                        self.bold_line(label(params));
                    }
                    return;
                }
                if current.quoted {
                    self.w.pop_container()
                } else if !(current.inline && current.kind.flows()) {
                    self.w.end_leaf()
                }
            }
            Kind::Status => self.close_status(params),
            Kind::Excerpt => {
                if !self.w.nested() && current.opened && self.w.out.len() > current.start {
                    let markdown = self.w.out.get(current.start..).unwrap_or_default();
                    let markdown = markdown.trim().to_string();
                    let name = value(params, "name")
                        .or_else(|| value(params, "MultiExcerptName"))
                        .map(str::to_string);
                    self.result.excerpts.push(Excerpt { name, markdown });
                }
                self.plain_body(current);
            }
            Kind::Details => {
                self.details = self.details.saturating_sub(usize::from(current.opened));
                self.w.end_leaf();
            }
            Kind::Unwrap => self.plain_body(current),
            Kind::Markdown => {
                let source = body
                    .map(Cow::Borrowed)
                    .or_else(|| value(params, "body").map(Cow::Borrowed));
                if let Some(source) = source {
                    self.markdown_block(&source);
                }
            }
            Kind::Html => {
                if let Some(body) = body {
                    let inner = crate::view::convert_fragment(body, self.options, self.resolver);
                    self.absorb(inner);
                }
            }
            Kind::MathBlock | Kind::MathInline => {
                let own = body.filter(|b| !b.trim().is_empty()).map(formula::bare);
                if let Some(formula) = own.or_else(|| formula(|n| value(params, n), true)) {
                    let inline = current.kind == Kind::MathInline
                        || (current.inline && !current.name.contains("block"));
                    self.write_formula(&formula, inline);
                }
            }
            Kind::Source(language) => {
                let source = body.filter(|b| !b.trim().is_empty()).map(Cow::Borrowed);
                let source = source.or_else(|| {
                    let compressed = value(params, "compressed").is_some_and(|c| c == "true");
                    value(params, "data")
                        .or_else(|| value(params, "code"))
                        .and_then(|data| diagram::decode(data, compressed))
                        .map(Cow::Owned)
                });
                match source {
                    Some(source) => self
                        .w
                        .code_block(language, source.strip_prefix('\n').unwrap_or(&source)),
                    None if current.opened => self.w.end_leaf(),
                    None => self.bracket(
                        "Diagram",
                        Some(language),
                        value(params, "filename").or_else(|| value(params, "name")),
                    ),
                }
            }
            Kind::Footnote => self.close_footnote(),
            Kind::Tooltip => {
                if let Some(text) = value(params, "text") {
                    self.w.text(&format!(" ({text})"));
                }
            }
            Kind::Button => self.close_button(params),
            Kind::Anchor => {
                if let Some(name) = value(params, "") {
                    let name = name.to_string();
                    self.name_anchor(&name);
                }
            }
            Kind::Include | Kind::ExcerptInclude => self.close_include(current, params),
            Kind::Report => {
                let mut text = value(params, "cql").map(str::to_string);
                if text.is_none() {
                    text = value(params, "label").map(|l| format!("label = {l}"));
                }
                let mut text = text.unwrap_or_default();
                let columns: Vec<&str> = [value(params, "firstcolumn"), value(params, "headings")]
                    .into_iter()
                    .flatten()
                    .collect();
                if !columns.is_empty() {
                    text.push_str("; columns: ");
                    text.push_str(&columns.join(", ").replace(',', ", ").replace(",  ", ", "));
                }
                self.bracket(
                    "Page properties report",
                    None,
                    Some(text.trim_start_matches("; ")).filter(|t| !t.is_empty()),
                );
            }
            Kind::Jira => self.close_jira(params),
            Kind::JiraChart => {
                let jql = value(params, "jql").or_else(|| value(params, "jqlQuery"));
                if let Some(jql) = jql {
                    let decoded = if jql.contains('%') {
                        crate::attrs::percent_decoded(jql, true)
                    } else {
                        jql.to_string()
                    };
                    self.bracket("Jira chart", None, Some(&decoded));
                }
            }
            Kind::ByLabel => {
                let labels = value(params, "cql")
                    .or_else(|| value(params, "labels"))
                    .or_else(|| value(params, "label"));
                if labels.is_some() {
                    self.bracket("Pages by label", None, labels);
                }
            }
            Kind::Profile => self.close_profile(params),
            Kind::File => {
                let file = target(params, "name").cloned().or_else(|| {
                    value(params, "name").map(|n| Ri::Attachment {
                        file: Cow::Owned(n.to_string()),
                        page: None,
                    })
                });
                if let Some(mut file) = file {
                    if let (Ri::Attachment { page, .. }, Some(Ri::Page { space, title })) =
                        (&mut file, target(params, "page"))
                    {
                        *page = Some((space.clone(), title.clone()));
                    }
                    // Files stand side by side as cards, not as one word.
                    self.w.space |= self.w.leaf_open;
                    self.reference_to(&file);
                    self.w.space |= self.w.leaf_open;
                }
            }
            Kind::Widget => self.close_widget(params),
            Kind::Roadmap => self.close_roadmap(params),
            Kind::Drawing(tool) => {
                let name = DRAWING_NAMES.iter().find_map(|n| value(params, n));
                let address = || {
                    ["url", "src", "link"]
                        .into_iter()
                        .find_map(|n| address(params, n))
                };
                let name = name.map(str::to_string).or_else(address);
                self.bracket("Diagram", Some(tool), name.as_deref());
                self.plain_body(current);
            }
            Kind::Nothing | Kind::Silent => self.plain_body(current),
            Kind::Unknown => self.close_unknown(current, params),
        }
    }

    /// After a rich body nothing remains to be done; a plain one that has no rule becomes a fence.
    pub(super) fn plain_body(&mut self, current: &Macro<'a>) {
        let flows = current.inline && current.kind.flows();
        match current.body.as_deref() {
            // A word of code in a sentence is no block.
            Some(body) if flows && !body.trim().contains('\n') => {
                self.w.push_mark(Mark::Code);
                self.w.text(body.trim());
                self.w.pop_mark(Mark::Code);
            }
            Some(body) => self.w.code_block("", body),
            None if current.opened && !flows => self.w.end_leaf(),
            None => {}
        }
    }

    /// A formula in its sentence, or as a block of its own.
    pub(crate) fn write_formula(&mut self, formula: &str, inline: bool) {
        if inline {
            return self.w.verbatim(&format!("${}$", one_line(formula)));
        }
        self.w.end_leaf();
        if self.w.mode == Mode::Blocks {
            let formula = formula.trim_matches(['\n', '\r']);
            self.w.raw_block(&legal(&format!("$$\n{formula}\n$$")));
        } else {
            self.w.verbatim(&format!("$${}$$", one_line(formula)));
        }
    }

    /// The people a macro shows.
    fn close_profile(&mut self, params: &[Param<'a>]) {
        let targets = params.iter().flat_map(|p| &p.targets);
        let mut people: Vec<Ri<'a>> = targets
            .filter(|t| matches!(t, Ri::User { .. }))
            .cloned()
            .collect();
        if people.is_empty() {
            let named = ["user", "username", "userkey", "account-id", "accountId", ""];
            let id = named.into_iter().find_map(|n| value(params, n));
            people.extend(id.map(|id| Ri::User {
                id: Cow::Owned(id.to_string()),
            }));
        }
        let own_line = !self.w.leaf_open && !self.inline_parent();
        // Two that stand side by side are two.
        self.w.space |= self.w.leaf_open && self.w.out.ends_with(char::is_alphanumeric);
        for (n, person) in people.iter().enumerate() {
            if n > 0 {
                self.w.text(", ");
            }
            self.reference_to(person);
        }
        if own_line {
            self.w.end_leaf();
        }
    }

    fn close_code(&mut self, current: &Macro<'a>, params: &[Param<'a>]) {
        let Some(body) = current.body.as_deref() else {
            return if current.opened {
                self.w.end_leaf()
            };
        };
        let mut info = String::new();
        if current.kind == Kind::Code {
            info.push_str(language(
                value(params, "language")
                    .or_else(|| value(params, "lang"))
                    .unwrap_or(""),
            ));
            if let Some(title) = value(params, "title") {
                if self.w.mode == Mode::Blocks {
                    if info.is_empty() {
                        info.push_str("text");
                    }
                    info.push_str(" title=\"");
                    info.extend(title.chars().map(|c| match c {
                        '`' | '"' => '\'',
                        c if c.is_control() => ' ',
                        c => c,
                    }));
                    info.push('"');
                } else {
                    self.bold_line(Some(title));
                }
            }
        } else if let Some(title) = value(params, "title") {
            self.bold_line(Some(title));
        }
        self.w.code_block(&info, body);
    }

    fn close_status(&mut self, params: &[Param<'a>]) {
        let Some(title) = value(params, "title") else {
            if let Some(colour) = value(params, "colour").or_else(|| value(params, "color")) {
                self.lozenge(&colour.to_uppercase());
            }
            return;
        };
        let colour = value(params, "colour")
            .or_else(|| value(params, "color"))
            .filter(|_| self.options.status_colours);
        match colour {
            Some(colour) => self.lozenge(&format!("{title} ({})", colour.to_lowercase())),
            None => self.lozenge(title),
        }
    }

    /// A status word in bold, apart from its neighbours.
    pub(crate) fn lozenge(&mut self, text: &str) {
        self.w.settle_marks();
        if self.last_lozenge == self.w.out.len() && self.w.leaf_open {
            self.w.space = true;
        }
        self.w.push_mark(Mark::Strong);
        self.w.text(text);
        self.w.pop_mark(Mark::Strong);
        self.w.settle_marks();
        self.last_lozenge = self.w.out.len();
    }

    fn close_button(&mut self, params: &[Param<'a>]) {
        let text = ["title", "text", "label", "name", "buttonLabel"]
            .into_iter()
            .find_map(|n| value(params, n));
        let url = ["url", "link", "href"].into_iter().find_map(|n| {
            target(params, n).cloned().or_else(|| {
                value(params, n).map(|v| Ri::Url {
                    value: Cow::Owned(v.to_string()),
                })
            })
        });
        let url = url.map(Ri::without_secrets);
        match (text, url) {
            (text, Some(url)) => {
                let mut resolved = resolve(&url, None, self.resolver);
                if let Some(text) = text {
                    resolved.text = Some(text.to_string());
                }
                self.write_link(resolved);
            }
            (Some(text), None) => self.lozenge(text),
            (None, None) => {}
        }
    }

    /// `[what (of): text]`, on a line of its own unless it stands in a sentence.
    pub(crate) fn bracket(&mut self, what: &str, of: Option<&str>, text: Option<&str>) {
        let block = !self.inline_parent();
        if block {
            self.w.end_leaf();
        }
        let of = of.map(|o| format!(" ({o})")).unwrap_or_default();
        let text = text
            .map(|t| format!(": {}", without_secrets(t)))
            .unwrap_or_default();
        self.w.text(&format!("[{what}{of}{text}]"));
        if block {
            self.w.end_leaf();
        }
    }
}

/// Where drawing tools keep the name of a drawing.
const DRAWING_NAMES: [&str; 12] = [
    "diagramDisplayName",
    "diagramName",
    "documentName",
    "documentTitle",
    "boardTitle",
    "boardName",
    "name",
    "title",
    "fileName",
    "filename",
    "diagram",
    "label",
];

/// The name of a language as fences spell it.
pub(crate) fn language(name: &str) -> &str {
    match name {
        "none" | "text" | "plain" | "plaintext" | "txt" => "",
        "c#" | "C#" => "csharp",
        "c++" | "C++" => "cpp",
        "py" | "Python" => "python",
        "js" | "JavaScript" => "javascript",
        "shell" | "Bash" => "sh",
        "yml" => "yaml",
        "html/xml" | "html and xml" => "xml",
        other if other.contains(|c: char| c.is_whitespace() || c == '`') => "",
        other => other,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
