-- What a fleet of workers shares: alert states and their messages, silences, missed slots, parked pairs, the published
-- plans, and the machines. JSON is kept as text: nothing in SQL looks inside.

-- Slots without a check, and why. A check that arrives later stands beside its slot, and counts.
CREATE TABLE IF NOT EXISTS public.lensops_missed (
    id uuid PRIMARY KEY,
    yacht_id uuid NOT NULL REFERENCES public.yacht_registry (id) ON DELETE CASCADE,
    lens_id text NOT NULL,
    due_at timestamptz NOT NULL,
    reason text NOT NULL
);
CREATE INDEX IF NOT EXISTS lensops_missed_by_pair ON public.lensops_missed (yacht_id, lens_id, due_at);

-- One state a rule, lens and tenant, for all machines. Without tenant and lens it is about the store.
CREATE TABLE IF NOT EXISTS public.lensops_alerts (
    dedup_key text PRIMARY KEY,
    rule text NOT NULL,
    yacht_id uuid REFERENCES public.yacht_registry (id) ON DELETE CASCADE,
    lens_id text NOT NULL,
    severity text NOT NULL,
    firing boolean NOT NULL,
    state text NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS lensops_alerts_by_pair ON public.lensops_alerts (yacht_id, lens_id);

CREATE TABLE IF NOT EXISTS public.lensops_notifications (
    id uuid PRIMARY KEY,
    dedup_key text NOT NULL,
    told_at timestamptz NOT NULL,
    body text NOT NULL
);
CREATE TABLE IF NOT EXISTS public.lensops_alert_messages (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receiver text NOT NULL,
    made_at timestamptz NOT NULL,
    body text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'refused')),
    not_before timestamptz,
    -- Attempts that began; one without an end was cut off, and its message may have arrived.
    attempts integer NOT NULL DEFAULT 0,
    unsure boolean NOT NULL DEFAULT false,
    said text
);
CREATE INDEX IF NOT EXISTS lensops_alert_messages_waiting
    ON public.lensops_alert_messages (receiver, seq) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS public.lensops_alert_deliveries (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notification_id uuid NOT NULL REFERENCES public.lensops_notifications (id) ON DELETE CASCADE,
    receiver text NOT NULL,
    -- Once gathered: the message that tells it; 0 where none does.
    message bigint,
    UNIQUE (notification_id, receiver)
);
CREATE INDEX IF NOT EXISTS lensops_alert_deliveries_waiting
    ON public.lensops_alert_deliveries (receiver, seq) WHERE message IS NULL;
CREATE TABLE IF NOT EXISTS public.lensops_incidents (
    receiver text NOT NULL,
    incident text NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (receiver, incident)
);

-- An empty column matches everything.
CREATE TABLE IF NOT EXISTS public.lensops_silences (
    id uuid PRIMARY KEY,
    rule text NOT NULL,
    yacht_id uuid,
    lens_id text NOT NULL,
    made_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    who text NOT NULL,
    reason text NOT NULL,
    ended_at timestamptz,
    ended_by text
);

-- Checks that began and have not ended. Not logged: a server that crashed forgets them, and counts afresh.
CREATE UNLOGGED TABLE IF NOT EXISTS public.lensops_starts (
    yacht_id uuid NOT NULL,
    lens_id text NOT NULL,
    starts integer NOT NULL,
    machine text NOT NULL,
    begun_at timestamptz NOT NULL,
    PRIMARY KEY (yacht_id, lens_id)
);

-- Jobs that no worker runs any more, and why. Without tenant it is a job that names no pair.
CREATE TABLE IF NOT EXISTS public.lensops_parked (
    key text PRIMARY KEY,
    yacht_id uuid,
    lens_id text,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now()
);

-- The plans and tenants that all machines run; the newest revision is in force.
CREATE TABLE IF NOT EXISTS public.lensops_plans (
    revision bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    published_at timestamptz NOT NULL DEFAULT now(),
    published_by text NOT NULL,
    digest text NOT NULL,
    body text NOT NULL
);

-- Workers that share this database, of a fleet or not, as they last said themselves.
CREATE TABLE IF NOT EXISTS public.lensops_machines (
    id text PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    fleet boolean NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    -- Of its own plans, and of the environment that its plans read.
    digest text NOT NULL,
    environment text NOT NULL,
    revision bigint,
    pairs bigint NOT NULL,
    late_ms bigint NOT NULL,
    clock_ms bigint NOT NULL
);

DO $$
DECLARE
    shared text;
BEGIN
    FOREACH shared IN ARRAY ARRAY['lensops_missed', 'lensops_alerts', 'lensops_notifications', 'lensops_alert_messages',
        'lensops_alert_deliveries', 'lensops_incidents', 'lensops_silences', 'lensops_starts', 'lensops_parked',
        'lensops_plans', 'lensops_machines']
    LOOP
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', shared);
        EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC, anon, authenticated, service_role', shared);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO service_role', shared);
    END LOOP;
    FOREACH shared IN ARRAY ARRAY['lensops_missed', 'lensops_alerts', 'lensops_parked']
    LOOP
        EXECUTE format('GRANT SELECT ON public.%I TO authenticated', shared);
        EXECUTE format('DROP POLICY IF EXISTS lensops_yacht_scoped ON public.%I', shared);
        EXECUTE format('CREATE POLICY lensops_yacht_scoped ON public.%I FOR SELECT TO authenticated '
                       'USING (yacht_id = (SELECT public.get_user_yacht_id()))', shared);
    END LOOP;
END
$$;
