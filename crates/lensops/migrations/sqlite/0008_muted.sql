-- Checks that count for nothing; roll-ups from before it was there counted them with the others.
ALTER TABLE lensops_rollups ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;
