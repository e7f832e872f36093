//! Macros: with content, dynamic, unknown.

use storage_markdown::{NoResolver, Options};

use crate::site::{check, check_on_site, check_with, convert, convert_on_site, mac, plain, rich};

#[test]
fn code_is_byte_for_byte() {
    check(&[
        (
            &mac(
                "code",
                &[
                    ("language", "java"),
                    ("title", "A \"b\".java"),
                    ("linenumbers", "true"),
                    ("collapse", "true"),
                ],
                &plain("if (a[b] > 1 && x < 2) { }"),
            ),
            "```java title=\"A 'b'.java\"\nif (a[b] > 1 && x < 2) { }\n```",
        ),
        (
            &mac(
                "code",
                &[("language", "markdown")],
                &plain("```sh\necho\n```"),
            ),
            "````markdown\n```sh\necho\n```\n````",
        ),
        (
            &mac(
                "code",
                &[("language", "none")],
                "<ac:plain-text-body>a &lt; b &amp;&amp; c&nbsp;d</ac:plain-text-body>",
            ),
            "```\na < b && c\u{a0}d\n```",
        ),
        (
            &mac(
                "code",
                &[],
                "<ac:plain-text-body><![CDATA[x ]]]]><![CDATA[> y]]></ac:plain-text-body>",
            ),
            "```\nx ]]> y\n```",
        ),
        (
            &mac("code", &[], &plain("  indented\n\n\ttab  ")),
            "```\n  indented\n\n\ttab  \n```",
        ),
        (&mac("code", &[], &plain("")), ""),
        (
            &mac("noformat", &[("nopanel", "true")], &plain("raw *stars*")),
            "```\nraw *stars*\n```",
        ),
        (
            &format!("<p>a {} b</p>", mac("code", &[("title", "T")], &plain("x"))),
            "a\n\n```text title=\"T\"\nx\n```\n\nb",
        ),
    ]);
    for (name, fence) in [
        ("c#", "csharp"),
        ("py", "python"),
        ("js", "javascript"),
        ("shell", "sh"),
        ("yml", "yaml"),
        ("text", ""),
        ("sql", "sql"),
    ] {
        check(&[(
            &mac("code", &[("language", name)], &plain("x")),
            &format!("```{fence}\nx\n```"),
        )]);
    }
}

#[test]
fn statuses_are_words() {
    let on = mac("status", &[("colour", "Green"), ("title", "ON")], "");
    check(&[
        (&format!("<p>is {on}.</p>"), "is **ON**."),
        (&format!("<p>{on}{on}</p>"), "**ON** **ON**"),
        (
            &format!("<p><strong>state {on}</strong></p>"),
            "**state ON**",
        ),
        (
            &format!("<p>{}</p>", mac("status", &[("colour", "Red")], "")),
            "**RED**",
        ),
    ]);
    let colours = Options {
        status_colours: true,
        ..Options::default()
    };
    check_with(
        &[(&format!("<p>{on}</p>"), "**ON (green)**")],
        &NoResolver,
        &colours,
    );
}

#[test]
fn excerpts_are_text_and_kept_by_name() {
    let body = mac(
        "excerpt",
        &[
            ("name", "sla"),
            ("hidden", "true"),
            ("atlassian-macro-output-type", "INLINE"),
        ],
        &rich("<p>Always on.</p>"),
    );
    let found = convert(&body);
    assert_eq!(found.markdown, "Always on.\n");
    assert_eq!(
        (
            found.excerpts[0].name.as_deref(),
            found.excerpts[0].markdown.as_str()
        ),
        (Some("sla"), "Always on.")
    );
}

#[test]
fn page_properties_are_a_list_and_facts() {
    let body = mac(
        "details",
        &[("id", "meta")],
        &rich(
            "<table><tbody><tr><th><p>Owner:</p></th><td><p><ac:link><ri:user ri:account-id=\"557058:ana\" /></ac:link></p></td></tr><tr><th>Tier</th><td>a<br/>b</td></tr><tr><th>Empty</th><td></td></tr></tbody></table>",
        ),
    );
    let found = convert_on_site(&body);
    assert_eq!(
        found.markdown,
        "- **Owner:** @Ana Lima\n- **Tier:** a<br>b\n- **Empty:**\n"
    );
    let pairs: Vec<_> = found
        .properties
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [("Owner", "@Ana Lima"), ("Tier", "a b"), ("Empty", "")]
    );
}

#[test]
fn formulas_diagrams_and_foreign_markup() {
    check(&[
        (
            &format!(
                "<p>Energy {} law</p>",
                mac("mathinline", &[("body", "E = mc^2")], "")
            ),
            "Energy $E = mc^2$ law",
        ),
        (
            &mac("mathblock", &[], &plain("\\int_0^1 x\\,dx")),
            "$$\n\\int_0^1 x\\,dx\n$$",
        ),
        (
            &mac(
                "plantuml",
                &[("atlassian-macro-output-type", "INLINE")],
                &plain("@startuml\nA -> B\n@enduml"),
            ),
            "```plantuml\n@startuml\nA -> B\n@enduml\n```",
        ),
        (
            &mac(
                "mermaid-cloud",
                &[("filename", "flow")],
                &plain("graph TD; A-->B"),
            ),
            "```mermaid\ngraph TD; A-->B\n```",
        ),
        (
            &mac(
                "plantumlcloud",
                &[("compressed", "false"), ("data", "QSAtPiBC")],
                "",
            ),
            "```plantuml\nA -> B\n```",
        ),
        (
            &mac("graphviz", &[], &plain("digraph {}")),
            "```dot\ndigraph {}\n```",
        ),
        (
            &mac("markdown", &[], &plain("## Native *md*\n\n- kept")),
            "## Native *md*\n\n- kept",
        ),
        (&mac("markdown", &[], &plain("```\nopen")), "```\nopen\n```"),
        (
            &mac("html", &[], &plain("<b>raw</b><script>x()</script><p>para")),
            "**raw**\n\npara",
        ),
        (
            &mac(
                "chart",
                &[("title", "Sales"), ("type", "pie")],
                &rich(
                    "<table><tr><th>F</th><th>N</th></tr><tr><td>Apple</td><td>10</td></tr></table>",
                ),
            ),
            "**Sales**\n\n| F | N |\n| --- | --- |\n| Apple | 10 |",
        ),
    ]);
}

#[test]
fn footnotes_and_tables_out_of_order_lose_nothing() {
    let without_a_body = mac("footnote", &[], "<td>in vain");
    let note = |inside: &str| mac("footnote", &[], &rich(inside));
    check(&[
        (
            &note(&format!("one<table><tr>{without_a_body}</tr></table>")),
            "[^2]\n\n[^1]: in vain\n\n[^2]: one<br><br>[^1]",
        ),
        (
            &format!(
                "<table><tr>{}<td>cell</td></tr></table>",
                note("<td>said</td>")
            ),
            "[^1]\n\n|  |\n| --- |\n| cell |\n\n[^1]: said",
        ),
        (
            &format!(
                "<table><tr><td>before{} after</td><td>next</td></tr></table>",
                note("a<tr><td>b</td></tr>c")
            ),
            "|  |  |\n| --- | --- |\n| before[^1] after | next |\n\n[^1]: a<br>b<br>c",
        ),
        (
            &mac("footnote", &[], &format!("{}{}", rich("one"), rich("two"))),
            "[^1]\n\n[^1]: one<br>two",
        ),
        (
            "<table><ac:structured-macro ac:name=\"footnote\"><td><td><table><li><td><ac:rich-text-body>~",
            "[^1]\n\n[^1]: ~",
        ),
    ]);
}

/// With a bracket right behind it a note's mark would be part of a link, or the note itself.
#[test]
fn footnotes_keep_off_what_follows() {
    let note = mac("footnote", &[], &rich("n"));
    let link = "<a href=\"https://e.com/x\">x</a>";
    for (behind, written) in [
        ("[App]", "[App]"),
        ("(see)", "(see)"),
        (": so", ": so"),
        (link, "[x](https://e.com/x)"),
    ] {
        let body = format!("<p>a{note}{behind}</p>");
        check(&[(&body, &format!("a[^1] {written}\n\n[^1]: n"))]);
    }
    let two = format!("<p>{note}{note}</p>");
    check(&[(&two, "[^1][^2]\n\n[^1]: n\n\n[^2]: n")]);
    check(&[("<p>[^1](see)</p>", "\\[^1\\](see)")]);
}

#[test]
fn captions_and_tables_out_of_order_lose_nothing() {
    check(&[(
        "<table><tr><td>a<ac:image><ac:caption><td>b<p></td></ac:caption></ac:image></td><td>c</td></tr></table>",
        "|  |  |\n| --- | --- |\n| a<br>*b* | c |",
    )]);
}

#[test]
fn small_content_macros() {
    check(&[
        (
            &format!(
                "<p>a{} b</p><h2>next</h2>",
                mac("footnote", &[], &rich("<p>the <b>note</b></p>"))
            ),
            "a[^1] b\n\n[^1]: the **note**\n\n## next",
        ),
        (
            &format!(
                "<p>{}</p>",
                mac("tooltip", &[("text", "long form")], &rich("short"))
            ),
            "short (long form)",
        ),
        (
            &mac(
                "sv-translation",
                &[("language", "de")],
                &rich("<p>Hallo</p>"),
            ),
            "**de**\n\nHallo",
        ),
        (
            &mac("scroll-ignore", &[], &rich("<p>web only</p>")),
            "web only",
        ),
        (
            &mac(
                "table-plus",
                &[("width", "100")],
                &rich("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"),
            ),
            "| a | b |\n| --- | --- |\n| 1 | 2 |",
        ),
        (
            &format!(
                "<p>{}</p>",
                mac("button", &[("title", "Go"), ("link", "https://e.com/")], "")
            ),
            "[Go](https://e.com/)",
        ),
        (&mac("loremipsum", &[], ""), ""),
        (&mac("spacer", &[("height", "10")], ""), ""),
    ]);
}

#[test]
fn navigation_says_nothing() {
    for name in [
        "toc",
        "page-index",
        "pagetree",
        "livesearch",
        "children",
        "recently-updated",
        "contributors",
        "attachments",
        "gallery",
        "create-from-template",
        "tasks-report-macro",
        "popular-labels",
    ] {
        check(&[(
            &mac(
                name,
                &[("max", "5"), ("root", "x"), ("buttonLabel", "New")],
                "",
            ),
            "",
        )]);
    }
    check(&[(
        &mac("toc-zone", &[("location", "top")], &rich("<p>zone</p>")),
        "zone",
    )]);
}

#[test]
fn dynamic_macros_leave_a_pointer() {
    let page = |title: &str| format!("<ac:link><ri:page ri:content-title=\"{title}\" /></ac:link>");
    check_on_site(&[
        (
            &mac("include", &[("", &page("Runbook"))], ""),
            "[Included page: [Runbook](https://example.atlassian.net/wiki/spaces/ENG/pages/42)]",
        ),
        (
            &mac("include", &[("", &page("Gone"))], ""),
            "[Included page: Gone]",
        ),
        (
            &mac("include", &[("", "ENG:Gone")], ""),
            "[Included page: Gone]",
        ),
        (
            &mac(
                "excerpt-include",
                &[("", &page("Gone")), ("name", "sla"), ("nopanel", "true")],
                "",
            ),
            "[Excerpt \"sla\" of: Gone]",
        ),
        (
            &mac(
                "multiexcerpt-include-macro",
                &[
                    ("PageWithExcerpt", &page("Gone")),
                    ("MultiExcerptName", "m"),
                ],
                "",
            ),
            "[Excerpt \"m\" of: Gone]",
        ),
        (
            &mac(
                "detailssummary",
                &[
                    ("firstcolumn", "Service"),
                    ("headings", "Owner,Status"),
                    ("cql", "label = \"s\""),
                ],
                "",
            ),
            "[Page properties report: label = \"s\"; columns: Service, Owner, Status]",
        ),
        (
            &format!(
                "<p>see {} now</p>",
                mac(
                    "jira",
                    &[
                        ("server", "System Jira"),
                        ("serverId", "5aa69414-a9e9"),
                        ("key", "OPS-1")
                    ],
                    ""
                )
            ),
            "see [OPS-1](https://example.atlassian.net/browse/OPS-1) now",
        ),
        (
            &mac(
                "jira",
                &[
                    ("columns", "key,summary"),
                    ("jqlQuery", "project = OPS AND status != Done"),
                    ("serverId", "5aa6"),
                ],
                "",
            ),
            "[Jira issues: project = OPS AND status != Done]",
        ),
        (
            &mac(
                "jirachart",
                &[("jql", "project%20%3D%20X"), ("chartType", "pie")],
                "",
            ),
            "[Jira chart: project = X]",
        ),
        (
            &mac("contentbylabel", &[("cql", "label = \"runbook\"")], ""),
            "[Pages by label: label = \"runbook\"]",
        ),
        (
            &mac(
                "profile",
                &[("user", "<ri:user ri:account-id=\"557058:ana\" />")],
                "",
            ),
            "@Ana Lima",
        ),
        (
            &mac(
                "widget",
                &[("url", "<ri:url ri:value=\"https://youtu.be/abc\" />")],
                "",
            ),
            "<https://youtu.be/abc>",
        ),
        (
            &mac("iframe", &[("src", "https://e.com/f")], ""),
            "<https://e.com/f>",
        ),
        (
            &mac(
                "drawio",
                &[
                    ("diagramName", "topology"),
                    ("revision", "4"),
                    ("pageId", "123"),
                ],
                "",
            ),
            "[Diagram (draw.io): topology]",
        ),
        (
            &mac("gliffy", &[("name", "Net plan"), ("macroId", "x")], ""),
            "[Diagram (Gliffy): Net plan]",
        ),
        (
            &mac(
                "roadmap",
                &[
                    ("title", "Plan"),
                    ("hash", "ab12"),
                    (
                        "source",
                        "%7B%22lanes%22%3A%5B%7B%22title%22%3A%22Core%22%2C%22bars%22%3A%5B%7B%22title%22%3A%22v1%22%2C%22startDate%22%3A%222026-01-05%2000%3A00%3A00%22%7D%5D%7D%5D%7D",
                    ),
                ],
                "",
            ),
            "[Roadmap: Plan]\n\n- Core\n  - v1 (from 2026-01-05)",
        ),
    ]);
    let found = convert(&format!(
        "{}{}{}",
        mac("include", &[("", &page("A"))], ""),
        mac("jira", &[("key", "A-1")], ""),
        mac("jira", &[("jqlQuery", "x")], "")
    ));
    let dynamic: Vec<_> = found
        .dynamic_macros
        .iter()
        .map(|m| (m.name.as_str(), m.macro_id.is_some(), m.ordinal, m.spliced))
        .collect();
    assert_eq!(
        dynamic,
        [("include", true, 0, false), ("jira", true, 0, false)]
    );
    // A macro that asks for something else is another one.
    let asks = |query: &str| convert(&mac("jira", &[("jqlQuery", query)], "")).dynamic_macros;
    assert_eq!(asks("x"), asks("x"));
    assert_ne!(asks("x"), asks("y"));
}

#[test]
fn unknown_macros_keep_their_body_and_are_counted() {
    let body = [
        mac("acme-board", &[("title", "Acme board"), ("apiToken", "tok-123")], &rich("<p>Visible.</p>")),
        mac("acme-list", &[("name", "Orders"), ("depth", "4")], ""),
        mac("acme-list", &[("depth", "4")], ""),
        mac("acme-code", &[], &plain("x = 1")),
        "<ac:macro ac:name=\"oldstyle\"><ac:default-parameter>dflt</ac:default-parameter><ac:rich-text-body><p>old body</p></ac:rich-text-body></ac:macro>".to_string(),
    ]
    .concat();
    let found = convert(&body);
    assert_eq!(
        found.markdown,
        "**Acme board**\n\nVisible.\n\n[Macro: acme-list — Orders]\n\n```\nx = 1\n```\n\nold body\n"
    );
    let expected = [
        ("acme-board", 1),
        ("acme-list", 2),
        ("acme-code", 1),
        ("oldstyle", 1),
    ]
    .map(|(n, c)| (n.to_string(), c));
    assert_eq!(found.diagnostics.unknown_macros, expected);
}

#[test]
fn secrets_and_ids_are_never_output() {
    let names = [
        "token",
        "documentToken",
        "clientSecret",
        "password",
        "serverId",
        "appLink",
        "api-key",
    ];
    for known in [
        "acme-widget",
        "lucidchart",
        "jira",
        "widget",
        "include",
        "button",
        "drawio",
        "code",
        "panel",
        "expand",
        "chart",
    ] {
        for name in names {
            let body = mac(
                known,
                &[
                    (name, "hush-hush"),
                    ("macroId", "hush-hush"),
                    ("_parentId", "hush-hush"),
                ],
                &rich("<p>shown</p>"),
            );
            let found = convert(&body);
            assert!(
                !format!("{found:?}").contains("hush-hush"),
                "{known} {name}: {found:?}"
            );
        }
    }
}

#[test]
fn macros_nest_in_anything() {
    let status = mac("status", &[("title", "OK")], "");
    let code = mac("code", &[], &plain("c"));
    check(&[
        (&format!("<h2>Head {status}</h2>"), "## Head **OK**"),
        (&format!("<ul><li>a {status}</li></ul>"), "- a **OK**"),
        (
            &format!("<table><tr><td>{status}</td><td>{code}</td></tr></table>"),
            "|  |  |\n| --- | --- |\n| **OK** | `c` |",
        ),
        (
            &mac(
                "info",
                &[],
                &rich(&mac("expand", &[("title", "T")], &rich(&code))),
            ),
            "> [!NOTE]\n> **T**\n>\n> ```\n> c\n> ```",
        ),
    ]);
}

/// An app of the new editor.
fn app(kind: &str, attributes: &[(&str, &str)], parameters: &[(&str, &str)]) -> String {
    let each = |tag: &str, pairs: &[(&str, &str)]| -> String {
        let one = |(key, value): &(&str, &str)| format!("<{tag} key=\"{key}\">{value}</{tag}>");
        pairs.iter().map(one).collect()
    };
    format!(
        "<ac:adf-extension><ac:adf-node type=\"{kind}\">{}<ac:adf-attribute key=\"parameters\">{}</ac:adf-attribute><ac:adf-mark key=\"data-consumer\"><ac:adf-data-consumer-source>0b7c4a3e-1111-4222-8333-944455556666</ac:adf-data-consumer-source></ac:adf-mark></ac:adf-node></ac:adf-extension>",
        each("ac:adf-attribute", attributes),
        each("ac:adf-parameter", parameters)
    )
}

#[test]
fn native_charts_keep_their_title_and_no_id() {
    let key = ("extension-key", "chart:default");
    let deep = "<ac:adf-parameter key=\"titles-field\"><ac:adf-parameter key=\"chart-title\">Sales</ac:adf-parameter></ac:adf-parameter>";
    check(&[
        (
            &app(
                "extension",
                &[key, ("text", "Chart")],
                &[("chart-title", "Orders a week")],
            ),
            "[Chart: Orders a week]",
        ),
        (
            &app(
                "extension",
                &[key, ("text", "Chart")],
                &[("chart-group", deep)],
            ),
            "[Chart: Sales]",
        ),
        (&app("extension", &[key, ("text", "Chart")], &[]), "[Chart]"),
        // Ids between elements are none of the page, whatever they stand in.
        (
            "<ac:adf-extension><ac:adf-node type=\"panel\"><ac:adf-other>0b7c4a3e-1111-4222-8333-944455556666</ac:adf-other><ac:adf-mark key=\"fragment\"><ac:adf-new>ari:cloud:x</ac:adf-new></ac:adf-mark><ac:adf-content><p>x 0b7c4a3e-1111-4222-8333-944455556666</p></ac:adf-content></ac:adf-node></ac:adf-extension>",
            "> [!IMPORTANT]\n> x 0b7c4a3e-1111-4222-8333-944455556666",
        ),
    ]);
}

#[test]
fn formulas_stay_in_their_sentence() {
    let inside = |macro_or_app: &str| format!("<p>The rule {macro_or_app} holds.</p>");
    let key = |module: &str| format!("1/2/static/{module}");
    for given in [
        app(
            "inline-extension",
            &[("extension-key", &key("mathinline"))],
            &[(
                "guest-params",
                "<ac:adf-parameter key=\"latex\">F = m a</ac:adf-parameter>",
            )],
        ),
        app(
            "inline-extension",
            &[("extension-key", &key("mathinline"))],
            &[("body", "F = m a")],
        ),
        app(
            "extension",
            &[("extension-key", &key("katex"))],
            &[("data", "$F = m a$")],
        ),
        app(
            "inline-extension",
            &[("extension-key", &key("mathinline"))],
            &[("guest-params", "{\"latex\": \"F = m a\", \"size\": 2}")],
        ),
        mac("mathinline", &[("body", "F = m a")], ""),
        mac("mathjax-inline-macro", &[("equation", "F = m a")], ""),
        mac("eazy-math-inline", &[("equation", "F%20=%20m%20a")], ""),
        mac("latex", &[], &plain("\\(F = m a\\)")),
        mac("some-app", &[("equation", "F = m a")], ""),
    ] {
        check(&[(&inside(&given), "The rule $F = m a$ holds.")]);
    }
    let block = "x\n\n$$\nF = m a\n$$";
    for given in [
        app(
            "extension",
            &[("extension-key", &key("mathblock"))],
            &[("formula", "F = m a")],
        ),
        mac("mathblock", &[("equation", "F = m a")], ""),
        mac("mathjax-block-macro", &[("equation", "F = m a")], ""),
        mac("some-app", &[("latex", "F = m a")], ""),
        mac("latex-formatting", &[], &plain("$$F = m a$$")),
    ] {
        check(&[(&format!("<p>x</p>{given}"), block)]);
    }
}

#[test]
fn a_sentence_keeps_what_it_was_about() {
    let inside = |given: &str| format!("<p>Now {given} it is</p>");
    let key = ("extension-key", "1/2/static/health");
    for (given, left) in [
        (
            app(
                "inline-extension",
                &[key, ("extension-title", "Health badge")],
                &[],
            ),
            "[App: Health badge]",
        ),
        (
            app("inline-extension", &[key], &[("local-id", "x")]),
            "[App: health]",
        ),
        (app("extension", &[key], &[]), "[App: health]"),
        (app("inline-extension", &[], &[]), "[App]"),
        (mac("some-app", &[("depth", "3")], ""), "[App: some-app]"),
        (
            mac("some-app", &[("value", "42 %")], ""),
            "[Macro: some-app — 42 %]",
        ),
        (
            mac("contributors", &[("mode", "list")], ""),
            "[App: contributors]",
        ),
        (
            mac(
                "create-from-template",
                &[("buttonLabel", "New incident")],
                "",
            ),
            "[App: New incident]",
        ),
        (mac("mathinline", &[], ""), "[App: mathinline]"),
        (mac("jira", &[("serverId", "x")], ""), "[App: jira]"),
    ] {
        check(&[(&inside(&given), &format!("Now {left} it is"))]);
    }
    // Navigation says nothing anywhere, and an anchor is no word.
    for silent in ["toc", "spacer", "anchor", "pagetree"] {
        check(&[(&inside(&mac(silent, &[], "")), "Now it is")]);
    }
    check(&[(&format!("<p>{}</p><p>x</p>", mac("children", &[], "")), "x")]);
}

const ANA: &str = "<ri:user ri:account-id=\"557058:ana\" />";

#[test]
fn people_are_named_wherever_they_stand() {
    let bo = "<ac:link><ri:user ri:account-id=\"bo\" /></ac:link>";
    check_on_site(&[
        (
            &format!(
                "<p>Owner: {}</p>",
                mac("profile-picture", &[("User", ANA)], "")
            ),
            "Owner: @Ana Lima",
        ),
        (
            &mac("userprofile", &[("user", ANA), ("size", "3")], ""),
            "@Ana Lima",
        ),
        (
            &mac("profile", &[("users", &format!("{ANA}{bo}"))], ""),
            "@Ana Lima, @bo",
        ),
        (
            &mac("profile-picture", &[("User", "jsmith")], ""),
            "@jsmith",
        ),
        (
            &format!("<p>{0}{0}</p>", mac("profile", &[("user", ANA)], "")),
            "@Ana Lima @Ana Lima",
        ),
        (
            &format!("<p>Lead: {}</p>", mac("team-badge", &[("who", ANA)], "")),
            "Lead: [Macro: team-badge — @Ana Lima]",
        ),
        (
            &mac(
                "team",
                &[("title", "Ops"), ("members", &format!("{ANA}{bo}"))],
                "",
            ),
            "[Macro: team — Ops, @Ana Lima, @bo]",
        ),
        (
            &mac(
                "assignment",
                &[("title", "Backups"), ("owner", ANA)],
                &rich("<p>every night</p>"),
            ),
            "**Backups**\n\n@Ana Lima\n\nevery night",
        ),
        // Whose pages a list shows is no content.
        (&mac("recently-updated", &[("author", ANA)], ""), ""),
    ]);
    let found = convert(&mac("team-badge", &[("who", ANA)], ""));
    assert_eq!(found.users, ["557058:ana"]);
}

#[test]
fn labels_stand_with_their_bodies() {
    let body = rich("<p>run it</p>");
    let tab = |name: &str, param: &str| mac(name, &[(param, "Linux")], &body);
    for given in [
        mac("deck", &[("id", "d")], &rich(&tab("card", "label"))),
        mac(
            "aura-tab-group",
            &[("id", "d")],
            &rich(&tab("aura-tab", "title")),
        ),
        mac("faq-list", &[], &rich(&tab("faq-item", "question"))),
        tab("ui-tab", "title"),
        tab("some-panel", "heading"),
        tab("some-tab", "name"),
    ] {
        check(&[(&given, "**Linux**\n\nrun it")]);
    }
    check(&[
        (
            &mac("requirement", &[("key", "REQ-12")], &body),
            "**REQ-12**\n\nrun it",
        ),
        (
            &format!(
                "<p>The {} rule</p>",
                mac(
                    "requirement",
                    &[("key", "REQ-12"), ("type", "DEFINITION")],
                    ""
                )
            ),
            "The [Macro: requirement — REQ-12] rule",
        ),
        (
            &format!(
                "<p>Here {} then</p>",
                mac("requirement", &[("key", "REQ-12")], &body)
            ),
            "Here **REQ-12** run it then",
        ),
        (
            &mac("acme-code", &[("title", "Setup")], &plain("x = 1")),
            "**Setup**\n\n```\nx = 1\n```",
        ),
        (
            &mac("requirement", &[("key", "SRS_LOGIN_007")], ""),
            "[Macro: requirement — SRS_LOGIN_007]",
        ),
        // A key that opens something is none.
        (
            &mac("acme", &[("key", "AKIA1234567890ABCDEF")], &body),
            "run it",
        ),
        (
            "<ac:adf-extension><ac:adf-node type=\"bodied-extension\"><ac:adf-attribute key=\"parameters\"><ac:adf-parameter key=\"title\">Linux</ac:adf-parameter></ac:adf-attribute><ac:adf-content><p>run it</p></ac:adf-content></ac:adf-node></ac:adf-extension>",
            "**Linux**\n\nrun it",
        ),
    ]);
}

#[test]
fn bodies_in_a_sentence_go_on_with_it() {
    let approved = rich("<p>Approved</p>");
    let output = ("atlassian-macro-output-type", "INLINE");
    for name in [
        "excerpt",
        "multiexcerpt",
        "span",
        "scroll-ignore",
        "acme-mark",
        "tooltip",
    ] {
        let given = mac(name, &[output], &approved);
        check(&[
            (&format!("<p>State: {given}.</p>"), "State: Approved."),
            (
                &format!("<ul><li>State: {given}, <b>so</b></li></ul>"),
                "- State: Approved, **so**",
            ),
            (&format!("<h2>State {given}!</h2>"), "## State Approved!"),
            (
                &format!("<table><tr><td>k</td><td>State: {given}.</td></tr></table>"),
                "|  |  |\n| --- | --- |\n| k | State: Approved. |",
            ),
            (&format!("<div>State: {given}.</div>"), "State: Approved."),
        ]);
    }
    check(&[
        (
            &format!(
                "<p>a {} c</p>",
                mac("sv-translation", &[("language", "de")], &rich("<p>b</p>"))
            ),
            "a **de** b c",
        ),
        (
            &format!(
                "<p>a {}</p>",
                mac("excerpt", &[], &rich("<p>b</p><p>c</p><ul><li>d</li></ul>"))
            ),
            "a b\n\nc\n\n- d",
        ),
        // It may begin the sentence, and be a word of code.
        (
            &format!("<p>{} by Ann.</p>", mac("excerpt", &[], &approved)),
            "Approved by Ann.",
        ),
        (
            &format!(
                "<p>Run {} now.</p>",
                mac("acme-command", &[], &plain("make all"))
            ),
            "Run `make all` now.",
        ),
        // A frame in a paragraph ends it as before.
        (
            &format!("<p>a {} c</p>", mac("info", &[], &rich("<p>b</p>"))),
            "a\n\n> [!NOTE]\n> b\n\nc",
        ),
    ]);
    let found = convert(&format!(
        "<p>State: {}.</p>",
        mac("excerpt", &[("name", "s")], &approved)
    ));
    assert_eq!(found.excerpts[0].markdown, "Approved");
}

#[test]
fn what_only_parameters_say_is_said() {
    let source = "{\"title\":\"Plan\",\"timeline\":{\"displayOption\":\"MONTH\"},\"lanes\":[{\"title\":\"Core\",\"bars\":[{\"title\":\"v1\",\"startDate\":\"2026-01-05 00:00:00\",\"duration\":2.5,\"description\":\"first\"},{\"title\":\"v2\",\"duration\":1}]}],\"markers\":[{\"title\":\"GA\",\"markerDate\":\"2026-05-01 00:00:00\"}]}";
    let encoded: String = source.bytes().map(|b| format!("%{b:02X}")).collect();
    check(&[
        (
            &mac(
                "lucidchart",
                &[("documentName", "Order flow"), ("documentId", "x")],
                "",
            ),
            "[Diagram (Lucidchart): Order flow]",
        ),
        (
            &mac("miro", &[("boardTitle", "Retro"), ("boardId", "x")], ""),
            "[Diagram (Miro): Retro]",
        ),
        (
            &mac("miro", &[("url", "https://miro.com/b?token=1&amp;p=2")], ""),
            "[Diagram (Miro): https://miro.com/b?p=2]",
        ),
        (
            &mac("roadmap", &[("source", &encoded)], ""),
            "[Roadmap: Plan]\n\n- Core\n  - v1 (from 2026-01-05, 2.5 months): first\n  - v2 (1 month)\n- Marker: GA (2026-05-01)",
        ),
        (
            &mac("content-report-table", &[("labels", "decisions")], ""),
            "[Pages by label: decisions]",
        ),
        (
            &format!(
                "<p>Open: {} today</p>",
                mac("jira", &[("jqlQuery", "type = Bug"), ("count", "true")], "")
            ),
            "Open: [Number of Jira issues: type = Bug] today",
        ),
        (
            &mac(
                "jira",
                &[("jqlQuery", "type = Bug"), ("count", "false")],
                "",
            ),
            "[Jira issues: type = Bug]",
        ),
    ]);
}

#[test]
fn titles_with_a_colon_are_no_space_keys() {
    let include = |text: &str| mac("include", &[("", text)], "");
    let runbook = "[Runbook](https://example.atlassian.net/wiki/spaces/ENG/pages/42)";
    check_on_site(&[
        (
            &include("Runbook: restore a backup"),
            "[Included page: Runbook: restore a backup]",
        ),
        (&include("API: auth"), "[Included page: API: auth]"),
        (
            &include("runbook:restore"),
            "[Included page: runbook:restore]",
        ),
        (
            &include("ENG:Runbook"),
            &format!("[Included page: {runbook}]"),
        ),
        (&include("Runbook"), &format!("[Included page: {runbook}]")),
        (&include("ENG:Gone"), "[Included page: Gone]"),
        (&include("~5570:Notes"), "[Included page: Notes]"),
    ]);
}

#[test]
fn addresses_in_macros_lose_their_secrets() {
    let address = "https://bob:hush-hush@h.example/x?access_token=hush-hush&amp;key=hush-hush&amp;sig=hush-hush&amp;page=2";
    for (name, param) in [
        ("some-embed", "url"),
        ("some-embed", "title"),
        ("widget", "url"),
        ("iframe", "src"),
        ("button", "link"),
        ("miro", "url"),
        ("jira", "url"),
        ("drawio", "src"),
    ] {
        for value in [
            address.to_string(),
            format!("<ri:url ri:value=\"{address}\" />"),
        ] {
            let given = mac(name, &[(param, &value)], "");
            let found = convert(&format!("{given}<p>in {given} text</p>"));
            assert!(
                !format!("{found:?}").contains("hush-hush"),
                "{name} {found:?}"
            );
            let kept = found.markdown.contains("https://h.example/x?page=2");
            assert!(
                kept || value.starts_with('<'),
                "{name} {param}: {}",
                found.markdown
            );
        }
    }
}
