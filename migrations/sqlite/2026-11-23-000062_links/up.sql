-- Which pages the kept text of a page points at, and which of them its document names (JSON object; null: it points at none).
ALTER TABLE synced_pages ADD COLUMN links TEXT;
-- Whether it was decided last that the page belongs: others may name it before the store holds it.
ALTER TABLE synced_pages ADD COLUMN belongs BOOLEAN NOT NULL DEFAULT FALSE;
