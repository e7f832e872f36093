//! Tasks, decisions, layouts, callouts and other frames around blocks.

use crate::site::{check, convert, mac, rich};

fn task(id: u32, done: bool, body: &str) -> String {
    let status = if done { "complete" } else { "incomplete" };
    format!(
        "<ac:task><ac:task-id>{id}</ac:task-id><ac:task-uuid>6f7f4e0b-0000</ac:task-uuid><ac:task-status>{status}</ac:task-status>{body}</ac:task>"
    )
}

#[test]
fn tasks_keep_their_state_and_nest_either_way() {
    let body = |text: &str| format!("<ac:task-body>{text}</ac:task-body>");
    let list =
        |tasks: &str| format!("<ac:task-list ac:task-list-id=\"9\">\n{tasks}\n</ac:task-list>");
    let nested = list(&task(3, true, &body("inner")));
    check(&[
        (
            &list(&format!(
                "{}{}",
                task(
                    1,
                    false,
                    &body(
                        "<span class=\"placeholder-inline-tasks\">do <time datetime=\"2026-10-01\" /></span>"
                    )
                ),
                task(2, true, &body("done"))
            )),
            "- [ ] do 2026-10-01\n- [x] done",
        ),
        (
            &list(&task(1, false, &format!("{}{nested}", body("outer")))),
            "- [ ] outer\n  - [x] inner",
        ),
        (
            &list(&task(1, false, &body(&format!("outer{nested}")))),
            "- [ ] outer\n  - [x] inner",
        ),
        (&list(&task(1, false, &body(""))), ""),
        (
            &list(&task(
                1,
                false,
                &body(&format!(
                    "run {}",
                    mac("code", &[], "<ac:plain-text-body>x</ac:plain-text-body>")
                )),
            )),
            "- [ ] run\n\n  ```\n  x\n  ```",
        ),
        (
            &format!(
                "<ul><li>{}</li></ul>",
                list(&task(1, false, &body("in a bullet")))
            ),
            "- [ ] in a bullet",
        ),
    ]);
    let found = convert(&list(&format!(
        "{}{}",
        task(1, false, &body(&format!("<b>outer</b>{nested}"))),
        task(4, true, &body("last"))
    )));
    let tasks: Vec<_> = found
        .tasks
        .iter()
        .map(|t| (t.id.as_deref(), t.done, t.text.as_str()))
        .collect();
    assert_eq!(
        tasks,
        [
            (Some("1"), false, "outer"),
            (Some("3"), true, "inner"),
            (Some("4"), true, "last")
        ]
    );
}

#[test]
fn layouts_are_their_contents_in_order() {
    check(&[
        (
            "<ac:layout><ac:layout-section ac:type=\"two_equal\" ac:breakout-mode=\"wide\"><ac:layout-cell><p>a</p></ac:layout-cell><ac:layout-cell><p>b</p></ac:layout-cell></ac:layout-section></ac:layout>",
            "a\n\nb",
        ),
        (
            &mac(
                "section",
                &[("border", "true")],
                &rich(&format!(
                    "{}{}",
                    mac("column", &[("width", "30%")], &rich("<p>l</p>")),
                    mac("column", &[], &rich("<p>r</p>"))
                )),
            ),
            "l\n\nr",
        ),
        (
            &mac(
                "ui-tabs",
                &[],
                &rich(&mac("ui-tab", &[("title", "Linux")], &rich("<p>apt</p>"))),
            ),
            "**Linux**\n\napt",
        ),
        (&mac("div", &[("class", "x")], &rich("<p>in</p>")), "in"),
    ]);
}

#[test]
fn callouts_mean_what_the_editor_shows() {
    let one = rich("<p>x</p>");
    check(&[
        (&mac("info", &[], &one), "> [!NOTE]\n> x"),
        (&mac("tip", &[], &one), "> [!TIP]\n> x"),
        (&mac("note", &[], &one), "> [!WARNING]\n> x"),
        (&mac("warning", &[], &one), "> [!CAUTION]\n> x"),
        (
            &mac(
                "info",
                &[("title", "Heads up"), ("icon", "false")],
                &rich("<p>a</p><ul><li>b<ul><li>c</li></ul></li></ul>"),
            ),
            "> [!NOTE]\n> **Heads up**\n>\n> a\n>\n> - b\n>   - c",
        ),
        (&mac("info", &[], &rich("<p />")), ""),
        (
            &mac(
                "panel",
                &[
                    ("title", "T"),
                    ("panelIconText", "🚀"),
                    ("bgColor", "#EAE6FF"),
                ],
                &one,
            ),
            "> **🚀 T**\n>\n> x",
        ),
        (
            &mac("panel", &[("panelIconId", "1f680")], &one),
            "> **🚀**\n>\n> x",
        ),
        (&mac("panel", &[("bgColor", "#fff")], &one), "x"),
        (
            &format!("<ul><li>i{}</li></ul>", mac("note", &[], &one)),
            "- i\n\n  > [!WARNING]\n  > x",
        ),
    ]);
}

#[test]
fn expands_are_titled_text() {
    let one = rich("<p>x</p>");
    check(&[
        (
            &mac("expand", &[("title", "More *here*")], &one),
            "**More \\*here\\***\n\nx",
        ),
        (&mac("expand", &[], &one), "x"),
        (
            &mac(
                "expand",
                &[("title", "A")],
                &rich(&mac("expand", &[("title", "B")], &one)),
            ),
            "**A**\n\n**B**\n\nx",
        ),
        (
            &format!(
                "<p>before {} after</p>",
                mac("expand", &[("title", "A")], &one)
            ),
            "before\n\n**A**\n\nx\n\nafter",
        ),
    ]);
}

fn adf(inner: &str) -> String {
    format!("<ac:adf-extension>{inner}</ac:adf-extension>")
}

#[test]
fn adf_content_stands_once() {
    let panel = |kind: &str| {
        format!(
            "<ac:adf-node type=\"panel\"><ac:adf-attribute key=\"panel-type\">{kind}</ac:adf-attribute><ac:adf-attribute key=\"local-id\">54e3</ac:adf-attribute><ac:adf-content><p>once</p></ac:adf-content></ac:adf-node><ac:adf-fallback><div class=\"panel\"><p>once</p></div></ac:adf-fallback>"
        )
    };
    check(&[
        (&adf(&panel("note")), "> [!IMPORTANT]\n> once"),
        (&adf(&panel("info")), "> [!NOTE]\n> once"),
        (&adf(&panel("success")), "> [!TIP]\n> once"),
        (&adf(&panel("warning")), "> [!WARNING]\n> once"),
        (&adf(&panel("error")), "> [!CAUTION]\n> once"),
        (
            &adf(
                "<ac:adf-node type=\"future\"/><ac:adf-fallback><p>only fallback</p></ac:adf-fallback>",
            ),
            "only fallback",
        ),
        (
            &adf(
                "<ac:adf-node type=\"panel\"><ac:adf-attribute key=\"panel-type\">note</ac:adf-attribute></ac:adf-node>",
            ),
            "",
        ),
        (
            &adf(
                "<ac:adf-node type=\"bodied-extension\"><ac:adf-attribute key=\"extension-key\">k</ac:adf-attribute><ac:adf-content><p>body</p></ac:adf-content></ac:adf-node>",
            ),
            "body",
        ),
    ]);
}

#[test]
fn decisions_say_whether_they_are_made() {
    let item = |state: &str, text: &str| {
        format!(
            "<ac:adf-node type=\"decision-item\"><ac:adf-attribute key=\"local-id\">d</ac:adf-attribute><ac:adf-attribute key=\"state\">{state}</ac:adf-attribute>{text}</ac:adf-node>"
        )
    };
    let body = adf(&format!(
        "<ac:adf-node type=\"decision-list\">{}{}{}</ac:adf-node><ac:adf-fallback><ul><li>Adopt Rust.</li></ul></ac:adf-fallback>",
        item(
            "DECIDED",
            "<ac:adf-content>Adopt <b>Rust</b>.</ac:adf-content>"
        ),
        item("UNDECIDED", "<ac:adf-content>Pick one.</ac:adf-content>"),
        item("DECIDED", "<ac:adf-content></ac:adf-content>"),
    ));
    check(&[(
        &body,
        "- **Decision:** Adopt **Rust**.\n- **Open decision:** Pick one.",
    )]);
    let found: Vec<_> = convert(&body)
        .tasks
        .into_iter()
        .map(|t| (t.decision, t.done, t.text))
        .collect();
    assert_eq!(
        found,
        [
            (true, true, "Adopt Rust.".to_string()),
            (true, false, "Pick one.".to_string())
        ]
    );
}

#[test]
fn forge_apps_give_their_source_or_their_title() {
    let app = |key: &str, extra: &str| {
        adf(&format!(
            "<ac:adf-node type=\"extension\"><ac:adf-attribute key=\"extension-key\">7dc8-app/2c43-env/static/{key}</ac:adf-attribute><ac:adf-attribute key=\"parameters\"><ac:adf-parameter key=\"extension-id\">ari:cloud:ecosystem::extension/x</ac:adf-parameter><ac:adf-parameter key=\"extension-title\">Nice app</ac:adf-parameter><ac:adf-parameter key=\"guest-params\">{extra}</ac:adf-parameter></ac:adf-attribute><ac:adf-attribute key=\"text\">Nice app</ac:adf-attribute></ac:adf-node><ac:adf-fallback><p>fallback</p></ac:adf-fallback>"
        ))
    };
    check(&[
        (
            &app(
                "board",
                "<ac:adf-parameter key=\"index\" type=\"integer\">0</ac:adf-parameter>",
            ),
            "[App: Nice app]",
        ),
        (
            &app(
                "mermaid-diagram",
                "<ac:adf-parameter key=\"code\">graph TD; A--&gt;B</ac:adf-parameter>",
            ),
            "```mermaid\ngraph TD; A-->B\n```",
        ),
        (
            &app(
                "code-block",
                "<ac:adf-parameter key=\"lang\">go</ac:adf-parameter><ac:adf-parameter key=\"code\">x := 1</ac:adf-parameter>",
            ),
            "```go\nx := 1\n```",
        ),
    ]);
}
