-- What the tables stand on: roles, tenants and whose data a request may see. A Supabase database
-- has all of it, and it is used as it is; a plain PostgreSQL gets what is missing.

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('anon', 'NOLOGIN NOINHERIT'),
            ('authenticated', 'NOLOGIN NOINHERIT'),
            ('service_role', 'NOLOGIN NOINHERIT BYPASSRLS')
        ) AS roles (name, options)
    LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = wanted.name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.options);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                -- Roles are the server's: another database was migrated at the same time.
                NULL;
            END;
        END IF;
        -- Who migrates also reads on behalf of users, and must be able to become them.
        IF NOT pg_catalog.pg_has_role(current_user, wanted.name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted.name);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO authenticated, service_role;

DO $$
BEGIN
    IF to_regclass('public.yacht_registry') IS NULL THEN
        CREATE TABLE public.yacht_registry (
            id uuid PRIMARY KEY,
            name text,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE public.yacht_registry IS 'Tenants; made by lensops';
    END IF;
    IF obj_description('public.yacht_registry'::regclass) = 'Tenants; made by lensops' THEN
        ALTER TABLE public.yacht_registry ENABLE ROW LEVEL SECURITY;
        REVOKE ALL ON public.yacht_registry FROM PUBLIC, anon, authenticated, service_role;
    END IF;
    IF to_regprocedure('public.get_user_yacht_id()') IS NULL THEN
        -- app_metadata is the issuer's; what a user may edit (user_metadata) is never looked at. A
        -- setting that was set in an earlier transaction reads as '' and not as NULL.
        CREATE FUNCTION public.get_user_yacht_id() RETURNS uuid
        LANGUAGE sql STABLE SET search_path = ''
        AS $body$
            SELECT CASE WHEN claimed.id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN claimed.id::uuid END
            FROM (SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb
                             -> 'app_metadata' ->> 'yacht_id' AS id) AS claimed
        $body$;
        REVOKE ALL ON FUNCTION public.get_user_yacht_id() FROM PUBLIC, anon;
        GRANT EXECUTE ON FUNCTION public.get_user_yacht_id() TO authenticated, service_role;
    END IF;
END
$$;
