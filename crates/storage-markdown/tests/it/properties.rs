//! What holds for every input: it converts, the same way each time, in proportion, and reads back.

use std::sync::LazyLock;
use std::time::Instant;

use proptest::prelude::*;
use storage_markdown::{
    Conversion, NoResolver, Options, close_links, content_hash, convert_storage, convert_view,
    plain_text, splice_rendered,
};

use crate::readback::read;
use crate::site::{NoPages, Site, convert, told};

/// Fragments that are put together at random: well-formed pieces, broken pieces, text.
fn pieces() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "p",
        "h1",
        "h2",
        "ul",
        "ol",
        "li",
        "strong",
        "em",
        "code",
        "a href=\"https://e.com/(x)\"",
        "a href=\"/wiki/spaces/ENG/pages/42/Old+name\"",
        "table",
        "tr",
        "td",
        "th",
        "td rowspan=\"3\"",
        "td colspan=\"2\"",
        "th colspan=\"3\"",
        "th rowspan=\"2\"",
        "td data-highlight-colour=\"red\"",
        "table class=\"sectionMacro\"",
        "li value=\"7\"",
        "code style=\"white-space: pre\"",
        "iframe src=\"https://e.com/?token=x\"",
        "span class=\"jira-issue\" data-jira-key=\"A-1\"",
        "blockquote",
        "pre",
        "ac:link",
        "ac:link-body",
        "ac:structured-macro ac:name=\"code\"",
        "ac:structured-macro ac:name=\"info\"",
        "ac:structured-macro ac:name=\"expand\"",
        "ac:structured-macro ac:name=\"footnote\"",
        "ac:structured-macro ac:name=\"status\"",
        "ac:structured-macro ac:name=\"details\"",
        "ac:structured-macro ac:name=\"unknown\"",
        "ac:structured-macro ac:name=\"excerpt\"",
        "ac:structured-macro ac:name=\"card\"",
        "ac:structured-macro ac:name=\"profile\"",
        "ac:structured-macro ac:name=\"mathblock\"",
        "ac:structured-macro ac:name=\"contributors\"",
        "ac:parameter ac:name=\"title\"",
        "ac:parameter ac:name=\"label\"",
        "ac:parameter ac:name=\"equation\"",
        "ac:parameter ac:name=\"url\"",
        "ac:rich-text-body",
        "ac:plain-text-body",
        "ac:image",
        "ac:caption",
        "ac:task-list",
        "ac:task",
        "ac:task-body",
        "ac:task-status",
        "ac:adf-extension",
        "ac:adf-node type=\"panel\"",
        "ac:adf-node type=\"inline-extension\"",
        "ac:adf-attribute key=\"text\"",
        "ac:adf-mark key=\"data-consumer\"",
        "ac:adf-node type=\"decision-list\"",
        "ac:adf-node type=\"decision-item\"",
        "ac:adf-content",
        "ac:adf-fallback",
        "sub",
        "s",
        "span",
        "div",
        "details",
        "summary",
        "dl",
        "dt",
    ]);
    let piece = prop_oneof![
        4 => names.clone().prop_map(|n| format!("<{n}>")),
        4 => names.clone().prop_map(|n| format!("</{}>", n.split(' ').next().unwrap_or(n))),
        1 => names.prop_map(|n| format!("<{n}/>")),
        4 => "[a-z*_`#\\[\\]()|~>. 0-9-]{1,12}",
        1 => prop::sample::select(vec!["<br/>", "<hr/>", "&nbsp;", "&lt;", "&amp;", "&bogus;", "&#55357;", "&#56523;", "<at:var at:name=\"V\"/>", "<![CDATA[a]b]]>", "<!-- c -->", "<", ">", "&", "\"", "<ri:page ri:content-title=\"T\"/>", "<ri:page ri:content-title=\"Runbook\"/>", "<ri:content-entity ri:content-id=\"42\"/>", "<ri:attachment ri:filename=\"f.png\"/>", "<ri:user ri:account-id=\"u\"/>", "<![CDATA[", "]]>", "<!--", "<?x", "é", "설정", "\u{1}", "\u{2}", "\u{3}42\u{4}\u{4}", "\u{5}"]).prop_map(str::to_string),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|p| p.concat())
}

/// Control characters with a meaning of ours.
const OURS: [char; 5] = ['\u{1}', '\u{2}', '\u{3}', '\u{4}', '\u{5}'];

/// `PROPTEST_CASES` of each, and some hundreds at least.
fn at_length() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.max(600),
        ..usual
    }
}

proptest! {
    #![proptest_config(at_length())]

    #[test]
    fn any_input_converts_the_same_way_each_time(body in pieces()) {
        let first = convert_storage(&body, &Options::default(), &NoResolver);
        prop_assert_eq!(&first, &convert_storage(&body, &Options::default(), &NoResolver));
        prop_assert!(first.markdown.is_empty() || first.markdown.ends_with('\n'));
        prop_assert!(!first.markdown.contains(OURS), "{:?}", first.markdown);
        for page in [
            convert_storage(&body, &Options::default(), &Site),
            convert_view(&body, &Options::default(), &Site),
        ] {
            for closed in [close_links(&page.markdown, told), close_links(&page.markdown, |_| None)] {
                prop_assert!(!closed.contains(OURS), "{:?}", closed);
            }
        }
        let _ = plain_text(&body);
        let _ = content_hash(&body);
    }

    /// Whoever may know no page reads what a body says by itself: that a page is there, and what it is called now, shows nowhere.
    #[test]
    fn what_may_not_be_told_is_as_if_it_were_not_there(body in pieces()) {
        // A table in a link is taken apart where its cells hold links.
        let body = body.replace("<table", "<div");
        // The titles that the author's links name aside: they may stand behind another piece of a broken text.
        let letters = |markdown: &str| {
            let text = read(markdown).text.replace("RAWHTML", "").replace("Runbook", "");
            let mut letters: Vec<char> =
                text.chars().filter(|c| c.is_alphanumeric() && *c != 'T').collect();
            letters.sort_unstable();
            letters
        };
        let known = convert_storage(&body, &Options::default(), &Site);
        let untold = close_links(&known.markdown, |_| None);
        let unknown = convert_storage(&body, &Options::default(), &NoPages);
        prop_assert_eq!(letters(&untold), letters(&unknown.markdown), "{}\n{}", untold, unknown.markdown);
        let levels = |page: &Conversion| page.outline.iter().map(|h| h.level).collect::<Vec<_>>();
        prop_assert_eq!(levels(&known), levels(&unknown));
    }

    #[test]
    fn any_text_at_all_is_taken(body in "\\PC{0,200}") {
        let _ = convert(&body);
        let _ = convert_view(&body, &Options::default(), &NoResolver);
        let _ = content_hash(&body);
    }

    /// Text alone comes back letter by letter: escapes are neither missing nor visible.
    #[test]
    fn text_reads_back_as_it_was(words in prop::collection::vec("[a-zA-Z0-9*_`#\\[\\]()|~>.!&<:\\\\=+-]{1,8}", 1..12)) {
        let text = words.join(" ");
        let body = format!("<p>{}</p>", text.replace('&', "&amp;").replace('<', "&lt;"));
        let markdown = convert(&body).markdown;
        let back = read(&markdown);
        prop_assert_eq!(back.text.trim(), &text, "{}", markdown);
    }

    /// The same with marks around words and nothing between them.
    #[test]
    fn marked_text_reads_back(words in prop::collection::vec((prop::sample::select(vec!["strong", "em", "s", "code", "span", "u"]), "[a-z*_.:!\"(-]{1,6}", prop::sample::select(vec!["", " "])), 1..8)) {
        let body: String = words.iter().map(|(tag, text, gap)| format!("<{tag}>{text}</{tag}>{gap}")).collect();
        let expected: String = words.iter().map(|(_, text, gap)| format!("{text}{gap}")).collect();
        let markdown = convert(&format!("<p>{body}</p>")).markdown;
        let squeeze = |s: &str| s.split_whitespace().collect::<String>();
        let back = read(&markdown).text;
        let letters = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        prop_assert_eq!(letters(&back), letters(&expected), "{}", markdown);
        if !words.iter().any(|(tag, ..)| *tag == "code") {
            prop_assert_eq!(squeeze(&back), squeeze(&expected), "{}", markdown);
        }
    }

    #[test]
    fn code_reads_back_byte_for_byte(code in "[ -~\\n\\t]{0,120}", place in 0usize..4) {
        prop_assume!(!code.contains("]]>") && !code.trim().is_empty());
        let block = format!("<ac:structured-macro ac:name=\"code\"><ac:plain-text-body><![CDATA[{code}]]></ac:plain-text-body></ac:structured-macro>");
        let body = match place {
            0 => block,
            1 => format!("<ul><li><p>x</p>{block}</li></ul>"),
            2 => format!("<blockquote><p>x</p>{block}</blockquote>"),
            _ => format!("<ol><li><ul><li>x{block}</li></ul></li></ol>"),
        };
        let markdown = convert(&body).markdown;
        let back = read(&markdown);
        prop_assert_eq!(back.code.len(), 1, "{}", markdown);
        prop_assert_eq!(&back.code[0].1, &format!("{code}\n"), "{}", markdown);
    }

    /// Code in a cell comes back line by line: its indentation and its blank lines too.
    #[test]
    fn code_in_cells_reads_back_line_by_line(code in "[ -~]{1,20}(\n[ -~]{0,20}){0,5}") {
        let code = code.trim_matches('\n').replace("]]>", "");
        prop_assume!(!code.lines().next().unwrap_or("").trim().is_empty() && !code.lines().last().unwrap_or("").trim().is_empty());
        let body = format!("<table><tr><th>k</th><th>v</th></tr><tr><td>x</td><td><ac:structured-macro ac:name=\"code\"><ac:plain-text-body><![CDATA[{code}]]></ac:plain-text-body></ac:structured-macro></td></tr></table>");
        let markdown = convert(&body).markdown;
        let back = read(&markdown);
        prop_assert_eq!(back.tables.len(), 1, "{}", markdown);
        let found: Vec<&str> = back.tables[0][1][1].split('\n').collect();
        let expected: Vec<&str> = code.split('\n').map(str::trim_end).collect();
        prop_assert_eq!(found, expected, "{}", markdown);
    }

    /// Items keep their numbers, whichever of them show nothing.
    #[test]
    fn list_numbers_are_those_of_the_page(start in 1u64..50, shown in prop::collection::vec(any::<bool>(), 1..12), in_cell in any::<bool>()) {
        let items: String = shown.iter().enumerate().map(|(n, shown)| if *shown { format!("<li><p>item{n}</p></li>") } else { "<li><p /></li>".to_string() }).collect();
        let list = format!("<ol start=\"{start}\">{items}</ol>");
        let body = if in_cell { format!("<table><tr><td>k</td><td>{list}</td></tr></table>") } else { list };
        let markdown = convert(&body).markdown;
        for (n, shown) in shown.iter().enumerate() {
            let line = format!("{}. item{n}", start + n as u64);
            prop_assert_eq!(markdown.contains(&line), *shown, "{}", markdown);
        }
    }

    /// In a grid, as records and in a cell: each value stands under the joined names of its column.
    #[test]
    fn values_stand_under_their_headers(groups in prop::collection::vec(1usize..4, 1..4), rows in prop::collection::vec(prop::collection::vec(any::<bool>(), 12), 1..4), nested in any::<bool>()) {
        let mut body = String::from("<table><tr><th rowspan=\"2\">Site</th>");
        let mut below = String::new();
        let mut names = vec!["Site".to_string()];
        for (g, width) in groups.iter().enumerate() {
            body.push_str(&format!("<th colspan=\"{width}\">G{g}</th>"));
            for n in 0..*width {
                below.push_str(&format!("<th>n{n}</th>"));
                names.push(format!("G{g} n{n}"));
            }
        }
        body.push_str(&format!("</tr><tr>{below}</tr>"));
        let value = |r: usize, c: usize, full: bool| if full { format!("v{r}x{c}") } else { String::new() };
        for (r, row) in rows.iter().enumerate() {
            body.push_str(&format!("<tr><td>s{r}</td>"));
            for (c, full) in row.iter().enumerate().take(names.len()).skip(1) {
                body.push_str(&format!("<td><p>{}</p></td>", value(r, c, *full)));
            }
            body.push_str("</tr>");
        }
        body.push_str("</table>");
        if nested {
            body = format!("<table><tr><td>k</td><td>{body}</td></tr></table>");
        }
        for columns in [1, 20] {
            let options = Options { table_max_columns: columns, ..Options::default() };
            let markdown = convert_storage(&body, &options, &NoResolver).markdown;
            if !nested && columns == 20 {
                let back = read(&markdown);
                prop_assert_eq!(&back.tables[0][0], &names, "{}", markdown);
                for (r, row) in rows.iter().enumerate() {
                    let expected: Vec<String> = (0..names.len()).map(|c| if c == 0 { format!("s{r}") } else { value(r, c, row[c]) }).collect();
                    prop_assert_eq!(&back.tables[0][r + 1], &expected, "{}", markdown);
                }
                continue;
            }
            let plain = markdown.replace("**", "");
            for (r, row) in rows.iter().enumerate() {
                let expected: Vec<String> = names.iter().enumerate().map(|(c, name)| {
                    let value = if c == 0 { format!("s{r}") } else { value(r, c, row[c]) };
                    format!("{name}: {}", if value.is_empty() { "–" } else { &value })
                }).collect();
                prop_assert!(plain.contains(&expected.join("; ")), "{} in {}", expected.join("; "), markdown);
            }
        }
    }

    #[test]
    fn structure_reads_back(
        headings in prop::collection::vec((1u8..=6, "[A-Za-z*_#.:0-9-]{1,6}( [A-Za-z*_#.:0-9-]{1,6}){0,3}"), 0..4),
        rows in prop::collection::vec(prop::collection::vec("[a-z|*_`.-]{1,6}", 3), 1..5),
        tasks in prop::collection::vec(("[a-z|*_.\\[\\]-]{1,9}", any::<bool>()), 0..5),
    ) {
        let mut body = String::new();
        for (level, text) in &headings {
            body.push_str(&format!("<h{level}>{text}</h{level}>"));
        }
        body.push_str("<table>");
        for (n, row) in rows.iter().enumerate() {
            let cell = if n == 0 { "th" } else { "td" };
            body.push_str(&format!("<tr>{}</tr>", row.iter().map(|c| format!("<{cell}>{c}</{cell}>")).collect::<String>()));
        }
        body.push_str("</table><ac:task-list>");
        for (text, done) in &tasks {
            let status = if *done { "complete" } else { "incomplete" };
            body.push_str(&format!("<ac:task><ac:task-status>{status}</ac:task-status><ac:task-body>{text}</ac:task-body></ac:task>"));
        }
        body.push_str("</ac:task-list>");
        let found = convert(&body);
        let back = read(&found.markdown);
        prop_assert_eq!(&back.headings, &headings, "{}", found.markdown);
        prop_assert_eq!(&back.tables, &vec![rows], "{}", found.markdown);
        prop_assert_eq!(&back.tasks, &tasks.iter().map(|t| t.1).collect::<Vec<_>>(), "{}", found.markdown);
        let texts: Vec<_> = found.tasks.iter().map(|t| t.text.clone()).collect();
        prop_assert_eq!(texts, tasks.iter().map(|t| t.0.clone()).collect::<Vec<_>>());
        let outline: Vec<_> = found.outline.iter().map(|h| (h.level, h.text.clone())).collect();
        prop_assert_eq!(outline, headings);
    }
}

/// Seconds this thread has worked, where the system tells; else seconds of the day. On a busy machine only the first
/// says how much work something was.
fn clock() -> f64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let worked = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = worked.and_then(|w| w.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| BEGIN.elapsed().as_secs_f64(), |n| n / 1e9)
}

fn numbered(n: usize, part: fn(usize) -> String) -> String {
    (0..n).map(part).collect()
}

/// Makes a body of this many parts.
type Maker = fn(usize) -> String;

/// One large body takes about as long as the same markup in small ones, whatever it is made of.
#[test]
fn time_is_linear_in_size_and_depth() {
    let makers: [(&str, Maker); 28] = [
        ("nested lists", |n| {
            format!("{}x{}", "<ul><li>a".repeat(n), "</li></ul>".repeat(n))
        }),
        ("nested quotes", |n| {
            format!(
                "{}x{}",
                "<blockquote>a".repeat(n),
                "</blockquote>".repeat(n)
            )
        }),
        ("nested expands", |n| {
            format!(
                "{}x{}",
                "<ac:structured-macro ac:name=\"expand\"><ac:rich-text-body>a".repeat(n),
                "</ac:rich-text-body></ac:structured-macro>".repeat(n)
            )
        }),
        ("nested tables", |n| {
            format!(
                "{}x{}",
                "<table><tr><td>a</td><td>".repeat(n),
                "</td></tr></table>".repeat(n)
            )
        }),
        ("nested frames", |n| {
            format!(
                "{}x{}",
                "<table><tr><td>a".repeat(n),
                "</td></tr></table>".repeat(n)
            )
        }),
        ("nested marks", |n| {
            format!(
                "{}x{}",
                "<strong><em>a".repeat(n),
                "</em></strong>".repeat(n)
            )
        }),
        ("unclosed tags", |n| "<p>a <b>".repeat(n)),
        ("stray ends", |n| "a</p></b></td>".repeat(n)),
        ("open tags at the end", |n| "<a \"".repeat(n)),
        ("open comments", |n| "<!-- ".repeat(n)),
        ("open cdata", |n| "<![CDATA[ ".repeat(n)),
        ("brackets", |n| "[a](".repeat(n)),
        ("unclosed lists", |n| "<ul><li>a".repeat(n)),
        ("raw brackets in one text", |n| {
            format!("<p>{}</p>", "x < y ".repeat(n))
        }),
        ("raw brackets before names", |n| {
            format!("<p>{}</p>", "if a<b and ".repeat(n))
        }),
        ("raw brackets between tags", |n| "a < <b>c</b> ".repeat(n)),
        ("raw brackets and no end", |n| "x < y ".repeat(n)),
        ("comments without end between tags", |n| {
            "<!-- <b>x</b> ".repeat(n)
        }),
        ("cdata without end between tags", |n| {
            "<![CDATA[ <b>x</b> ".repeat(n)
        }),
        ("quotes without end", |n| "<a b=\"<c d='".repeat(n)),
        ("declarations", |n| "<!x><?y".repeat(n)),
        ("mentions", |n| {
            numbered(n, |n| {
                format!("<ac:link><ri:user ri:account-id=\"u{n}\"/></ac:link>")
            })
        }),
        ("files", |n| {
            numbered(n, |n| {
                format!("<ac:link><ri:attachment ri:filename=\"f{n}.pdf\"/></ac:link>")
            })
        }),
        ("unknown macros", |n| {
            numbered(n, |n| format!("<ac:structured-macro ac:name=\"m{n}\"/>"))
        }),
        ("queries", |n| {
            "<ac:structured-macro ac:name=\"jira\"><ac:parameter ac:name=\"jql\">x</ac:parameter></ac:structured-macro>".repeat(n)
        }),
        ("anchors and links to them", |n| {
            numbered(n, |n| {
                format!(
                    "<h2>h{n}</h2><p><ac:link ac:anchor=\"h{n}\"><ac:link-body>x</ac:link-body></ac:link></p>"
                )
            })
        }),
        ("header rows", |n| {
            format!(
                "<table>{}<tr><td>a</td><td>b</td></tr></table>",
                "<tr><th>a</th><th>b</th></tr>".repeat(n)
            )
        }),
        ("footnotes", |n| {
            "<ac:structured-macro ac:name=\"footnote\"><ac:rich-text-body>a</ac:rich-text-body></ac:structured-macro>".repeat(n)
        }),
    ];
    for (name, make) in makers {
        is_linear(name, make, &|body| convert(body).words);
    }
}

/// The same amount of markup in sixteen bodies and in one: quadratic would be sixteen times. What else the machine does can
/// only make it look worse, so it may try again.
fn is_linear(name: &str, make: Maker, run: &dyn Fn(&str) -> usize) {
    let time = |n: usize, times: usize| {
        let body = make(n);
        let start = clock();
        for _ in 0..times {
            std::hint::black_box(run(&body));
        }
        clock() - start
    };
    let mut seen = Vec::new();
    let linear = (0..5).any(|_| {
        let (many, one) = (time(800, 16), time(12_800, 1));
        seen.push((many, one));
        one < many.max(0.02) * 5.0
    });
    println!("{name}: {seen:.3?}");
    assert!(linear, "{name}: {seen:?} seconds");
}

/// The same for rendered HTML.
#[test]
fn time_is_linear_in_rendered_bodies_too() {
    let makers: [(&str, Maker); 3] = [
        ("nested elements", |n| {
            format!("{}x{}", "<div><span>a".repeat(n), "</span></div>".repeat(n))
        }),
        ("issues", |n| {
            "<span class=\"jira-issue\" data-jira-key=\"A-1\"><a href=\"x\">A-1</a></span>"
                .repeat(n)
        }),
        ("macros", |n| {
            "<div data-macro-name=\"include\"><div><p>x</p></div></div>".repeat(n)
        }),
    ];
    for (name, make) in makers {
        is_linear(name, make, &|body| {
            let storage = "<ac:structured-macro ac:name=\"include\"/>";
            let spliced = splice_rendered(storage, body, &Options::default(), &NoResolver);
            let whole = convert_view(body, &Options::default(), &NoResolver);
            spliced.words + whole.words
        });
    }
}

#[test]
fn output_is_in_proportion_to_the_input() {
    let nested = format!(
        "{}x{}",
        "<ul><li><p>a</p><p>b</p>".repeat(2000),
        "</li></ul>".repeat(2000)
    );
    assert!(convert(&nested).markdown.len() < nested.len() * 4);
}

/// Its reader leaves such a mark out: places behind it are still those of the body.
#[test]
fn a_byte_order_mark_moves_nothing() {
    for body in [
        "\u{feff}:</",
        "\u{feff}\u{feff}<p>a</x",
        "<p>a</p><\u{feff}b</",
    ] {
        let _ = convert(body);
    }
    assert_eq!(convert("\u{feff}<p>a</p>").markdown, "a\n");
}
