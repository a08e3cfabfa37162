-- The schema as the scripts before lensops left it, with rows in it.
CREATE TABLE yacht_registry (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE pms_health_checks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    yacht_id uuid NOT NULL REFERENCES yacht_registry(id) ON DELETE CASCADE,
    lens_id text NOT NULL,
    status text NOT NULL CHECK (status IN ('healthy', 'degraded', 'unhealthy')),
    p95_latency_ms integer,
    error_rate_percent numeric(5,2),
    sample_size integer,
    observed_at timestamptz NOT NULL DEFAULT now(),
    notes jsonb DEFAULT '{}'::jsonb
);
CREATE INDEX idx_old_lens ON pms_health_checks (yacht_id, lens_id);
CREATE INDEX idx_old_observed ON pms_health_checks (observed_at DESC);
CREATE INDEX idx_old_status ON pms_health_checks (status, observed_at DESC);
CREATE TABLE pms_health_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    check_id uuid NOT NULL REFERENCES pms_health_checks(id) ON DELETE CASCADE,
    level text NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    detail_json jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_old_check ON pms_health_events (check_id);
CREATE INDEX idx_old_level ON pms_health_events (level, created_at DESC);
ALTER TABLE pms_health_checks ENABLE ROW LEVEL SECURITY;
CREATE POLICY yacht_scoped_health_checks ON pms_health_checks FOR SELECT USING (true);
CREATE FUNCTION get_latest_health_check(p_yacht_id uuid, p_lens_id text)
RETURNS TABLE (status text) LANGUAGE sql AS 'SELECT ''healthy''';
GRANT ALL ON pms_health_checks, pms_health_events TO service_role;
INSERT INTO yacht_registry VALUES ('53fbdf09-b709-509d-aad0-3a6f50239a5d', 'north');
INSERT INTO pms_health_checks (id, yacht_id, lens_id, status)
SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '53fbdf09-b709-509d-aad0-3a6f50239a5d', 'faults',
       'healthy'
FROM generate_series(1, 50) AS n;
INSERT INTO pms_health_events (check_id, level, detail_json) SELECT id, 'info', '{}' FROM pms_health_checks;
