//! Links of every kind, images, files, mentions.

use storage_markdown::{
    Images, LinkTarget, NoResolver, Options, close_links, convert_storage, linked_pages,
};

use crate::site::{
    NoPages, Site, check, check_on_site, check_with, convert, convert_on_site, told,
};

const BASE: &str = "https://example.atlassian.net/wiki";

#[test]
fn targets_that_are_known_become_links() {
    check_on_site(&[
        (
            "<p><ac:link><ri:page ri:content-title=\"Runbook\" ri:version-at-save=\"7\" /></ac:link></p>",
            &format!("[Runbook]({BASE}/spaces/ENG/pages/42)"),
        ),
        (
            "<p><ac:link><ri:page ri:space-key=\"OPS\" ri:content-title=\"Home &amp; Away\" /><ac:plain-text-link-body><![CDATA[the <home>]]></ac:plain-text-link-body></ac:link></p>",
            &format!("[the \\<home>]({BASE}/spaces/OPS/pages/43)"),
        ),
        (
            "<p><ac:link ac:anchor=\"Roll back\"><ri:page ri:content-title=\"Runbook\" /><ac:link-body><strong>roll</strong> back</ac:link-body></ac:link></p>",
            &format!("[**roll** back]({BASE}/spaces/ENG/pages/42#Roll-back)"),
        ),
        (
            "<p><ac:link><ri:content-entity ri:content-id=\"42\" /></ac:link></p>",
            &format!("[Runbook]({BASE}/spaces/ENG/pages/42)"),
        ),
        (
            "<p><ac:link><ri:page ri:content-id=\"42\" /><ac:link-body>it</ac:link-body></ac:link></p>",
            &format!("[it]({BASE}/spaces/ENG/pages/42)"),
        ),
        (
            "<p><ac:link><ri:blog-post ri:space-key=\"ENG\" ri:content-title=\"Launch\" ri:posting-day=\"2025/01/31\" /></ac:link></p>",
            &format!("[Launch]({BASE}/spaces/ENG/blog/2025/01/31/77)"),
        ),
        (
            "<p><ac:link><ri:attachment ri:filename=\"spec v2.pdf\" /></ac:link></p>",
            &format!("[spec v2.pdf]({BASE}/download/attachments/1/spec%20v2.pdf)"),
        ),
        (
            "<p><ac:link><ri:attachment ri:filename=\"a.xlsx\"><ri:page ri:content-title=\"Data\" /></ri:attachment><ac:link-body>sheet</ac:link-body></ac:link></p>",
            &format!("[sheet]({BASE}/download/attachments/43/a.xlsx)"),
        ),
        (
            "<p><ac:link><ri:space ri:space-key=\"ENG\" /></ac:link></p>",
            &format!("[ENG]({BASE}/spaces/ENG)"),
        ),
        (
            "<p>ask <ac:link><ri:user ri:account-id=\"557058:ana\" /></ac:link> or <ac:link><ri:user ri:userkey=\"8a7f\" /></ac:link></p>",
            "ask @Ana Lima or @8a7f",
        ),
        (
            "<p><ac:link><ri:url ri:value=\"https://e.com/\" /><ac:link-body>web</ac:link-body></ac:link></p>",
            "[web](https://e.com/)",
        ),
    ]);
}

#[test]
fn unknown_targets_stay_readable_and_are_reported() {
    check(&[
        (
            "<p><ac:link><ri:page ri:content-title=\"Gone\" /></ac:link>!</p>",
            "Gone!",
        ),
        (
            "<p><ac:link><ri:page ri:content-title=\"Gone\" /><ac:link-body>here</ac:link-body></ac:link></p>",
            "here (Gone)",
        ),
        (
            "<p><ac:link><ri:page ri:content-title=\"Gone\" /><ac:link-body>see gone</ac:link-body></ac:link></p>",
            "see gone",
        ),
        (
            "<p><ac:link><ri:content-entity ri:content-id=\"9\" /><ac:link-body>by id</ac:link-body></ac:link></p>",
            "by id",
        ),
        (
            "<p><ac:link><ri:shortcut ri:key=\"jira\" ri:parameter=\"ABC-1\" /></ac:link></p>",
            "ABC-1",
        ),
        (
            "<p><ac:link><ac:link-body>no target</ac:link-body></ac:link></p>",
            "no target",
        ),
    ]);
    let found = convert(
        "<p><ac:link><ri:page ri:space-key=\"X\" ri:content-title=\"Gone\" /></ac:link> <ac:link><ri:user ri:account-id=\"u1\" /></ac:link></p>",
    );
    assert_eq!(found.links.len(), 1);
    assert_eq!(
        found.links[0].target,
        LinkTarget::Page {
            space_key: Some("X".into()),
            title: "Gone".into()
        }
    );
    assert_eq!(
        (
            found.links[0].url.as_deref(),
            found.diagnostics.unresolved_links
        ),
        (None, 1)
    );
    assert_eq!(found.users, ["u1"]);
}

/// A body, its Markdown for readers who may know every page, and for readers who may know none.
const OPEN: &[(&str, &str, &str)] = &[
    (
        "<p><ac:link><ri:page ri:content-title=\"Its old title\" /></ac:link>!</p>",
        "[Runbook](BASE/spaces/ENG/pages/42)!",
        "Its old title!",
    ),
    (
        "<p><ac:link ac:anchor=\"Roll back\"><ri:page ri:content-title=\"Runbook\" /><ac:link-body>the <em>steps</em></ac:link-body></ac:link>.</p>",
        "[the *steps*](BASE/spaces/ENG/pages/42#Roll-back).",
        "the *steps* (Runbook).",
    ),
    (
        "<p><ac:link><ri:page ri:content-title=\"Runbook\" /><ac:link-body>our runbook</ac:link-body></ac:link></p>",
        "[our runbook](BASE/spaces/ENG/pages/42)",
        "our runbook",
    ),
    (
        "<p><ac:link><ri:content-entity ri:content-id=\"42\" /></ac:link></p>",
        "[Runbook](BASE/spaces/ENG/pages/42)",
        "<BASE/pages/viewpage.action?pageId=42>",
    ),
    (
        "<p><ac:link ac:anchor=\"a b\"><ri:page ri:content-id=\"42\" /><ac:link-body>it</ac:link-body></ac:link></p>",
        "[it](BASE/spaces/ENG/pages/42#a-b)",
        "[it](BASE/pages/viewpage.action?pageId=42#a-b)",
    ),
    (
        "<p><a href=\"BASE/spaces/ENG/pages/42/Old+name?atlOrigin=x\">BASE/spaces/ENG/pages/42/Old+name?atlOrigin=x</a></p>",
        "[Runbook](BASE/spaces/ENG/pages/42)",
        "[Old name](BASE/spaces/ENG/pages/42)",
    ),
    (
        "<p><a href=\"BASE/spaces/ENG/pages/42\">BASE/spaces/ENG/pages/42</a> <a href=\"/wiki/x/Kg\">tiny</a></p>",
        "[Runbook](BASE/spaces/ENG/pages/42) [tiny](BASE/spaces/ENG/pages/42)",
        "<BASE/spaces/ENG/pages/42> [tiny](BASE/pages/viewpage.action?pageId=42)",
    ),
    (
        "<p><a href=\"/wiki/display/OPS/Home+%26+Away\">old</a></p>",
        "[old](BASE/spaces/OPS/pages/43)",
        "[old](BASE/display/OPS/Home+%26+Away)",
    ),
    (
        "<p><ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-title=\"Its old title\" /></ac:link></ac:parameter></ac:structured-macro></p>",
        "[Included page: [Runbook](BASE/spaces/ENG/pages/42)]",
        "[Included page: Its old title]",
    ),
    (
        "<p><ac:structured-macro ac:name=\"excerpt-include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-id=\"43\" /></ac:link></ac:parameter></ac:structured-macro></p>",
        "[Excerpt of: [Home & Away](BASE/spaces/OPS/pages/43)]",
        "[Excerpt of: <BASE/pages/viewpage.action?pageId=43>]",
    ),
    (
        "<p><ac:link><ri:blog-post ri:content-title=\"Launch\" ri:posting-day=\"2025/01/31\" /></ac:link></p>",
        "[Launch](BASE/spaces/ENG/blog/2025/01/31/77)",
        "Launch",
    ),
    // A title that would act as Markdown, in a cell.
    (
        "<table><tbody><tr><th>K</th></tr><tr><td>V</td></tr><tr><td><ac:link><ri:page ri:content-id=\"44\" /></ac:link></td></tr></tbody></table>",
        "| K |\n| --- |\n| V |\n| [A \\| B \\[c\\] \\*d\\*](BASE/spaces/ENG/pages/44) |",
        "| K |\n| --- |\n| V |\n| <BASE/pages/viewpage.action?pageId=44> |",
    ),
    // What would act at the start of a line, once there is no bracket before it.
    (
        "<p><ac:link><ri:page ri:content-title=\"Runbook\" /><ac:link-body># 1 runbook</ac:link-body></ac:link></p>",
        "[# 1 runbook](BASE/spaces/ENG/pages/42)",
        "\\# 1 runbook",
    ),
];

#[test]
fn links_to_pages_are_left_open_and_closed_for_whoever_reads() {
    for (body, named, otherwise) in OPEN {
        let [body, named, otherwise] =
            [body, named, otherwise].map(|text| text.replace("BASE", BASE));
        let page = convert_on_site(&body);
        assert_eq!(
            linked_pages(&page.markdown).count(),
            page.links.len(),
            "{body}"
        );
        let closed = close_links(&page.markdown, told);
        assert_eq!(closed.trim_end(), named, "{body}");
        let closed = close_links(&page.markdown, |_| None);
        assert_eq!(closed.trim_end(), otherwise, "{body}");
        assert_eq!(page.diagnostics.unresolved_links, 0, "{body}");
    }
}

#[test]
fn what_stands_beside_the_text_shows_nothing_of_the_form_of_open_links() {
    let body = "<h2>On <ac:link><ri:page ri:content-title=\"Runbook\" /></ac:link></h2>\
        <ac:structured-macro ac:name=\"details\"><ac:rich-text-body><table><tbody><tr><th>See</th>\
        <td><ac:link><ri:page ri:content-title=\"Runbook\" /><ac:link-body>this</ac:link-body></ac:link></td></tr></tbody></table></ac:rich-text-body></ac:structured-macro>";
    let page = convert_on_site(body);
    assert_eq!(page.outline[0].text, "On Runbook");
    assert_eq!(
        page.properties,
        [("See".to_owned(), "this (Runbook)".to_owned())]
    );
    let words = convert(body).words;
    assert_eq!(page.words, words);
}

#[test]
fn anchors_lead_to_headings_in_every_form() {
    check(&[
        (
            "<p><ac:link ac:anchor=\"Set-up\"><ac:link-body>x</ac:link-body></ac:link></p><h2>Set up</h2>",
            "[x](#Set-up)\n\n## Set up",
        ),
        (
            "<h2>Set up</h2><p><ac:link ac:anchor=\"MyPage-Setup\"><ac:plain-text-link-body><![CDATA[x]]></ac:plain-text-link-body></ac:link></p>",
            "## Set up\n\n[x](#Set-up)",
        ),
        (
            "<h2>Set up</h2><p><a href=\"#Set-up\">x</a></p>",
            "## Set up\n\n[x](#Set-up)",
        ),
        (
            "<h2>Deep<ac:structured-macro ac:name=\"anchor\"><ac:parameter ac:name=\"\">here</ac:parameter></ac:structured-macro></h2><p><ac:link ac:anchor=\"here\"><ac:link-body>go</ac:link-body></ac:link></p>",
            "## Deep\n\n[go](#Deep)",
        ),
        (
            "<p><ac:link ac:anchor=\"nowhere\"><ac:link-body>x</ac:link-body></ac:link></p>",
            "x",
        ),
    ]);
}

#[test]
fn web_links_take_the_form_that_reads_back() {
    check(&[
        (
            "<p><a href=\"https://e.com/a_(b)?x=1&amp;y=2\">ext</a></p>",
            "[ext](<https://e.com/a_(b)?x=1&y=2>)",
        ),
        (
            "<p><a href=\"https://e.com/a_b\">https://e.com/a_b</a></p>",
            "<https://e.com/a_b>",
        ),
        (
            "<p><a href=\"mailto:a@e.com\">a@e.com</a> <a href=\"mailto:a@e.com\">write</a></p>",
            "<a@e.com> [write](mailto:a@e.com)",
        ),
        (
            "<p><a href=\"https://e.com/x y\">sp</a></p>",
            "[sp](<https://e.com/x y>)",
        ),
        ("<p><a href=\"https://e.com/\"></a></p>", "<https://e.com/>"),
        (
            "<p><a href=\"javascript:x()\">bad</a> <a>bare</a> <a href=\"\">none</a></p>",
            "bad bare none",
        ),
        (
            "<p><a href=\"https://e.com/?a=1&amp;copy;=2\">c</a></p>",
            "[c](https://e.com/?a=1&amp;copy;=2)",
        ),
        (
            "<p><a href=\"https://e.com/\">a [b] c</a></p>",
            "[a \\[b\\] c](https://e.com/)",
        ),
    ]);
}

#[test]
fn smart_links_show_a_title() {
    check_on_site(&[
        (
            &format!(
                "<p><a href=\"{BASE}/spaces/ENG/pages/42/Old+Title?atlOrigin=abc\" data-card-appearance=\"inline\">{BASE}/spaces/ENG/pages/42/Old+Title?atlOrigin=abc</a></p>"
            ),
            &format!("[Runbook]({BASE}/spaces/ENG/pages/42)"),
        ),
        (
            &format!(
                "<p><a href=\"{BASE}/spaces/ENG/pages/99/Some+Page\" data-card-appearance=\"block\">{BASE}/spaces/ENG/pages/99/Some+Page</a></p>"
            ),
            &format!("[Some Page]({BASE}/spaces/ENG/pages/99)"),
        ),
        (
            "<p><a href=\"https://youtu.be/abc\" data-card-appearance=\"embed\" data-width=\"100\">https://youtu.be/abc</a></p>",
            "<https://youtu.be/abc>",
        ),
        (
            "<p><a href=\"/wiki/x/KgAB\">tiny</a></p>",
            &format!("[tiny]({BASE}/pages/viewpage.action?pageId=65578)"),
        ),
        (
            "<p><a href=\"/display/ENG/Runbook\">old</a></p>",
            &format!("[old]({BASE}/spaces/ENG/pages/42)"),
        ),
    ]);
}

#[test]
fn datasource_links_name_their_query() {
    let link = |id: &str, parameters: &str| {
        let json = format!("{{\"id\":\"{id}\",\"parameters\":{{{parameters}}},\"views\":[]}}")
            .replace('"', "&quot;");
        format!(
            "<p><a href=\"https://e.com/issues/?jql=x%20y\" data-card-appearance=\"block\" data-datasource=\"{json}\">https://e.com/issues/?jql=x%20y</a></p>"
        )
    };
    check(&[
        (
            &link(
                "d8b75300-dfda-4519-b6cd-e49abbd50401",
                "\"cloudId\":\"11\",\"jql\":\"project = X\"",
            ),
            "[Jira issues: project = X](https://e.com/issues/?jql=x%20y)",
        ),
        (
            &link(
                "768fc736-3af4-4a8f-b27e-203602bff8ca",
                "\"searchString\":\"how to\"",
            ),
            "[Confluence search: how to](https://e.com/issues/?jql=x%20y)",
        ),
        (
            &link(
                "361d618a-3c04-40ad-9b27-3c8ea6927020",
                "\"aql\":\"type = host\"",
            ),
            "[Assets: type = host](https://e.com/issues/?jql=x%20y)",
        ),
        (
            &link("00000000-0000-0000-0000-000000000000", "\"a\":\"b\""),
            "<https://e.com/issues/?jql=x%20y>",
        ),
    ]);
}

const IMAGE: &str = "<ac:image ac:align=\"center\" ac:original-width=\"800\" ac:alt=\"Arch\" ac:width=\"760\"><ri:attachment ri:filename=\"arch.png\" ri:version-at-save=\"1\" /><ac:caption><p>Fig <em>1</em></p></ac:caption><ac:adf-mark key=\"border\" size=\"2\" color=\"#091e4224\" /></ac:image>";

#[test]
fn images_carry_alt_text_and_caption() {
    let at = format!("{BASE}/download/attachments/1");
    check_on_site(&[
        (IMAGE, &format!("![Arch]({at}/arch.png)\\\n*Fig 1*")),
        (
            "<p>in <ac:image ac:inline=\"true\"><ri:attachment ri:filename=\"i.png\" /></ac:image> line</p>",
            &format!("in ![i.png]({at}/i.png) line"),
        ),
        (
            "<ac:image><ri:url ri:value=\"https://e.com/x.png\" /></ac:image>",
            "![](https://e.com/x.png)",
        ),
        (
            "<p><a href=\"https://e.com\"><ac:image><ri:url ri:value=\"https://e.com/x.png\" /></ac:image></a></p>",
            "[![](https://e.com/x.png)](https://e.com)",
        ),
        (
            "<ac:image><ri:attachment ri:filename=\"o.png\"><ri:page ri:content-title=\"Data\" /></ri:attachment></ac:image>",
            &format!("![o.png]({BASE}/download/attachments/43/o.png)"),
        ),
        (
            "<p>a</p><ac:image ac:alt=\"x\"><ri:attachment ri:filename=\"x.png\" /></ac:image><p>b</p>",
            &format!("a\n\n![x]({at}/x.png)\n\nb"),
        ),
        // A picture nobody named says nothing.
        (
            "<p>a</p><ac:image><ri:attachment ri:filename=\"image-20240714-063656.png\" /></ac:image><p>b</p>",
            "a\n\nb",
        ),
        (
            "<ac:image><ri:attachment ri:filename=\"Screenshot 2024-07-14 at 06.36.56.png\" /></ac:image>",
            "",
        ),
    ]);
    check(&[
        (IMAGE, "[Image: Arch]\\\n*Fig 1*"),
        (
            "<ac:image><ri:attachment ri:filename=\"image-1.png\" /><ac:caption>Bare caption</ac:caption></ac:image>",
            "*Bare caption*",
        ),
    ]);
    let all = Options {
        images: Images::All,
        ..Options::default()
    };
    check_with(
        &[(
            "<ac:image><ri:attachment ri:filename=\"image-1.png\" /></ac:image>",
            &format!("![image-1.png]({at}/image-1.png)"),
        )],
        &Site,
        &all,
    );
    let none = Options {
        images: Images::None,
        ..Options::default()
    };
    check_with(&[(IMAGE, "*Fig 1*")], &Site, &none);
}

#[test]
fn whatever_describes_an_image_is_kept() {
    let image = |attrs: &str, file: &str| {
        format!("<ac:image {attrs}><ri:attachment ri:filename=\"{file}\" /></ac:image>")
    };
    for (attrs, file, expected) in [
        // Alternative texts that begin like a file name, hold a date, or are short.
        (
            "ac:alt=\"Screenshot of the approval workflow settings\"",
            "image-20260101-101010.png",
            "Screenshot of the approval workflow settings",
        ),
        (
            "ac:alt=\"Org chart as of 2025-01-15\"",
            "a.png",
            "Org chart as of 2025-01-15",
        ),
        (
            "ac:alt=\"Image: the red cable\"",
            "a.png",
            "Image: the red cable",
        ),
        (
            "ac:alt=\"Bildschirmfoto der Maske\"",
            "a.png",
            "Bildschirmfoto der Maske",
        ),
        ("ac:alt=\"설정\"", "a.png", "설정"),
        ("ac:alt=\"设置页面\"", "a.png", "设置页面"),
        ("ac:alt=\"UI\"", "a.png", "UI"),
        // Names of files.
        (
            "",
            "network-plan-2024-05-01.png",
            "network-plan-2024-05-01.png",
        ),
        ("", "screenshot_login_page.PNG", "screenshot_login_page.PNG"),
        (
            "",
            "2024.05.01 backup zones.jpeg",
            "2024.05.01 backup zones.jpeg",
        ),
        ("ac:alt=\"floor2.png\"", "floor2.png", "floor2.png"),
        (
            "ac:alt=\"image-1.png\"",
            "rack-layout.png",
            "rack-layout.png",
        ),
        // A title counts where the alternative text says nothing, and beside it.
        (
            "ac:alt=\"image-1.png\" ac:title=\"Backup rotation\"",
            "image-1.png",
            "Backup rotation",
        ),
        (
            "ac:title=\"Backup rotation\"",
            "image-1.png",
            "Backup rotation",
        ),
        (
            "ac:alt=\"Tapes\" ac:title=\"Weekly rotation\"",
            "a.png",
            "Tapes (Weekly rotation)",
        ),
        (
            "ac:alt=\"The weekly rotation\" ac:title=\"Weekly rotation\"",
            "a.png",
            "The weekly rotation",
        ),
        (
            "ac:alt=\"Tapes\" ac:title=\"image-1.png\"",
            "image-1.png",
            "Tapes",
        ),
    ] {
        let found = convert(&image(attrs, file)).markdown;
        assert_eq!(found, format!("[Image: {expected}]\n"), "{attrs} {file}");
    }
    for (attrs, file) in [
        ("", "image-20240714-063656.png"),
        (
            "ac:alt=\"image-20240714-063656.png\"",
            "image-20240714-063656.png",
        ),
        (
            "ac:alt=\"image2024-7-14_6-36-56.png\" ac:title=\"image\"",
            "x1.png",
        ),
        (
            "ac:alt=\"Screenshot 2024-07-14\"",
            "Screenshot 2024-07-14 at 6.36.56 PM.png",
        ),
        ("", "Bildschirmfoto 2024-07-14 um 06.36.56.png"),
        ("", "Capture d’écran 2024-07-14 à 06.36.56.png"),
        ("", "Screenshot from 2024-07-14 06-36-56.png"),
        ("", "스크린샷 2024-07-14 오전.png"),
        // The same as macOS spells it.
        (
            "",
            "\u{1109}\u{1173}\u{110f}\u{1173}\u{1105}\u{1175}\u{11ab}\u{1109}\u{1163}\u{11ba} 2024-07-14 \u{110b}\u{1169}\u{110c}\u{1165}\u{11ab}.png",
        ),
        ("", "IMG_1234.JPG"),
        ("", "PXL_20240714_063656123.jpg"),
        ("", "3f2504e0-4f89-41d3-9a0c-0305e82c3301.png"),
        ("", "0305e82c3301abcd.png"),
        ("ac:alt=\" \" ac:title=\"\"", "unnamed.png"),
    ] {
        assert_eq!(convert(&image(attrs, file)).markdown, "", "{attrs} {file}");
    }
    let html = |attrs: &str| {
        let body = format!("<p><img class=\"confluence-embedded-image\" {attrs}></p>");
        storage_markdown::convert_view(&body, &Options::default(), &NoResolver).markdown
    };
    assert_eq!(
        html("alt=\"Screenshot of the queue\" data-linked-resource-default-alias=\"image-1.png\""),
        "[Image: Screenshot of the queue]\n"
    );
    assert_eq!(
        html(
            "alt=\"image-1.png\" title=\"Rotation\" data-linked-resource-default-alias=\"image-1.png\""
        ),
        "[Image: Rotation]\n"
    );
    assert_eq!(
        html("alt=\"image-1.png\" src=\"/wiki/download/image-1.png\""),
        ""
    );
}

#[test]
fn files_are_listed_whether_shown_or_not() {
    let body = format!(
        "{IMAGE}<ac:image><ri:attachment ri:filename=\"image-1.png\" /></ac:image><p><ac:link><ri:attachment ri:filename=\"a.pdf\" /></ac:link></p><p class=\"media-group\"><ac:structured-macro ac:name=\"view-file\"><ac:parameter ac:name=\"name\"><ri:attachment ri:filename=\"b.docx\" /></ac:parameter></ac:structured-macro><ac:structured-macro ac:name=\"viewpdf\"><ac:parameter ac:name=\"name\">a.pdf</ac:parameter></ac:structured-macro></p>"
    );
    let found = convert_on_site(&body);
    assert_eq!(
        found.attachments,
        ["arch.png", "image-1.png", "a.pdf", "b.docx"]
    );
    let at = format!("{BASE}/download/attachments/1");
    assert!(
        found
            .markdown
            .ends_with(&format!("[b.docx]({at}/b.docx) [a.pdf]({at}/a.pdf)\n")),
        "{}",
        found.markdown
    );
}

#[test]
fn a_link_never_loses_its_words() {
    // Bodies that hold pictures, code, macros or several paragraphs; targets that come after the body.
    for body in [
        "<p><ac:link><ac:link-body>w1 <code>w2</code></ac:link-body><ri:page ri:content-title=\"T\" /></ac:link></p>",
        "<p><a href=\"https://e.com\"><p>w1</p><p>w2</p></a></p>",
        "<p><ac:link><ri:page ri:content-title=\"T\" /><ac:link-body>w1 <ac:structured-macro ac:name=\"status\"><ac:parameter ac:name=\"title\">w2</ac:parameter></ac:structured-macro></ac:link-body></ac:link></p>",
        "<p><a href=\"https://e.com\">w1 <a href=\"https://f.com\">w2</a></a></p>",
    ] {
        let found = convert_storage(body, &Options::default(), &NoResolver).markdown;
        assert!(
            found.contains("w1") && found.contains("w2"),
            "{body}: {found}"
        );
    }
}

#[test]
fn references_are_never_without_a_word() {
    check(&[
        (
            "<p>See <ac:link><ri:content-entity ri:content-id=\"4711\" /></ac:link> for details.</p>",
            "See page 4711 for details.",
        ),
        (
            "<p><ac:link><ri:content-entity ri:content-id=\"4711\" /><ac:link-body>here</ac:link-body></ac:link></p>",
            "here",
        ),
        (
            "<p>run s@<at:var at:name=\"HOME\" />@ <code><at:var at:name=\"X\" /></code></p>",
            "run s@$HOME@ `$X`",
        ),
        // A file on a page that only its id names is no page.
        (
            "<p><ac:link><ri:attachment ri:filename=\"f.pdf\"><ri:content-entity ri:content-id=\"9\" /></ri:attachment></ac:link></p>",
            "f.pdf",
        ),
    ]);
    check_on_site(&[(
        "<p>See <ac:link><ri:content-entity ri:content-id=\"42\" /></ac:link>.</p>",
        &format!("See [Runbook]({BASE}/spaces/ENG/pages/42)."),
    )]);
}

/// Of a link that is broken off, what is written behind it does not depend on who may know of its page.
#[test]
fn a_broken_link_is_written_alike_whether_its_page_is_known_or_not() {
    let cell = "~<ac:structured-macro ac:name=\"contributors\"><ac:link><td><ri:page ri:content-title=\"Runbook\"/>\
                <ac:link-body><ac:structured-macro ac:name=\"code\"/>";
    let named = "<p><ac:link><ri:page ri:content-title=\"Runbook\"/><ac:link-body>how [we] roll</ac:link-body></ac:link>!</p>";
    let code = "<code><p>``<ri:page ri:content-title=\"Runbook\"/> a</p></code>";
    for (body, expected) in [
        (code, "``` `` ``` `Runbook` `a`\n"),
        (cell, "~\n\n\\[App: code\\] (Runbook)\n"),
        (named, "how \\[we\\] roll (Runbook)!\n"),
    ] {
        let known = convert_storage(body, &Options::default(), &Site).markdown;
        let unknown = convert_storage(body, &Options::default(), &NoPages).markdown;
        assert_eq!(close_links(&known, |_| None), expected);
        assert_eq!(unknown, expected);
    }
}
