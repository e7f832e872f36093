//! `ac:adf-extension`: what the new editor has and storage has no form for.
//!
//! The content stands twice, as node and as fallback; the fallback is used only when the node gave nothing.

use std::borrow::Cow;

use crate::attrs::attr;
use crate::convert::{Converter, Frame, Sink, is_internal_id};
use crate::inline::Mark;
use crate::model::Task;
use crate::storage::AdfNode;
use crate::tag::Tag;
use crate::writer::{Alert, Lead};

impl<'a> Converter<'a> {
    pub(crate) fn start_adf(&mut self, tag: Tag, attrs: &'a str) {
        match tag {
            Tag::AdfExtension => {
                self.w_extension_start();
                self.sink = Sink::Meta;
            }
            Tag::AdfNode => {
                let kind = attr(attrs, "type").unwrap_or_default();
                if kind == "decision-list" {
                    self.w.start_list(false, 1);
                }
                self.nodes.push(AdfNode {
                    kind,
                    start: self.w.out.len(),
                    ..AdfNode::default()
                });
                self.sink = Sink::Meta;
            }
            Tag::AdfAttribute | Tag::AdfParameter => {
                let key = attr(attrs, "key").unwrap_or_default();
                if let Some(node) = self.nodes.last_mut() {
                    let index = node.attributes.len() as u32 + 1;
                    if let Some(frame) = self.frames.last_mut() {
                        frame.data = index;
                    }
                    node.attributes.push((key, Cow::Borrowed("")));
                }
                self.buffer();
            }
            Tag::AdfContent => {
                self.sink = Sink::Flow;
                self.open_adf_content();
            }
            Tag::AdfFallback => {
                // The innermost node on the stack is the extension itself, or the list a fallback stands in.
                let start = self.nodes.last().map_or(0, |n| n.start);
                if self.w.out.len() > start {
                    self.skip_element();
                } else {
                    self.sink = Sink::Flow;
                }
            }
            Tag::AdfLeaf => self.sink = Sink::Flow,
            Tag::AdfMark => {
                let key = attr(attrs, "key")
                    .or_else(|| attr(attrs, "type"))
                    .unwrap_or_default();
                let mark = match key.as_ref() {
                    "strong" => Some(Mark::Strong),
                    "em" => Some(Mark::Em),
                    "strike" => Some(Mark::Strike),
                    "code" => Some(Mark::Code),
                    _ => None,
                };
                if mark.is_none() && self.parent() == Tag::AdfNode {
                    // What it says about the node is for the editor.
                    return self.skip_element();
                }
                if let Some(mark) = mark {
                    self.w.push_mark(mark);
                    self.set_data(1 + MARKS.iter().position(|m| *m == mark).unwrap_or(0) as u32);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn end_adf(&mut self, frame: Frame) {
        match frame.tag {
            Tag::AdfExtension => {
                self.nodes.pop();
            }
            Tag::AdfNode => self.end_node(),
            Tag::AdfAttribute | Tag::AdfParameter => {
                let value = self.take_buffer();
                if let (Some(node), Some(index)) =
                    (self.nodes.last_mut(), frame.data.checked_sub(1))
                {
                    // Some apps keep their parameters as one text.
                    let object = value
                        .trim()
                        .starts_with('{')
                        .then(|| serde_json::from_str(&value));
                    if let Some(Ok(serde_json::Value::Object(fields))) = object {
                        let texts = fields.into_iter().filter_map(|(key, value)| {
                            Some((Cow::Owned(key), Cow::Owned(value.as_str()?.to_string())))
                        });
                        node.attributes.extend(texts);
                    } else if let Some(slot) = node.attributes.get_mut(index as usize) {
                        slot.1 = value;
                    }
                }
            }
            Tag::AdfContent => self.w.end_leaf(),
            Tag::AdfMark => {
                if let Some(mark) = frame
                    .data
                    .checked_sub(1)
                    .and_then(|n| MARKS.get(n as usize))
                {
                    self.w.pop_mark(*mark);
                }
            }
            _ => {}
        }
    }

    fn w_extension_start(&mut self) {
        self.nodes.push(AdfNode {
            start: self.w.out.len(),
            ..AdfNode::default()
        });
    }

    fn open_adf_content(&mut self) {
        let Some(node) = self.nodes.last_mut() else {
            return;
        };
        if std::mem::replace(&mut node.opened, true) {
            return;
        }
        let of = |key: &str| {
            node.attributes
                .iter()
                .find(|(k, _)| k == key)
                .map(|(_, v)| v.trim().to_string())
        };
        match node.kind.as_ref() {
            "panel" => {
                let alert = match of("panel-type").as_deref() {
                    Some("info") => Alert::Note,
                    Some("success" | "tip") => Alert::Tip,
                    Some("warning") => Alert::Warning,
                    Some("error") => Alert::Caution,
                    _ => Alert::Important,
                };
                self.w.push_quote(alert);
            }
            "decision-item" => {
                let decided = of("state").as_deref() == Some("DECIDED");
                self.w.push_item(if decided {
                    Lead::Decision
                } else {
                    Lead::OpenDecision
                });
            }
            "bodied-extension" | "multi-bodied-extension" | "extension-frame" => {
                let label = ["title", "label", "question", "heading", "name"]
                    .into_iter()
                    .find_map(|key| of(key).filter(|v| !v.is_empty()));
                self.bold_line(label.as_deref());
            }
            _ => {}
        }
    }

    fn end_node(&mut self) {
        let Some(node) = self.nodes.pop() else { return };
        match node.kind.as_ref() {
            "panel" if node.opened => self.w.pop_container(),
            "decision-item" if node.opened => {
                self.w.pop_container();
                let written = self.w.out.get(node.start..).unwrap_or("");
                let parts = [("**Decision:** ", true), ("**Open decision:** ", false)];
                if let Some((text, done)) = parts
                    .iter()
                    .find_map(|(lead, done)| written.split_once(lead).map(|(_, t)| (t, *done)))
                {
                    let text = crate::escape::plain(text);
                    self.result.tasks.push(Task {
                        id: None,
                        done,
                        decision: true,
                        text,
                    });
                }
            }
            "decision-list" => self.w.end_list(),
            "extension" | "inline-extension" => self.close_extension(&node),
            _ => {}
        }
        // The extension around must not fall back when its node has said something.
        if let Some(parent) = self.nodes.last_mut() {
            parent.start = parent.start.min(node.start);
        }
    }

    /// A Forge app: its source when it is one we can read, else its title.
    fn close_extension(&mut self, node: &AdfNode<'a>) {
        let of = |key: &str| {
            node.attributes
                .iter()
                .find(|(k, v)| k == key && !v.trim().is_empty())
                .map(|(_, v)| v.as_ref())
        };
        let module = of("extension-key")
            .and_then(|k| k.rsplit('/').next())
            .unwrap_or("")
            .to_ascii_lowercase();
        let source = of("code").or_else(|| of("data")).or_else(|| of("source"));
        let diagram = ["mermaid", "plantuml", "graphviz", "d2"]
            .into_iter()
            .find(|d| module.contains(d));
        if let Some(source) = source {
            if let Some(language) = diagram {
                return self.w.code_block(language, source.trim_matches('\n'));
            }
            if module.contains("code") {
                let language = of("lang").or_else(|| of("language")).unwrap_or("").trim();
                let language = if language.contains(|c: char| c.is_whitespace() || c == '`') {
                    ""
                } else {
                    language
                };
                return self.w.code_block(language, source);
            }
        }
        let inline = node.kind == "inline-extension" || self.inline_parent();
        let sure = crate::macros::is_formula(&module);
        if let Some(formula) = crate::macros::formula(of, sure) {
            return self.write_formula(&formula, inline);
        }
        let own = ["chart-title", "chartTitle", "title", "label", "name"]
            .into_iter()
            .find_map(of);
        if module.contains("chart") {
            return self.bracket("Chart", None, own);
        }
        let title = of("extension-title").or_else(|| of("text")).or(own);
        let title = title.or_else(|| {
            Some(module.as_str()).filter(|m| inline && !m.is_empty() && !is_internal_id(m))
        });
        match title {
            Some(title) => self.bracket("App", None, Some(title.trim())),
            None if inline => self.bracket("App", None, None),
            None => {}
        }
    }
}

const MARKS: [Mark; 4] = [Mark::Strong, Mark::Em, Mark::Strike, Mark::Code];
