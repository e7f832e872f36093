#!/usr/bin/env python3
"""What survives of page bodies in storage format: ours beside mcp-atlassian's conversion and markdownify; prints Markdown.

    python3 -m venv target/survives
    target/survives/bin/pip install markdownify==1.2.3 mcp-atlassian==0.23.1 lxml
    cargo build -p storage-markdown --example convert
    CONFLUENCE_CORPUS_DIR=<folder> target/survives/bin/python crates/storage-markdown/benches/survives.py [--lost]

Bodies are those of `storage/*.xml` in the folder and the storage cases of `tests/cases.json`. What is present is read from
the XML here, by none of the three. A thing is kept when the Markdown says it where a reader looks for it:

- words: each as often as on the page
- links: the address of a web link; the title, file name or id of what another link leads to
- table places: a cell with words, in one row with the first cell of its row and under its own header (in a grid, or as
  `header: value`); in tables without a header, at its place in the row
- code lines: with their indentation
- list numbers: the number that a browser shows, before the first word of the item
- images: the caption, title or alternative text that somebody wrote, else a file name that says something
- people: the name or id of everybody who is named
- labels: what stands on panels, tabs, code blocks and statuses

`--lost` lists what ours did not keep.
"""

import collections
import html
import html.entities
import json
import os
import pathlib
import re
import subprocess
import sys
import unicodedata

from lxml import etree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
KINDS = ["words", "links", "table places", "code lines", "list numbers", "images", "people", "labels"]
BLOCKS = {
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ul", "ol", "table", "tr", "td", "th", "div", "br", "hr", "pre", "dt",
    "dd", "blockquote", "section", "caption", "details", "summary",
}
HIDDEN = {
    "ac:parameter", "ac:default-parameter", "ac:placeholder", "ac:task-id", "ac:task-uuid", "ac:task-status",
    "ac:adf-attribute", "ac:adf-parameter", "ac:adf-mark", "script", "style", "colgroup",
}


def parse(body):
    """The body as a tree; prefixes are parts of names."""
    both = lambda m: chr(0x10000 + ((int(m[1]) - 0xD800) << 10) + int(m[2]) - 0xDC00)
    body = re.sub(r"&#(5[5-6]\d{3});&#(5[6-7]\d{3});", both, body)
    named = lambda m: m[0] if m[1] in ("amp", "lt", "gt", "quot", "apos") else html.unescape(m[0])
    parts = re.split(r"(<!\[CDATA\[.*?\]\]>)", body, flags=re.S)
    body = "".join(p if p.startswith("<![CDATA[") else re.sub(r"&([A-Za-z][A-Za-z0-9]*);", named, p) for p in parts)
    spaces = " ".join(f'xmlns:{p}="{p}"' for p in ("ac", "ri", "at"))
    parser = etree.XMLParser(recover=True, huge_tree=True, strip_cdata=False)
    return etree.fromstring(f"<body {spaces}>{body}</body>".encode(), parser)


def name(element):
    if not isinstance(element.tag, str):
        return ""
    return re.sub(r"^\{(\w+)\}", r"\1:", element.tag)


def attr(element, key):
    prefix, _, local = key.rpartition(":")
    return element.get(f"{{{prefix}}}{local}" if prefix else key)


def all_of(element, *names):
    return [e for e in element.iter() if name(e) in names]


def inside(element, *names):
    return any(name(e) in names for e in element.iterancestors())


def skipped(element):
    """What no reader of the page sees; a fallback beside its node repeats it."""
    own = name(element)
    return own in HIDDEN or own == "ac:adf-fallback" or not own


def text_of(element, leave_out=()):
    """The visible text. Without recursion: lists nest some hundred levels deep."""
    parts = []
    stack = [("open", element)]
    while stack:
        what, at = stack.pop()
        if what == "text":
            parts.append(at)
            continue
        own = name(at)
        if what == "open":
            if at is not element and at.tail:
                stack.append(("text", at.tail))
            if skipped(at) or (at is not element and own in leave_out):
                continue
            if own in BLOCKS or own.startswith("ac:"):
                if own not in ("ac:link", "ac:link-body", "ac:plain-text-link-body", "ac:inline-comment-marker"):
                    parts.append("\n")
                    stack.append(("text", "\n"))
            if own == "time" and attr(at, "datetime"):
                parts.append(attr(at, "datetime"))
                continue
            stack.extend(("open", child) for child in reversed(at))
            if at.text:
                stack.append(("text", at.text))
    return "".join(parts)


def words(text):
    return re.findall(r"[^\W_]+", text.lower())


def plain(markdown, addresses=True):
    """Markdown without its marks and escapes, and without the addresses behind texts where they are not asked for."""
    link = r"!?\[((?:\\.|[^\[\]\\])*)\]\((<[^>]*>|(?:[^()\s]|\([^()\s]*\))*)\)"
    found = [destination for _, destination in re.findall(link, markdown)] if addresses else []
    for _ in range(2):
        markdown = re.sub(link, r"\1", markdown)
    markdown = re.sub(r"(?<!\\)(?:\*+|~~|`+)|</?su[bp]>", "", markdown.replace("<br>", " "))
    markdown = " ".join([markdown, *found])
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def said(needle, haystack):
    """Whether the words stand there, one behind the other."""
    return f" {' '.join(words(needle))} " in haystack


def subsequence(needle, haystack):
    rest = iter(haystack)
    return all(word in rest for word in needle)


def param(macro, *wanted):
    for child in macro:
        if name(child) == "ac:parameter" and (attr(child, "ac:name") or "").lower() in wanted:
            text = "".join(child.itertext()).strip()
            if text:
                return text
    return None


# ---- what is present -------------------------------------------------------------------------------------------------


def links(tree):
    found = []
    for a in all_of(tree, "a"):
        href = (attr(a, "href") or "").strip()
        if re.match(r"(https?|mailto):", href) and not attr(a, "data-datasource"):
            found.append(("address", href))
    for link in all_of(tree, "ac:link"):
        if inside(link, "ac:parameter"):
            continue
        for target in link:
            own = name(target)
            title = attr(target, "ri:content-title") or attr(target, "ri:filename")
            title = title or attr(target, "ri:content-id") or attr(target, "ri:space-key") or attr(target, "ri:value")
            if own.startswith("ri:") and own != "ri:user" and title:
                # What only an id or key names is named by the text of the link.
                only_id = attr(target, "ri:content-id") or own == "ri:space"
                own_text = text_of(link).strip() if only_id else ""
                found.append(("title", own_text or title))
    return found


def grid(table):
    """Cells at their places, spans filled."""
    rows = [tr for tr in table.iter() if name(tr) == "tr" and next(a for a in tr.iterancestors() if name(a) == "table") is table]
    places = {}
    for r, tr in enumerate(rows):
        c = 0
        for cell in [e for e in tr if name(e) in ("td", "th")]:
            while (r, c) in places:
                c += 1
            span = lambda key: min(max(int(re.sub(r"\D", "", attr(cell, key) or "1") or 1), 1), 60)
            for y in range(r, min(r + span("rowspan"), len(rows))):
                for x in range(c, c + span("colspan")):
                    places.setdefault((y, x), cell)
            c += span("colspan")
    return rows, places


def places(tree):
    """(words of the header, words of the first cell of the row, column, words of the cell) of each cell with words."""
    found = []
    for table in all_of(tree, "table"):
        rows, cells = grid(table)
        width = max((x for _, x in cells), default=-1) + 1
        if width < 2 or len(rows) < 2:
            continue
        if inside(table, "ac:structured-macro") and any(
            attr(m, "ac:name") == "details" for m in table.iterancestors() if name(m) == "ac:structured-macro"
        ):
            continue
        text = {}
        for cell in set(cells.values()):
            text[cell] = words(text_of(cell, ("table",)))
        is_head = lambda r: all(name(cells[r, x]) == "th" for x in range(width) if (r, x) in cells)
        head = 0
        while head < len(rows) - 1 and is_head(head) and any((head, x) in cells for x in range(width)):
            head += 1
        used = [x for x in range(width) if any(text.get(cells.get((r, x))) for r in range(len(rows)))]
        for r in range(head, len(rows)):
            row = [cells.get((r, x)) for x in range(width)]
            first = next((text[c] for c in row if c is not None and text[c]), [])
            whole = len({id(c) for c in row if c is not None}) == 1
            for n, x in enumerate(used):
                cell = row[x]
                if cell is None or not text[cell] or whole or next(iter(all_of(cell, "table")), None) is not None:
                    continue
                if cells.get((r, x - 1)) is cell or cells.get((r - 1, x)) is cell:
                    continue
                names = []
                for above in range(head):
                    c = cells.get((above, x))
                    title = all(cells.get((above, y)) is c for y in range(width))
                    if c is not None and text[c] and text[c] not in names and not title:
                        names.append(text[c])
                found.append((sum(names, []), first, (n, x), text[cell]))
    return found


def code_lines(tree):
    bodies = []
    for macro in all_of(tree, "ac:structured-macro"):
        if attr(macro, "ac:name") in ("code", "noformat", "code-block", "preformatted"):
            bodies += ["".join(b.itertext()) for b in macro if name(b) == "ac:plain-text-body"]
    bodies += [text_of(p) for p in all_of(tree, "pre")]
    return [line.rstrip() for body in bodies for line in body.split("\n") if line.strip()]


def numbers(tree):
    found = []
    for ol in all_of(tree, "ol"):
        number = int(re.sub(r"\D", "", attr(ol, "start") or "1") or 1)
        for li in [e for e in ol if name(e) == "li"]:
            number = int(attr(li, "value") or number)
            first = words(text_of(li, ("ol", "ul", "table", "ac:structured-macro", "ac:task-list", "ac:link", "ac:image")))
            deep = sum(name(a) in ("ol", "ul") for a in li.iterancestors())
            if first and deep < 10:
                found.append((number, first[0]))
            number += 1
    return found


GENERIC = r"image|img|screenshot|screen|shot|picture|photo|bild|capture|unnamed|png|jpe?g|gif|svg|webp|at|am|pm|스크린샷|오전|오후|\d+"


def images(tree):
    found = []
    for image in all_of(tree, "ac:image"):
        files = [attr(e, "ri:filename") for e in image if name(e) == "ri:attachment"]
        file = files[0] if files else ""
        caption = " ".join(text_of(c).strip() for c in image if name(c) == "ac:caption")
        texts = [caption, attr(image, "ac:title"), attr(image, "ac:alt")]
        written = [t for t in texts if t and t.strip() and t.strip() != file and describes(t)]
        if written:
            found += written
        elif file and describes(file):
            found.append(file)
    return found


def describes(text):
    # File names of macOS spell Korean letter by letter.
    text = unicodedata.normalize("NFC", text)
    left = [w for w in words(text) if not re.fullmatch(GENERIC, w) and not re.fullmatch(r"[0-9a-f]{6,}", w)]
    return any(len(re.sub(r"\d", "", w)) >= 3 for w in left)


def people(tree):
    ids = [attr(u, "ri:account-id") or attr(u, "ri:userkey") or attr(u, "ri:username") for u in all_of(tree, "ri:user")]
    return [i for i in ids if i]


LABELLED = {
    "info", "note", "tip", "warning", "panel", "expand", "ui-expand", "code", "noformat", "status", "card", "aura-tab", "ui-tab",
    "localtab", "tab-pane", "chart", "faq-item", "requirement",
}


def labels(tree):
    found = [
        param(m, "title", "label", "question", "key")
        for m in all_of(tree, "ac:structured-macro")
        if attr(m, "ac:name") in LABELLED
    ]
    return [label for label in found if label and words(label)]


# ---- what is kept ----------------------------------------------------------------------------------------------------


class Output:
    def __init__(self, markdown):
        self.raw = markdown
        self.plain = plain(markdown)
        self.words = words(self.plain)
        self.joined = f" {' '.join(self.words)} "
        self.lines = markdown.split("\n")
        self.code = collections.Counter()
        for line in self.lines:
            for cut in range(len(line)):
                if line[:cut].strip(" >"):
                    break
                self.code[line[cut:].rstrip()] += 1
        self.spans = set(re.findall(r"(?<!`)`([^`]+)`(?!`)", self.raw.replace("\\|", "|")))
        self.spans |= {s[1:-1] for s in re.findall(r"``+((?: .+? )|.+?)``+", self.raw.replace("\\|", "|"))}
        self.tables()

    def tables(self):
        """Grids as (header, row) of cells' words, and lines and parts of lines as words."""
        self.rows = []
        self.parts = []
        header = None
        for at, line in enumerate(self.lines):
            stripped = line.strip().lstrip("> ")
            if stripped.startswith("|"):
                cells = [words(plain(c, False)) for c in re.split(r"(?<!\\)\|", stripped)[1:-1]]
                if at + 1 < len(self.lines) and re.fullmatch(r"[\s>|:-]+", self.lines[at + 1]) and "-" in self.lines[at + 1]:
                    header = cells
                elif header is not None and not re.fullmatch(r"[\s|:-]+", stripped):
                    self.rows.append((header, cells))
            else:
                header = None
            for part in re.split(r"<br>|(?<!\\)\|", line) + re.split(r"▪ |(?<!\\)\|", line):
                self.parts.append(f" {' '.join(words(plain(part, False)))} ")
            if re.match(r"\s*- ", line):
                self.parts.append(f" {' '.join(words(plain(line, False)))} ")

    def keeps_place(self, place):
        head, first, (n, x), cell = place
        near = lambda want, have: subsequence(want, have) and len(have) <= 2 * len(want) + 6
        for header, row in self.rows:
            if not any(near(first, have) for have in row[:2] + row):
                continue
            if head:
                if any(h == head and at < len(row) and near(cell, row[at]) for at, h in enumerate(header)):
                    return True
            elif any(at < len(row) and near(cell, row[at]) for at in (n, x)):
                return True
        start = f" {' '.join(first)} "
        pair = f" {' '.join(head + cell)} "
        if head:
            return any(start in part and pair in part for part in self.parts)
        return any(start in part and f" {' '.join(cell)} " in part and "|" not in part for part in self.parts)

    def keeps_number(self, item):
        number, word = item
        pattern = rf"(?<![\w.]){number}[.)]\s+[^\w\n]{{0,6}}{re.escape(word)}"
        return re.search(pattern, self.plain, re.I) is not None


def kept(kind, thing, output):
    if kind == "links":
        what, target = thing
        if what == "address":
            return target.removeprefix("mailto:") in html.unescape(output.raw) or target in output.plain
        return said(target, output.joined)
    if kind == "table places":
        return output.keeps_place(thing)
    if kind == "code lines":
        return output.code[thing] > 0 or thing in output.spans
    if kind == "list numbers":
        return output.keeps_number(thing)
    return said(thing, output.joined)


def count(body, markdown):
    """Of each kind: kept, present, and what is lost."""
    tree = parse(body)
    output = Output(markdown)
    have = collections.Counter(output.words)
    want = collections.Counter(words(text_of(tree)))
    lost = [w for w, n in want.items() if have[w] < n]
    result = {"words": (sum(min(n, have[w]) for w, n in want.items()), sum(want.values()), lost)}
    present = {
        "links": links(tree),
        "table places": places(tree),
        "code lines": code_lines(tree),
        "list numbers": numbers(tree),
        "images": images(tree),
        "people": people(tree),
        "labels": labels(tree),
    }
    for kind, things in present.items():
        lost = [thing for thing in things if not kept(kind, thing, output)]
        result[kind] = (len(things) - len(lost), len(things), lost)
    return result


# ---- the three -------------------------------------------------------------------------------------------------------


def ours(body):
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = next(p for p in (target / "release/examples/convert", target / "debug/examples/convert") if p.exists())
    return subprocess.run([program], input=body.encode(), stdout=subprocess.PIPE, check=True).stdout.decode()


def mcp_atlassian(body):
    from mcp_atlassian.preprocessing.confluence import ConfluencePreprocessor

    return ConfluencePreprocessor(base_url="https://example.atlassian.net/wiki").process_html_content(body)[1]


def markdownify(body):
    import markdownify

    return markdownify.markdownify(body)


def bodies():
    found = []
    root = os.environ.get("CONFLUENCE_CORPUS_DIR")
    if root:
        for path in sorted(pathlib.Path(root, "storage").glob("*.xml")):
            found.append(("corpus", path.name, path.read_text()))
    else:
        print("CONFLUENCE_CORPUS_DIR is not set: our own fixtures only", file=sys.stderr)
    table = json.loads((HERE.parent / "tests/cases.json").read_text())
    for case in table["cases"]:
        if case["source"] == "storage":
            found.append(("fixtures", case["id"], case["input"]))
    return found


def main():
    sys.setrecursionlimit(100_000)
    converters = [("storage-markdown", ours), ("mcp-atlassian 0.23.1", mcp_atlassian), ("markdownify 1.2.3", markdownify)]
    all_bodies = bodies()
    print("| bodies | converter | " + " | ".join(KINDS) + " |")
    print("| --- " * (len(KINDS) + 2) + "|")
    for group in ("corpus", "fixtures"):
        group_bodies = [(n, b) for g, n, b in all_bodies if g == group]
        if not group_bodies:
            continue
        for label, convert in converters:
            totals = {kind: [0, 0] for kind in KINDS}
            for body_name, body in group_bodies:
                try:
                    markdown = convert(body)
                except RecursionError:
                    markdown = ""
                for kind, (n, of, lost) in count(body, markdown).items():
                    totals[kind][0] += n
                    totals[kind][1] += of
                    if lost and convert is ours and "--lost" in sys.argv:
                        print(f"{body_name}: {kind} {n} of {of}: {lost[:6]}", file=sys.stderr)
            share = lambda n, of: f"{n} of {of} ({int(1000 * n / of) / 10 if of else 100} %)"
            cells = " | ".join(share(*totals[kind]) for kind in KINDS)
            print(f"| {len(group_bodies)} of {'the corpus' if group == 'corpus' else 'our fixtures'} | {label} | {cells} |")


if __name__ == "__main__":
    main()
