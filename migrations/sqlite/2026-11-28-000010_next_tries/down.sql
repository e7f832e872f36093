DROP INDEX synced_pages_next_try;
