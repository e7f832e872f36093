ALTER TABLE indexes DROP COLUMN applied_settings;
ALTER TABLE indexes DROP COLUMN guarded_pages;
ALTER TABLE indexes DROP COLUMN deletions_refused;
