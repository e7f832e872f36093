DROP INDEX synced_pages_attachments;
ALTER TABLE synced_pages DROP COLUMN file_size;
ALTER TABLE synced_pages DROP COLUMN media_type;
