-- Which trouble of an index the operator was told last: it is told once, and once that it is over. No row: none.
CREATE TABLE told (
    index_id TEXT NOT NULL PRIMARY KEY REFERENCES indexes (id) ON DELETE CASCADE,
    state    TEXT NOT NULL
);
