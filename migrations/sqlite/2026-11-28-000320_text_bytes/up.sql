-- Bytes of all forms of a body as they are in memory, so that no more of them are read at once than there is room for; 0: written
-- before this was noted.
ALTER TABLE bodies ADD COLUMN text_bytes BIGINT NOT NULL DEFAULT 0;
