-- Nobody of them could be let in, nor kept out.
DELETE FROM page_sessions WHERE token_id IN (SELECT id FROM tokens WHERE subject IS NOT NULL);
DELETE FROM tokens WHERE subject IS NOT NULL;
DROP INDEX tokens_subject;
ALTER TABLE tokens DROP COLUMN email;
ALTER TABLE tokens DROP COLUMN subject;
