-- Questions leave entries too, where the operator wants it: whom they were asked for, and one list without the other.
ALTER TABLE audit ADD COLUMN kind TEXT NOT NULL DEFAULT 'change';
ALTER TABLE audit ADD COLUMN person TEXT;
CREATE INDEX audit_by_kind ON audit (kind, id);
CREATE INDEX audit_by_kind_and_time ON audit (kind, at);
CREATE INDEX audit_by_person ON audit (person, id);
