//! Rendered bodies, and rendered macros in place of dynamic ones.

use storage_markdown::{NoResolver, Options, close_links, convert_view, splice_rendered};

use crate::site::{Site, mac, rich, told};

fn check(cases: &[(&str, &str)]) {
    for (html, expected) in cases {
        let found = convert_view(html, &Options::default(), &Site).markdown;
        let found = close_links(&found, told);
        assert_eq!(
            found.strip_suffix('\n').unwrap_or(&found),
            *expected,
            "{html}"
        );
    }
}

#[test]
fn every_class_of_the_renderer_has_its_markdown() {
    check(&[
        (
            "<div class=\"confluence-information-macro confluence-information-macro-tip conf-macro output-block\"><p class=\"title\">T</p><span class=\"aui-icon confluence-information-macro-icon\"> i</span><div class=\"confluence-information-macro-body\"><p>x</p></div></div><p>y</p>",
            "> [!TIP]\n> **T**\n>\n> x\n\ny",
        ),
        (
            "<div class=\"panel conf-macro\" style=\"background-color: rgb(234,230,255);\"><div class=\"panelContent\"><p>x</p></div></div>",
            "> [!IMPORTANT]\n> x",
        ),
        (
            "<div class=\"panel\"><div class=\"panelHeader\"><b>Head</b></div><div class=\"panelContent\"><p>x</p></div></div><p>y</p>",
            "> **Head**\n>\n> x\n\ny",
        ),
        (
            "<div class=\"panel\"><div class=\"panelContent\"><p>x</p></div></div>",
            "x",
        ),
        (
            "<div class=\"code panel pdl\"><div class=\"codeHeader panelHeader pdl\"><b>A.java</b></div><div class=\"codeContent panelContent pdl\"><pre class=\"syntaxhighlighter-pre\" data-syntaxhighlighter-params=\"brush: java; gutter: false; theme: Confluence\">a &lt; b\n  c</pre></div></div>",
            "**A.java**\n\n```java\na < b\n  c\n```",
        ),
        (
            "<div class=\"preformatted panel\"><div class=\"preformattedContent panelContent\"><pre>raw *x*</pre></div></div>",
            "```\nraw *x*\n```",
        ),
        (
            "<div class=\"expand-container\"><div class=\"expand-control\"><span class=\"expand-control-icon icon\">&nbsp;</span><span class=\"expand-control-text\">More</span></div><div class=\"expand-content expand-hidden\"><p>x</p></div></div>",
            "**More**\n\nx",
        ),
        (
            "<p>is <span class=\"status-macro aui-lozenge aui-lozenge-success conf-macro\">ON</span>.</p>",
            "is **ON**.",
        ),
        (
            "<div class=\"toc-macro\"><ul><li><a href=\"#a\">a</a></li></ul></div><p>x</p>",
            "x",
        ),
        (
            "<p><a href=\"/wiki/spaces/ENG/pages/42/Old\" data-linked-resource-id=\"42\" data-linked-resource-type=\"page\">it</a></p>",
            "[it](https://example.atlassian.net/wiki/spaces/ENG/pages/42)",
        ),
        (
            "<p>ask <a class=\"confluence-userlink user-mention\" data-account-id=\"557058:x\" href=\"/wiki/people/557058:x\">Bo Li</a></p>",
            "ask @Bo Li",
        ),
        (
            "<p><span class=\"confluence-embedded-file-wrapper\"><img class=\"confluence-embedded-image\" alt=\"Plan\" data-linked-resource-default-alias=\"plan.png\" data-image-src=\"https://example.atlassian.net/wiki/download/attachments/1/plan.png?version=1&amp;modificationDate=2&amp;api=v2\"></span></p>",
            "![Plan](https://example.atlassian.net/wiki/download/attachments/1/plan.png)",
        ),
        (
            "<p><img class=\"emoticon emoticon-tick\" data-emoji-fallback=\"✅\" alt=\"(tick)\"> ok <img class=\"emoticon\" data-emoji-fallback=\":check_mark:\" alt=\"(tick)\"></p>",
            "✅ ok ✅",
        ),
        (
            "<ul class=\"inline-task-list\"><li class=\"checked\" data-inline-task-id=\"1\"><span>done</span></li><li data-inline-task-id=\"2\"><span>open</span></li></ul>",
            "- [x] done\n- [ ] open",
        ),
        (
            "<p>on <time datetime=\"2026-10-01\" class=\"date-past\">01 Oct 2026</time></p>",
            "on 2026-10-01",
        ),
        (
            "<p><span class=\"jira-issue\" data-jira-key=\"OPS-1\"><a href=\"x\">OPS-1</a> - <span class=\"summary\">Getting issue details...</span></span></p>",
            "[OPS-1](https://example.atlassian.net/browse/OPS-1)",
        ),
        (
            "<div class=\"table-wrap\"><table class=\"confluenceTable\"><tbody><tr><th class=\"confluenceTh\">a</th><th class=\"confluenceTh\">b</th></tr><tr><td class=\"confluenceTd\">1<td class=\"confluenceTd\">2</table></div>",
            "| a | b |\n| --- | --- |\n| 1 | 2 |",
        ),
        (
            "<div class=\"plugin-tabmeta-details\"><div class=\"table-wrap\"><table><tr><th>K</th><td>v</td></tr></table></div></div>",
            "- **K:** v",
        ),
        (
            "<div>We don't have a way to export this macro.</div><p>x</p>",
            "x",
        ),
        (
            "<div class=\"ap-container\"><div class=\"ap-content\"></div><script>var x = {\"token\": 1}</script></div><p>x</p>",
            "x",
        ),
        (
            "<ul><li>a<li>b<p>c</ul><p>d<p>e",
            "- a\n- b\n\n  c\n\nd\n\ne",
        ),
    ]);
    let found = convert_view(
        "<p><a class=\"user-mention\" data-account-id=\"557058:x\">B</a></p>",
        &Options::default(),
        &NoResolver,
    );
    assert_eq!(found.users, ["557058:x"]);
}

#[test]
fn emoticons_are_known_by_name_in_every_language() {
    let emoticon = |attrs: &str| format!("<p>a <img class=\"emoticon\" {attrs}> b</p>");
    for (attrs, expected) in [
        ("data-emoticon-name=\"cross\" alt=\"(Fehler)\"", "❌"),
        (
            "data-emoji-id=\"1f680\" data-emoji-fallback=\":rocket:\" alt=\":rocket:\"",
            "🚀",
        ),
        (
            "data-emoji-id=\"1f468-200d-1f4bb\" data-emoji-shortname=\":man:\"",
            "👨\u{200d}💻",
        ),
        (
            "data-emoji-id=\"atlassian-check_mark\" alt=\"(Haken)\"",
            "✅",
        ),
        ("data-emoji-fallback=\"🗓\" data-emoji-id=\"1f680\"", "🗓"),
        ("data-emoji-shortname=\":warning:\" alt=\"x\"", "⚠️"),
        (
            "data-emoticon-name=\"blue-star\" data-emoji-shortname=\":our-logo:\"",
            ":our-logo:",
        ),
        ("alt=\"(tick)\"", "✅"),
        ("alt=\"(something)\"", "(something)"),
    ] {
        check(&[(&emoticon(attrs), &format!("a {expected} b"))]);
    }
    check(&[(
        "<p><img class=\"emoticon emoticon-tick\" alt=\"(Haken)\"></p>",
        "✅",
    )]);
}

#[test]
fn issues_say_what_the_renderer_knows() {
    let issue = |inner: &str| {
        format!(
            "<p>Fix <span class=\"jira-issue conf-macro\" data-jira-key=\"OPS-1\">{inner}</span> now</p>"
        )
    };
    let link = "<a href=\"https://jira.example/browse/OPS-1?src=confmacro\" class=\"jira-issue-key\"><span class=\"aui-icon\"> </span>OPS-1</a>";
    check(&[
        (
            &issue(&format!(
                "{link} - <span class=\"summary\">Disk full</span> <span class=\"aui-lozenge aui-lozenge-success jira-macro-single-issue-export-pdf\">Done</span>"
            )),
            "Fix [OPS-1](https://jira.example/browse/OPS-1) - Disk full **Done** now",
        ),
        (
            &issue(&format!(
                "{link} - <span class=\"summary\">Getting issue details...</span> <span class=\"aui-lozenge issue-placeholder\">STATUS</span>"
            )),
            "Fix [OPS-1](https://example.atlassian.net/browse/OPS-1) now",
        ),
        (
            &issue(""),
            "Fix [OPS-1](https://example.atlassian.net/browse/OPS-1) now",
        ),
    ]);
}

#[test]
fn what_only_rendered_bodies_have() {
    check(&[
        (
            "<table class=\"sectionMacro\"><tbody><tr><td class=\"columnMacro\"><h2>Left</h2><table class=\"confluenceTable\"><tr><th>a</th><th>b</th></tr><tr><td>1</td><td data-highlight-colour=\"red\"></td></tr></table></td><td class=\"columnMacro\"><h2>Right</h2><p>b</p></td></tr></tbody></table><p>end</p>",
            "## Left\n\n| a | b |\n| --- | --- |\n| 1 | red |\n\n## Right\n\nb\n\nend",
        ),
        (
            "<p>run <code style=\"white-space: pre\">a = 1\n  b = 2</code> then <code style=\"color: red; white-space:pre-wrap;\">c  d</code></p>",
            "run\n\n```\na = 1\n  b = 2\n```\n\nthen `c  d`",
        ),
        (
            "<p>run <code>a<br>  b</code></p>",
            "run\n\n```\na\n  b\n```",
        ),
        (
            "<p><code>a = 1\n  b = 2</code></p>",
            "```\na = 1\n  b = 2\n```",
        ),
        (
            "<p>see <iframe src=\"//h.example/v\"></iframe></p>",
            "see <https://h.example/v>",
        ),
        ("<p>wrapped <code>a\nb</code></p>", "wrapped `a b`"),
        (
            "<iframe src=\"https://h.example/embed?jwt=abc&amp;v=1\" title=\"Board\">none</iframe><p>x</p><embed src=\"https://h.example/e.pdf\">",
            "[Board](https://h.example/embed?v=1)\n\nx\n\n<https://h.example/e.pdf>",
        ),
        (
            "<iframe src=\"javascript:x()\"></iframe><iframe></iframe><p>x</p>",
            "x",
        ),
    ]);
    for (brush, fence) in [
        ("py", "python"),
        ("c#", "csharp"),
        ("shell", "sh"),
        ("yml", "yaml"),
        ("js", "javascript"),
        ("elixir", "elixir"),
        ("text", ""),
        ("a b", ""),
    ] {
        check(&[(
            &format!(
                "<pre class=\"syntaxhighlighter-pre\" data-syntaxhighlighter-params=\"gutter: false; brush: {brush}; theme: x\">y</pre>"
            ),
            &format!("```{fence}\ny\n```"),
        )]);
    }
}

const STORED: &str = r#"<p>before</p><ac:structured-macro ac:name="detailssummary" ac:macro-id="m-1"><ac:parameter ac:name="cql">label = "x"</ac:parameter></ac:structured-macro><ac:structured-macro ac:name="include" ac:macro-id="m-2"><ac:parameter ac:name=""><ac:link><ri:page ri:content-title="Other" /></ac:link></ac:parameter></ac:structured-macro><p>after</p>"#;

#[test]
fn rendered_macros_take_the_place_of_pointers() {
    let rendered = r#"<p>before</p><div class="conf-macro output-block" data-macro-id="m-1" data-macro-name="detailssummary"><table class="metadata-summary-macro"><tr><th>Page</th><th>Owner</th></tr><tr><td>P</td><td>Ana</td></tr></table></div><div class="conf-macro" data-macro-id="m-2" data-macro-name="include"><p>taken <b>over</b></p></div><p>after</p>"#;
    let found = splice_rendered(STORED, rendered, &Options::default(), &NoResolver);
    assert_eq!(
        found.markdown,
        "before\n\n| Page | Owner |\n| --- | --- |\n| P | Ana |\n\ntaken **over**\n\nafter\n"
    );
    assert!(found.dynamic_macros.iter().all(|m| m.spliced));
}

#[test]
fn macros_are_found_by_their_order_when_ids_are_missing() {
    let rendered = r#"<table class="metadata-summary-macro" data-cql="x"><tr><th>Page</th><th>Owner</th></tr><tr><td>P</td><td>Ana</td></tr></table>"#;
    let found = splice_rendered(STORED, rendered, &Options::default(), &NoResolver);
    assert_eq!(
        found.markdown,
        "before\n\n| Page | Owner |\n| --- | --- |\n| P | Ana |\n\n[Included page: Other]\n\nafter\n"
    );
}

#[test]
fn storage_stands_when_the_rendered_form_says_nothing() {
    let alone =
        storage_markdown::convert_storage(STORED, &Options::default(), &NoResolver).markdown;
    for rendered in [
        "",
        "<p>before</p>",
        "<",
        "<div data-macro-id=\"m-1\" data-macro-name=\"detailssummary\"></div>",
        "<div data-macro-id=\"m-2\" data-macro-name=\"include\"><div class=\"error\">Unable to render</div></div>",
    ] {
        assert_eq!(
            splice_rendered(STORED, rendered, &Options::default(), &NoResolver).markdown,
            alone,
            "{rendered}"
        );
    }
    let _ = (mac("x", &[], ""), rich(""));
}
