//! Marks, escapes, dates, emoji, what is invisible.

use crate::site::check;

#[test]
fn marks_nest_merge_and_shed_spaces() {
    check(&[
        (
            "<p><strong>bold </strong>then<em> spaced </em>end</p>",
            "**bold** then *spaced* end",
        ),
        ("<p><b>a</b><strong>b</strong> <i>c</i></p>", "**ab** *c*"),
        ("<p><strong><em>both</em></strong></p>", "***both***"),
        ("<p>x<strong></strong><em> </em>y</p>", "x y"),
        (
            "<p><u>under</u> <s>a</s> <del>b</del> <span style=\"text-decoration: line-through;\">c</span></p>",
            "under ~~a b c~~",
        ),
        (
            "<p>H<sub>2</sub>O and x<sup>2</sup></p>",
            "H<sub>2</sub>O and x<sup>2</sup>",
        ),
        (
            "<p><span style=\"color: rgb(255,86,48);\">red</span> <span style=\"background-color: #ff0\">hi</span></p>",
            "red hi",
        ),
        (
            "<p>un<em>frigging</em>believable</p>",
            "un*frigging*believable",
        ),
    ]);
}

#[test]
fn delimiters_that_would_not_work_are_not_written() {
    check(&[
        ("<p><strong>Note:</strong>text</p>", "**Note**:text"),
        ("<p><strong>\"quoted\"</strong>text</p>", "\"quoted\"text"),
        (
            "<p>word<strong>(aside)</strong> more</p>",
            "word(aside) more",
        ),
        ("<p><strong>Note:</strong> text</p>", "**Note:** text"),
        ("<p><strong>“설정”</strong>을 클릭</p>", "“설정”을 클릭"),
    ]);
}

#[test]
fn code_spans_keep_their_text() {
    check(&[
        ("<p><code>a ` b</code></p>", "``a ` b``"),
        (
            "<p><code>x &lt; y &amp;&amp; z_*</code></p>",
            "`x < y && z_*`",
        ),
        (
            "<p><code><strong>old</strong></code> <tt>tt</tt></p>",
            "`old` `tt`",
        ),
        ("<p><code>`tick`</code></p>", "`` `tick` ``"),
        ("<p>a<code> b </code>c</p>", "a `b` c"),
        ("<p><strong><code>c</code></strong></p>", "**`c`**"),
    ]);
}

#[test]
fn a_mark_that_is_taken_back_leaves_no_block_behind() {
    check(&[
        (
            "<p><strong>-</strong> <strong>(</strong><em>a</em></p>",
            "\\- (*a*",
        ),
        ("<p><strong>1. (</strong>word</p>", "1\\. (word"),
        ("<p><strong><em>- (</em></strong>a</p>", "\\- (a"),
        ("<ul><li><em>&gt; (</em>word</li></ul>", "- \\> (word"),
        ("<p><sub>&#173;</sub># x</p>", "\\# x"),
    ]);
}

#[test]
fn escapes_only_where_markdown_would_act() {
    check(&[
        (
            "<p>snake_case and __init__ and _private</p>",
            "snake_case and \\_\\_init__ and \\_private",
        ),
        (
            "<p>5 * 3 but *args and a*b</p>",
            "5 * 3 but \\*args and a\\*b",
        ),
        ("<p>[x] [y](z) [w]: u</p>", "\\[x] [y\\](z) [w\\]: u"),
        (
            "<p>1. no list</p><p>- no bullet</p><p># no heading</p><p>+1</p><p>#4 is fine</p>",
            "1\\. no list\n\n\\- no bullet\n\n\\# no heading\n\n+1\n\n#4 is fine",
        ),
        (
            "<p>-&nbsp;bullet</p><p>1.&nbsp;x</p><p>1.</p><p>-</p>",
            "\\- bullet\n\n1\\. x\n\n1\\.\n\n\\-",
        ),
        (
            "<p>a|b `tick` ~tilde 1~2 ~~no~~</p>",
            "a|b \\`tick\\` ~tilde 1\\~2 \\~\\~no\\~\\~",
        ),
        ("<p>C:\\Users\\me \\*</p>", "C:\\Users\\me \\\\\\*"),
        (
            "<p>see!<a href=\"https://e.com/x\">t</a></p>",
            "see\\![t](https://e.com/x)",
        ),
        (
            "<p>use &lt;T&gt; and a&lt;b and 1 &lt; 2</p>",
            "use \\<T> and a\\<b and 1 < 2",
        ),
        (
            "<p>a<br/>- b<br/>=== c<br/>===</p>",
            "a\\\n\\- b\\\n=== c\\\n\\===",
        ),
    ]);
}

#[test]
fn dates_stand_in_iso_form() {
    check(&[
        (
            "<p><time datetime=\"2026-10-01\" /><time datetime=\"2026-10-02\" /></p>",
            "2026-10-01 2026-10-02",
        ),
        (
            "<p>by <time datetime=\"2026-10-01\" /></p>",
            "by 2026-10-01",
        ),
        (
            "<p>on <time datetime=\"2026-09-17\">17 September 2026</time>.</p>",
            "on 2026-09-17.",
        ),
        ("<p><time>soon</time></p>", "soon"),
    ]);
}

#[test]
fn comments_leave_no_trace_and_placeholders_vanish() {
    check(&[
        (
            "<p>we <ac:inline-comment-marker ac:ref=\"8526d93f\">agr</ac:inline-comment-marker>eed</p>",
            "we agreed",
        ),
        (
            "<p>a <ac:placeholder ac:type=\"mention\">Type <b>here</b></ac:placeholder>b</p>",
            "a b",
        ),
        (
            "<!-- note --><p>x<!-- y -->z</p><style>p{}</style><script>1</script>",
            "xz",
        ),
    ]);
}

#[test]
fn emoji_of_every_form() {
    check(&[
        (
            "<p><ac:emoticon ac:name=\"blue-star\" ac:emoji-shortname=\":rocket:\" ac:emoji-id=\"1f680\" ac:emoji-fallback=\"🚀\" /> <ac:emoticon ac:name=\"tick\" /><ac:emoticon ac:name=\"cross\" /></p>",
            "🚀 ✅❌",
        ),
        (
            "<p><ac:emoticon ac:name=\"blue-star\" ac:emoji-fallback=\"\\uD83D\\uDDD3\" /></p>",
            "🗓",
        ),
    ]);
}

#[test]
fn code_spans_apart_stay_apart() {
    check(&[
        (
            "<p>Press <code>Ctrl</code> <code>C</code>, or <code>ls</code>&nbsp;<code>-la</code>.</p>",
            "Press `Ctrl` `C`, or `ls` `-la`.",
        ),
        (
            "<p><code>a</code>\n<code>b</code><br/><code>c</code></p>",
            "`a` `b`\\\n`c`",
        ),
        (
            "<p><strong><code>a</code> <code>b</code></strong> <a href=\"https://e.com\"><code>c</code> <code>d</code></a></p>",
            "**`a` `b`** [`c` `d`](https://e.com)",
        ),
        // What splits a word is no end of it.
        (
            "<p><code>one</code><ac:inline-comment-marker ac:ref=\"r\"><code>Word</code></ac:inline-comment-marker></p>",
            "`oneWord`",
        ),
        (
            "<p><code>ls <span>-la</span> <em>x</em></code></p>",
            "`ls -la x`",
        ),
        (
            "<table><tr><td>k</td><td><code>a</code> <code>b</code></td></tr></table>",
            "|  |  |\n| --- | --- |\n| k | `a` `b` |",
        ),
    ]);
}

#[test]
fn halves_of_a_character_are_one() {
    check(&[
        (
            "<p>&#55357;&#56523; Agenda &#xD83D;&#xdccb;</p>",
            "📋 Agenda 📋",
        ),
        (
            "<p><code>&#55357;&#56523;</code> &#55357; x&#56523;</p>",
            "`📋` \u{fffd} x\u{fffd}",
        ),
        (
            "<ac:image ac:alt=\"Plan &#55357;&#56523;\"><ri:attachment ri:filename=\"a.png\" /></ac:image>",
            "[Image: Plan 📋]",
        ),
    ]);
}

#[test]
fn a_bracket_that_begins_nothing_is_text() {
    check(&[
        (
            "<p>a < b and c<d then <b>x</b></p><p>1<2</p>",
            "a < b and c\\<d then **x**\n\n1<2",
        ),
        ("<p>if a <b and c> d</p>", "if a \\<b and c> d"),
        ("<p>x <1> </> <> y</p>", "x <1> \\</> <> y"),
        (
            "<p>x <!-- never <b>ends</b></p><p>y</p>",
            "x \\<!-- never **ends**\n\ny",
        ),
        (
            "<p>x <![CDATA[ never</p><p>y</p>",
            "x \\<![CDATA[ never\n\ny",
        ),
        ("<p>x <a href=\"y</p><p>z</p>", "x \\<a href=\"y\n\nz"),
        // What follows is read as before.
        (
            "<p>a < b</p><table><tr><td nowrap>1</td><td>2 < 3</td></tr></table><ul><li>x</li></ul>",
            "a < b\n\n|  |  |\n| --- | --- |\n| 1 | 2 < 3 |\n\n- x",
        ),
        (
            "<p>a < b</p><ac:structured-macro ac:name=\"code\"><ac:plain-text-body><![CDATA[if a < b]]></ac:plain-text-body></ac:structured-macro><!-- c < d --><p data-x='a > b < c'>e</p>",
            "a < b\n\n```\nif a < b\n```\n\ne",
        ),
    ]);
}
