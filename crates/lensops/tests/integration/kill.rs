//! The worker as a process: killed at random points, told to stop, and on a disk that refuses.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;

use lensops::store::Journal;
use lensops_core::history::schedule::{Schedule, from_ms};
use lensops_core::ident::LensId;
use lensops_sandbox::{Dialect, Faults};
use uuid::Uuid;

use crate::fixture::{NORTH, Proxy, Spoil, kept};
use crate::harness::{FAULTS, Project, sandbox};
use crate::listening::worker_until;
use crate::pg::Database;

/// How often the worker is killed; `LENSOPS_KILLS` says otherwise.
const KILLS: usize = 20;

/// Further tenants; the API knows none of them, so that checks have events to lose.
const OTHERS: &str = "10000000-0000-4000-8000-000000000001,10000000-0000-4000-8000-000000000002,\
    10000000-0000-4000-8000-000000000003";

fn worker(project: &Project) -> Child {
    let mut command = project.command("worker");
    command
        .env("LOG_LEVEL", "DEBUG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The id in a line such as `…: Recording health check: id=UUID`, behind `mark`.
fn id_in(line: &str, mark: &str) -> Option<Uuid> {
    let (_, rest) = line.split_once(mark)?;
    rest.get(..36)?.parse().ok()
}

/// A project whose lens is checked every second for four tenants, and a migrated database.
async fn every_second(stand_in: &lensops_sandbox::Sandbox) -> (Project, Database) {
    let mut project = Project::empty();
    project.point_at(stand_in);
    project
        .run(&format!(
            "{FAULTS} --yacht-id {OTHERS} --interval 1s --allow-placeholders"
        ))
        .expect(0);
    drop(Database::migrated().await);
    let database = Database::empty().await;
    project.env.insert("DATABASE_URL".to_owned(), database.url.clone());
    project.run("migrate").expect(0);
    (project, database)
}

/// W11: slots of any tenant, from its first check to its last, that have neither a check nor a missed row.
async fn unsettled(journal: &Journal, checks: &BTreeSet<Uuid>) -> Vec<String> {
    let lens: LensId = "faults".parse().unwrap();
    let mut holes = Vec::new();
    let others = OTHERS.split(',').map(|text| text.trim().parse().unwrap());
    for tenant in others.chain([NORTH]) {
        let schedule = Schedule::new("1s".parse().unwrap(), &lens, tenant);
        let missed = journal.missed(tenant, &lens).await.unwrap();
        let missed: BTreeSet<Uuid> = missed.iter().map(|(due, _)| schedule.slot_id(*due)).collect();
        let due = |id: &Uuid| from_ms(i64::try_from(id.as_u128() >> 80).unwrap());
        let own: Vec<_> = checks.iter().filter(|id| schedule.made(**id)).map(due).collect();
        let (Some(first), Some(last)) = (own.first(), own.last()) else {
            panic!("{tenant} was never checked")
        };
        for slot in schedule.between(*first, *last) {
            let id = schedule.slot_id(slot);
            if !checks.contains(&id) && !missed.contains(&id) {
                holes.push(format!("{tenant} {slot}"));
            }
        }
    }
    holes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_at_random_points_loses_and_doubles_no_check() {
    let stand_in = sandbox(Dialect::Documented).await;
    let (mut project, database) = every_second(&stand_in).await;
    // The store comes and goes meanwhile.
    let store = Proxy::to(database.address(), Spoil::Pass).await;
    project
        .env
        .insert("DATABASE_URL".to_owned(), database.by_way_of(store.port));
    let kills = std::env::var("LENSOPS_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let seed = std::env::var("LENSOPS_SEED").map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut begun, mut told) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..kills {
        store.set(
            random
                .choice([Spoil::Pass, Spoil::Pass, Spoil::Gone, Spoil::CutAfterCommit])
                .unwrap(),
        );
        let mut child = worker(&project);
        // A number of lines is a point in the work that a clock would not hit as well.
        let mut left = random.u32(1..90);
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let Ok(line) = line else { break };
            begun.extend(id_in(&line, "Recording health check: id="));
            told.extend(id_in(&line, "Wrote health check to DB: id="));
            left = left.saturating_sub(1);
            if left == 0 {
                // SIGKILL; lines that were on their way are still read.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
    }
    store.set(Spoil::Pass);
    // Whatever a store has not been told of is told by the next start.
    worker_until(&project, "worker", |line| line.contains("OVERALL"), 4);
    project.run("outbox flush").expect(0);
    let kept = kept(&database).await;
    let journal = Journal::open(&project.path(".lensops/journal.db")).await.unwrap();
    let page = journal.page(None, 1_000_000, false).await.unwrap();
    let durable: std::collections::BTreeMap<Uuid, usize> =
        page.iter().map(|(check, events)| (check.id, events.len())).collect();
    let holes = unsettled(&journal, &durable.keys().copied().collect()).await;
    assert_eq!(
        holes,
        Vec::<String>::new(),
        "slots with neither a check nor a missed row (seed {seed})"
    );
    let cut: Vec<_> = begun.iter().filter(|id| !durable.contains_key(id)).collect();
    let events: usize = kept.values().sum();
    println!(
        "seed {seed}: {kills} kills, {} connections to the store cut, {} checks begun to be recorded, {} of them cut off before they were on disk, \
         {} told as written; in the store {} checks with {events} events",
        store.cuts.load(Ordering::SeqCst),
        begun.len(),
        cut.len(),
        told.len(),
        kept.len()
    );
    assert_eq!(
        kept, durable,
        "the store has each check of the journal once, with its events (seed {seed})"
    );
    assert!(
        told.iter().all(|id| kept.contains_key(id)),
        "told as written and not there (seed {seed})"
    );
    assert!(
        begun.len() >= kills && events > 0,
        "too little happened to prove anything (seed {seed})"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_told_to_stop_delivers_what_it_has_and_says_so() {
    let stand_in = sandbox(Dialect::Documented).await;
    let (project, database) = every_second(&stand_in).await;
    let mut child = worker(&project);
    let mut lines = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("OVERALL") && !lines.iter().any(|line: &String| line.contains("OVERALL")) {
            let kill = Command::new("kill")
                .args(["-TERM", &child.id().to_string()])
                .status()
                .unwrap();
            assert!(kill.success());
        }
        lines.push(line);
    }
    assert_eq!(child.wait().unwrap().code(), Some(0), "{lines:#?}");
    let journal = Journal::open(&project.path(".lensops/journal.db")).await.unwrap();
    let state = journal.outbox().await.unwrap();
    assert!(state.checks > 0 && state.waiting == 0 && state.parked == 0, "{state:?}");
    assert_eq!(kept(&database).await.len(), usize::try_from(state.checks).unwrap());
    assert!(
        lines
            .iter()
            .any(|line| line.contains("INFO: ") && line.contains("✅ Wrote health check to DB: id=")),
        "{lines:#?}"
    );
    let text = lines.join("\n");
    assert!(!text.contains("made-up-test-password"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_whose_store_refuses_says_so_keeps_it_and_delivers_it_later() {
    let stand_in = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&stand_in);
    project.env.insert("TENANT_SUPABASE_URL".to_owned(), stand_in.url());
    project
        .env
        .insert("SUPABASE_SERVICE_KEY".to_owned(), stand_in.config().service_key.clone());
    stand_in.set_faults(Faults {
        store_forbidden: true,
        ..Faults::default()
    });
    let ran = project.run("check faults").expect(0);
    assert!(
        ran.out
            .contains("ERROR: ❌ Failed to write health check to DB: 403 - Forbidden"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains(&stand_in.config().service_key), "{}", ran.out);
    let status = project.run("outbox status --json").expect(4).out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        (&status["store"], &status["state"]["waiting"]),
        (&"Supabase REST".into(), &1.into())
    );
    let exported = project.run("outbox export").expect(0).out;
    assert_eq!(exported.lines().count(), 1);
    // The chosen store cannot be read: that is no status.
    let blind = project.run("status").expect(3).err;
    assert!(blind.contains("the store cannot be read: 403 - Forbidden"), "{blind}");
    stand_in.set_faults(Faults::default());
    project.run("outbox flush").expect(0);
    project.run("outbox status").expect(0);
    assert_eq!(stand_in.rows("pms_health_checks").len(), 1);
    assert!(project.run("status --json").expect(0).out.contains("\"healthy\""));
    assert_eq!(project.run("outbox export").expect(0).out, "");
    assert_eq!(project.run("export").expect(0).out, exported);
    // The journal alone, on demand.
    project.run("check faults --store sqlite").expect(0);
    assert_eq!(stand_in.rows("pms_health_checks").len(), 1);
}

/// Runs `lensops check faults` behind a shell's `before`.
fn restricted(project: &Project, before: &str) -> (i32, String) {
    let program = env!("CARGO_BIN_EXE_lensops");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} exec \"$@\""), "sh"]);
    command
        .args([program, "check", "faults"])
        .env_clear()
        .envs(&project.env)
        .current_dir(project.root());
    let output = command.output().unwrap();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_on_a_full_disk_is_told_and_what_it_holds_stays_whole() {
    let stand_in = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&stand_in);
    for _ in 0..3 {
        project.run("check faults").expect(0);
    }
    let before = project.run("export").expect(0).out;
    // No file may grow beyond so many blocks: writing fails as on a full disk.
    let (code, said) = restricted(&project, "trap '' XFSZ; ulimit -f 8;");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("error: the journal"), "{said}");
    assert_eq!(project.run("export").expect(0).out, before);
    project.run("check faults").expect(0);
    assert_eq!(project.run("export").expect(0).out.lines().count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_cannot_be_written_stops_the_start_and_names_its_path() {
    let stand_in = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&stand_in);
    // Below /proc nobody creates anything, root neither: as read-only as a disk gets.
    project
        .env
        .insert("LENSOPS_STATE_DIR".to_owned(), "/proc/lensops".to_owned());
    for command in ["check faults", "worker"] {
        let ran = project.run(command).expect(3);
        assert!(
            ran.err
                .contains("the journal /proc/lensops/journal.db cannot be opened"),
            "{}",
            ran.err
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w2_a_journal_whose_disk_was_full_is_written_again_once_there_is_room() {
    let stand_in = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    project.point_at(&stand_in);
    project.run(&format!("{FAULTS} --interval 1s")).expect(0);
    // The file is there, its log is empty.
    project.run("check faults").expect(0);
    let program = env!("CARGO_BIN_EXE_lensops");
    // No file may grow beyond so many blocks of 512 bytes: writing fails as on a full disk.
    let limited = "trap '' XFSZ; ulimit -S -f 128; exec \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", limited, "sh", program, "worker"])
        .env_clear()
        .envs(&project.env)
        .current_dir(project.root())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut full, mut written) = (false, false);
    let mut told = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().take(2_000) {
        let line = line.unwrap();
        if !full && line.contains("Failed to write health check to DB") {
            full = true;
            let pid = child.id().to_string();
            let room = Command::new("prlimit")
                .args(["--pid", &pid, "--fsize=unlimited"])
                .status()
                .unwrap();
            assert!(room.success());
        } else if full && line.contains("✅ Wrote health check to DB") {
            written = true;
            break;
        }
        told.push(line);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let last = told.len().saturating_sub(20);
    assert!(full, "the disk was never full: {:#?}", &told[last..]);
    assert!(written, "nothing was written once there was room: {:#?}", &told[last..]);
}
