//! Tables: grids, spans, headers, cells that hold blocks, record form.

use storage_markdown::{NoResolver, Options};

use crate::readback::read;
use crate::site::{check, check_with, convert, mac, plain};

#[test]
fn what_a_cell_ends_with_is_no_neighbour_of_the_next() {
    check(&[(
        "<table><tr><th>a</th><th>_b_-</th></tr><tr><td>[c]</td><td>(d)</td></tr></table>",
        "| a | \\_b_- |\n| --- | --- |\n| [c] | (d) |",
    )]);
}

#[test]
fn headers_are_told_from_data() {
    check(&[
        (
            "<table data-layout=\"wide\" ac:local-id=\"t\"><colgroup><col style=\"width: 1px\"/></colgroup><tbody><tr><th><p><strong>A</strong></p></th><th>B</th></tr><tr><td><p>1</p></td><td>2</td></tr></tbody></table>",
            "| A | B |\n| --- | --- |\n| 1 | 2 |",
        ),
        (
            "<table><tbody><tr><th>k</th><td>v</td></tr><tr><th>l</th><td>w</td></tr></tbody></table>",
            "|  |  |\n| --- | --- |\n| **k** | v |\n| **l** | w |",
        ),
        (
            "<table><tbody><tr><th>h</th><th>i</th></tr><tr><th>r</th><td>x</td></tr></tbody></table>",
            "| h | i |\n| --- | --- |\n| **r** | x |",
        ),
        (
            "<table><tr><td>1</td><td>2</td></tr></table>",
            "|  |  |\n| --- | --- |\n| 1 | 2 |",
        ),
        (
            "<table><thead><tr><td>a</td><td>b</td></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>",
            "| a | b |\n| --- | --- |\n| 1 | 2 |",
        ),
        (
            "<table><tr><td class=\"numberingColumn\">1</td><td>x</td></tr></table>",
            "|  |  |\n| --- | --- |\n| 1 | x |",
        ),
    ]);
}

#[test]
fn merged_cells_repeat_so_that_rows_stand_alone() {
    check(&[
        (
            "<table><tr><th>a</th><th colspan=\"2\">b</th></tr><tr><td rowspan=\"2\">x</td><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr></table>",
            "| a | b | b |\n| --- | --- | --- |\n| x | 1 | 2 |\n| x | 3 | 4 |",
        ),
        // Rows that end early, spans that run out of the table.
        (
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td></tr><tr><td rowspan=\"99\">2</td><td>3</td></tr></table>",
            "| a | b |\n| --- | --- |\n| 1 |  |\n| 2 | 3 |",
        ),
        (
            "<table><tr><td colspan=\"1000\">x</td></tr><tr><td>1</td><td>2</td></tr></table>",
            "|  |  |\n| --- | --- |\n| x |  |\n| 1 | 2 |",
        ),
    ]);
}

#[test]
fn cells_hold_blocks_on_one_line() {
    let cell = |inner: &str| format!("<table><tr><td>k</td><td>{inner}</td></tr></table>");
    let row = |text: &str| format!("|  |  |\n| --- | --- |\n| k | {text} |");
    check(&[
        (
            &cell(
                "<ac:image ac:alt=\"Plan\"><ri:attachment ri:filename=\"p.png\" /><ac:caption><p>cap</p></ac:caption></ac:image>",
            ),
            &row("[Image: Plan]<br>*cap*"),
        ),
        (&cell("<p>a</p><p>b</p>"), &row("a<br>b")),
        (&cell("<p>a<br/>b</p>"), &row("a<br>b")),
        (
            &cell("<ul><li>a<ul><li>b</li></ul></li></ul>"),
            &row("• a<br>  • b"),
        ),
        (&cell("<ol><li>a</li><li>b</li></ol>"), &row("1. a<br>2. b")),
        (&cell("a | b <code>c|d</code>"), &row("a \\| b `c\\|d`")),
        (
            &cell(&mac("code", &[], &plain("x | y\n\nz"))),
            &row("`x \\| y`<br><br>`z`"),
        ),
        (&cell("<h3>H</h3><p>t</p>"), &row("**H**<br>t")),
        (
            &cell(
                "<ac:task-list><ac:task><ac:task-status>complete</ac:task-status><ac:task-body>t</ac:task-body></ac:task></ac:task-list>",
            ),
            &row("☑ t"),
        ),
        (
            &cell("<table><tr><th>k</th><th>v</th></tr><tr><td>x</td><td>y</td></tr></table>"),
            &row("k: x; v: y"),
        ),
        (&cell("# no heading"), &row("# no heading")),
        (&cell("<blockquote><p>q</p></blockquote>"), &row("q")),
        (
            &cell(&mac(
                "info",
                &[("title", "T")],
                "<ac:rich-text-body><p>x</p></ac:rich-text-body>",
            )),
            &row("**Note:** **T**<br>x"),
        ),
    ]);
}

#[test]
fn code_in_cells_keeps_its_indentation_and_blank_lines() {
    let cell = |inner: &str| format!("<table><tr><td>k</td><td>{inner}</td></tr></table>");
    let row = |text: &str| format!("|  |  |\n| --- | --- |\n| k | {text} |");
    let yaml = "a:\n  b: 1\n\n\n  c:\n\t- x\n";
    let spans = "`a:`<br>`  b: 1`<br><br><br>`  c:`<br>`\t- x`";
    check(&[
        (&cell(&mac("code", &[], &plain(yaml))), &row(spans)),
        (&cell(&mac("noformat", &[], &plain(yaml))), &row(spans)),
        (
            &cell(&mac("code", &[("title", "T")], &plain(yaml))),
            &row(&format!("**T**<br>{spans}")),
        ),
        (&cell(&format!("<pre>{yaml}</pre>")), &row(spans)),
        (
            &cell(&format!(
                "<ul><li><p>do</p>{}</li></ul>",
                mac("code", &[], &plain(yaml))
            )),
            &row(&format!("• do<br>{spans}")),
        ),
        // Blank lines around the code say nothing, its first indentation does.
        (
            &cell(&mac("code", &[], &plain("\n\n    x\n  y\n\n"))),
            &row("`    x`<br>`  y`"),
        ),
        (
            &cell(&mac("code", &[], &plain("  `x`"))),
            &row("``   `x` ``"),
        ),
        // In a table inside of a cell, and in Markdown that an author wrote.
        (
            &cell(&format!(
                "<table><tr><th>f</th></tr><tr><td>{}</td></tr></table>",
                mac("code", &[], &plain("a:\n  b"))
            )),
            &row("f: `a:`<br>`  b`"),
        ),
        (
            &cell(&mac(
                "markdown",
                &[],
                &plain("see\n\n```yaml\na:\n  b\n\nc\n```\n\nend"),
            )),
            &row("see<br>`a:`<br>`  b`<br><br>`c`<br>end"),
        ),
        (
            &cell(&mac("html", &[], &plain("<p>see</p><pre>a:\n  b</pre>"))),
            &row("see<br>`a:`<br>`  b`"),
        ),
    ]);
    // As a record too.
    let long = "word ".repeat(100);
    let record = format!(
        "<table><tr><th>k</th><th>v</th></tr><tr><td>{}</td><td><p>{long}</p><p>b</p></td></tr></table>",
        mac("code", &[], &plain("a:\n  b"))
    );
    assert!(
        convert(&record)
            .markdown
            .starts_with("- **k:** `a:`<br>`  b`; **v:** word")
    );
}

#[test]
fn what_is_empty_goes() {
    check(&[
        (
            "<table><tr><th>a</th><th></th><th>c</th></tr><tr><td>1</td><td><p /></td><td>2</td></tr><tr><td></td><td></td><td>&nbsp;</td></tr></table>",
            "| a | c |\n| --- | --- |\n| 1 | 2 |",
        ),
        (
            "<p>x</p><table><tbody><tr><td><p /></td><td></td></tr></tbody></table><p>y</p>",
            "x\n\ny",
        ),
    ]);
}

#[test]
fn frames_are_no_tables() {
    check(&[
        (
            "<table><tr><td><p>a</p><ul><li>b</li></ul></td></tr></table>",
            "a\n\n- b",
        ),
        (
            "<table><tr><td>a</td></tr><tr><td><table><tr><th>x</th><th>y</th></tr><tr><td>1</td><td>2</td></tr></table></td></tr></table>",
            "a\n\n| x | y |\n| --- | --- |\n| 1 | 2 |",
        ),
        (
            "<table><tr><th>Names</th></tr><tr><td>a</td></tr></table>",
            "| Names |\n| --- |\n| a |",
        ),
    ]);
}

#[test]
fn unreadable_grids_become_records() {
    let mut wide = String::from("<table><tr>");
    for n in 0..10 {
        wide.push_str(&format!("<th>h{n}</th>"));
    }
    wide.push_str("</tr><tr>");
    for n in 0..10 {
        wide.push_str(&format!(
            "<td>{}</td>",
            if n == 3 {
                String::new()
            } else {
                format!("v{n}")
            }
        ));
    }
    wide.push_str("</tr></table>");
    assert_eq!(
        convert(&wide).markdown,
        "- **h0:** v0; **h1:** v1; **h2:** v2; **h3:** –; **h4:** v4; **h5:** v5; **h6:** v6; **h7:** v7; **h8:** v8; **h9:** v9\n"
    );
    let grid = Options {
        table_max_columns: 20,
        ..Options::default()
    };
    check_with(&[("<p>x</p>", "x")], &NoResolver, &grid);
    assert!(
        storage_markdown::convert_storage(&wide, &grid, &NoResolver)
            .markdown
            .starts_with("| h0 | h1 |")
    );
    let long = format!(
        "<table><tr><th>k</th><th>v</th></tr><tr><td>a</td><td><p>{}</p><p>b</p></td></tr></table>",
        "word ".repeat(100)
    );
    assert!(
        convert(&long)
            .markdown
            .starts_with("- **k:** a; **v:** word word")
    );
}

/// A table of rows of cells: `#` or `.` for a header or another, spans as `>n` or `vn` (columns, rows), a space, the text.
fn table(rows: &[&str]) -> String {
    let cell = |text: &str| {
        let (tag, text) = text
            .strip_prefix('#')
            .map_or(("td", &text[1..]), |t| ("th", t));
        let (spans, text) = text.split_once(' ').map_or((text, ""), |(s, t)| (s, t));
        let (columns, rows) = match spans.split_at_checked(1) {
            Some((">", n)) => (n, "1"),
            Some((_, n)) => ("1", n),
            None => ("1", "1"),
        };
        format!("<{tag} colspan=\"{columns}\" rowspan=\"{rows}\"><p>{text}</p></{tag}>")
    };
    let row = |row: &&str| {
        let cells: String = row.split('|').map(cell).collect();
        format!("<tr>{cells}</tr>")
    };
    format!(
        "<table><tbody>{}</tbody></table>",
        rows.iter().map(row).collect::<String>()
    )
}

fn in_a_cell(inner: &str) -> String {
    let row = format!("<tr><td>k</td><td>{inner}</td></tr>");
    let found = convert(&format!("<table>{row}</table>")).markdown;
    let found = found
        .strip_prefix("|  |  |\n| --- | --- |\n| k | ")
        .unwrap();
    found.strip_suffix(" |\n").unwrap().to_string()
}

const QUARTERS: [&str; 3] = [
    "#v2 Site|#>2 Q1|#>2 Q2",
    "#. Jan|#. Feb|#. Apr|#. May",
    ". Oslo|. 11|.|. 14|. 15",
];

#[test]
fn header_rows_are_joined() {
    let records = Options {
        table_max_columns: 2,
        ..Options::default()
    };
    let divided_by_data_cells = [
        "#v2 Site|#>2 Q1|#>2 Q2",
        ". Jan|. Feb|. Apr|. May",
        QUARTERS[2],
    ];
    for rows in [QUARTERS, divided_by_data_cells] {
        check(&[(
            &table(&rows),
            "| Site | Q1 Jan | Q1 Feb | Q2 Apr | Q2 May |\n| --- | --- | --- | --- | --- |\n| Oslo | 11 |  | 14 | 15 |",
        )]);
        check_with(
            &[(
                &table(&rows),
                "- **Site:** Oslo; **Q1 Jan:** 11; **Q1 Feb:** –; **Q2 Apr:** 14; **Q2 May:** 15",
            )],
            &NoResolver,
            &records,
        );
        assert_eq!(
            in_a_cell(&table(&rows)),
            "Site: Oslo; Q1 Jan: 11; Q1 Feb: –; Q2 Apr: 14; Q2 May: 15"
        );
    }
    check(&[
        // Three rows, one of them in thead, and a name that is there twice.
        (
            "<table><thead><tr><td>a</td><td>b</td></tr></thead><tbody><tr><th>a</th><th>c</th></tr><tr><th>x:</th><th></th></tr><tr><td>1</td><td>2</td></tr></tbody></table>",
            "| a x: | b c |\n| --- | --- |\n| 1 | 2 |",
        ),
        // All rows are header cells: the first names the columns.
        (
            &table(&["#. a|#. b", "#. c|#. d"]),
            "| a | b |\n| --- | --- |\n| **c** | **d** |",
        ),
        // The corner above a header column.
        (
            &table(&[".|#. Jan|#. Feb", "#. Oslo|. 1|. 2"]),
            "|  | Jan | Feb |\n| --- | --- | --- |\n| **Oslo** | 1 | 2 |",
        ),
        // A header that reaches down beside data is no second header row, and no value.
        (
            &table(&["#v2 Group|#. Name", ". a", ". x|. b"]),
            "| Group | Name |\n| --- | --- |\n|  | a |\n| x | b |",
        ),
        (
            &table(&["#. k|.", "#. l|. w"]),
            "|  |  |\n| --- | --- |\n| **k** |  |\n| **l** | w |",
        ),
    ]);
}

#[test]
fn columns_without_values_keep_their_header() {
    let rows = ["#. Step|#. Ops|#. Dev", ". 1|.|.", ". 2|.|."];
    check(&[(
        &table(&rows),
        "| Step | Ops | Dev |\n| --- | --- | --- |\n| 1 |  |  |\n| 2 |  |  |",
    )]);
    let records = Options {
        table_max_columns: 2,
        ..Options::default()
    };
    check_with(
        &[(
            &table(&rows),
            "- **Step:** 1; **Ops:** –; **Dev:** –\n- **Step:** 2; **Ops:** –; **Dev:** –",
        )],
        &NoResolver,
        &records,
    );
    assert_eq!(
        in_a_cell(&table(&rows)),
        "Step: 1; Ops: –; Dev: –<br>Step: 2; Ops: –; Dev: –"
    );
}

#[test]
fn rows_of_one_cell_are_said_once() {
    let rows = [
        "#. a|#. b|#. c",
        ".>3 Part one",
        ". 1|. 2|. 3",
        "#>3 Part two",
        ". 4|.|. 6",
    ];
    check(&[(
        &table(&rows),
        "| a | b | c |\n| --- | --- | --- |\n| Part one |  |  |\n| 1 | 2 | 3 |\n| **Part two** |  |  |\n| 4 |  | 6 |",
    )]);
    let records = Options {
        table_max_columns: 2,
        ..Options::default()
    };
    check_with(
        &[(
            &table(&rows),
            "- Part one\n- **a:** 1; **b:** 2; **c:** 3\n- **Part two**\n- **a:** 4; **b:** –; **c:** 6",
        )],
        &NoResolver,
        &records,
    );
    assert_eq!(
        in_a_cell(&table(&rows)),
        "Part one<br>a: 1; b: 2; c: 3<br>**Part two**<br>a: 4; b: –; c: 6"
    );
    check(&[
        // Before the header it is what the table is about.
        (
            &table(&["#>2 Contacts", "#. Name|#. Role", ". Ann|. lead"]),
            "**Contacts**\n\n| Name | Role |\n| --- | --- |\n| Ann | lead |",
        ),
        (
            &table(&[".>2 # as of May", "#. Name|#. Role", ". Ann|. lead"]),
            "\\# as of May\n\n| Name | Role |\n| --- | --- |\n| Ann | lead |",
        ),
        (
            &table(&["#>2 Contacts", ". Name|. Ann"]),
            "**Contacts**\n\n|  |  |\n| --- | --- |\n| Name | Ann |",
        ),
        // A table of nothing else is a frame.
        (&table(&[".>2 a", ".>2 b"]), "a\n\nb"),
        // Nor is it another row for one place that its author forgot.
        (
            &table(&["#. a|#. b|#. c|#. d", ".>3 Part|.", ". 1|. 2|. 3|. 4"]),
            "| a | b | c | d |\n| --- | --- | --- | --- |\n| Part |  |  |  |\n| 1 | 2 | 3 | 4 |",
        ),
        // A part of the row is repeated as before.
        (
            &table(&["#. a|#. b|#. c", ".>2 x|. y"]),
            "| a | b | c |\n| --- | --- | --- |\n| x | x | y |",
        ),
    ]);
    let found = convert(&mac(
        "details",
        &[],
        &crate::site::rich(&table(&[
            "#>2 People",
            "#. Owner:|. Ann",
            "#. Tier|.",
            ".|. more",
        ])),
    ));
    assert_eq!(
        found.markdown,
        "**People**\n\n- **Owner:** Ann\n- **Tier:**\n- more\n"
    );
    let pairs = [("Owner", "Ann"), ("Tier", "")].map(|(k, v)| (k.to_string(), v.to_string()));
    assert_eq!(found.properties, pairs);
}

#[test]
fn header_rows_in_between_name_what_follows() {
    let rows = [
        "#. a|#. b|#. c",
        ". 1|. 2|. 3",
        "#. d|#. e|#. f",
        ". 4|. 5|. 6",
    ];
    let records = Options {
        table_max_columns: 2,
        ..Options::default()
    };
    check_with(
        &[(
            &table(&rows),
            "- **a:** 1; **b:** 2; **c:** 3\n- **d:** 4; **e:** 5; **f:** 6",
        )],
        &NoResolver,
        &records,
    );
    assert_eq!(
        in_a_cell(&table(&rows)),
        "a: 1; b: 2; c: 3<br>d: 4; e: 5; f: 6"
    );
}

#[test]
fn nested_tables_keep_their_places() {
    for (rows, expected) in [
        (&[". a|.|. c", ".|. e|. f"][..], "a; –; c<br>–; e; f"),
        (&["#. Owner|. Ann"], "Owner: Ann"),
        (
            &["#. Owner:|. Ann|. Bo", "#. Tier|.|. 2"],
            "Owner: Ann; Bo<br>Tier: –; 2",
        ),
        (&["#. Owner|. Ann|#. Tier|. 1"], "Owner: Ann; Tier: 1"),
        (
            &[".|#. Jan|#. Feb", "#. Oslo|. 1|."],
            "Oslo: Jan: 1; Feb: –",
        ),
        (&["#. a|#. b"], "a; b"),
        (&[".v2 x|. 1", ". 2"], "x; 1<br>x; 2"),
        // Cells of several lines: rows are told from lines.
        (&[". a<br/>b|. c", ". d|. e"], "▪ a<br>b; c<br>▪ d; e"),
        (&["#. k|#. v", ". a<br/>b|. c"], "k: a<br>b; v: c"),
    ] {
        assert_eq!(in_a_cell(&table(rows)), expected, "{rows:?}");
    }
    let inner = table(&["#. x|. 1", "#. y|. 2"]);
    let outer = format!("<table><tr><td>a</td><td>{inner}</td></tr></table>");
    assert_eq!(in_a_cell(&outer), "▪ a; x: 1<br>y: 2");
}

#[test]
fn names_are_not_repeated_out_of_proportion() {
    let name = "a long name of a column ".repeat(200);
    let mut rows = vec![format!(
        "<tr>{}</tr>",
        format!("<th>{name}</th>").repeat(10)
    )];
    rows.extend((0..2000).map(|_| format!("<tr>{}</tr>", "<td>x</td>".repeat(10))));
    let body = format!("<table>{}</table>", rows.concat());
    assert!(convert(&body).markdown.len() < body.len() * 4);
}

#[test]
fn colours_stand_where_nothing_else_does() {
    check(&[
        (
            "<table><tr><th>k</th><th>s</th></tr><tr><td>db</td><td data-highlight-colour=\"#ff5630\"><p /></td></tr><tr><td>web</td><td data-highlight-colour=\"#f4f5f7\"></td></tr><tr><td data-highlight-colour=\"#36b37e\">app</td><td style=\"background-color: rgb(255,250,230);\">late</td></tr></table>",
            "| k | s |\n| --- | --- |\n| db | red |\n| web |  |\n| app | late |",
        ),
        // Rows and headers without a word are decoration.
        (
            "<table><tr><th data-highlight-colour=\"#deebff\"></th><th>s</th></tr><tr><td data-highlight-colour=\"#deebff\"></td><td data-highlight-colour=\"#deebff\"></td></tr><tr><td>a</td><td>b</td></tr></table>",
            "|  | s |\n| --- | --- |\n| a | b |",
        ),
    ]);
    let none = Options {
        cell_colours: false,
        ..Options::default()
    };
    check_with(
        &[(
            "<table><tr><td>db</td><td data-highlight-colour=\"red\"></td></tr></table>",
            "|  |\n| --- |\n| db |",
        )],
        &NoResolver,
        &none,
    );
}

#[test]
fn colours_can_be_told() {
    let body = "<table><tr><td>k</td><td data-highlight-colour=\"#ffebe6\"></td></tr><tr><td data-highlight-colour=\"#e3fcef\">l</td><td data-highlight-colour=\"#e3fcef\"></td></tr></table>";
    let options = Options {
        cell_colours: true,
        ..Options::default()
    };
    check_with(
        &[(body, "|  |  |\n| --- | --- |\n| k | red |\n| l | green |")],
        &NoResolver,
        &options,
    );
}

#[test]
fn absurd_tables_stay_in_proportion() {
    let text = "long text ".repeat(1000);
    let mut spans = format!("<table><tr><td rowspan=\"2000\" colspan=\"60\">{text}</td></tr>");
    spans.push_str(&"<tr><td>x</td></tr>".repeat(2000));
    spans.push_str("</table>");
    let mut ragged = format!("<table><tr>{}</tr>", "<td>c</td>".repeat(5000));
    ragged.push_str(&"<tr><td>r</td></tr>".repeat(5000));
    ragged.push_str("</table>");
    let nested = format!(
        "{}x{}",
        "<table><tr><td>a</td><td>".repeat(300),
        "</td></tr></table>".repeat(300)
    );
    for body in [spans, ragged, nested] {
        let markdown = convert(&body).markdown;
        assert!(
            markdown.len() < body.len() * 12 + 400_000,
            "{} from {}",
            markdown.len(),
            body.len()
        );
    }
}

#[test]
fn a_table_in_a_heading_ends_the_marks_that_it_stands_in() {
    // Each of these marks is taken back when it is closed, and with it text that stood before the table.
    for inside in [
        "<sub>\u{1}",
        "<code>\u{1}",
        "<strong>\u{1}",
        "<em>a<strong>\u{1}",
    ] {
        let body = format!("<h1>{inside}<table><tr><td>cell</td></tr></table>");
        let found = convert(&body).markdown;
        assert!(found.contains("cell"), "{found}");
    }
}

#[test]
fn grids_read_back_cell_by_cell() {
    let found = read(&convert("<table><tr><th>a*</th><th>b|c</th></tr><tr><td>1\\</td><td>[x](y) `z`</td></tr></table>").markdown);
    assert_eq!(found.tables, [[["a*", "b|c"], ["1\\", "[x](y) `z`"]]]);
}
