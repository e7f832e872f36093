-- Who answered the mass-deletion guard last, for people.
ALTER TABLE indexes ADD COLUMN guard_answered_by TEXT;
