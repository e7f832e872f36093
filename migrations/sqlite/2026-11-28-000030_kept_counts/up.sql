-- Numbers that questions and scrapes ask for, kept by the database where they change, so that no statement can forget them and
-- none counts rows.

-- What an index counts as its documents, by space.
CREATE TABLE document_counts (
    index_id  TEXT   NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    space_id  TEXT   NOT NULL,
    documents BIGINT NOT NULL,
    PRIMARY KEY (index_id, space_id)
);
INSERT INTO document_counts (index_id, space_id, documents)
SELECT index_id, space_id, count(*) FROM synced_pages WHERE document GROUP BY index_id, space_id;

CREATE TRIGGER document_counts_insert AFTER INSERT ON synced_pages WHEN NEW.document BEGIN
    INSERT INTO document_counts (index_id, space_id, documents) VALUES (NEW.index_id, NEW.space_id, 1)
    ON CONFLICT (index_id, space_id) DO UPDATE SET documents = documents + 1;
END;
CREATE TRIGGER document_counts_update AFTER UPDATE OF document, space_id ON synced_pages
WHEN OLD.document <> NEW.document OR (NEW.document AND OLD.space_id <> NEW.space_id) BEGIN
    UPDATE document_counts SET documents = documents - OLD.document
    WHERE index_id = OLD.index_id AND space_id = OLD.space_id;
    INSERT INTO document_counts (index_id, space_id, documents) VALUES (NEW.index_id, NEW.space_id, NEW.document)
    ON CONFLICT (index_id, space_id) DO UPDATE SET documents = documents + NEW.document;
END;
CREATE TRIGGER document_counts_delete AFTER DELETE ON synced_pages WHEN OLD.document BEGIN
    UPDATE document_counts SET documents = documents - 1
    WHERE index_id = OLD.index_id AND space_id = OLD.space_id;
END;
DROP INDEX synced_pages_documents;

-- All bodies, in one row.
CREATE TABLE body_totals (
    bodies       BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL,
    only_row     BOOLEAN NOT NULL PRIMARY KEY CHECK (only_row)
);
INSERT INTO body_totals (bodies, stored_bytes, only_row)
SELECT count(*), COALESCE(sum(stored_bytes), 0), TRUE FROM bodies;

CREATE TRIGGER body_totals_insert AFTER INSERT ON bodies BEGIN
    UPDATE body_totals SET bodies = bodies + 1, stored_bytes = stored_bytes + NEW.stored_bytes;
END;
CREATE TRIGGER body_totals_update AFTER UPDATE OF stored_bytes ON bodies WHEN OLD.stored_bytes <> NEW.stored_bytes BEGIN
    UPDATE body_totals SET stored_bytes = stored_bytes - OLD.stored_bytes + NEW.stored_bytes;
END;
CREATE TRIGGER body_totals_delete AFTER DELETE ON bodies BEGIN
    UPDATE body_totals SET bodies = bodies - 1, stored_bytes = stored_bytes - OLD.stored_bytes;
END;
