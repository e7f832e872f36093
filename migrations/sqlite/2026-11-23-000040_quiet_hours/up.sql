-- Hours in which no scheduled run starts, as JSON {"from", "to", "time_zone"}; NULL: the service's own.
ALTER TABLE indexes ADD COLUMN quiet_hours TEXT;
