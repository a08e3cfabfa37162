-- What no schema beside the real one can tell: roles, whose data a request may see, tenants, and other
-- ways to the rows than the policies. One row a finding.
WITH health (oid) AS (
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relname IN ('pms_health_checks', 'pms_health_events', 'lensops_rollups')
), readers (name) AS (
    SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated')
)
SELECT 'role ' || name || ' is missing'
FROM (VALUES ('anon'), ('authenticated'), ('service_role')) AS roles (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name)
UNION ALL
SELECT 'role service_role may not pass by row-level security, so it cannot ignore ids that are there: '
       'ALTER ROLE service_role BYPASSRLS'
WHERE EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'service_role' AND NOT rolbypassrls AND NOT rolsuper)
UNION ALL
SELECT format('role %s passes by row-level security and reads every tenant: ALTER ROLE %s NOSUPERUSER NOBYPASSRLS',
              rolname, rolname)
FROM pg_roles WHERE rolname IN ('anon', 'authenticated') AND (rolbypassrls OR rolsuper)
UNION ALL
SELECT 'table yacht_registry is missing' WHERE to_regclass('public.yacht_registry') IS NULL
UNION ALL
SELECT 'function get_user_yacht_id() is missing' WHERE to_regprocedure('public.get_user_yacht_id()') IS NULL
UNION ALL
SELECT format('privileges of %s on yacht_registry are %s, not none', role, string_agg(p, ', ' ORDER BY p))
FROM (VALUES ('anon'), ('authenticated'), ('service_role')) AS roles (role)
JOIN pg_roles ON rolname = role,
     unnest(ARRAY['DELETE', 'INSERT', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE']) AS p
WHERE obj_description(to_regclass('public.yacht_registry')) = 'Tenants; made by lensops'
  AND (has_table_privilege(role, to_regclass('public.yacht_registry'), p)
       OR CASE WHEN p IN ('INSERT', 'REFERENCES', 'SELECT', 'UPDATE')
               THEN has_any_column_privilege(role, to_regclass('public.yacht_registry'), p) END)
GROUP BY role
UNION ALL
SELECT format('function %s runs with the rights of its owner, names health tables, and %s may call it: '
              'it reads past row-level security', p.oid::regprocedure, string_agg(readers.name, ' and '))
FROM pg_proc p, readers
WHERE p.prosecdef AND p.prosrc ~ '(pms_health_|lensops_rollups)' AND has_function_privilege(readers.name, p.oid, 'EXECUTE')
  AND p.proname NOT IN ('get_latest_health_check', 'get_health_check_history', 'get_unhealthy_lenses',
                        'lensops_latest_checks')
GROUP BY p.oid
UNION ALL
SELECT DISTINCT format('view %s reads health tables with the rights of its owner, and %s may read it: '
                       'ALTER VIEW %1$s SET (security_invoker = true)', v.oid::regclass, readers.name)
FROM health
JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = health.oid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_rewrite w ON w.oid = d.objid
JOIN pg_class v ON v.oid = w.ev_class AND v.oid <> health.oid AND v.relkind IN ('v', 'm')
CROSS JOIN readers
WHERE has_table_privilege(readers.name, v.oid, 'SELECT')
  AND NOT coalesce(v.reloptions @> ARRAY['security_invoker=true'] OR v.reloptions @> ARRAY['security_invoker=on'], false)
UNION ALL
SELECT format('rule %s on %s rewrites what is written there: DROP RULE, if nobody needs it', r.rulename, r.ev_class::regclass)
FROM health JOIN pg_rewrite r ON r.ev_class = health.oid AND r.rulename <> '_RETURN'
UNION ALL
SELECT format('trigger %s on %s may change or drop what is written there: DROP TRIGGER, if nobody needs it',
              t.tgname, t.tgrelid::regclass)
FROM health JOIN pg_trigger t ON t.tgrelid = health.oid AND NOT t.tgisinternal AND (t.tgtype & 66) <> 0
UNION ALL
SELECT format('role %s may become service_role: REVOKE service_role FROM %1$s', reader.rolname)
FROM pg_roles reader, pg_roles service
WHERE reader.rolname IN ('anon', 'authenticated') AND service.rolname = 'service_role'
  AND pg_has_role(reader.oid, service.oid, 'MEMBER') AND NOT reader.rolsuper
