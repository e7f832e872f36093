-- What is left would count as changes.
DELETE FROM audit WHERE kind <> 'change';
DROP INDEX audit_by_person;
DROP INDEX audit_by_kind_and_time;
DROP INDEX audit_by_kind;
ALTER TABLE audit DROP COLUMN person;
ALTER TABLE audit DROP COLUMN kind;
