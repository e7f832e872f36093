//! What a macro leaves in the output when it ends.

use std::borrow::Cow;

use crate::convert::Converter;
use crate::inline::{Mark, legal};
use crate::links::{Ri, resolve};
use crate::macros::{Kind, Macro, Param, diagram, is_secret, target, value};
use crate::model::Excerpt;
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
            self.leave(&current, params);
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
                        self.open_macro_body_of(current, params);
                        self.w.text(body);
                        self.w.end_leaf();
                    } else if current.kind == Kind::Titled {
                        self.bold_line(value(params, "title"));
                    }
                    return;
                }
                if current.quoted {
                    self.w.pop_container()
                } else {
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
            Kind::MathBlock => {
                if let Some(body) = body
                    .or_else(|| value(params, "body"))
                    .or_else(|| value(params, "data"))
                    .filter(|b| !b.trim().is_empty())
                {
                    self.w.end_leaf();
                    if self.w.mode == Mode::Blocks {
                        self.w
                            .raw_block(&legal(&format!("$$\n{}\n$$", body.trim_matches(['\n', '\r']))));
                    } else {
                        self.w.verbatim(&format!("$${}$$", one_line(body)));
                    }
                }
            }
            Kind::MathInline => {
                if let Some(body) = value(params, "body")
                    .or(body)
                    .filter(|b| !b.trim().is_empty())
                {
                    self.w.verbatim(&format!("${}$", one_line(body)));
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
            Kind::Profile => {
                if let Some(user) = params.iter().flat_map(|p| &p.targets).next() {
                    let user = user.clone();
                    let own_line = !self.w.leaf_open && !self.inline_parent();
                    self.reference_to(&user);
                    if own_line {
                        self.w.end_leaf();
                    }
                }
            }
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
                let name = [
                    "diagramDisplayName",
                    "diagramName",
                    "name",
                    "title",
                    "filename",
                ]
                .into_iter()
                .find_map(|n| value(params, n));
                let name = name.map(str::to_string);
                self.bracket("Diagram", Some(tool), name.as_deref());
                self.plain_body(current);
            }
            Kind::Nothing => self.plain_body(current),
            Kind::Unknown => self.close_unknown(current, params),
        }
    }

    fn open_macro_body_of(&mut self, current: &Macro<'a>, params: &[Param<'a>]) {
        let _ = current;
        self.bold_line(value(params, "title"));
    }

    /// After a rich body nothing remains to be done; a plain one that has no rule becomes a fence.
    fn plain_body(&mut self, current: &Macro<'a>) {
        if let Some(body) = current.body.as_deref() {
            self.w.code_block("", body);
        } else if current.opened && !self.inline_parent() {
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

    fn close_unknown(&mut self, current: &Macro<'a>, params: &[Param<'a>]) {
        match self
            .result
            .diagnostics
            .unknown_macros
            .iter_mut()
            .find(|(name, _)| name == current.name)
        {
            Some((_, count)) => *count += 1,
            None => self
                .result
                .diagnostics
                .unknown_macros
                .push((current.name.to_string(), 1)),
        }
        if current.opened {
            // A title above the body would have needed to come before it: only `open_macro_body` can write it.
            return self.plain_body(current);
        }
        if let Some(body) = current.body.as_deref().filter(|b| !b.trim().is_empty()) {
            return self.w.code_block("", body);
        }
        for name in ["title", "name", "filename", "label", "url", "page"] {
            let shown = params
                .iter()
                .find(|p| p.name.eq_ignore_ascii_case(name) && !is_secret(p.name));
            let text = shown.and_then(|p| {
                let text = if p.value.is_empty() {
                    p.targets.first().and_then(|t| t.title())
                } else {
                    Some(p.value.as_ref())
                };
                text.filter(|t| !t.is_empty()).map(str::to_string)
            });
            if let Some(text) = text {
                let block = !self.inline_parent();
                if block {
                    self.w.end_leaf();
                }
                self.w.text(&format!("[Macro: {} — {text}]", current.name));
                if block {
                    self.w.end_leaf();
                }
                return;
            }
        }
    }

    /// `[what (of): text]`, on a line of its own unless it stands in a sentence.
    pub(crate) fn bracket(&mut self, what: &str, of: Option<&str>, text: Option<&str>) {
        let block = !self.inline_parent();
        if block {
            self.w.end_leaf();
        }
        let of = of.map(|o| format!(" ({o})")).unwrap_or_default();
        let text = text.map(|t| format!(": {t}")).unwrap_or_default();
        self.w.text(&format!("[{what}{of}{text}]"));
        if block {
            self.w.end_leaf();
        }
    }
}

/// The name of a language as fences spell it.
fn language(name: &str) -> &str {
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
