-- When the first of the pages that wait for their next try is due.
CREATE INDEX synced_pages_next_try ON synced_pages (index_id, next_try_at) WHERE next_try_at IS NOT NULL;
