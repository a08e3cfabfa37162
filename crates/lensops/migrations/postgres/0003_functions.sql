-- Functions run as who calls them, so that the policies above apply inside. None sets a configuration
-- parameter, so that the planner can look inside; every name is qualified instead.

-- They are replaced, so that a view over one of them stays. One of an earlier version that takes or returns something
-- else cannot be replaced: it is dropped, unless something stands on it.
DO $$
DECLARE
    other record;
    upon text;
BEGIN
    FOR other IN
        SELECT p.oid, wanted.signature
        FROM (VALUES
            ('get_latest_health_check(uuid, text)', 'p_yacht_id uuid, p_lens_id text',
             'TABLE(id uuid, status text, p95_latency_ms integer, error_rate_percent numeric, '
             'observed_at timestamp with time zone, notes jsonb)'),
            ('get_health_check_history(uuid, text, integer)',
             'p_yacht_id uuid, p_lens_id text, p_hours integer DEFAULT 24',
             'TABLE(id uuid, status text, p95_latency_ms integer, error_rate_percent numeric, '
             'observed_at timestamp with time zone)'),
            ('lensops_latest_checks(uuid)', 'p_yacht_id uuid',
             'TABLE(id uuid, lens_id text, status text, p95_latency_ms integer, error_rate_percent numeric, '
             'sample_size integer, observed_at timestamp with time zone, notes jsonb)'),
            ('get_unhealthy_lenses(uuid)', 'p_yacht_id uuid',
             'TABLE(lens_id text, status text, last_observed timestamp with time zone, error_count bigint)')
        ) AS wanted (signature, arguments, result)
        JOIN pg_catalog.pg_proc p ON p.oid = to_regprocedure('public.' || wanted.signature)
        WHERE pg_catalog.pg_get_function_arguments(p.oid) <> wanted.arguments
           OR pg_catalog.pg_get_function_result(p.oid) <> wanted.result
    LOOP
        SELECT string_agg(DISTINCT pg_catalog.pg_describe_object(
                   CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_catalog.pg_class'::regclass END,
                   CASE WHEN w.oid IS NULL THEN d.objid ELSE w.ev_class END, 0), ', ')
        INTO upon
        FROM pg_catalog.pg_depend d
        LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND w.oid = d.objid
        WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = other.oid AND d.deptype = 'n';
        IF upon IS NOT NULL THEN
            RAISE EXCEPTION 'function % takes or returns something else in this version, and % stands on it: '
                'drop that, migrate, and create it again', other.signature, upon
                USING ERRCODE = 'dependent_objects_still_exist';
        END IF;
        EXECUTE 'DROP FUNCTION public.' || other.signature;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION public.get_latest_health_check(p_yacht_id uuid, p_lens_id text)
RETURNS TABLE (id uuid, status text, p95_latency_ms integer, error_rate_percent numeric,
               observed_at timestamptz, notes jsonb)
LANGUAGE sql STABLE
AS $$
    SELECT c.id, c.status, c.p95_latency_ms, c.error_rate_percent, c.observed_at, c.notes
    FROM public.pms_health_checks c
    WHERE c.yacht_id = p_yacht_id AND c.lens_id = p_lens_id
    ORDER BY c.observed_at DESC, c.id DESC
    LIMIT 1
$$;

CREATE OR REPLACE FUNCTION public.get_health_check_history(p_yacht_id uuid, p_lens_id text, p_hours integer DEFAULT 24)
RETURNS TABLE (id uuid, status text, p95_latency_ms integer, error_rate_percent numeric, observed_at timestamptz)
LANGUAGE sql STABLE
AS $$
    SELECT c.id, c.status, c.p95_latency_ms, c.error_rate_percent, c.observed_at
    FROM public.pms_health_checks c
    WHERE c.yacht_id = p_yacht_id AND c.lens_id = p_lens_id
      AND c.observed_at >= pg_catalog.now() - pg_catalog.make_interval(hours => p_hours)
    ORDER BY c.observed_at DESC, c.id DESC
$$;

-- The latest check of every lens of a tenant: one step down the index a lens, however many checks
-- there are.
CREATE OR REPLACE FUNCTION public.lensops_latest_checks(p_yacht_id uuid)
RETURNS TABLE (id uuid, lens_id text, status text, p95_latency_ms integer, error_rate_percent numeric,
               sample_size integer, observed_at timestamptz, notes jsonb)
LANGUAGE sql STABLE
AS $$
    WITH RECURSIVE newest (id, lens_id) AS (
        (SELECT c.id, c.lens_id
         FROM public.pms_health_checks c
         WHERE c.yacht_id = p_yacht_id
         ORDER BY c.lens_id, c.observed_at DESC, c.id DESC
         LIMIT 1)
        UNION ALL
        SELECT following.id, following.lens_id
        FROM newest
        CROSS JOIN LATERAL (
            SELECT c.id, c.lens_id
            FROM public.pms_health_checks c
            WHERE c.yacht_id = p_yacht_id AND c.lens_id > newest.lens_id
            ORDER BY c.lens_id, c.observed_at DESC, c.id DESC
            LIMIT 1
        ) AS following
    )
    SELECT c.id, c.lens_id, c.status, c.p95_latency_ms, c.error_rate_percent, c.sample_size, c.observed_at, c.notes
    FROM newest
    CROSS JOIN LATERAL (SELECT * FROM public.pms_health_checks x WHERE x.id = newest.id) AS c
$$;

CREATE OR REPLACE FUNCTION public.get_unhealthy_lenses(p_yacht_id uuid)
RETURNS TABLE (lens_id text, status text, last_observed timestamptz, error_count bigint)
LANGUAGE sql STABLE
AS $$
    SELECT c.lens_id, c.status, c.observed_at,
           (SELECT pg_catalog.count(*) FROM public.pms_health_events e WHERE e.check_id = c.id AND e.level = 'error')
    FROM public.lensops_latest_checks(p_yacht_id) c
    WHERE c.status IN ('degraded', 'unhealthy')
    ORDER BY c.status DESC, c.lens_id
$$;

REVOKE ALL ON FUNCTION
    public.get_latest_health_check(uuid, text),
    public.get_health_check_history(uuid, text, integer),
    public.lensops_latest_checks(uuid),
    public.get_unhealthy_lenses(uuid)
FROM PUBLIC, anon;
GRANT EXECUTE ON FUNCTION
    public.get_latest_health_check(uuid, text),
    public.get_health_check_history(uuid, text, integer),
    public.lensops_latest_checks(uuid),
    public.get_unhealthy_lenses(uuid)
TO authenticated, service_role;
