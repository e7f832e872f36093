#!/usr/bin/env python3
"""Writes THIRD-PARTY-NOTICES.txt: what the program is built of, and under which licences.

    .ci/notices.py            writes it
    .ci/notices.py --check    fails where it is not what would be written

The crates are those that cargo compiles into the program (no build scripts, no macros, no tests) for Linux on both processors; the
texts are those that their authors put into them. Where a choice is offered, the first of CHOICES is taken. Needs cargo and the
sources of the crates, which `cargo fetch` brings; nothing else of the network.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTICES = ROOT / "THIRD-PARTY-NOTICES.txt"
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]
CHOICES = ["Apache-2.0", "MIT", "BSD-3-Clause", "Unicode-3.0", "ISC", "Zlib"]
# A crate without a text of its own has that of another under the same licence: these texts are the same for all.
STANDARD = {"Apache-2.0": "serde", "MPL-2.0": "cssparser"}
RULE = "=" * 100
INTRODUCTION = """Third-party notices
===================

mcp-confluence is under the Apache License 2.0 (see LICENSE). The program holds the crates below, under their own licences; their sources
are at https://crates.io/crates/NAME/VERSION, unchanged. Where a licence offers a choice, the one that is named here is taken.
It further holds the standard library of Rust (MIT or Apache-2.0, https://github.com/rust-lang/rust), SQLite (in the public domain,
https://sqlite.org/copyright.html) and, in the crate utoipa-swagger-ui-vendored, Swagger UI (Apache-2.0, Copyright 2020-2021
SmartBear Software Inc., https://github.com/swagger-api/swagger-ui).

Crates under the Mozilla Public License 2.0 (files of theirs that are changed have to be made public; none is changed): {mpl}.

Written by .ci/notices.py.
"""


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def held():
    """Name and version of every crate that is linked into the program, ours left out."""
    crates = set()
    for target in TARGETS:
        edges = ["-e", "normal,no-proc-macro", "--target", target, "--prefix", "none", "--format", "{p}"]
        for line in cargo("tree", "--locked", "--package", "mcp-confluence", "--features", "local-model", *edges).splitlines():
            name, version, *rest = line.removesuffix(" (*)").split()
            if not any(part.startswith("(/") for part in rest):
                crates.add((name, version.removeprefix("v")))
    return crates


def packages():
    found = {}
    for target in TARGETS:
        metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target))
        found |= {(package["name"], package["version"]): package for package in metadata["packages"]}
    return found


def chosen(expression):
    """Of an SPDX expression, what is taken: every part that is joined by AND, the first choice of those that are joined by OR."""
    taken = []
    for part in re.split(r"\s+AND\s+", expression.replace("/", " OR ")):
        offered = [name for name in re.split(r"\s+OR\s+", part.strip(" ()")) if name]
        known = [choice for choice in CHOICES if choice in offered]
        taken.append(known[0] if known else offered[0])
    return sorted(set(taken))


def texts(folder, licences):
    """The texts of these licences in the folder of a crate, and what its NOTICE says."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and re.match(r"(?i)(licen[cs]e|copying|notice|copyright|unlicense)", p.name))
    files = [p for p in files if p.suffix.lower() in ("", ".md", ".txt") or "-" in p.name and p.suffix.lower() not in (".rs", ".toml", ".json")]
    top = [p for p in files if p.parent == folder]
    wanted = []
    for path in top:
        name = path.name.lower()
        is_notice = name.startswith("notice")
        named = [licence for licence in ("apache", "mit", "bsd", "zlib", "isc", "unicode", "mpl", "cc0", "unlicense", "boost") if licence in name]
        of_taken = any(licence.lower().startswith(word) or word in licence.lower() for word in named for licence in licences)
        if is_notice or not named or of_taken:
            wanted.append(path)
    # Parts that came from elsewhere keep their texts in folders of their own.
    wanted += [p for p in files if p.parent != folder and not {"tests", "benches", "examples", "fuzz"} & set(p.relative_to(folder).parts)]
    return [clean(p.read_text(errors="replace")) for p in wanted]


def clean(text):
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\f", "").split("\n")]
    return "\n".join(lines).strip("\n")


def write():
    known, by_text, first, bare = packages(), defaultdict(set), {}, []
    crates = sorted(held())
    index, mpl = [], []
    folders = {name: Path(known[name, version]["manifest_path"]).parent for name, version in crates}
    for name, version in crates:
        package = known[name, version]
        if not package["license"]:
            sys.exit(f"{name} {version} names no licence: look at it, and name it here")
        licences = chosen(package["license"])
        label = f"{name} {version}"
        index.append(f"{label}: {' and '.join(licences)}")
        if "MPL-2.0" in licences:
            mpl.append(label)
        found = texts(Path(package["manifest_path"]).parent, licences)
        for licence in licences:
            if not found and licence in STANDARD:
                found = texts(folders[STANDARD[licence]], [licence])
        if not found:
            authors = ", ".join(package["authors"]) or f"the authors of {name}"
            bare.append(f"{label} ({' and '.join(licences)}; {authors})")
        for text in found:
            # Copies that differ in line breaks and indentation are one.
            by_text[first.setdefault(" ".join(text.split()), text)].add(label)
    parts = [INTRODUCTION.format(mpl=", ".join(mpl)), "\n".join(index)]
    if bare:
        told = "Crates that come without a text of their licence, with their authors:"
        parts.append("\n".join([told, *bare]))
    # The texts that most crates share come first.
    for text, labels in sorted(by_text.items(), key=lambda entry: (-len(entry[1]), sorted(entry[1]))):
        parts.append(f"{RULE}\n{', '.join(sorted(labels))}\n{RULE}\n\n{text}")
    return "\n\n".join(parts) + "\n", len(crates), len(by_text), bare


if __name__ == "__main__":
    text, crates, distinct, bare = write()
    if sys.argv[1:] == ["--check"]:
        if not NOTICES.exists() or NOTICES.read_text() != text:
            sys.exit("THIRD-PARTY-NOTICES.txt is not that of Cargo.lock: .ci/notices.py writes it")
    else:
        NOTICES.write_text(text)
    print(f"{crates} crates, {distinct} texts, {len(bare)} crates without a text")
