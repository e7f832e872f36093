ALTER TABLE indexes DROP COLUMN quiet_hours;
