-- Written before a file is read, and taken back afterwards: what ends the process as well is not tried for ever.
ALTER TABLE synced_pages ADD COLUMN lost_reads INTEGER NOT NULL DEFAULT 0;
