DROP TABLE section_edits;
