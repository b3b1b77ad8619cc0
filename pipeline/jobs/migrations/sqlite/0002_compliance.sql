-- What listing, starting by name and forgetting need.

-- Held: waits until it is started by name. `due_at` repeats the bundle's `expires_at`, so that one index finds what is over.
-- A forgotten job has no key and no data, and its `published` row an empty manifest.
ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1));
ALTER TABLE jobs ADD COLUMN due_at INTEGER;
ALTER TABLE jobs ADD COLUMN forgotten_at INTEGER;

UPDATE jobs SET due_at = (SELECT expires_at FROM published WHERE published.job = jobs.id);

-- The state of the latest job, for counting and filtering; changes with `status`. A forgotten request has empty details
-- and no `subject_lookup`.
ALTER TABLE requests ADD COLUMN job_state TEXT NOT NULL DEFAULT 'REQUESTED';
ALTER TABLE requests ADD COLUMN forgotten_at INTEGER;

UPDATE requests SET job_state = coalesce(
    (SELECT state FROM jobs WHERE jobs.request = requests.id ORDER BY attempt DESC LIMIT 1), job_state);

-- What `list` reads.
CREATE INDEX requests_newest ON requests (tenant, family, created_at, id);
CREATE INDEX requests_by_state ON requests (tenant, family, job_state, created_at, id);

-- What the sweeper reads.
CREATE INDEX jobs_due ON jobs (due_at, id)
    WHERE state IN ('READY', 'DELIVERED');
CREATE INDEX jobs_forgettable ON jobs (updated_at, id)
    WHERE state IN ('EXPIRED', 'FAILED', 'CANCELLED') AND forgotten_at IS NULL;
CREATE INDEX requests_forgettable ON requests (updated_at, id)
    WHERE job_state IN ('EXPIRED', 'FAILED', 'CANCELLED') AND forgotten_at IS NULL;
CREATE INDEX grants_by_end ON grants (expires_at, id);
