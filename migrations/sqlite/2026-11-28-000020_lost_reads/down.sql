ALTER TABLE synced_pages DROP COLUMN lost_reads;
