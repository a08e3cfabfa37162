-- What the migration would have to add or change: one row a finding, none when all is there.
WITH wanted_tables (name) AS (
    VALUES ('yacht_registry'), ('pms_health_checks'), ('pms_health_events'), ('lensops_rollups')
), wanted_columns (relation, name, type) AS (
    VALUES
        ('pms_health_checks', 'id', 'uuid'), ('pms_health_checks', 'yacht_id', 'uuid'),
        ('pms_health_checks', 'lens_id', 'text'), ('pms_health_checks', 'status', 'text'),
        ('pms_health_checks', 'p95_latency_ms', 'integer'),
        ('pms_health_checks', 'error_rate_percent', 'numeric(5,2)'),
        ('pms_health_checks', 'sample_size', 'integer'),
        ('pms_health_checks', 'observed_at', 'timestamp with time zone'),
        ('pms_health_checks', 'notes', 'jsonb'),
        ('pms_health_events', 'id', 'uuid'), ('pms_health_events', 'check_id', 'uuid'),
        ('pms_health_events', 'level', 'text'), ('pms_health_events', 'detail_json', 'jsonb'),
        ('pms_health_events', 'created_at', 'timestamp with time zone')
), wanted_policies (relation, name) AS (
    VALUES
        ('pms_health_checks', 'yacht_scoped_health_checks'),
        ('pms_health_checks', 'service_role_write_health_checks'),
        ('pms_health_events', 'yacht_scoped_health_events'),
        ('pms_health_events', 'service_role_write_health_events'),
        ('lensops_rollups', 'lensops_yacht_scoped_rollups')
), wanted_functions (signature) AS (
    VALUES
        ('get_user_yacht_id()'),
        ('get_latest_health_check(uuid,text)'),
        ('get_health_check_history(uuid,text,integer)'),
        ('get_unhealthy_lenses(uuid)'),
        ('lensops_latest_checks(uuid)')
), wanted_grants (role, relation, privileges) AS (
    SELECT role, relation, privileges
    FROM (VALUES ('anon', ''), ('authenticated', 'SELECT'), ('service_role', 'INSERT,SELECT')) AS r (role, privileges),
         (VALUES ('pms_health_checks'), ('pms_health_events')) AS t (relation)
    UNION ALL
    VALUES ('anon', 'lensops_rollups', ''), ('authenticated', 'lensops_rollups', 'SELECT'),
           ('service_role', 'lensops_rollups', 'SELECT')
)
SELECT 'role ' || name || ' is missing'
FROM (VALUES ('anon'), ('authenticated'), ('service_role')) AS roles (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name)
UNION ALL
SELECT 'role service_role may not pass by row-level security (BYPASSRLS), so it cannot ignore ids that are there'
WHERE EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'service_role' AND NOT rolbypassrls AND NOT rolsuper)
UNION ALL
SELECT 'table ' || name || ' is missing' FROM wanted_tables WHERE to_regclass('public.' || name) IS NULL
UNION ALL
SELECT 'column ' || relation || '.' || w.name || ' is ' || coalesce(format_type(a.atttypid, a.atttypmod), 'missing')
       || ', not ' || type
FROM wanted_columns w
LEFT JOIN pg_attribute a
    ON a.attrelid = to_regclass('public.' || relation) AND a.attname = w.name AND NOT a.attisdropped
WHERE to_regclass('public.' || relation) IS NOT NULL
  AND format_type(a.atttypid, a.atttypmod) IS DISTINCT FROM type
UNION ALL
SELECT 'index lensops_checks_by_lens is missing'
WHERE to_regclass('public.lensops_checks_by_lens') IS NULL
UNION ALL
SELECT 'row-level security of ' || relname || ' is off'
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND NOT relrowsecurity
  AND relname IN ('pms_health_checks', 'pms_health_events', 'lensops_rollups')
UNION ALL
SELECT 'policy ' || name || ' is missing'
FROM wanted_policies w
WHERE NOT EXISTS (
    SELECT 1 FROM pg_policies p
    WHERE p.schemaname = 'public' AND p.tablename = w.relation AND p.policyname = w.name
)
UNION ALL
SELECT 'policy ' || p.policyname || ' on ' || p.tablename || ' is not of this migration'
FROM pg_policies p
WHERE p.schemaname = 'public' AND p.tablename IN ('pms_health_checks', 'pms_health_events', 'lensops_rollups')
  AND NOT EXISTS (SELECT 1 FROM wanted_policies w WHERE w.relation = p.tablename AND w.name = p.policyname)
UNION ALL
SELECT 'function ' || signature || ' is missing'
FROM wanted_functions WHERE to_regprocedure('public.' || signature) IS NULL
UNION ALL
SELECT role || ' has ' || coalesce(nullif(found.privileges, ''), 'no privilege') || ' on ' || relation
       || ', not ' || coalesce(nullif(w.privileges, ''), 'none')
FROM wanted_grants w
CROSS JOIN LATERAL (
    SELECT coalesce(string_agg(p, ',' ORDER BY p), '') AS privileges
    FROM unnest(ARRAY['DELETE', 'INSERT', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE']) AS p
    WHERE EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role)
      AND has_table_privilege(role, to_regclass('public.' || relation), p)
) AS found
WHERE to_regclass('public.' || relation) IS NOT NULL
  AND EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role)
  AND found.privileges <> w.privileges
