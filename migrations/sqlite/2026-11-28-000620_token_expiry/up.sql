-- When a token ends by itself; null: never.
ALTER TABLE tokens ADD COLUMN expires_at TIMESTAMP;
