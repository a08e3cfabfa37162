-- Hours and days of checks, their latencies as a deflated HDR histogram (V2): windows of more than
-- a day read these. Written by the owner alone.

CREATE TABLE IF NOT EXISTS public.lensops_rollups (
    yacht_id uuid NOT NULL REFERENCES public.yacht_registry (id) ON DELETE CASCADE,
    lens_id text NOT NULL,
    span text NOT NULL CHECK (span IN ('hour', 'day')),
    starts_at timestamptz NOT NULL,
    healthy integer NOT NULL,
    degraded integer NOT NULL,
    unhealthy integer NOT NULL,
    samples bigint NOT NULL,
    failed_samples bigint NOT NULL,
    latencies bytea NOT NULL,
    muted integer NOT NULL DEFAULT 0,
    PRIMARY KEY (yacht_id, lens_id, span, starts_at)
);

-- Checks that count for nothing; roll-ups from before it was there counted them with the others.
ALTER TABLE public.lensops_rollups ADD COLUMN IF NOT EXISTS muted integer NOT NULL DEFAULT 0;

ALTER TABLE public.lensops_rollups ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS lensops_yacht_scoped_rollups ON public.lensops_rollups;
CREATE POLICY lensops_yacht_scoped_rollups ON public.lensops_rollups
    FOR SELECT TO authenticated
    USING (yacht_id = (SELECT public.get_user_yacht_id()));
REVOKE ALL ON public.lensops_rollups FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT ON public.lensops_rollups TO authenticated, service_role;
