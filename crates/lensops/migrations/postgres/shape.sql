-- How lensops' objects stand in the schema $1: (thing, how it stands). Asked of the real schema and
-- of one that the migration has just made beside it, so that the database itself says what is meant.
WITH relations (oid, name) AS (
    SELECT c.oid, c.relname::text
    FROM pg_class c
    WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p')
      AND c.relname IN ('pms_health_checks', 'pms_health_events', 'lensops_rollups', 'lensops_missed', 'lensops_alerts',
                        'lensops_notifications', 'lensops_alert_messages', 'lensops_alert_deliveries', 'lensops_incidents',
                        'lensops_silences', 'lensops_starts', 'lensops_parked', 'lensops_plans', 'lensops_machines')
), functions (oid, name) AS (
    SELECT p.oid, format('%s(%s)', p.proname, oidvectortypes(p.proargtypes))
    FROM pg_proc p
    WHERE p.pronamespace = to_regnamespace($1)
      AND p.proname IN ('get_latest_health_check', 'get_health_check_history', 'get_unhealthy_lenses',
                        'lensops_latest_checks')
), roles (name) AS (
    SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role')
), found (thing, stands) AS (
    SELECT 'table ' || name, 'there' FROM relations
    UNION ALL
    SELECT format('column %s.%s', r.name, a.attname),
           format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
           || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
    FROM relations r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT format('constraint on %s: %s', r.name, pg_get_constraintdef(c.oid)), 'there'
    FROM relations r
    JOIN pg_constraint c ON c.conrelid = r.oid AND c.contype IN ('p', 'f', 'c')
    UNION ALL
    -- Any index that begins with an event's check serves to find a check's events.
    SELECT CASE WHEN r.name = 'pms_health_events'
                THEN format('index on %s that begins with %s', r.name, pg_get_indexdef(i.indexrelid, 1, true))
                ELSE format('index on %s: %s', r.name, regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', ''))
           END, 'there'
    FROM relations r
    JOIN pg_index i ON i.indrelid = r.oid AND i.indisvalid AND NOT i.indisprimary
        AND (i.indpred IS NULL OR r.name = 'pms_health_checks')
    UNION ALL
    SELECT 'row-level security of ' || r.name, CASE WHEN c.relrowsecurity THEN 'on' ELSE 'off' END
    FROM relations r JOIN pg_class c ON c.oid = r.oid
    UNION ALL
    SELECT format('policy %s on %s', p.polname, r.name),
           format('%s FOR %s TO %s%s%s', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                  CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                  (SELECT string_agg(CASE WHEN role = 0 THEN 'PUBLIC' ELSE role::regrole::text END, ', ' ORDER BY role)
                   FROM unnest(p.polroles) AS role),
                  ' USING ' || pg_get_expr(p.polqual, p.polrelid),
                  ' WITH CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT format('privileges of %s on %s', roles.name, r.name),
           coalesce((
               SELECT string_agg(CASE WHEN has_table_privilege(roles.name, r.oid, p) THEN p ELSE p || ' of columns' END,
                                 ', ' ORDER BY p)
               FROM unnest(ARRAY['DELETE', 'INSERT', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE']) AS p
               WHERE has_table_privilege(roles.name, r.oid, p)
                  OR CASE WHEN p IN ('INSERT', 'REFERENCES', 'SELECT', 'UPDATE')
                          THEN has_any_column_privilege(roles.name, r.oid, p) END
           ), 'none')
    FROM relations r, roles
    UNION ALL
    SELECT 'function ' || f.name,
           format('RETURNS %s LANGUAGE %s %s, with the rights of %s%s, body %s', pg_get_function_result(f.oid), l.lanname,
                  CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
                  CASE WHEN p.prosecdef THEN 'its owner' ELSE 'its caller' END,
                  ', SET ' || array_to_string(p.proconfig, ', '),
                  md5(replace(p.prosrc, $1 || '.', 'public.')))
    FROM functions f JOIN pg_proc p ON p.oid = f.oid JOIN pg_language l ON l.oid = p.prolang
    UNION ALL
    SELECT format('privilege of %s on %s', roles.name, f.name),
           CASE WHEN has_function_privilege(roles.name, f.oid, 'EXECUTE') THEN 'EXECUTE' ELSE 'none' END
    FROM functions f, roles
)
SELECT DISTINCT replace(thing, $1 || '.', 'public.') AS thing, replace(stands, $1 || '.', 'public.') AS stands
FROM found ORDER BY 1, 2
