-- They would stay for ever as set by hand.
DELETE FROM mapped_emails WHERE from_file;
ALTER TABLE mapped_emails DROP COLUMN from_file;
