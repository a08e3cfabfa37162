PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE pms_health_checks (
    id TEXT PRIMARY KEY NOT NULL,
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('healthy', 'degraded', 'unhealthy')),
    p95_latency_ms INTEGER,
    error_rate_percent REAL,
    sample_size INTEGER,
    observed_at TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;
INSERT INTO pms_health_checks VALUES('01a21a35-b359-8293-9128-a671e48b47a4','53fbdf09-b709-509d-aad0-3a6f50239a5d','faults','healthy',1,0.0,21,'2026-11-26T23:34:16.665Z','{"samples_us":[680,544,359,353,354,317,317,717,421,465,404,444,368,408,499,463,415,395,842,458,395],"endpoints":{"List endpoint":{"n":7,"failed":0,"retries":0,"p50_us":354,"p95_us":680,"statuses":{"200":7}},"Suggestions endpoint":{"n":7,"failed":0,"retries":0,"p50_us":421,"p95_us":717,"statuses":{"200":7}},"Read action":{"n":7,"failed":0,"retries":0,"p50_us":458,"p95_us":842,"statuses":{"200":7}}},"window":{"p95_us":717,"n":21},"unjudged":["Feature flags"],"reached":{"host":"127.0.0.1","answered":true,"credential":"ac79dffa"},"every":"15m","slo":{"window":"1h","p95_ms":{"warn":2000.0,"fail":10000.0},"error_rate_percent":{"warn":1.0,"fail":5.0}}}');
INSERT INTO pms_health_checks VALUES('01a21a35-b395-8303-8939-91e32459bf62','53fbdf09-b709-509d-aad0-3a6f50239a5d','faults','healthy',1,0.0,21,'2026-11-26T23:34:16.725Z','{"samples_us":[591,365,352,329,324,401,338,519,499,480,461,431,428,424,619,467,421,471,400,462,410],"endpoints":{"List endpoint":{"n":7,"failed":0,"retries":0,"p50_us":352,"p95_us":591,"statuses":{"200":7}},"Suggestions endpoint":{"n":7,"failed":0,"retries":0,"p50_us":461,"p95_us":519,"statuses":{"200":7}},"Read action":{"n":7,"failed":0,"retries":0,"p50_us":462,"p95_us":619,"statuses":{"200":7}}},"window":{"p95_us":680,"n":42},"unjudged":["Feature flags"],"reached":{"host":"127.0.0.1","answered":true,"credential":"ac79dffa"},"every":"15m","slo":{"window":"1h","p95_ms":{"warn":2000.0,"fail":10000.0},"error_rate_percent":{"warn":1.0,"fail":5.0}}}');
INSERT INTO pms_health_checks VALUES('01a21a35-b3ec-8970-8375-56232b7aea79','53fbdf09-b709-509d-aad0-3a6f50239a5d','faults','unhealthy',1,33.329999999999998295,21,'2026-11-26T23:34:16.812Z','{"samples_us":[1359,540,401,363,403,353,320,617,590,464,445,420,436,390,497,571,453,422,390,426,390],"endpoints":{"List endpoint":{"n":7,"failed":7,"retries":2,"p50_us":401,"p95_us":1359,"statuses":{"500":7},"failed_at":[0,1,2,3,4,5,6]},"Suggestions endpoint":{"n":7,"failed":0,"retries":0,"p50_us":445,"p95_us":617,"statuses":{"200":7}},"Read action":{"n":7,"failed":0,"retries":0,"p50_us":426,"p95_us":571,"statuses":{"200":7}}},"window":{"p95_us":680,"n":63},"unjudged":["Feature flags"],"reached":{"host":"127.0.0.1","answered":true,"credential":"ac79dffa"},"every":"15m","slo":{"window":"1h","p95_ms":{"warn":2000.0,"fail":10000.0},"error_rate_percent":{"warn":1.0,"fail":5.0}}}');
CREATE TABLE pms_health_events (
    id TEXT PRIMARY KEY NOT NULL,
    check_id TEXT NOT NULL REFERENCES pms_health_checks (id) ON DELETE CASCADE,
    level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    detail_json TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO pms_health_events VALUES('01a21a35-b359-8e55-8d2a-b92871a6d53a','01a21a35-b359-8293-9128-a671e48b47a4','info','{"kind":"unjudged","probe":"Feature flags","reason":"Feature flags: not judged: RENDER_API_KEY and RENDER_SERVICE_ID are not set","samples":0,"failed":0,"retries":0}','2026-11-26T23:34:16.665Z');
INSERT INTO pms_health_events VALUES('01a21a35-b395-84c9-a92a-944576d472db','01a21a35-b395-8303-8939-91e32459bf62','info','{"kind":"unjudged","probe":"Feature flags","reason":"Feature flags: not judged: RENDER_API_KEY and RENDER_SERVICE_ID are not set","samples":0,"failed":0,"retries":0}','2026-11-26T23:34:16.725Z');
INSERT INTO pms_health_events VALUES('01a21a35-b3ec-818d-8d93-3311e4fc0b2f','01a21a35-b3ec-8970-8375-56232b7aea79','error','{"kind":"broken","probe":"List endpoint","reason":"List endpoint: Expected 200, got 500, 7 of 7 samples failed","samples":7,"failed":7,"retries":2,"class":"server_5xx","request":"GET /v1/actions/list?domain=faults HTTP/1.1\nHost: 127.0.0.1:18085\nAccept-Encoding: identity\nAccept: application/json\nUser-Agent: lensops/0.1.0\nAuthorization: Bearer eyJ…[redacted]\n","response":"HTTP/1.1 500 Internal Server Error\ncontent-type: application/json\ncontent-length: 34\ndate: Thu, 26 Nov 2026 23:34:16 GMT\n\n{\n  \"detail\": \"Internal Server Error\"\n}"}','2026-11-26T23:34:16.812Z');
INSERT INTO pms_health_events VALUES('01a21a35-b3ec-89bd-b757-d92ce8dc126e','01a21a35-b3ec-8970-8375-56232b7aea79','error','{"kind":"slo","figure":"error_rate","value":33.33,"limit":5.0,"reason":"error rate 33.33 % (7 of 21 samples) above 5%"}','2026-11-26T23:34:16.812Z');
INSERT INTO pms_health_events VALUES('01a21a35-b3ec-8bbc-877f-df2cb7a0c79d','01a21a35-b3ec-8970-8375-56232b7aea79','info','{"kind":"unjudged","probe":"Feature flags","reason":"Feature flags: not judged: RENDER_API_KEY and RENDER_SERVICE_ID are not set","samples":0,"failed":0,"retries":0}','2026-11-26T23:34:16.812Z');
CREATE TABLE lensops_missed (
    id TEXT PRIMARY KEY NOT NULL,
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    due_at TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE lensops_outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    check_id TEXT NOT NULL UNIQUE REFERENCES pms_health_checks (id) ON DELETE CASCADE,
    refused TEXT
) STRICT;
INSERT INTO lensops_outbox VALUES(1,'01a21a35-b359-8293-9128-a671e48b47a4',NULL);
INSERT INTO lensops_outbox VALUES(2,'01a21a35-b395-8303-8939-91e32459bf62',NULL);
INSERT INTO lensops_outbox VALUES(3,'01a21a35-b3ec-8970-8375-56232b7aea79',NULL);
CREATE TABLE lensops_rollups (
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    span TEXT NOT NULL CHECK (span IN ('hour', 'day')),
    starts_at TEXT NOT NULL,
    healthy INTEGER NOT NULL,
    degraded INTEGER NOT NULL,
    unhealthy INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    failed_samples INTEGER NOT NULL,
    latencies BLOB NOT NULL, muted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (yacht_id, lens_id, span, starts_at)
) STRICT, WITHOUT ROWID;
CREATE TABLE lensops_rollbacks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    lens_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rollback', 'restore')),
    step TEXT NOT NULL CHECK (step IN ('intended', 'switched', 'done', 'abandoned')),
    target TEXT NOT NULL,
    flag TEXT NOT NULL,
    found TEXT,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    gate TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT
) STRICT;
CREATE TABLE lensops_tenants (
    yacht_id TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE lensops_alerts (
    dedup_key TEXT PRIMARY KEY NOT NULL,
    rule TEXT NOT NULL,
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    severity TEXT NOT NULL,
    firing INTEGER NOT NULL CHECK (firing IN (0, 1)),
    state TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE lensops_notifications (
    id TEXT PRIMARY KEY NOT NULL,
    dedup_key TEXT NOT NULL,
    told_at TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE lensops_alert_deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    notification_id TEXT NOT NULL REFERENCES lensops_notifications (id) ON DELETE CASCADE,
    receiver TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'refused')),
    not_before TEXT, message INTEGER,
    UNIQUE (notification_id, receiver)
) STRICT;
CREATE TABLE lensops_alert_attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery INTEGER NOT NULL REFERENCES lensops_alert_deliveries (seq) ON DELETE CASCADE,
    begun_at TEXT NOT NULL,
    said TEXT,
    unsure INTEGER NOT NULL DEFAULT 1 CHECK (unsure IN (0, 1))
) STRICT;
CREATE TABLE lensops_silences (
    id TEXT PRIMARY KEY NOT NULL,
    rule TEXT NOT NULL,
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    made_at TEXT NOT NULL,
    until TEXT NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    ended_at TEXT,
    ended_by TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE lensops_alert_messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver TEXT NOT NULL,
    made_at TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE lensops_incidents (
    receiver TEXT NOT NULL,
    incident TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (receiver, incident)
) STRICT, WITHOUT ROWID;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('lensops_outbox',3);
CREATE INDEX lensops_events_by_check ON pms_health_events (check_id);
CREATE INDEX lensops_missed_by_lens ON lensops_missed (yacht_id, lens_id, due_at DESC);
CREATE INDEX lensops_outbox_waiting ON lensops_outbox (seq) WHERE refused IS NULL;
CREATE INDEX lensops_checks_by_age ON pms_health_checks (observed_at);
CREATE INDEX lensops_rollbacks_by_lens ON lensops_rollbacks (lens_id, seq);
CREATE INDEX lensops_alerts_by_lens ON lensops_alerts (yacht_id, lens_id);
CREATE INDEX lensops_notifications_by_age ON lensops_notifications (told_at);
CREATE INDEX lensops_alert_deliveries_waiting ON lensops_alert_deliveries (receiver, seq)
    WHERE state = 'waiting';
CREATE INDEX lensops_alert_attempts_by_delivery ON lensops_alert_attempts (delivery);
CREATE TRIGGER lensops_outbox_entry AFTER INSERT ON pms_health_checks
BEGIN
    INSERT INTO lensops_outbox (check_id) VALUES (new.id) ON CONFLICT (check_id) DO NOTHING;
END;
CREATE INDEX lensops_checks_by_lens
    ON pms_health_checks (yacht_id, lens_id, observed_at, id, status, p95_latency_ms);
CREATE INDEX lensops_checks_muted ON pms_health_checks (yacht_id, lens_id, observed_at)
    WHERE json_extract(notes, '$.paused') IS NOT NULL OR json_extract(notes, '$.muted') IS NOT NULL;
CREATE INDEX lensops_alert_deliveries_by_message ON lensops_alert_deliveries (message)
    WHERE message IS NOT NULL;
COMMIT;
