ALTER TABLE synced_pages DROP COLUMN belongs;
ALTER TABLE synced_pages DROP COLUMN links;
