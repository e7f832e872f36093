ALTER TABLE sync_runs DROP COLUMN follow_up_run_id;
