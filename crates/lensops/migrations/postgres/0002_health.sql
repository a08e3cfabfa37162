-- Checks and their events. Safe to run again, and over tables of an earlier migration with rows in
-- them: what is there stays, what is missing is added.

CREATE TABLE IF NOT EXISTS public.pms_health_checks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    yacht_id uuid NOT NULL REFERENCES public.yacht_registry (id) ON DELETE CASCADE,
    lens_id text NOT NULL,
    status text NOT NULL CHECK (status IN ('healthy', 'degraded', 'unhealthy')),
    p95_latency_ms integer,
    error_rate_percent numeric(5, 2),
    sample_size integer,
    observed_at timestamptz NOT NULL DEFAULT now(),
    notes jsonb DEFAULT '{}'::jsonb
);

CREATE TABLE IF NOT EXISTS public.pms_health_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    check_id uuid NOT NULL REFERENCES public.pms_health_checks (id) ON DELETE CASCADE,
    level text NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    detail_json jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE public.pms_health_checks ADD COLUMN IF NOT EXISTS sample_size integer;
ALTER TABLE public.pms_health_checks ADD COLUMN IF NOT EXISTS notes jsonb DEFAULT '{}'::jsonb;

-- The latest check of a lens is the first entry of its stretch of this index, and a week of checks is
-- read from it alone: status and P95 are in it, so that the rows, each on a page of its own, stay where
-- they are. One of this name that is invalid or over other columns helps nobody.
DO $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM pg_catalog.pg_index i
        WHERE i.indexrelid = to_regclass('public.lensops_checks_by_lens')
          AND (NOT i.indisvalid OR pg_catalog.pg_get_indexdef(i.indexrelid)
               NOT LIKE '%USING btree (yacht_id, lens_id, observed_at DESC, id DESC) INCLUDE (status, p95_latency_ms)')
    ) THEN
        DROP INDEX public.lensops_checks_by_lens;
    END IF;
END
$$;
CREATE INDEX IF NOT EXISTS lensops_checks_by_lens
    ON public.pms_health_checks (yacht_id, lens_id, observed_at DESC, id DESC) INCLUDE (status, p95_latency_ms);

-- The few checks that count for nothing: while a lens was paused, or in a maintenance window.
CREATE INDEX IF NOT EXISTS lensops_checks_muted
    ON public.pms_health_checks (yacht_id, lens_id, observed_at)
    WHERE notes ? 'paused' OR notes ? 'muted';

-- Reading from an index alone needs to know which pages all may see. Rows are only added here, and by
-- default that is looked at too seldom: when a fifth of the table is new.
ALTER TABLE public.pms_health_checks SET (autovacuum_vacuum_insert_scale_factor = 0.01);

-- An index on check_id that an earlier migration made does as well.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = 'public.pms_health_events'::regclass AND a.attname = 'check_id'
          AND i.indisvalid AND i.indpred IS NULL
    ) THEN
        CREATE INDEX lensops_events_by_check ON public.pms_health_events (check_id);
    END IF;
END
$$;

ALTER TABLE public.pms_health_checks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.pms_health_events ENABLE ROW LEVEL SECURITY;

-- The claim is read once a statement, not once a row: that is what the inner SELECT is for.
DROP POLICY IF EXISTS yacht_scoped_health_checks ON public.pms_health_checks;
CREATE POLICY yacht_scoped_health_checks ON public.pms_health_checks
    FOR SELECT TO authenticated
    USING (yacht_id = (SELECT public.get_user_yacht_id()));

DROP POLICY IF EXISTS yacht_scoped_health_events ON public.pms_health_events;
CREATE POLICY yacht_scoped_health_events ON public.pms_health_events
    FOR SELECT TO authenticated
    USING (EXISTS (
        SELECT 1 FROM public.pms_health_checks c
        WHERE c.id = check_id AND c.yacht_id = (SELECT public.get_user_yacht_id())
    ));

DROP POLICY IF EXISTS service_role_write_health_checks ON public.pms_health_checks;
CREATE POLICY service_role_write_health_checks ON public.pms_health_checks
    FOR INSERT TO service_role WITH CHECK (true);

DROP POLICY IF EXISTS service_role_write_health_events ON public.pms_health_events;
CREATE POLICY service_role_write_health_events ON public.pms_health_events
    FOR INSERT TO service_role WITH CHECK (true);

-- service_role passes by every policy: grants decide. Default privileges may have given more.
REVOKE ALL ON public.pms_health_checks, public.pms_health_events
    FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT ON public.pms_health_checks, public.pms_health_events TO authenticated;
GRANT SELECT, INSERT ON public.pms_health_checks, public.pms_health_events TO service_role;
