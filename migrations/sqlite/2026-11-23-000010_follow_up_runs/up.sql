-- The run that took over from this one: a queued order, or what goes on after the process ended.
ALTER TABLE sync_runs ADD COLUMN follow_up_run_id TEXT;
