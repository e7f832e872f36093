-- The rendered form that macros of a page were last taken from: what a run may not ask for again stays as it was.
ALTER TABLE bodies ADD COLUMN rendered BLOB;
