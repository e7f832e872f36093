-- Whom an OpenID Connect issuer names (the issuer, a bar, `sub`), and the address that it vouches for. Such a row has no secret that opens
-- anything; one that has ended keeps its person out.
ALTER TABLE tokens ADD COLUMN subject TEXT;
ALTER TABLE tokens ADD COLUMN email TEXT;
CREATE UNIQUE INDEX tokens_subject ON tokens (subject);
