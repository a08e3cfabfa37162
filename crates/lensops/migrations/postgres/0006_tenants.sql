-- What tenants are called, where it is another text than their id. The id of a text is a UUIDv8 of the first 16
-- bytes of SHA-256 over 'lensops tenant', a zero byte and the text. Written by the owner alone.

CREATE TABLE IF NOT EXISTS public.lensops_tenants (
    id uuid PRIMARY KEY REFERENCES public.yacht_registry (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128)
);

ALTER TABLE public.lensops_tenants ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS lensops_yacht_scoped_tenants ON public.lensops_tenants;
CREATE POLICY lensops_yacht_scoped_tenants ON public.lensops_tenants
    FOR SELECT TO authenticated
    USING (id = (SELECT public.get_user_yacht_id()));
REVOKE ALL ON public.lensops_tenants FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT ON public.lensops_tenants TO authenticated, service_role;
