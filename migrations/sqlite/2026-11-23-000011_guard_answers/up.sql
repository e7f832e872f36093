-- What the administrator was asked about removals stays bound to the answer; and by which settings the index was last
-- brought into step, so that what leaves by their change is told from what leaves by itself.
ALTER TABLE indexes ADD COLUMN deletions_refused BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE indexes ADD COLUMN guarded_pages TEXT NOT NULL DEFAULT '[]'; -- JSON array of page ids
ALTER TABLE indexes ADD COLUMN applied_settings TEXT; -- JSON object
