-- A check that is new enters the outbox with it: one statement less for every check, and no way to
-- record one that is never delivered.
CREATE TRIGGER lensops_outbox_entry AFTER INSERT ON pms_health_checks
BEGIN
    INSERT INTO lensops_outbox (check_id) VALUES (new.id) ON CONFLICT (check_id) DO NOTHING;
END;
