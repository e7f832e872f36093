-- Sessions of Streamable HTTP, a row each: one is written before its id is answered, and read when it is used after a rest.
CREATE TABLE mcp_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    opening TEXT NOT NULL,
    used_at TIMESTAMP NOT NULL
);
-- Until now all of them were one text; their clients initialize once more.
DELETE FROM remembered WHERE name = 'mcp_sessions';
