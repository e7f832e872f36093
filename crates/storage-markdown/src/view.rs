//! Rendered HTML (`body.view`, `body.export_view`), read with lol_html.
//!
//! The same converter as for storage does the work; this module turns the class names of Confluence's renderer back
//! into what they stand for. Rendered bodies differ from call to call (signed addresses, generated ids): convert them,
//! never hash them.

use std::cell::RefCell;

use crate::attrs::{attr, decode};
use crate::convert::{Converter, Sink, UNREAD};
use crate::inline::Mark;
use crate::links::{Ri, resolve, resolve_href};
use crate::model::{Conversion, Options, Resolver};
use crate::place::clean_url;
use crate::tag::Tag;
use crate::walk::{HtmlEvent, walk};
use crate::writer::{Alert, Lead, Mode};

/// Converts rendered HTML, a whole body or a part of one.
pub(crate) fn convert_fragment(
    html: &str,
    options: &Options,
    resolver: &dyn Resolver,
) -> Conversion {
    let state = RefCell::new(View {
        converter: Converter::new(html, options, resolver),
        pending: Vec::new(),
        text: String::new(),
    });
    let failed = walk(html, &mut |event| state.borrow_mut().event(event));
    let mut view = state.into_inner();
    view.flush_text();
    while let Some((_, action)) = view.pending.pop() {
        view.finish(action);
    }
    let diagnostics = &mut view.converter.result.diagnostics;
    diagnostics.repairs += usize::from(failed);
    diagnostics.cut = failed;
    view.converter.finish()
}

/// What remains to be done when an element ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    PopContainer,
    PopStrong,
    Details,
    Lozenge,
    /// A code block in this language.
    Code(String),
    /// An issue, by key; what was written when it began.
    Issue(String, usize),
    /// A panel whose header has not been seen; 1 when it has.
    Panel(bool),
}

struct View<'a> {
    converter: Converter<'a>,
    /// Actions, with the number of open elements they wait for.
    pending: Vec<(usize, Action)>,
    text: String,
}

impl View<'_> {
    fn event(&mut self, event: HtmlEvent<'_>) {
        match event {
            HtmlEvent::Text(text, last) => {
                self.text.push_str(text);
                if last {
                    self.flush_text();
                }
            }
            HtmlEvent::Start(name, attrs, range) => {
                self.flush_text();
                self.converter.offset = range.end;
                self.start(name, attrs);
            }
            HtmlEvent::End(name, range) => {
                self.flush_text();
                self.converter.offset = range.end;
                self.end(name);
            }
        }
    }

    fn flush_text(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.text);
        // What the exporter says in place of an app.
        if !text.contains("have a way to export this macro") {
            self.converter.owned_text(&decode(&text));
        }
        self.text = text;
        self.text.clear();
    }

    fn end(&mut self, name: &str) {
        // Actions that belong to the innermost element come before its own end.
        let depth = self.converter.frames.len();
        let closes = self.converter.top_is(name);
        if closes {
            self.finish_from(depth);
        }
        self.converter.end(name);
        self.finish_from(self.converter.frames.len() + 1);
    }

    /// Finishes what waits for elements at this depth or further in.
    fn finish_from(&mut self, depth: usize) {
        while self.pending.last().is_some_and(|(at, _)| *at >= depth) {
            if let Some((_, action)) = self.pending.pop() {
                self.finish(action);
            }
        }
    }

    fn in_issue(&self) -> bool {
        let issue = |(_, action): &(usize, Action)| matches!(action, Action::Issue(..));
        self.pending.iter().rev().take(8).any(issue)
    }

    fn then(&mut self, action: Action) {
        self.pending.push((self.converter.frames.len(), action));
    }

    fn start(&mut self, name: &str, attrs: &str) {
        let (tag, known) = self.converter.open_element(name);
        if !known {
            return;
        }
        if tag.is_confluence() {
            return self.converter.set_data(UNREAD);
        }
        let class = attr(attrs, "class").unwrap_or_default();
        let has = |wanted: &str| class.split_ascii_whitespace().any(|c| c == wanted);
        let in_issue = self.in_issue();
        let c = &mut self.converter;
        if has("toc-macro")
            || has("aui-icon")
            || has("expand-control-icon")
            || has("confluence-information-macro-icon")
            || has("client-side-toc-macro")
        {
            return c.skip_element();
        }
        if let Some(id) = attr(attrs, "id").filter(|_| tag.heading_level().is_some()) {
            c.start_html(tag, attrs);
            return c.name_anchor(&id);
        }
        match tag {
            Tag::Div if has("confluence-information-macro") => {
                let alert = if has("confluence-information-macro-tip") {
                    Alert::Tip
                } else if has("confluence-information-macro-note") {
                    Alert::Warning
                } else if has("confluence-information-macro-warning") {
                    Alert::Caution
                } else {
                    Alert::Note
                };
                c.w.push_quote(alert);
                self.then(Action::PopContainer);
            }
            Tag::Div if has("codeHeader") || has("panelHeader") || has("preformattedHeader") => {
                if has("panelHeader")
                    && !has("codeHeader")
                    && let Some((_, Action::Panel(seen))) = self.pending.last_mut()
                    && !*seen
                {
                    *seen = true;
                    c.w.push_quote(Alert::None);
                }
                c.w.end_leaf();
                c.w.push_mark(Mark::Strong);
                self.then(Action::PopStrong);
            }
            Tag::Div if has("panel") && !has("code") && !has("preformatted") => {
                // The new editor's note panel has no name here, only its colour.
                let style = attr(attrs, "style").unwrap_or_default().replace(' ', "");
                if style.contains("rgb(234,230,255)")
                    || style.to_ascii_lowercase().contains("#eae6ff")
                {
                    c.w.push_quote(Alert::Important);
                    self.then(Action::PopContainer);
                } else {
                    c.w.end_leaf();
                    self.then(Action::Panel(false));
                }
            }
            Tag::Div if has("plugin-tabmeta-details") => {
                c.w.end_leaf();
                c.details += 1;
                self.then(Action::Details);
            }
            Tag::P if has("title") => {
                c.w.end_leaf();
                c.w.push_mark(Mark::Strong);
                self.then(Action::PopStrong);
            }
            Tag::Span if has("expand-control-text") => {
                c.w.end_leaf();
                c.w.push_mark(Mark::Strong);
                self.then(Action::PopStrong);
            }
            Tag::Span if has("status-macro") => {
                c.buffer();
                self.then(Action::Lozenge);
            }
            Tag::Span if has("jira-issue") || attr(attrs, "data-jira-key").is_some() => {
                if let Some(key) = attr(attrs, "data-jira-key").filter(|k| !k.is_empty()) {
                    if is_placeholder(&c.body[c.offset.min(c.body.len())..]) {
                        c.write_issue(&key);
                        return c.skip_element();
                    }
                    let start = c.w.out.len();
                    self.then(Action::Issue(key.into_owned(), start));
                }
            }
            Tag::Span if has("aui-lozenge") && in_issue => {
                c.buffer();
                self.then(Action::Lozenge);
            }
            Tag::Table if has("sectionMacro") => c.start_frame(),
            Tag::Code if has_lines(c.body.get(c.offset..).unwrap_or(""), !c.w.leaf_open) => {
                c.start_lines_of_code();
            }
            Tag::Pre => {
                c.w.end_leaf();
                c.buffer();
                let parameters = attr(attrs, "data-syntaxhighlighter-params").unwrap_or_default();
                let brush = parameters
                    .split(';')
                    .find_map(|p| p.trim().strip_prefix("brush:"))
                    .map(str::trim)
                    .unwrap_or("");
                let language = crate::macros::language(brush).to_string();
                self.then(Action::Code(language));
            }
            Tag::Li if attr(attrs, "data-inline-task-id").is_some() => {
                c.w.push_item(if has("checked") {
                    Lead::Done
                } else {
                    Lead::ToDo
                });
            }
            Tag::A if has("user-mention") || has("confluence-userlink") => {
                if let Some(id) =
                    attr(attrs, "data-account-id").or_else(|| attr(attrs, "data-username"))
                {
                    c.note_user(&id);
                }
                c.w.text("@");
            }
            Tag::A => {
                let id = attr(attrs, "data-linked-resource-id").filter(|_| {
                    matches!(
                        attr(attrs, "data-linked-resource-type").as_deref(),
                        Some("page" | "blogpost")
                    )
                });
                if let Some(file) = attr(attrs, "data-linked-resource-default-alias") {
                    c.note_attachment(&file);
                    let url = c
                        .resolver
                        .attachment(None, &file)
                        .or_else(|| clean_url(&attr(attrs, "href")?, c.resolver.site_base()));
                    let mut resolved = resolve(
                        &Ri::Attachment {
                            file: file.clone(),
                            page: None,
                        },
                        None,
                        c.resolver,
                    );
                    resolved.text = Some(file.into_owned());
                    if let Some(link) = &mut resolved.out.link {
                        link.url = url;
                    }
                    c.w.space |= c.w.leaf_open;
                    c.write_link(resolved);
                    c.w.space |= c.w.leaf_open;
                    c.skip_element();
                } else if let Some(id) = id.filter(|id| c.resolver.knows_page(id)) {
                    let href = attr(attrs, "href").map(|href| resolve_href(&href, c.resolver));
                    let by_address = href.filter(|resolved| resolved.out.page.is_some());
                    let by_id = || resolve(&Ri::Content { id }, None, c.resolver);
                    c.start_link(by_address.unwrap_or_else(by_id));
                } else {
                    c.start_html(tag, attrs);
                }
            }
            _ => c.start_html(tag, attrs),
        }
    }

    fn finish(&mut self, action: Action) {
        let c = &mut self.converter;
        match action {
            Action::PopContainer => c.w.pop_container(),
            Action::PopStrong => {
                if c.w.mode == Mode::Line {
                    c.w.settle_marks();
                }
                c.w.end_leaf();
                c.w.pop_mark(Mark::Strong);
            }
            Action::Details => {
                c.details = c.details.saturating_sub(1);
                c.w.end_leaf();
            }
            Action::Lozenge => {
                let text = c.take_buffer();
                c.sink = Sink::Flow;
                c.lozenge(text.trim());
            }
            Action::Code(language) => {
                let body = c.take_buffer();
                c.sink = Sink::Flow;
                let body = body.strip_prefix('\n').unwrap_or(&body);
                c.w.code_block(&language, body.strip_suffix('\n').unwrap_or(body));
                // The element's own end must find nothing left to do.
                c.buffers.push(Default::default());
            }
            Action::Issue(key, start) => {
                if c.w.out.len() == start {
                    c.write_issue(&key);
                }
            }
            Action::Panel(true) => c.w.pop_container(),
            Action::Panel(false) => c.w.end_leaf(),
        }
    }
}

/// Whether the code before `rest` has line breaks in it, and nothing but text between them. A newline alone counts where code
/// begins a paragraph: in a sentence it may be how the page's source was wrapped.
fn has_lines(rest: &str, begins: bool) -> bool {
    // Only as far as code in a line goes.
    let near = &rest.as_bytes()[..rest.len().min(4000)];
    let end = memchr::memmem::find(near, b"</code").unwrap_or(0);
    let code = near[..end].trim_ascii();
    let elements = memchr::memchr_iter(b'<', code).count();
    let breaks = memchr::memmem::find_iter(code, b"<br").count();
    elements == breaks && (breaks > 0 || (begins && code.contains(&b'\n')))
}

/// Whether the issue that has just begun is not resolved yet: its summary is still to come.
fn is_placeholder(rest: &str) -> bool {
    let end = memchr::memmem::find(rest.as_bytes(), b"data-jira-key").unwrap_or(rest.len());
    let near = &rest.as_bytes()[..end.min(2000)];
    let says = |what: &[u8]| memchr::memmem::find(near, what).is_some();
    says(b"Getting issue details") || says(b"issue-placeholder")
}
