//! Alerts from the check to the receiver: told once, in order, whatever the receivers do.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lensops::alert::Receiver as To;
use lensops::commands::worker::clock::Clock;
use lensops::commands::worker::health::Health;
use lensops::commands::worker::notifier::{Gathering, Notifier, Step};
use lensops::commands::worker::watchdog::Watchdog;
use lensops::config::{Env, Settings};
use lensops::http::Client;
use lensops::store::{Alerting, Journal};
use lensops_core::alert::{Rule, Seen, Subject};
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{CheckRecord, EventRecord, Level, Status, event_id};
use lensops_sandbox::{Dialect, Faults};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{NORTH, SOUTH, check_of, start};
use crate::harness::{FAULTS, Project, sandbox};
use crate::receiver::{Answer, ROUTING_KEY, Receiver, SECRET, SLACK_PATH};

/// A clock that a test moves.
#[derive(Clone)]
pub(crate) struct Hands(pub(crate) Arc<Mutex<Timestamp>>);

impl Hands {
    fn advance(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut now = self.0.lock().unwrap();
        *now = (*now).max(at);
    }
}

/// A journal whose checks are folded into alerts for the receivers of an environment.
pub(crate) struct World {
    pub(crate) journal: Journal,
    pub(crate) receivers: Vec<To>,
    pub(crate) redactor: Redactor,
    pub(crate) clock: Hands,
    env: Env,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new(yaml: &str, env: Env) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lensops.yml"), yaml).unwrap();
        let settings = Settings::load(folder.path(), env.clone()).unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
        let receivers = settings.receivers().unwrap();
        journal.alert_with(Alerting {
            book: settings.rule_book(&receivers).unwrap(),
            redactor: settings.redactor(),
        });
        // Webhooks are signed with the time of sending: it has to be now.
        let clock = Hands(Arc::new(Mutex::new(Timestamp::now())));
        Self {
            journal,
            receivers,
            redactor: settings.redactor(),
            clock,
            env,
            _folder: folder,
        }
    }

    fn notifier(&self, name: &str) -> Notifier<Hands, Client> {
        Notifier {
            clock: self.clock.clone(),
            sender: Client::new(Duration::from_millis(300)),
            journal: self.journal.clone(),
            receiver: self
                .receivers
                .iter()
                .find(|receiver| receiver.name == name)
                .unwrap()
                .clone(),
            redactor: self.redactor.clone(),
            failures: 0,
            gathering: Gathering {
                wait: SignedDuration::ZERO,
                pause: SignedDuration::ZERO,
            },
        }
    }

    /// Delivers to every receiver until nothing can be sent now.
    async fn deliver(&self) {
        for receiver in &self.receivers {
            let mut notifier = self.notifier(&receiver.name);
            rest(&mut notifier).await;
        }
    }

    async fn record(&self, tenant: Uuid, slots: impl IntoIterator<Item = (i64, Status)>) {
        for (n, status) in slots {
            self.journal.record(with_status(tenant, n, status)).await.unwrap();
        }
    }
}

/// Steps until nothing can be sent now, and says why.
async fn rest(notifier: &mut Notifier<Hands, Client>) -> Step {
    loop {
        let step = notifier.step().await.unwrap();
        if step != Step::Done {
            return step;
        }
    }
}

fn with_status(tenant: Uuid, n: i64, status: Status) -> CheckRecord {
    let mut check = check_of(tenant, "faults", n);
    check.status = status;
    let detail = json!({"kind": "broken", "probe": "List", "class": "timeout", "reason": "List: no answer",
        "response": "HTTP/1.1 504 Gateway Timeout\n\n{\"error\": \"late\"}"});
    let event = EventRecord {
        id: event_id(check.id, 0),
        level: Level::Error,
        detail: Redactor::default().json(detail),
    };
    check.events = if status == Status::Unhealthy {
        vec![event]
    } else {
        Vec::new()
    };
    check
}

use Status::{Healthy, Unhealthy};

/// An outage of two checks, and two good ones after it.
const OUTAGE: [(i64, Status); 5] = [(0, Healthy), (1, Unhealthy), (2, Unhealthy), (3, Healthy), (4, Healthy)];

/// What a kind of receiver got, as `firing` or `resolved`.
fn notices(receiver: &Receiver, kind: &str) -> Vec<String> {
    let taken = receiver.taken().into_iter().filter(|taken| taken.kind == kind);
    taken
        .map(|taken| match kind {
            "slack" => taken.body["text"]
                .as_str()
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .to_lowercase(),
            "pagerduty" => taken.body["event_action"]
                .as_str()
                .unwrap()
                .replace("trigger", "firing")
                .replace("resolve", "resolved"),
            _ => taken.body["notice"].as_str().unwrap().to_owned(),
        })
        .collect()
}

#[tokio::test]
async fn an_outage_is_told_once_to_each_receiver_and_so_is_its_end() {
    let receiver = Receiver::start().await;
    let world = World::new("alerts: {runbook: 'https://runbooks.example/{lens}'}", receiver.env()).await;
    for (n, status) in OUTAGE {
        // As after a crash between the commit and the word of it: every check comes twice.
        world.record(NORTH, [(n, status), (n, status)]).await;
        world.deliver().await;
    }
    assert_eq!(receiver.refused(), Vec::<String>::new());
    for kind in ["slack", "pagerduty", "webhook"] {
        assert_eq!(notices(&receiver, kind), ["firing", "resolved"], "{kind}");
    }
    let hook: Vec<Value> = receiver
        .taken()
        .into_iter()
        .filter(|taken| taken.kind == "webhook")
        .map(|taken| taken.body)
        .collect();
    let firing = &hook[0];
    for (key, expected) in [
        ("rule", json!("unhealthy")),
        ("severity", json!("critical")),
        ("lens", json!("faults")),
        ("tenant", json!(NORTH)),
        ("reason", json!("List: no answer")),
        ("runbook", json!("https://runbooks.example/faults")),
        ("since", json!("2026-01-28T15:15:00Z")),
        ("times", json!(2)),
    ] {
        assert_eq!(firing[key], expected, "{key}");
    }
    assert!(
        firing["response"].as_str().unwrap().contains("504 Gateway Timeout"),
        "{firing}"
    );
    assert!(
        world.journal.alerts().await.unwrap().is_empty() && world.journal.alert_backlog().await.unwrap().is_empty()
    );
}

#[tokio::test]
async fn a_receiver_that_fails_delays_its_own_messages_and_nobody_elses_and_nothing_is_lost_or_doubled() {
    for (case, answer, said) in [
        ("500", Answer::Status(500), "answered 500: no: [redacted] [redacted]"),
        ("revoked", Answer::Status(404), "answered 404"),
        ("429", Answer::Busy(90), "answered 429: an empty body"),
        (
            "HTML",
            Answer::Html,
            "but not as a receiver of its kind does: <!DOCTYPE html>",
        ),
        ("never", Answer::Never, "no answer within 0.3s"),
        ("never connects", Answer::TakeAndBreak, "connectivity"),
    ] {
        let receiver = Receiver::start().await;
        let world = World::new("", receiver.env()).await;
        world.record(NORTH, OUTAGE[..3].to_vec()).await;
        receiver.answers([answer.clone(), answer.clone()]);
        let mut webhook = world.notifier("webhook");
        for _ in 0..2 {
            let Step::Until(at) = rest(&mut webhook).await else {
                panic!("{case}: it was not put off")
            };
            let wait = at.duration_since(world.clock.now()).as_secs_f64();
            assert!(
                (0.4..=if case == "429" { 90.0 } else { 3.0 }).contains(&wait),
                "{case}: {wait}"
            );
            assert!(case != "429" || wait >= 89.9, "{case}: {wait}");
            // Asked too early, it is not sent.
            let before = world.journal.alert_trail(10).await.unwrap();
            assert!(matches!(webhook.step().await.unwrap(), Step::Until(_)), "{case}");
            assert_eq!(world.journal.alert_trail(10).await.unwrap(), before, "{case}");
            world.clock.sleep_until(at).await;
        }
        for name in ["slack", "pagerduty"] {
            rest(&mut world.notifier(name)).await;
        }
        world.record(NORTH, OUTAGE[3..].to_vec()).await;
        for name in ["slack", "pagerduty"] {
            rest(&mut world.notifier(name)).await;
            assert_eq!(
                notices(&receiver, name),
                ["firing", "resolved"],
                "{case}: {name} waits for nobody"
            );
        }
        world.deliver().await;
        let mut ids: Vec<_> = receiver.taken().into_iter().filter_map(|taken| taken.id).collect();
        if answer == Answer::TakeAndBreak {
            // It had it and could not say so: the key is what keeps them apart.
            assert_eq!(ids.len(), 4, "{case}");
            ids.dedup();
        }
        assert_eq!(ids.len(), 2, "{case}: firing and resolved, once each, in order");
        let trail = world.journal.alert_trail(10).await.unwrap();
        let firing = trail.iter().rfind(|trail| trail.receiver == "webhook").unwrap();
        assert_eq!(
            (firing.state.as_str(), firing.attempts.len()),
            ("delivered", 3),
            "{case}"
        );
        let first = firing.attempts[0].1.as_deref().unwrap();
        assert!(first.contains(said), "{case}: {first}");
        assert!(
            !format!("{trail:?}").contains(SECRET) && !format!("{trail:?}").contains(ROUTING_KEY),
            "{case}"
        );
    }
}

#[tokio::test]
async fn a_message_that_a_receiver_will_never_take_is_put_aside_and_the_next_one_goes_out() {
    let receiver = Receiver::start().await;
    let world = World::new("", receiver.env()).await;
    world.record(NORTH, OUTAGE[..3].to_vec()).await;
    receiver.answers([Answer::Status(400)]);
    let mut slack = world.notifier("slack");
    rest(&mut slack).await;
    world.record(NORTH, OUTAGE[3..].to_vec()).await;
    rest(&mut slack).await;
    assert_eq!(notices(&receiver, "slack"), ["resolved"]);
    let backlog = world.journal.alert_backlog().await.unwrap();
    assert!(backlog.contains(&("slack".to_owned(), 0, 1)), "{backlog:?}");
}

#[tokio::test]
async fn an_attempt_that_was_cut_off_is_made_again_and_slack_is_told_that_it_may_be() {
    let receiver = Receiver::start().await;
    let world = World::new("", receiver.env()).await;
    world.record(NORTH, OUTAGE[..3].to_vec()).await;
    let now = world.clock.now();
    world
        .journal
        .gather_alerts("slack", &world.redactor, now)
        .await
        .unwrap();
    let due = world.journal.alert_due("slack").await.unwrap().unwrap();
    assert!(!due.perhaps_again);
    // The process ends between the attempt and its end.
    world.journal.alert_begun(due.seq, world.clock.now()).await.unwrap();
    world.record(NORTH, OUTAGE[3..].to_vec()).await;
    world.deliver().await;
    let slack: Vec<String> = receiver
        .taken()
        .into_iter()
        .filter(|taken| taken.kind == "slack")
        .map(|taken| taken.body.to_string())
        .collect();
    let marked: Vec<bool> = slack
        .iter()
        .map(|text| text.contains("may have been sent before"))
        .collect();
    assert_eq!(marked, [true, false]);
}

#[tokio::test]
async fn muted_checks_change_nothing_and_silenced_alerts_are_told_when_the_silence_ends() {
    let receiver = Receiver::start().await;
    let world = World::new("", receiver.env()).await;
    let mut muted = [1, 2, 3].map(|n| with_status(SOUTH, n, Unhealthy));
    for check in &mut muted {
        check.notes = RecordNotes::of_json(
            json!({"muted": {"why": "maintenance", "reason": "upgrade"}}),
            &Redactor::default(),
        );
        world.journal.record(check.clone()).await.unwrap();
    }
    assert!(world.journal.alerts().await.unwrap().is_empty());
    let quiet = lensops::store::Silence {
        id: Uuid::from_u128(1),
        rule: None,
        tenant: None,
        lens: Some("faults".parse().unwrap()),
        made_at: start(),
        until: start() + SignedDuration::from_mins(50),
        who: "ops".to_owned(),
        reason: "known".to_owned(),
    };
    world.journal.silence(quiet).await.unwrap();
    world
        .record(NORTH, [(1, Unhealthy), (2, Unhealthy), (3, Unhealthy)])
        .await;
    assert_eq!(world.journal.alert_trail(9).await.unwrap().len(), 0, "silenced");
    assert!(world.journal.alerts().await.unwrap().iter().any(|alert| alert.firing));
    world.record(NORTH, [(4, Unhealthy)]).await;
    world.deliver().await;
    assert_eq!(notices(&receiver, "webhook"), ["firing"], "the silence is over");
}

#[tokio::test]
async fn a_lens_that_is_not_checked_and_a_store_that_fails_are_told_and_so_is_their_end() {
    let receiver = Receiver::start().await;
    let world = World::new("", receiver.env()).await;
    let health = Health::new(false);
    *world.clock.0.lock().unwrap() = start();
    health.watch(&[(Arc::new(crate::worker::monitor()), NORTH)], start());
    let (tell, trouble) = tokio::sync::watch::channel(None);
    let watchdog = Watchdog {
        clock: world.clock.clone(),
        journal: world.journal.clone(),
        health: health.clone(),
        trouble: Some(trouble),
        redactor: world.redactor.clone(),
        limit: 1 << 30,
    };
    watchdog.look().await.unwrap();
    assert!(world.journal.alerts().await.unwrap().is_empty());
    world.clock.advance(31 * 60);
    tell.send_replace(Some("403 - Forbidden".to_owned()));
    watchdog.look().await.unwrap();
    watchdog.look().await.unwrap();
    let told = || async {
        let trail = world.journal.alert_trail(99).await.unwrap();
        let hook = trail.into_iter().rev().filter(|trail| trail.receiver == "webhook");
        hook.map(|trail| format!("{} {}", trail.told.rule, trail.told.notice.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(told().await, ["no_check firing", "store_failing firing"]);
    let check = with_status(NORTH, 2, Healthy);
    health.checked(&check, check.observed_at);
    world.journal.record(check).await.unwrap();
    tell.send_replace(None);
    watchdog.look().await.unwrap();
    watchdog.look().await.unwrap();
    assert_eq!(
        told().await,
        [
            "no_check firing",
            "store_failing firing",
            "no_check resolved",
            "store_failing resolved"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_list_test_silence_and_unsilence_say_what_is() {
    let stand_in = sandbox(Dialect::Documented).await;
    let receiver = Receiver::start().await;
    let mut project = Project::empty();
    project.point_at(&stand_in);
    project.run(&format!("{FAULTS} --interval 1s")).expect(0);
    let none = project.run("alerts test").expect(2).err;
    assert!(none.contains("there is no receiver: set SLACK_WEBHOOK_URL"), "{none}");
    assert!(project.run("alerts list").expect(0).out.contains("✅ nothing fires"));
    project.env.extend(receiver.env());
    project.env.insert("USER".to_owned(), "captain".to_owned());
    let tested = project.run("alerts test").expect(0).out;
    for name in ["slack", "pagerduty", "webhook"] {
        assert!(tested.contains(&format!("✅ {name} takes messages")), "{tested}");
        assert_eq!(
            notices(&receiver, name),
            ["firing", "resolved"],
            "no incident stays open"
        );
    }
    receiver.answers([Answer::Status(500)]);
    let failed = project.run("alerts test --receiver webhook").expect(1).out;
    assert!(
        failed.contains("❌ webhook: answered 500: no: [redacted] [redacted]"),
        "{failed}"
    );
    for (arguments, told) in [
        ("alerts silence --for 1h --reason x", "required"),
        (
            "alerts silence faults --for soon --reason x",
            "\"soon\" is not a valid duration",
        ),
        ("alerts silence faults --for 1h", "--reason"),
        ("alerts silence --rule sunny --for 1h --reason x", "is no rule"),
        ("alerts test --receiver boss", "there is no receiver \"boss\""),
        (
            "alerts unsilence 00000000-0000-0000-0000-000000000001",
            "there is no silence",
        ),
    ] {
        let error = project.run(arguments).expect(2).err;
        assert!(
            error.contains(told) && error.trim_end().lines().count() == 1,
            "{arguments}: {error}"
        );
    }
    let silence: Value = serde_json::from_str(
        &project
            .run("alerts silence faults --for 2h --reason upgrade --json")
            .expect(0)
            .out,
    )
    .unwrap();
    assert_eq!(
        (&silence["who"], &silence["reason"]),
        (&json!("captain"), &json!("upgrade"))
    );
    let listed = project.run("alerts list").expect(0).out;
    assert!(
        listed.contains("🔕 silence") && listed.contains("by captain: upgrade"),
        "{listed}"
    );
    project
        .run(&format!("alerts unsilence {}", silence["id"].as_str().unwrap()))
        .expect(0);
    assert!(!project.run("alerts list").expect(0).out.contains("🔕"));
}

/// Broken settings are one line before anything starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_alerts_that_make_no_sense_does_not_start() {
    let stand_in = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&stand_in);
    for (yaml, env, told) in [
        (
            "alerts: {rules: {unhealthy: {for: 3, of: 2}}}",
            None,
            "alerts.rules.unhealthy.for: 3 of 2 cannot be",
        ),
        ("alerts: {rule: {}}", None, "rule"),
        (
            "",
            Some(("SLACK_WEBHOOK_URL", "made-up-no-address")),
            "SLACK_WEBHOOK_URL cannot be used",
        ),
        (
            "",
            Some(("LENSOPS_WEBHOOK_URL", "http://127.0.0.1:9/x")),
            "LENSOPS_WEBHOOK_SECRET is not set",
        ),
    ] {
        project.write("lensops.yml", yaml);
        project.env.retain(|name, _| !name.contains("WEBHOOK"));
        project
            .env
            .extend(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let error = project.run("worker").expect(2).err;
        assert!(
            error.contains(told) && !error.contains("made-up-no-address"),
            "{yaml}: {error}"
        );
    }
}

/// The ids of the messages that `checks` of one pair lead to, by the fold alone.
pub(crate) fn expected(settings: &Settings, checks: &[CheckRecord]) -> BTreeSet<Uuid> {
    use lensops_core::alert::{Notice, Notification, State, fold, observe};
    let book = settings.rule_book(&settings.receivers().unwrap()).unwrap();
    let mut states: BTreeMap<(Uuid, Rule), State> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for check in checks {
        for (rule, seen) in observe(check) {
            let before = states.remove(&(check.yacht_id, rule)).unwrap_or_default();
            let step = fold(rule, book.plan(rule), before.clone(), &seen, check.observed_at, false);
            let subject = Subject::Lens(check.yacht_id, check.lens_id.clone());
            if let Some(notice) = step.notice {
                let of = if notice == Notice::Resolved {
                    &before
                } else {
                    &step.state
                };
                ids.insert(
                    Notification::of(rule, book.plan(rule), &subject, notice, of, check.id, check.observed_at).id,
                );
            }
            states.insert((check.yacht_id, rule), step.state);
        }
    }
    ids
}

#[test]
fn a_pair_without_a_check_is_told_once_an_interval_and_forgotten_when_it_is_watched_no_more() {
    let health = Health::new(false);
    health.watch(&[(Arc::new(crate::worker::monitor()), NORTH)], start());
    let at = |minutes: i64| start() + SignedDuration::from_mins(minutes);
    let counts = [10, 29, 30, 31, 44, 45, 46].map(|minutes| health.late(at(minutes), &HashMap::new()).len());
    assert_eq!(counts, [0, 0, 1, 0, 0, 1, 0]);
    assert_eq!(health.overdue(at(30)).unwrap().0, 1);
    health.watch(&[], at(60));
    assert!(health.late(at(90), &HashMap::new()).is_empty() && health.overdue(at(90)).is_none());
}

/// Whatever receivers do, each is told of by one line, and checks go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_that_fail_are_one_clear_line_each_and_checks_go_on() {
    let stand_in = sandbox(Dialect::Documented).await;
    stand_in.set_faults(serde_json::from_value::<Faults>(json!({"refuse_connections": true})).unwrap());
    for (answer, told) in [
        (Answer::Status(500), "answered 500"),
        (Answer::Busy(1), "answered 429"),
        (Answer::Html, "not as a receiver of its kind does"),
        (Answer::Never, "no answer within 10s"),
    ] {
        let receiver = Receiver::start().await;
        receiver.always(answer.clone());
        let mut project = Project::empty();
        project.point_at(&stand_in);
        project.run(&format!("{FAULTS} --interval 1s")).expect(0);
        project.env.extend(receiver.env());
        let mut failed = BTreeSet::new();
        let enough = |line: &str| {
            if let Some((_, rest)) = line.split_once("Alert receiver ") {
                failed.insert(rest.split(' ').next().unwrap().to_owned());
            }
            failed.len() == 3 && line.contains("OVERALL")
        };
        let lines = crate::listening::worker_until(&project, "worker", enough, 3);
        for name in ["slack", "pagerduty", "webhook"] {
            let mark = format!("Alert receiver {name} ");
            let about: Vec<_> = lines.iter().filter(|line| line.contains(&mark)).collect();
            assert!(
                about.len() == 1 && about[0].contains("ERROR") && about[0].contains(told),
                "{answer:?}: {about:#?}"
            );
        }
        let text = lines.join("\n");
        for secret in [SECRET, ROUTING_KEY, SLACK_PATH, receiver.url.as_str()] {
            assert!(!text.contains(secret), "{answer:?}: {secret} is in the log");
            for (path, bytes) in project.files() {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{answer:?}: {secret} is in {}", path.display());
            }
        }
        let listed = project.run("alerts list").expect(1).out;
        assert!(
            listed.contains("🔔 critical faults") && listed.contains(told),
            "{answer:?}: {listed}"
        );
    }
}

/// W5: a pair that is paused paged `no_check`, and one whose check hung longer than two intervals fired again seconds
/// after that check was recorded.
#[test]
fn w5_a_muted_pair_never_pages_and_lateness_counts_from_a_checks_end() {
    let at = |minutes: i64| start() + SignedDuration::from_mins(minutes);
    let (health, lens) = (Health::new(false), "faults".parse().unwrap());
    health.watch(&[(Arc::new(crate::worker::monitor()), NORTH)], start());
    health.begun(NORTH, &lens, at(1));
    let reason = |late: &[(Rule, Subject, Seen)]| match &late[0].2 {
        Seen::Broken(finding) => finding.reason.clone(),
        other => panic!("{other:?}"),
    };
    let late = health.late(at(31), &HashMap::new());
    let expected = "no check since 2026-01-28T15:00:00Z (2 intervals); one has been running since 2026-01-28T15:01:00Z";
    assert_eq!(reason(&late), expected);
    // It began at 15:01 and ended at 15:40: the next one is late at 16:10.
    let mut check = with_status(NORTH, 0, Healthy);
    check.observed_at = at(1);
    health.checked(&check, at(40));
    assert!(health.late(at(41), &HashMap::new()).is_empty());
    assert!(!reason(&health.late(at(70), &HashMap::new())).contains("running"));
    let paused = lensops_core::yaml::read("x", "{reason: slow, since: 2026-01-28T15:00:00Z}").unwrap();
    let rolled_back = HashMap::from([(lens.clone(), paused)]);
    assert!(health.late(at(600), &rolled_back).is_empty());
    let mut monitor = crate::worker::monitor();
    monitor.plan.maintenance = lensops_core::yaml::read(
        "x",
        "[{reason: move, from: 2026-01-28T15:00:00Z, until: 2026-01-29T15:00:00Z}]",
    )
    .unwrap();
    health.watch(&[(Arc::new(monitor), NORTH)], at(600));
    assert!(health.late(at(601), &HashMap::new()).is_empty());
}

/// W6: the alert of a lens that was removed fired for ever, and its series stayed.
#[tokio::test]
async fn w6_what_is_no_longer_monitored_ends_aloud_and_has_no_series() {
    let receiver = Receiver::start().await;
    let world = World::new("", receiver.env()).await;
    world.record(NORTH, OUTAGE[..3].to_vec()).await;
    world.record(SOUTH, OUTAGE[..3].to_vec()).await;
    world.deliver().await;
    let (faults, now) = ("faults".parse().unwrap(), world.clock.now());
    let stay = HashSet::from([(SOUTH, faults)]);
    // A worker of another lens leaves it alone.
    let other = HashSet::from(["parts".parse().unwrap()]);
    world.journal.alerts_left(stay.clone(), Some(other), now).await.unwrap();
    assert_eq!(world.journal.alerts().await.unwrap().len(), 2);
    world.journal.alerts_left(stay, None, now).await.unwrap();
    let left = world.journal.alerts().await.unwrap();
    assert_eq!(left.iter().map(|alert| alert.tenant).collect::<Vec<_>>(), [Some(SOUTH)]);
    let trail = world.journal.alert_trail(1).await.unwrap();
    assert_eq!(
        (trail[0].told.reason.as_str(), trail[0].told.tenant),
        ("no longer monitored", Some(NORTH))
    );
    world.journal.alerts_left(HashSet::new(), None, now).await.unwrap();
    world.deliver().await;
    assert_eq!(notices(&receiver, "pagerduty").last().unwrap(), "resolved");

    let health = Health::new(true);
    health.watch(&[(Arc::new(crate::worker::monitor()), NORTH)], start());
    let check = with_status(NORTH, 1, Healthy);
    health.checked(&check, check.observed_at);
    let series = |health: &Health| {
        let mut metrics = lensops::commands::worker::openmetrics::Metrics::default();
        health.write(&mut metrics, start());
        metrics.finish().matches("lens=\"faults\"").count()
    };
    assert!(series(&health) > 5);
    health.watch(&[], start());
    health.checked(&check, check.observed_at);
    assert_eq!(series(&health), 0);
}

/// W8: a receiver that was added while something fired heard nothing of it, and then *resolved*.
#[tokio::test]
async fn w8_a_receiver_added_while_something_fires_is_told_at_the_start() {
    let receiver = Receiver::start().await;
    let mut env = receiver.env();
    let slack = env.remove_entry("SLACK_WEBHOOK_URL").unwrap();
    let world = World::new("", env.clone()).await;
    world.record(NORTH, OUTAGE[..3].to_vec()).await;
    world.deliver().await;
    env.extend([slack]);
    let mut again = World::new("", env).await;
    world.journal.alert_with(Alerting {
        book: Settings::load(again._folder.path(), again.env.clone())
            .unwrap()
            .rule_book(&again.receivers)
            .unwrap(),
        redactor: again.redactor.clone(),
    });
    again.journal = world.journal.clone();
    for _ in 0..2 {
        again.journal.alert_new_receivers(world.clock.now()).await.unwrap();
        again.deliver().await;
    }
    assert_eq!(notices(&receiver, "slack"), ["firing"]);
    assert_eq!(
        notices(&receiver, "webhook"),
        ["firing"],
        "who knows it is not told again"
    );
}
