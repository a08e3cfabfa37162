//! The schema of the job queue, as its crate makes it, as one script that may be run again.
//!
//! The queue would install itself when a worker starts, and a worker's login should not be able to. So the owner's
//! migration does it: the same statements, in the same steps, entered where the queue looks for them.

use std::fmt::Write as _;

use graphile_worker_migrations::sql::GRAPHILE_WORKER_MIGRATIONS;

/// The schema that holds the jobs of a fleet.
pub(in crate::store) const JOBS: &str = "lensops_jobs";

/// What quotes a statement of the queue's; none of them contains it.
const QUOTE: &str = "$lensops_step$";

/// What the workers' role may do. The queue turns row-level security on and makes no policy: a role that cannot pass by
/// it would see no job, and say nothing.
const GRANTS: &str = "
    GRANT USAGE ON SCHEMA lensops_jobs TO service_role;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA lensops_jobs TO service_role;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA lensops_jobs TO service_role;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA lensops_jobs FROM PUBLIC;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA lensops_jobs TO service_role;
    FOR locked IN SELECT c.relname FROM pg_catalog.pg_class c
        WHERE c.relnamespace = to_regnamespace('lensops_jobs') AND c.relkind = 'r' AND c.relrowsecurity
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS lensops_workers ON lensops_jobs.%I', locked.relname);
        EXECUTE format('CREATE POLICY lensops_workers ON lensops_jobs.%I TO service_role USING (true) WITH CHECK (true)',
                       locked.relname);
    END LOOP;
";

/// The script. A login that may not make schemas leaves the queue out: only a fleet needs it.
pub(super) fn script() -> String {
    let mut text = String::from(
        "-- The jobs of a fleet of workers: the schema of graphile_worker, step by step. Left out where the login may not\n\
         -- create schemas and nobody made it before.\n\
         DO $lensops_jobs$\nDECLARE\n    locked record;\nBEGIN\n\
         \x20   IF to_regnamespace('lensops_jobs') IS NULL\n\
         \x20      AND NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') THEN\n        RETURN;\n    END IF;\n\
         \x20   CREATE SCHEMA IF NOT EXISTS lensops_jobs;\n\
         \x20   CREATE TABLE IF NOT EXISTS lensops_jobs.migrations (id int PRIMARY KEY, ts timestamptz DEFAULT now() NOT NULL,\n\
         \x20       breaking boolean NOT NULL DEFAULT false);\n",
    );
    for step in GRAPHILE_WORKER_MIGRATIONS {
        let number = step.migration_number();
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "    IF NOT EXISTS (SELECT 1 FROM lensops_jobs.migrations WHERE id = {number}) THEN\n\
             \x20       INSERT INTO lensops_jobs.migrations (id, breaking) VALUES ({number}, {});\n",
            step.is_breaking()
        );
        for statement in step.stmts {
            let statement = statement.replace(":GRAPHILE_WORKER_SCHEMA", JOBS);
            let _ = writeln!(text, "        EXECUTE {QUOTE}{statement}{QUOTE};");
        }
        text.push_str("    END IF;\n");
    }
    text.push_str(GRANTS);
    text.push_str("END\n$lensops_jobs$;\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_statement_of_the_queue_ends_its_own_quotes() {
        for step in GRAPHILE_WORKER_MIGRATIONS {
            for statement in step.stmts {
                assert!(!statement.contains("$lensops"), "step {}", step.migration_number());
            }
        }
        assert!(!script().contains(":GRAPHILE_WORKER_SCHEMA"));
    }
}
