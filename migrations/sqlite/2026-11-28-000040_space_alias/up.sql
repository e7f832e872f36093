-- The key that people see of a space that was given another one; the next run learns it.
ALTER TABLE index_spaces ADD COLUMN alias TEXT;
