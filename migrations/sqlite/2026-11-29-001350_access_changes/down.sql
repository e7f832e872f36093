DROP TRIGGER access_changes_delete;
DROP TRIGGER access_changes_update;
DROP TRIGGER access_changes_insert;
DROP TABLE access_changes;
