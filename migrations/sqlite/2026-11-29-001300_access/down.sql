ALTER TABLE tokens DROP COLUMN speaks_for_others;
DROP TABLE mapped_emails;
DROP TABLE member_emails;
DROP TABLE group_members;
DROP TABLE read_groups;
DROP TABLE space_readers;
DROP TABLE read_restrictions;
DROP INDEX synced_pages_readers;
DROP INDEX synced_pages_guarded;
-- What only some may read is for nobody where that is not known.
UPDATE synced_pages SET standing = 'skipped', state = 'skipped', document = FALSE WHERE guarded AND standing <> 'gone';
ALTER TABLE synced_pages DROP COLUMN guarded;
ALTER TABLE synced_pages DROP COLUMN guards;
ALTER TABLE synced_pages DROP COLUMN readers;
ALTER TABLE indexes DROP COLUMN access;
