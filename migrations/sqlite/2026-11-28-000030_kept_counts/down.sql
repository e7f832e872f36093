DROP TRIGGER body_totals_delete;
DROP TRIGGER body_totals_update;
DROP TRIGGER body_totals_insert;
DROP TABLE body_totals;
CREATE INDEX synced_pages_documents ON synced_pages (index_id, document, space_id);
DROP TRIGGER document_counts_delete;
DROP TRIGGER document_counts_update;
DROP TRIGGER document_counts_insert;
DROP TABLE document_counts;
