-- What people and deploy hooks wrote down beside a lens: a deploy, a change elsewhere, what was tried. An empty
-- tenant is every tenant of the lens.
CREATE TABLE IF NOT EXISTS lensops_notes (
    id TEXT PRIMARY KEY NOT NULL,
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    made_at TEXT NOT NULL,
    who TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lensops_notes_by_lens ON lensops_notes (lens_id, made_at);
