//! Headings, paragraphs, quotes, rules, lists; the container they come in.

use crate::site::{check, convert};

#[test]
fn headings_are_plain_lines() {
    check(&[
        (
            "<h1>One</h1><h2 local-id=\"x\">Two</h2><h6>Six</h6>",
            "# One\n\n## Two\n\n###### Six",
        ),
        ("<h2><strong>All bold</strong></h2>", "## All bold"),
        ("<h2>Part <strong>bold</strong></h2>", "## Part **bold**"),
        ("<h2>two<br/>lines</h2>", "## two lines"),
        ("<h2></h2><h3><br/></h3><h3>&nbsp;</h3><p>x</p>", "x"),
        ("<h2>ends in #</h2>", "## ends in \\#"),
        ("<h2>1. First</h2>", "## 1. First"),
        (
            "<h2 style=\"text-align: center;\"><p>wrapped</p></h2>",
            "## wrapped",
        ),
    ]);
}

#[test]
fn paragraphs_lose_their_looks_and_empty_ones_vanish() {
    check(&[
        (
            "<p style=\"text-align: center;\" local-id=\"1\">a</p><p style=\"margin-left: 30.0px;\">b</p>",
            "a\n\nb",
        ),
        ("<p /><p>&nbsp;</p><p> <br/> </p><p>x</p><p />", "x"),
        ("<p>a</p>\n  <p>\n  b\n    c </p>", "a\n\nb c"),
        ("plain text", "plain text"),
        ("<div><div>a</div>b</div><center>c</center>", "a\n\nb\n\nc"),
        (
            "<p><big>b</big><small>s</small><font color=\"red\">f</font></p>",
            "bsf",
        ),
        ("<address>street</address>", "street"),
    ]);
}

#[test]
fn breaks_stay_within_a_paragraph() {
    check(&[
        ("<p>a<br />b<br/>c</p>", "a\\\nb\\\nc"),
        ("<p><br/>a<br/></p>", "a"),
        ("<p>a<br/><br/>b</p>", "a\n\nb"),
        ("<p><strong>a<br/>b</strong></p>", "**a\\\nb**"),
        ("<p><code>a<br/>b</code></p>", "`a`\\\n`b`"),
    ]);
}

#[test]
fn rules_quotes_and_preformatted_text() {
    check(&[
        ("<p>a</p><hr/><p>b</p>", "a\n\n---\n\nb"),
        (
            "<blockquote><p>a</p><ul><li>b</li></ul></blockquote><p>c</p>",
            "> a\n>\n> - b\n\nc",
        ),
        (
            "<blockquote><blockquote><p>deep</p></blockquote></blockquote>",
            "> > deep",
        ),
        ("<blockquote></blockquote><p>x</p>", "x"),
        (
            "<pre>a  <b>b</b><br/>  c &lt;</pre>",
            "```\na  b\n  c <\n```",
        ),
        (
            "<dl><dt>Term</dt><dd>Meaning</dd></dl>",
            "**Term**\n\nMeaning",
        ),
        (
            "<details><summary>Sum</summary><p>body</p></details>",
            "**Sum**\n\nbody",
        ),
    ]);
}

#[test]
fn lists_nest_and_stay_tight() {
    check(&[
        ("<ul><li>a</li><li><p>b</p></li></ul>", "- a\n- b"),
        (
            "<ul><li><p>a</p><ul><li><p>b</p><ol><li>c</li></ol></li></ul></li><li>d</li></ul>",
            "- a\n  - b\n    1. c\n- d",
        ),
        ("<ol start=\"5\"><li>e</li><li>f</li></ol>", "5. e\n6. f"),
        (
            "<ol><li>a</li></ol><p>between</p><ol start=\"2\"><li>b</li></ol>",
            "1. a\n\nbetween\n\n2. b",
        ),
        (
            "<ul><li><p>a</p><p>b</p></li><li>c</li></ul>",
            "- a\n\n  b\n- c",
        ),
        (
            "<ul class=\"alternate\"><li />\n<li>x</li><li></li></ul>",
            "- x",
        ),
        // Only a list that starts at one may follow a paragraph closely.
        (
            "<ul><li>a<ol start=\"3\"><li>b</li></ol></li></ul>",
            "- a\n\n  3. b",
        ),
        // Neighbours must not merge.
        (
            "<ul><li>a</li></ul><ul><li>b</li></ul><ol><li>c</li></ol><ol><li>d</li></ol>",
            "- a\n\n* b\n\n1. c\n\n1) d",
        ),
    ]);
}

#[test]
fn a_list_directly_in_a_list_belongs_to_the_item_before() {
    check(&[
        (
            "<ul><li>a</li><ul><li>b</li></ul><li>c</li></ul>",
            "- a\n  - b\n- c",
        ),
        ("<ul><ul><li>only</li></ul></ul>", "- only"),
        (
            "<ol><li>a</li><ul><li>b</li><li>c</li></ul></ol>",
            "1. a\n   - b\n   - c",
        ),
    ]);
}

#[test]
fn items_keep_their_numbers_whatever_shows() {
    let unseen = "<ac:image><ri:attachment ri:filename=\"image-1.png\" /></ac:image>";
    let toc = "<ac:structured-macro ac:name=\"toc\" />";
    for hidden in [
        unseen,
        toc,
        "",
        "<p />",
        "<p>&nbsp;</p>",
        "<ac:placeholder>type</ac:placeholder>",
    ] {
        check(&[
            (
                &format!("<ol><li>one</li><li>{hidden}</li><li>three</li></ol>"),
                "1. one\n3. three",
            ),
            (&format!("<ol><li>{hidden}</li><li>two</li></ol>"), "2. two"),
            (
                &format!(
                    "<table><tr><td>k</td><td><ol><li>one</li><li>{hidden}</li><li>three</li></ol></td></tr></table>"
                ),
                "|  |  |\n| --- | --- |\n| k | 1. one<br>3. three |",
            ),
        ]);
    }
    check(&[
        ("<ol><li>one</li><li /><li /></ol><p>x</p>", "1. one\n\nx"),
        (
            "<ol start=\"7\"><li /><li>eight<ol><li /><li>inner</li></ol></li><li>nine</li></ol>",
            "8. eight\n\n   2. inner\n9. nine",
        ),
        (
            "<ol><li>one</li><li value=\"5\">five</li><li>six</li></ol>",
            "1. one\n5. five\n6. six",
        ),
        // Bullets have none, and an item of them takes none from the list around it.
        (
            "<ol><li>a<ul><li /><li>x</li></ul></li><li>b</li></ol>",
            "1. a\n   - x\n2. b",
        ),
        (
            "<table><tr><td>k</td><td><ol><li>a</li><li><ol><li>x</li><li>y</li></ol></li><li>c</li></ol></td></tr></table>",
            "|  |  |\n| --- | --- |\n| k | 1. a<br>2. 1. x<br>  2. y<br>3. c |",
        ),
    ]);
}

#[test]
fn items_hold_blocks() {
    check(&[
        (
            "<ul><li><p>run</p><ac:structured-macro ac:name=\"code\"><ac:plain-text-body><![CDATA[a\n\n  b]]></ac:plain-text-body></ac:structured-macro></li><li>next</li></ul>",
            "- run\n\n  ```\n  a\n\n    b\n  ```\n- next",
        ),
        (
            "<ol><li><blockquote><p>q</p></blockquote></li></ol>",
            "1. > q",
        ),
        ("<ul><li><hr/></li></ul>", "- ___"),
        (
            "<ul><li><table><tr><th>k</th><th>v</th></tr><tr><td>a</td><td>b</td></tr></table></li></ul>",
            "- | k | v |\n  | --- | --- |\n  | a | b |",
        ),
    ]);
}

#[test]
fn entities_are_decoded_once() {
    check(&[
        (
            "<p>&eacute;&rsquo;&hellip;&mdash;&#8364;&#x1F600;</p>",
            "é’…—€😀",
        ),
        (
            "<p>a &amp;lt; b &amp; c &bogus; d</p>",
            "a \\&lt; b & c &bogus; d",
        ),
        ("<p>5&nbsp;&times;&nbsp;3 \u{a0} x</p>", "5 × 3 x"),
        ("<p>a &lt; b &gt; c &lt;div&gt;</p>", "a < b > c \\<div>"),
        ("<p>&gt; no quote</p>", "\\> no quote"),
    ]);
}

#[test]
fn pretty_printed_and_glued_markup_give_the_same() {
    let glued = "<ul><li><p>a</p></li><li><p>b</p></li></ul><table><tbody><tr><th><p>h</p></th><th><p>i</p></th></tr><tr><td><p>x</p></td><td><p>y</p></td></tr></tbody></table>";
    let pretty = glued.replace('>', ">\n  ").replace('<', "\n<");
    assert_eq!(convert(glued).markdown, convert(&pretty).markdown);
}

#[test]
fn broken_markup_is_converted_as_far_as_it_goes_and_flagged() {
    let cases = [
        ("<p>a < b</p><p>c</p>", "a < b"),
        ("<p>one <b>two</p><p>three</p>", "three"),
        ("<p>a</p></div></p><p>b</p>", "b"),
        ("<p>a &nbsp b & c</p>", "c"),
        ("<p>end <strong", "end"),
        ("<p>x</p><!-- open", "x"),
        ("<p>x</p><![CDATA[ open", "x"),
    ];
    for (body, kept) in cases {
        let found = convert(body);
        assert!(found.markdown.contains(kept), "{body}: {}", found.markdown);
    }
    assert!(convert("<p>a <? b</p><p>c</p>").diagnostics.repairs > 0);
    assert_eq!(convert("<p>fine</p>").diagnostics.repairs, 0);
}

#[test]
fn depth_is_bounded_and_nothing_is_lost_below() {
    let mut body = String::new();
    for n in 0..400 {
        body.push_str(&format!("<ul><li>level{n}"));
    }
    body.push_str(&"</li></ul>".repeat(400));
    let markdown = convert(&body).markdown;
    for n in 0..400 {
        assert!(markdown.contains(&format!("level{n}\n")), "level {n}");
    }
    let deepest = markdown
        .lines()
        .map(|l| l.len() - l.trim_start().len())
        .max();
    assert!(deepest <= Some(24), "{deepest:?}");
}

#[test]
fn outline_words_and_anchors_come_along() {
    let found = convert(
        "<h1>Set up &amp; run</h1><p>some words</p><h2>Set <em>up</em></h2><h2>Set up</h2>",
    );
    let outline: Vec<_> = found
        .outline
        .iter()
        .map(|h| (h.level, h.text.as_str(), h.anchor.as_str()))
        .collect();
    assert_eq!(
        outline,
        [
            (1, "Set up & run", "Set-up-&-run"),
            (2, "Set up", "Set-up"),
            (2, "Set up", "Set-up.1")
        ]
    );
    assert_eq!(
        found.outline,
        storage_markdown::outline::outline(&found.markdown)
    );
    assert_eq!(found.words, 9);
}
