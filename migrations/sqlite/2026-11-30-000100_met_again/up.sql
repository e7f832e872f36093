-- What is not decided yet is shown by what the store holds of it only if it was decided before that it belongs. Rows that waited to be
-- decided before that was noted keep what is told of them.
UPDATE synced_pages SET belongs = TRUE WHERE standing = 'undecided' AND document;
