ALTER TABLE bodies DROP COLUMN text_bytes;
