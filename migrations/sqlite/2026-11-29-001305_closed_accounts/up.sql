-- Accounts that may not use the site any more; groups, restrictions and the operator's word may go on naming them.
CREATE TABLE closed_accounts (
    site_id    INTEGER NOT NULL REFERENCES sites (id),
    account_id TEXT    NOT NULL,
    PRIMARY KEY (site_id, account_id)
);
