DROP INDEX synced_pages_commented;
ALTER TABLE synced_pages DROP COLUMN comments_hash;
DROP TABLE comments;
