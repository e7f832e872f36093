-- What an administrator let the app of CONFLUENCE_OAUTH_CLIENT_ID do at a site. The tokens are encrypted with SECRETS_KEY; whoever has
-- this file alone can do nothing with them.
CREATE TABLE confluence_grants (
    site_id        INTEGER   NOT NULL PRIMARY KEY REFERENCES sites (id),
    client_id      TEXT      NOT NULL,
    cloud_id       TEXT      NOT NULL,
    site_url       TEXT      NOT NULL, -- as Atlassian names the site
    scopes         TEXT      NOT NULL, -- with blanks between
    granted_by     TEXT      NOT NULL,
    granted_at     TIMESTAMP NOT NULL,
    refresh_token  BLOB      NOT NULL,
    access_token   BLOB      NOT NULL,
    refreshed_at   TIMESTAMP NOT NULL,
    access_ends_at TIMESTAMP NOT NULL,
    refused        TEXT                -- why Atlassian gives no more tokens
);
