-- Each poll asks which comments wait for their second look: mostly none.
CREATE INDEX comments_missed ON comments (absent_since) WHERE absent_since IS NOT NULL;
