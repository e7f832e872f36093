ALTER TABLE indexes DROP COLUMN guard_answered_by;
