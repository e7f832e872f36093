-- A number of each index that grows whenever a restricted item of it, whom that lets in, or what stands behind items changes: what was read
-- of them counts for as long as it is the same. Kept by the database where they change, so that no statement can forget it.
CREATE TABLE access_changes (
    index_id TEXT   NOT NULL PRIMARY KEY REFERENCES indexes (id) ON DELETE CASCADE,
    number   BIGINT NOT NULL
);
INSERT INTO access_changes (index_id, number) SELECT id, 0 FROM indexes;

CREATE TRIGGER access_changes_insert AFTER INSERT ON synced_pages WHEN NEW.guarded OR NEW.readers IS NOT NULL BEGIN
    INSERT INTO access_changes (index_id, number) VALUES (NEW.index_id, 1)
    ON CONFLICT (index_id) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER access_changes_update AFTER UPDATE OF guarded, guards, readers ON synced_pages
WHEN OLD.guarded <> NEW.guarded OR OLD.guards IS NOT NEW.guards OR OLD.readers IS NOT NEW.readers BEGIN
    INSERT INTO access_changes (index_id, number) VALUES (NEW.index_id, 1)
    ON CONFLICT (index_id) DO UPDATE SET number = number + 1;
END;
-- A row that goes with its index takes the number along.
CREATE TRIGGER access_changes_delete AFTER DELETE ON synced_pages WHEN OLD.guarded OR OLD.readers IS NOT NULL BEGIN
    UPDATE access_changes SET number = number + 1 WHERE index_id = OLD.index_id;
END;
