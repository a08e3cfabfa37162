//! Tests of what is told together.

use uuid::Uuid;

use super::*;
use crate::alert::{AlertsFile, Finding, RuleBook, State, Subject};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

fn notice(rule: Rule, lens: &str, tenant: u128, notice: Notice, seconds: i64) -> Notification {
    let book = RuleBook::of(&AlertsFile::default(), &[]).unwrap();
    let subject = Subject::Lens(Uuid::from_u128(tenant), lens.parse().unwrap());
    let state = State {
        since: Some(at(0)),
        times: 2,
        finding: Some(Finding {
            reason: "List: 500".to_owned(),
            response: None,
            urgency: None,
        }),
        ..State::default()
    };
    let cause = Uuid::from_u128(u128::try_from(seconds).unwrap());
    Notification::of(rule, book.plan(rule), &subject, notice, &state, cause, at(seconds))
}

/// `rule lens tenant notice` a line, gathered at once; the summaries that are told, and the incidents after.
fn told(lines: &[(Rule, &str, u128, Notice)], incidents: Vec<Incident>, seconds: i64) -> (Vec<String>, Gathered) {
    let queued = lines
        .iter()
        .zip(1..)
        .map(|((rule, lens, tenant, kind), number)| (number, notice(*rule, lens, *tenant, *kind, seconds)));
    let gathered = gather(queued.collect(), incidents, at(seconds));
    let numbers: Vec<i64> = gathered
        .messages
        .iter()
        .flat_map(|(numbers, _)| numbers.clone())
        .collect();
    assert_eq!(
        numbers.len() + gathered.silent.len(),
        lines.len(),
        "each notice is told once or silent"
    );
    let texts = gathered.messages.iter().map(|(_, told)| told.summary());
    (texts.collect(), gathered)
}

use Notice::{Firing, Reminder, Resolved};
use Rule::{ErrorRateAboveSlo, FlagToggled, P95AboveSlo, ServerError, Unhealthy};

#[test]
fn w7_one_cause_is_one_message_and_its_end_is_another() {
    let (texts, after) = told(
        &[
            (ServerError, "faults", 1, Firing),
            (Unhealthy, "faults", 1, Firing),
            (ErrorRateAboveSlo, "faults", 1, Firing),
        ],
        Vec::new(),
        5,
    );
    assert_eq!(
        texts,
        ["FIRING critical faults unhealthy, error rate above SLO, 5xx: List: 500"]
    );
    let key = after.incidents[0].key.clone();
    assert_eq!(key, notice(Unhealthy, "faults", 1, Firing, 0).dedup_key);
    // A rule less and a pair that still fires is no news.
    let (texts, after) = told(&[(ServerError, "faults", 1, Resolved)], after.incidents, 60);
    assert_eq!(texts, [""; 0]);
    let ends = [
        (Unhealthy, "faults", 1, Resolved),
        (ErrorRateAboveSlo, "faults", 1, Resolved),
    ];
    let (texts, after) = told(&ends, after.incidents, 90);
    assert_eq!(
        texts,
        ["RESOLVED critical faults unhealthy, error rate above SLO: List: 500"]
    );
    assert_eq!(after.messages[0].1.dedup_key, key);
    assert!(after.incidents.is_empty());
}

#[test]
fn w7_lenses_and_tenants_that_fail_together_are_one_message() {
    let lenses: Vec<String> = (0..312).map(|n| format!("lens{n}")).collect();
    let all: Vec<_> = lenses
        .iter()
        .flat_map(|lens| (1..=3).map(move |t| (Unhealthy, lens.as_str(), t, Firing)))
        .collect();
    let (texts, after) = told(&all, Vec::new(), 5);
    assert_eq!(
        texts,
        ["FIRING critical 312 lenses, such as lens0, unhealthy: List: 500"]
    );
    let together = after.messages[0].1.together.as_ref().unwrap();
    assert_eq!(
        (together.alerts, together.lenses, together.tenants, together.list.len()),
        (936, 312, 3, 100)
    );
    // The 5xx of the same pairs are the same cause, and another lens soon after belongs to it.
    let (texts, after) = told(
        &[(ServerError, "lens77", 1, Firing), (Unhealthy, "more", 1, Firing)],
        after.incidents,
        60,
    );
    assert_eq!(texts, ["FIRING critical more unhealthy: List: 500"]);
    assert_eq!(after.incidents.len(), 1);
    // Some are over: told as progress under the same key, and never as the end.
    let some: Vec<_> = all
        .iter()
        .take(30)
        .map(|(rule, lens, t, _)| (*rule, *lens, *t, Resolved))
        .collect();
    let (texts, after) = told(&some, after.incidents, 120);
    assert_eq!(
        texts,
        ["PARTLY OVER critical 10 lenses, such as lens0, unhealthy; 907 of its pairs still fire: List: 500"]
    );
    assert_ne!(after.messages[0].1.notice, Resolved);
}

#[test]
fn w7_what_is_over_before_it_was_told_is_dropped_with_its_end() {
    let flap = [
        (Unhealthy, "faults", 1, Firing),
        (Unhealthy, "faults", 1, Resolved),
        (Unhealthy, "parts", 1, Firing),
    ];
    let (texts, after) = told(&flap, Vec::new(), 5);
    assert_eq!(texts, ["FIRING critical parts unhealthy: List: 500"]);
    assert_eq!(after.silent, [1, 2]);
}

#[test]
fn w7_a_reminder_speaks_of_the_incident_and_comes_once() {
    let both = |kind| [(Unhealthy, "faults", 1, kind), (Unhealthy, "parts", 1, kind)];
    let (_, after) = told(&both(Firing), Vec::new(), 5);
    let (texts, after) = told(&both(Reminder)[..1], after.incidents, 4 * 3600);
    assert_eq!(texts.len(), 1, "{texts:?}");
    let (texts, _) = told(&both(Reminder)[1..], after.incidents, 4 * 3600 + 40);
    assert_eq!(texts, [""; 0]);
}

#[test]
fn w7_one_alert_alone_is_told_as_ever_and_worse_news_of_a_pair_is_told() {
    let alone = notice(ServerError, "faults", 1, Firing, 5);
    let gathered = gather(vec![(1, alone.clone())], Vec::new(), at(5));
    assert_eq!(gathered.messages, [(vec![1], alone)]);
    let (texts, _) = told(&[(Unhealthy, "faults", 1, Firing)], gathered.incidents.clone(), 65);
    assert_eq!(
        texts,
        ["FIRING critical faults unhealthy: List: 500"],
        "critical is more than error"
    );
    // A switched flag is news each time and no outage.
    let toggles = [(FlagToggled, "faults", 1, Firing), (P95AboveSlo, "parts", 1, Firing)];
    let (texts, _) = told(&toggles, Vec::new(), 5);
    assert_eq!(texts.len(), 2, "{texts:?}");
    let switched = [(FlagToggled, "faults", 1, Firing), (FlagToggled, "faults", 1, Resolved)];
    let (texts, after) = told(&switched, Vec::new(), 5);
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(after.incidents.is_empty());
}
