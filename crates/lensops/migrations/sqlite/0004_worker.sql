-- Lenses rolled back and restored by command, in the order of it. The latest row of a lens says how
-- it stands; `step` says how far it came, so that what was cut off is gone on with.
CREATE TABLE IF NOT EXISTS lensops_rollbacks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    lens_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rollback', 'restore')),
    step TEXT NOT NULL CHECK (step IN ('intended', 'switched', 'done', 'abandoned')),
    target TEXT NOT NULL,
    flag TEXT NOT NULL,
    found TEXT,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    gate TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT
) STRICT;

CREATE INDEX IF NOT EXISTS lensops_rollbacks_by_lens ON lensops_rollbacks (lens_id, seq);

-- The tenants that a query last answered: what is worked with while it answers nonsense.
CREATE TABLE IF NOT EXISTS lensops_tenants (
    yacht_id TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;
