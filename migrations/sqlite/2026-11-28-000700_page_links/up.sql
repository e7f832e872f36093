-- Which pages point at a page: what `links` of `synced_pages` says, the other way round; kept by the database where it changes.
CREATE TABLE page_links (
    index_id  TEXT NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    target_id TEXT NOT NULL,
    page_id   TEXT NOT NULL,
    PRIMARY KEY (index_id, target_id, page_id)
);
CREATE INDEX page_links_by_page ON page_links (index_id, page_id);
INSERT INTO page_links (index_id, target_id, page_id)
SELECT p.index_id, l.value, p.page_id FROM synced_pages p, json_each(p.links, '$.body') l WHERE p.links IS NOT NULL
UNION
SELECT p.index_id, l.value, p.page_id FROM synced_pages p, json_each(p.links, '$.comments') l WHERE p.links IS NOT NULL;

CREATE TRIGGER page_links_insert AFTER INSERT ON synced_pages WHEN NEW.links IS NOT NULL BEGIN
    INSERT INTO page_links (index_id, target_id, page_id)
    SELECT NEW.index_id, value, NEW.page_id FROM json_each(NEW.links, '$.body')
    UNION
    SELECT NEW.index_id, value, NEW.page_id FROM json_each(NEW.links, '$.comments');
END;
CREATE TRIGGER page_links_update AFTER UPDATE OF links ON synced_pages WHEN OLD.links IS NOT NEW.links BEGIN
    DELETE FROM page_links WHERE index_id = OLD.index_id AND page_id = OLD.page_id;
    INSERT INTO page_links (index_id, target_id, page_id)
    SELECT NEW.index_id, value, NEW.page_id FROM json_each(NEW.links, '$.body')
    UNION
    SELECT NEW.index_id, value, NEW.page_id FROM json_each(NEW.links, '$.comments');
END;
CREATE TRIGGER page_links_delete AFTER DELETE ON synced_pages WHEN OLD.links IS NOT NULL BEGIN
    DELETE FROM page_links WHERE index_id = OLD.index_id AND page_id = OLD.page_id;
END;

-- What is right below a page.
CREATE INDEX synced_pages_by_parent ON synced_pages (index_id, parent_id);
