-- What a table of an earlier migration, or one that was altered by hand, lacks: constraints, defaults
-- and NOT NULL. Rows that break one of them make the migration fail as a whole, saying which.

-- Rows of earlier scripts may be of tenants that nobody entered. Where the registry is lensops' own they are entered
-- first; elsewhere the migration is refused, for that registry says who is a tenant.
DO $$
BEGIN
    IF obj_description('public.yacht_registry'::regclass) = 'Tenants; made by lensops' THEN
        INSERT INTO public.yacht_registry (id)
        SELECT known.id FROM (
            SELECT yacht_id AS id FROM public.pms_health_checks
            UNION
            SELECT yacht_id FROM public.lensops_rollups
        ) AS known
        WHERE known.id IS NOT NULL
        ON CONFLICT DO NOTHING;
    END IF;
END
$$;

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('pms_health_checks', 'PRIMARY KEY (id)'),
            ('pms_health_checks', 'FOREIGN KEY (yacht_id) REFERENCES public.yacht_registry(id) ON DELETE CASCADE'),
            ('pms_health_checks',
             'CHECK ((status = ANY (ARRAY[''healthy''::text, ''degraded''::text, ''unhealthy''::text])))'),
            ('pms_health_events', 'PRIMARY KEY (id)'),
            ('pms_health_events', 'FOREIGN KEY (check_id) REFERENCES public.pms_health_checks(id) ON DELETE CASCADE'),
            ('pms_health_events', 'CHECK ((level = ANY (ARRAY[''info''::text, ''warning''::text, ''error''::text])))'),
            ('lensops_rollups', 'PRIMARY KEY (yacht_id, lens_id, span, starts_at)'),
            ('lensops_rollups', 'FOREIGN KEY (yacht_id) REFERENCES public.yacht_registry(id) ON DELETE CASCADE'),
            ('lensops_rollups', 'CHECK ((span = ANY (ARRAY[''hour''::text, ''day''::text])))')
        ) AS constraints (relation, definition)
    LOOP
        IF NOT EXISTS (
            SELECT 1 FROM pg_catalog.pg_constraint c
            WHERE c.conrelid = ('public.' || wanted.relation)::regclass
              AND replace(pg_catalog.pg_get_constraintdef(c.oid), 'public.', '') = replace(wanted.definition, 'public.', '')
        ) THEN
            EXECUTE format('ALTER TABLE public.%I ADD %s', wanted.relation, wanted.definition);
        END IF;
    END LOOP;
END
$$;

ALTER TABLE public.pms_health_checks
    ALTER COLUMN id SET DEFAULT gen_random_uuid(),
    ALTER COLUMN yacht_id SET NOT NULL,
    ALTER COLUMN lens_id SET NOT NULL,
    ALTER COLUMN status SET NOT NULL,
    ALTER COLUMN observed_at SET NOT NULL,
    ALTER COLUMN observed_at SET DEFAULT now(),
    ALTER COLUMN notes SET DEFAULT '{}'::jsonb;
ALTER TABLE public.pms_health_events
    ALTER COLUMN id SET DEFAULT gen_random_uuid(),
    ALTER COLUMN check_id SET NOT NULL,
    ALTER COLUMN level SET NOT NULL,
    ALTER COLUMN detail_json SET NOT NULL,
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN created_at SET DEFAULT now();
ALTER TABLE public.lensops_rollups
    ALTER COLUMN healthy SET NOT NULL,
    ALTER COLUMN degraded SET NOT NULL,
    ALTER COLUMN unhealthy SET NOT NULL,
    ALTER COLUMN muted SET NOT NULL,
    ALTER COLUMN muted SET DEFAULT 0,
    ALTER COLUMN samples SET NOT NULL,
    ALTER COLUMN failed_samples SET NOT NULL,
    ALTER COLUMN latencies SET NOT NULL;
