-- What the operator's webhook is told: one row a run that ended in trouble, there in the same transaction as its end.
CREATE TABLE notices (
    run_id       TEXT      NOT NULL PRIMARY KEY,
    run          TEXT      NOT NULL, -- JSON object, as it ended: its index may be deleted before it is told
    index_name   TEXT      NOT NULL,
    agent_id     TEXT      NOT NULL,
    at           TIMESTAMP NOT NULL,
    attempts     INTEGER   NOT NULL, -- tries that failed
    next_try_at  TIMESTAMP,          -- NULL: delivered, or given up
    delivered_at TIMESTAMP,
    last_error   TEXT
);
CREATE INDEX notices_due ON notices (next_try_at) WHERE next_try_at IS NOT NULL;
