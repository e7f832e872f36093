ALTER TABLE bodies DROP COLUMN rendered;
