-- Whether a comment is open, resolved, or dangling: made on text that the page no longer has.
ALTER TABLE comments ADD COLUMN standing TEXT NOT NULL DEFAULT 'open';
UPDATE comments SET standing = 'resolved' WHERE resolved;
ALTER TABLE comments DROP COLUMN resolved;
