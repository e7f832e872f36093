-- Whom an index answers: everyone alike, or each person by what that person may read.
ALTER TABLE indexes ADD COLUMN access TEXT NOT NULL DEFAULT 'everyone';

-- Whom the item's own restriction names (JSON; null: nobody is named), and the restricted items that the page stands behind, itself
-- included (JSON; null: not decided, so that nobody gets by). Up to now nothing that is restricted was shown to some only.
ALTER TABLE synced_pages ADD COLUMN readers TEXT;
ALTER TABLE synced_pages ADD COLUMN guards TEXT DEFAULT '[]';
-- Whether `guards` is anything but empty.
ALTER TABLE synced_pages ADD COLUMN guarded BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX synced_pages_guarded ON synced_pages (index_id, page_id) WHERE guarded;
CREATE INDEX synced_pages_readers ON synced_pages (index_id, page_id) WHERE readers IS NOT NULL;

-- When all restrictions of a space were last read for an index.
CREATE TABLE read_restrictions (
    index_id TEXT      NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    space_id TEXT      NOT NULL,
    read_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (index_id, space_id)
);
-- Who may use a space (JSON).
CREATE TABLE space_readers (
    site_id  INTEGER   NOT NULL REFERENCES sites (id),
    space_id TEXT      NOT NULL,
    readers  TEXT      NOT NULL,
    read_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (site_id, space_id)
);
CREATE TABLE read_groups (
    site_id  INTEGER   NOT NULL REFERENCES sites (id),
    group_id TEXT      NOT NULL,
    read_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (site_id, group_id)
);
CREATE TABLE group_members (
    site_id    INTEGER NOT NULL,
    group_id   TEXT    NOT NULL,
    account_id TEXT    NOT NULL,
    PRIMARY KEY (site_id, group_id, account_id),
    FOREIGN KEY (site_id, group_id) REFERENCES read_groups (site_id, group_id) ON DELETE CASCADE
);
CREATE INDEX group_members_by_account ON group_members (site_id, account_id);
-- Addresses that members of groups show.
CREATE TABLE member_emails (
    site_id    INTEGER NOT NULL REFERENCES sites (id),
    account_id TEXT    NOT NULL,
    email      TEXT    NOT NULL,
    PRIMARY KEY (site_id, account_id)
);
CREATE INDEX member_emails_by_email ON member_emails (site_id, email);
-- Addresses whose account the operator named.
CREATE TABLE mapped_emails (
    site_id    INTEGER NOT NULL REFERENCES sites (id),
    email      TEXT    NOT NULL,
    account_id TEXT    NOT NULL,
    PRIMARY KEY (site_id, email)
);
-- Whether a token may say for whom it asks.
ALTER TABLE tokens ADD COLUMN speaks_for_others BOOLEAN NOT NULL DEFAULT FALSE;
