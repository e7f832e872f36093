-- What decides whether an attached file is fetched; null for everything that is no attachment.
ALTER TABLE synced_pages ADD COLUMN media_type TEXT;
ALTER TABLE synced_pages ADD COLUMN file_size BIGINT;
CREATE INDEX synced_pages_attachments ON synced_pages (index_id, page_id) WHERE kind = 'attachment';
