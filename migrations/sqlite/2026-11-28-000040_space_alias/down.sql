ALTER TABLE index_spaces DROP COLUMN alias;
