//! Macros: which rule applies to which name, and the parameters of one macro.

mod close;
mod diagram;
mod dynamic;
mod formula;
mod open;
mod unknown;

use std::borrow::Cow;

pub(crate) use close::language;
pub(crate) use formula::{formula, is_formula};

use crate::links::Ri;
use crate::writer::Alert;

/// The rule for a macro.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Code,
    NoFormat,
    Callout(Alert),
    Panel,
    /// Title in bold, then the body: expands, tabs, charts.
    Titled,
    Status,
    Excerpt,
    Details,
    /// The body alone.
    Unwrap,
    Markdown,
    Html,
    MathBlock,
    MathInline,
    /// A diagram whose source is the body; the language of its fence.
    Source(&'static str),
    Footnote,
    Tooltip,
    /// Shown under a condition: the body, labelled.
    Conditional,
    Button,
    Anchor,
    Include,
    ExcerptInclude,
    Report,
    Jira,
    JiraChart,
    ByLabel,
    Profile,
    File,
    Widget,
    Roadmap,
    /// A diagram kept elsewhere; the tool's name.
    Drawing(&'static str),
    /// Lists that depend on the site, and buttons: nothing of their own, but in a sentence they leave their name.
    Nothing,
    /// Navigation and decoration.
    Silent,
    Unknown,
}

impl Kind {
    pub(crate) fn of(name: &str) -> Kind {
        match name {
            "code" | "code-block" | "paste-code-macro" | "codeblock" => Kind::Code,
            "noformat" | "preformatted" => Kind::NoFormat,
            // The storage names do not mean what the editor shows: `note` is its yellow warning.
            "info" => Kind::Callout(Alert::Note),
            "tip" => Kind::Callout(Alert::Tip),
            "note" => Kind::Callout(Alert::Warning),
            "warning" => Kind::Callout(Alert::Caution),
            "panel" => Kind::Panel,
            "expand" | "ui-expand" | "ui-tab" | "localtab" | "tab-pane" | "tab" | "aura-tab"
            | "chart" | "card" | "aura-panel" => Kind::Titled,
            "status" => Kind::Status,
            "excerpt" | "multiexcerpt" | "multiexcerpt-macro" => Kind::Excerpt,
            "details" => Kind::Details,
            "section"
            | "column"
            | "ui-tabs"
            | "localtabgroup"
            | "tabs-group"
            | "aura-tab-group"
            | "aura-tab-collection"
            | "deck"
            | "div"
            | "span"
            | "center"
            | "align"
            | "html-wrap"
            | "bgcolor"
            | "cell"
            | "row"
            | "table-plus"
            | "table-filter"
            | "table-joiner"
            | "tableenhancer"
            | "table-chart"
            | "toc-zone"
            | "cfm-tabs-group"
            | "numberedheadings" => Kind::Unwrap,
            "markdown" | "md" | "markdown-macro" => Kind::Markdown,
            "html" | "html-macro" | "html-include" => Kind::Html,
            "mathblock" | "latex" | "easy-math-block" | "eazy-math-block" | "latex-formatting"
            | "mathblock-ref" => Kind::MathBlock,
            "mathinline" | "eazy-math-inline" | "easy-math-inline" => Kind::MathInline,
            "plantuml" | "plantumlrender" | "plantumlcloud" => Kind::Source("plantuml"),
            "graphviz" | "dot" => Kind::Source("dot"),
            "d2" => Kind::Source("d2"),
            "footnote" | "cfm-footnote" => Kind::Footnote,
            "tooltip" | "cfm-tooltip" => Kind::Tooltip,
            "sv-translation" | "show-if" | "hide-if" | "scroll-only" | "scroll-ignore" => {
                Kind::Conditional
            }
            "lozenge" | "button" | "aui-button" | "clickable" | "auibutton" => Kind::Button,
            "anchor" => Kind::Anchor,
            "include" => Kind::Include,
            "excerpt-include" => Kind::ExcerptInclude,
            "detailssummary" => Kind::Report,
            "jira" | "jiraissues" => Kind::Jira,
            "jirachart" | "jiraroadmap" | "jira-roadmaps" => Kind::JiraChart,
            "contentbylabel" | "content-report-table" => Kind::ByLabel,
            "profile"
            | "profile-picture"
            | "userprofile"
            | "user-profile"
            | "user-profile-picture" => Kind::Profile,
            "view-file" | "viewpdf" | "viewdoc" | "viewxls" | "viewppt" => Kind::File,
            "widget" | "iframe" | "youtube" | "vimeo" | "multimedia" => Kind::Widget,
            "roadmap" => Kind::Roadmap,
            "drawio" | "inc-drawio" | "drawio-sketch" => Kind::Drawing("draw.io"),
            "gliffy" => Kind::Drawing("Gliffy"),
            "lucidchart" => Kind::Drawing("Lucidchart"),
            "miro" => Kind::Drawing("Miro"),
            "figma" => Kind::Drawing("Figma"),
            "balsamiq" => Kind::Drawing("Balsamiq"),
            "visio" => Kind::Drawing("Visio"),
            "toc" | "page-index" | "index" | "pagetree" | "pagetreesearch" | "livesearch"
            | "search" | "navmap" | "space-list" | "breadcrumb" | "loremipsum" | "spacer"
            | "divider" | "css" | "style" | "bgimage" => Kind::Silent,
            "children"
            | "childpages"
            | "blog-posts"
            | "recently-updated"
            | "recently-updated-dashboard"
            | "popular-labels"
            | "related-labels"
            | "listlabels"
            | "contributors"
            | "contributors-summary"
            | "change-history"
            | "network"
            | "favpages"
            | "gadget"
            | "tasks-report-macro"
            | "create-from-template"
            | "create-space-button"
            | "attachments"
            | "gallery"
            | "space-attachments"
            | "status-report"
            | "decisionreport"
            | "decision-report"
            | "task-report"
            | "spaces"
            | "space-details" => Kind::Nothing,
            _ if name.starts_with("mermaid") => Kind::Source("mermaid"),
            _ if name.starts_with("multiexcerpt-include") => Kind::ExcerptInclude,
            _ if name.starts_with("scroll-only") => Kind::Conditional,
            _ if formula::is_formula(name) && name.contains("inline") => Kind::MathInline,
            _ if formula::is_formula(name) => Kind::MathBlock,
            _ => Kind::Unknown,
        }
    }

    /// Its body goes on with the sentence that the macro stands in.
    pub(crate) fn flows(self) -> bool {
        matches!(
            self,
            Kind::Excerpt
                | Kind::Unwrap
                | Kind::Conditional
                | Kind::Tooltip
                | Kind::Status
                | Kind::Button
                | Kind::Anchor
                | Kind::Nothing
                | Kind::Silent
                | Kind::Unknown
        )
    }

    /// Only a rendered body can say what it shows.
    pub(crate) fn is_dynamic(self, params: &[Param<'_>]) -> bool {
        match self {
            Kind::Include | Kind::ExcerptInclude | Kind::Report | Kind::ByLabel => true,
            Kind::Jira => value(params, "key").is_none(),
            _ => false,
        }
    }
}

/// A parameter of a macro.
#[derive(Clone, Debug)]
pub(crate) struct Param<'a> {
    pub(crate) name: &'a str,
    /// Text, trimmed.
    pub(crate) value: Cow<'a, str>,
    /// What elements in it point at.
    pub(crate) targets: Vec<Ri<'a>>,
}

/// A macro being read.
#[derive(Debug)]
pub(crate) struct Macro<'a> {
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    pub(crate) attrs: &'a str,
    /// Where its start tag ends in the body.
    pub(crate) offset: usize,
    /// Its parameters begin here in the converter's list.
    pub(crate) params_from: usize,
    /// The plain-text body, once read.
    pub(crate) body: Option<Cow<'a, str>>,
    /// A rich-text body has been opened.
    pub(crate) opened: bool,
    /// It stands in a line of text.
    pub(crate) inline: bool,
    /// The body was opened inside of a quote.
    pub(crate) quoted: bool,
    /// Where the output stood when the body began.
    pub(crate) start: usize,
}

/// The text of a parameter, if it has any and may be shown.
pub(crate) fn value<'p>(params: &'p [Param<'_>], name: &str) -> Option<&'p str> {
    params
        .iter()
        .find(|p| p.name.eq_ignore_ascii_case(name))
        .map(|p| p.value.as_ref())
        .filter(|v| !v.is_empty())
}

/// The first target in a parameter.
pub(crate) fn target<'p, 'a>(params: &'p [Param<'a>], name: &str) -> Option<&'p Ri<'a>> {
    params
        .iter()
        .find(|p| p.name.eq_ignore_ascii_case(name))
        .and_then(|p| p.targets.first())
}

/// The address in a parameter, as text.
pub(crate) fn address(params: &[Param<'_>], name: &str) -> Option<String> {
    match target(params, name) {
        Some(Ri::Url { value }) => Some(value.to_string()),
        _ => value(params, name).map(str::to_string),
    }
}

/// The texts by which people know a macro or its body: what stands on its tab, card or question.
const LABELS: [&str; 9] = [
    "title", "label", "question", "heading", "header", "caption", "tabTitle", "name", "key",
];

/// What stands on the tab, card or question that a body is in.
pub(crate) fn label<'p>(params: &'p [Param<'_>]) -> Option<&'p str> {
    LABELS
        .iter()
        .filter_map(|name| Some((name, value(params, name)?)))
        // A key that names a requirement or an issue, not one that opens something.
        .find(|(name, value)| **name != "key" || is_issue_key(value))
        .map(|(_, value)| value)
}

/// `REQ-12`, `SRS_LOGIN_007`, `FR3`: letters, then digits, in parts as people write them.
fn is_issue_key(text: &str) -> bool {
    let last = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - last.len();
    let mut parts = last.split(['-', '_', '.']);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && (1..=7).contains(&digits)
        && text.len() <= 32
        && parts.all(|part| part.len() <= 12 && part.bytes().all(|b| b.is_ascii_alphabetic()))
}
