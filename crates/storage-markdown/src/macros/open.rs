//! What stands before the rich-text body of a macro.

use crate::convert::Converter;
use crate::inline::Mark;
use crate::macros::{Kind, label, value};
use crate::writer::{Alert, Mode};

impl<'a> Converter<'a> {
    /// The rich-text body of the innermost macro begins.
    pub(crate) fn open_macro_body(&mut self) {
        let Some(index) = self.macros.len().checked_sub(1) else {
            return;
        };
        let (kind, from) = (self.macros[index].kind, self.macros[index].params_from);
        let inline = self.macros[index].inline;
        self.macros[index].opened = true;
        let params = std::mem::take(&mut self.params);
        let own = &params[from.min(params.len())..];
        let mut quoted = false;
        match kind {
            Kind::Callout(alert) => {
                self.w.push_quote(alert);
                quoted = true;
                self.bold_line(value(own, "title"));
            }
            Kind::Panel => {
                let icon = value(own, "panelIconText")
                    .map(str::to_string)
                    .or_else(|| value(own, "panelIconId").and_then(crate::emoji::from_code_points));
                let title = value(own, "title");
                if icon.is_some() || title.is_some() {
                    self.w.push_quote(Alert::None);
                    quoted = true;
                    let line = [icon.as_deref(), title]
                        .into_iter()
                        .flatten()
                        .collect::<Vec<_>>()
                        .join(" ");
                    self.bold_line(Some(&line));
                }
            }
            Kind::Titled => self.bold_line(label(own)),
            Kind::Conditional => {
                let language =
                    value(own, "language").filter(|_| self.macros[index].name == "sv-translation");
                self.body_label(language, inline);
            }
            Kind::Details => {
                self.details += 1;
                self.w.end_leaf();
            }
            Kind::Unknown => self.head_unknown(own, inline),
            _ if inline && kind.flows() => {}
            Kind::Tooltip | Kind::Status | Kind::Button | Kind::Anchor => {}
            Kind::Unwrap if matches!(self.macros[index].name, "span" | "bgcolor") => {}
            _ => self.w.end_leaf(),
        }
        self.params = params;
        let start = self.w.out.len();
        let current = &mut self.macros[index];
        current.quoted = quoted;
        current.start = start;
    }

    /// What names the body that follows: in its sentence, or on a line of its own.
    pub(crate) fn body_label(&mut self, label: Option<&str>, inline: bool) {
        if !inline {
            return self.bold_line(label);
        }
        if let Some(label) = label {
            self.lozenge(label);
            self.w.space = true;
        }
    }

    /// A line of its own in bold, when there is a title.
    pub(crate) fn bold_line(&mut self, title: Option<&str>) {
        self.w.end_leaf();
        let Some(title) = title.filter(|t| !t.trim().is_empty()) else {
            return;
        };
        self.w.push_mark(Mark::Strong);
        self.w.text(title);
        self.w.pop_mark(Mark::Strong);
        if self.w.mode == Mode::Cell {
            self.w.settle_marks();
        }
        self.w.end_leaf();
    }
}
