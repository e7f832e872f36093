DROP INDEX synced_pages_by_parent;
DROP TRIGGER page_links_delete;
DROP TRIGGER page_links_update;
DROP TRIGGER page_links_insert;
DROP TABLE page_links;
