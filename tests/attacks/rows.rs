//! Every attack, and what is to come of it.

/// A row of the table.
pub struct Row {
    /// Its name: a letter for the kind, and a number.
    pub id: &'static str,
    /// What is tried.
    pub attack: &'static str,
    /// What has to happen.
    pub wall: &'static str,
}

const fn row(id: &'static str, attack: &'static str, wall: &'static str) -> Row {
    Row { id, attack, wall }
}

/// All of them.
pub const ROWS: &[Row] = &[
    // What somebody else reads.
    row(
        "A1",
        "Links of an indexed page to pages that may not be shown: restricted, below one, left out by label, of another index",
        "the link's own text or the bare address; no title, in no answer and not in the database's documents",
    ),
    row(
        "A2",
        "Pages whose readers are not known yet, by every route and event",
        "not there, in the same words as a page that does not exist",
    ),
    row(
        "A3",
        "A restriction more than 64 levels above a page",
        "nothing of the chain in any answer",
    ),
    row(
        "A4",
        "`VERIFY_ON_READ=strict` while Confluence answers no facts",
        "refused",
    ),
    row(
        "A5",
        "Access tokens without the scope, in `scope` and `scp`",
        "401",
    ),
    row(
        "A6",
        "Modes of every file, after start, kill, backup and restore, with `umask 000`",
        "0600 from the first byte, earlier files tightened",
    ),
    row(
        "A7",
        "Streams, and a call under way, after their token is revoked, their index deleted, their session signed out",
        "ended within seconds, unanswered",
    ),
    row(
        "A8",
        "One agent's token on every REST operation with another's ids",
        "403 or 404, and nothing of the other's text",
    ),
    row(
        "A9",
        "One agent's token by every MCP tool, resource, prompt and completion to another index, named by query and header in many spellings, over both transports",
        "the own index or an error, and nothing of the other's text",
    ),
    row(
        "A10",
        "Another's and forged cursors",
        "the own list or a refusal",
    ),
    row(
        "A11",
        "Everything that writes, with a token that reads",
        "403, and nothing has changed",
    ),
    row(
        "A12",
        "Another's sessions of both transports, with an own token and without",
        "404 or 401",
    ),
    row("A13", "Revoked tokens, before and after a restart", "401"),
    // Page text is data.
    row(
        "B1",
        "Names, titles, labels and headings that forge lines of ours, close the quotation, or hide characters",
        "escaped, cut, inside the quotation; no invisible character in text or JSON",
    ),
    row(
        "B2",
        "Images of other sites in page text",
        "addresses to read, never images",
    ),
    row(
        "B3",
        "Pages that break converters: deep and broken markup, entities that unfold, bidirectional text, null bytes, a megabyte of one word",
        "each page searchable or failed with its reason; the others are searchable",
    ),
    // One request or file ends nothing.
    row(
        "C1",
        "Attached files that unfold to gigabytes, nest without end or never end",
        "skipped or failed by limits of memory and time; the service under 100 MB",
    ),
    row(
        "C2",
        "A file that ends the whole service each time it is read",
        "left alone after two tries, over restarts",
    ),
    row(
        "C3",
        "Unknown HTTP methods of 10 kB",
        "405, one label `other`",
    ),
    row("C4", "Packed bodies on every path", "415"),
    row(
        "C5",
        "Bodies that never come, more than the descriptors at the start",
        "ended within 20 s; others are answered meanwhile",
    ),
    row(
        "C6",
        "Heads that come a byte at a time",
        "ended within 20 s; others are answered meanwhile",
    ),
    row(
        "C7",
        "300 readers of the open `/docs` bundle that do not read (1,500 in full)",
        "at most 70 kB each beside 100 MB; others are answered meanwhile",
    ),
    row(
        "C8",
        "500 connections that do nothing (10,000 in full)",
        "at most 12 kB each beside 100 MB; others are answered meanwhile",
    ),
    row(
        "C9",
        "Sessions of `/mcp` without end from one token, with long client names",
        "a share each, under 150 MB; others open theirs",
    ),
    row(
        "C10",
        "Slow calls of one token in every turn",
        "another token is answered meanwhile",
    ),
    row(
        "C11",
        "Bodies, heads, addresses and headers beyond their limits",
        "4xx or closed",
    ),
    row("C12", "JSON nested 100,000 deep, on REST and MCP", "4xx"),
    row(
        "C13",
        "Wrong keys, in every way and with forged `X-Forwarded-For`",
        "429 after 20 a minute; right ones pass",
    ),
    row(
        "C14",
        "An authorization server that redirects, names another or hands over hundreds of megabytes",
        "503 or 401; under 150 MB",
    ),
    row(
        "C15",
        "A retrieval store that answers with hundreds of megabytes, pages nobody asked for, or rubbish",
        "an error or nothing; under 150 MB",
    ),
    row(
        "C16",
        "Downloads of attached files that redirect to other hosts and to this machine",
        "not followed, no credentials sent",
    ),
    row(
        "C17",
        "`kill -9` right after a session was opened",
        "the session is known to the next process",
    ),
    // Who asks, and how.
    row(
        "D1",
        "Forged access tokens: `alg: none`, other keys and algorithms, claims cut, changed and missing",
        "401",
    ),
    row(
        "D2",
        "Foreign `Host` headers",
        "403 or 400, before anything else",
    ),
    row("D3", "Foreign `Origin` headers", "403"),
    row(
        "D4",
        "Requests smuggled past a proxy: two lengths, length and chunks, obscured chunks, folded lines",
        "400 or closed, and no second answer",
    ),
    row(
        "D5",
        "Line breaks in addresses, queries, headers and names",
        "refused or encoded; no header of the attacker's in the answer, no line of the attacker's in the log",
    ),
    row("D6", "Two credentials of one kind", "400"),
    row(
        "D7",
        "Headers that keep browsers from misreading answers",
        "on every answer",
    ),
    row(
        "D8",
        "Paths below `/.well-known/` that do not exist",
        "404 without a challenge",
    ),
    row(
        "D9",
        "Control characters in names of indexes and tokens",
        "422",
    ),
    row(
        "D10",
        "What `/health` tells strangers",
        "no names, keys or addresses",
    ),
    row(
        "D11",
        "Secrets in log (at its most talkative), metrics, health, errors, database, backup and answers",
        "in none",
    ),
    row(
        "D12",
        "Broken requests in the log",
        "no line of level ERROR",
    ),
    row(
        "D13",
        "Who asked for what, in the log, with a query that names things",
        "the peer and the principal, the path without its query",
    ),
    row(
        "D14",
        "An address that is open to everybody, with `AUTH_DISABLED`",
        "a warning at the start; names of the web are refused",
    ),
];
