ALTER TABLE comments ADD COLUMN resolved BOOLEAN NOT NULL DEFAULT 0;
UPDATE comments SET resolved = 1 WHERE standing = 'resolved';
ALTER TABLE comments DROP COLUMN standing;
