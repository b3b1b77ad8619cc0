-- What tells a job that brings its workers down from one that was interrupted and got further each time.

-- How far the job ever came: 1 with a plan, one more for each slice and each end of a section, one more when it is packaged.
ALTER TABLE jobs ADD COLUMN reached INTEGER NOT NULL DEFAULT 0;

-- Leases since then; the current one counts unless it got further itself.
ALTER TABLE jobs ADD COLUMN fruitless INTEGER NOT NULL DEFAULT 0;

-- What earlier leases came to is not known: as before, all of them count.
UPDATE jobs SET fruitless = fence;
