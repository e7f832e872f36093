-- Who is signed in to the web page: the hash of cookie and key, so that a row opens nothing and ends with the key.
CREATE TABLE page_sessions (
    hash TEXT NOT NULL PRIMARY KEY,
    ends_at TIMESTAMP NOT NULL
);
