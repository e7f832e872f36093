-- Whether an address stands in the file of people (PEOPLE_FILE), or was set by hand.
ALTER TABLE mapped_emails ADD COLUMN from_file BOOLEAN NOT NULL DEFAULT FALSE;
