-- Questions that found little, where the operator says for how long they are kept; those of one wording are one row.
CREATE TABLE questions (
    index_id       TEXT      NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    id             TEXT      NOT NULL, -- hash of the wording
    question       TEXT      NOT NULL,
    times          BIGINT    NOT NULL,
    first_asked_at TIMESTAMP NOT NULL,
    last_asked_at  TIMESTAMP NOT NULL,
    found          TEXT      NOT NULL,
    unknown_words  TEXT      NOT NULL,
    PRIMARY KEY (index_id, id)
);
CREATE INDEX questions_by_time ON questions (index_id, last_asked_at, id);
