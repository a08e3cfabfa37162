use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::*;
use crate::duration::Every;
use crate::exchange::{Exchange, FailureClass};
use crate::lens::Slo;
use crate::lens::mute::{Muted, MutedWhy};
use crate::plan::header::PlanOrigin;
use crate::plan::monitor::{MonitorPlan, Probe};
use crate::stats::histogram::Latencies;
use crate::verdict::Sample;
use crate::verdict::judge::tests::exchange;
use crate::verdict::own_fault::Worked;

const PLAN: &str = r#"
monitor: faults
every: 15m
samples: 7
tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]
answers: {paths: {code: [$.error_code]}}
probes:
  - name: Service health
    request: {get: /health}
    expect: {status: 200}
    warn: {equal: [$.loaded, $.total], is: {$.status: healthy}}
    show: "{$.status} ({$.loaded}/{$.total} handlers)"
  - {name: Feature flags, flags: [A], required: false}
  - name: List endpoint
    timed: true
    request: {get: /list}
    expect: {status: 200, at_least: {$.total_count: 1}}
    disabled: {status: 503, code: FEATURE_DISABLED}
    show: "{$.total_count} actions"
  - {name: Suggestions endpoint, timed: true, request: {get: /suggest}, expect: {status: 200}}
  - {name: Read action, timed: true, request: {get: /read}, expect: {status: [200, 404]}}
"#;

pub(in crate::verdict) const GOOD_HEALTH: &str = r#"{"status":"healthy","loaded":4,"total":4}"#;
pub(in crate::verdict) const GOOD_LIST: &str = r#"{"total_count":12}"#;
pub(in crate::verdict) type Answer = Result<(u16, &'static str), FailureClass>;

fn plan() -> MonitorPlan {
    let plan: MonitorPlan = crate::yaml::read("plan.yml", PLAN).unwrap();
    plan.validate().unwrap();
    plan
}

pub(in crate::verdict) fn context() -> CheckContext {
    CheckContext {
        every: Every::QUARTER_HOUR,
        id: Uuid::from_u128(1 << 80),
        tenant: plan().tenants[0],
        lens: plan().monitor,
        observed_at: Timestamp::UNIX_EPOCH,
        slo: Slo::default(),
        earlier: Latencies::new(),
        disabled_before: None,
        flags: Vec::new(),
        flags_before: BTreeMap::new(),
        muted: None,
        virtual_clock: false,
        plan_origin: PlanOrigin::Generated,
        host: "api.example.com".to_owned(),
        credential: None,
        worked: Worked::ALL,
    }
}

fn sample(probe: &Probe, attempts: &[Exchange]) -> Sample {
    Sample::of(probe, &plan().answers, attempts, &Redactor::default()).unwrap()
}

pub(in crate::verdict) fn times(n: usize, answer: Answer) -> Vec<Answer> {
    vec![answer; n]
}

/// A check in which each probe met these answers.
pub(in crate::verdict) fn check_with(
    context: &CheckContext,
    health: Answer,
    list: &[Answer],
    suggest: &[Answer],
    read: &[Answer],
) -> CheckReport {
    let plan = plan();
    let report = |probe: &Probe, answers: &[Answer]| {
        let samples: Vec<Sample> = answers
            .iter()
            .map(|answer| sample(probe, &[exchange(*answer, 100_000)]))
            .collect();
        ProbeReport::of(probe, &samples)
    };
    let probes = vec![
        report(&plan.probes[0], &[health]),
        ProbeReport::unsent(
            &plan.probes[1],
            ProbeResult::Unjudged("RENDER_API_KEY is not set".to_owned()),
        ),
        report(&plan.probes[2], list),
        report(&plan.probes[3], suggest),
        report(&plan.probes[4], read),
    ];
    judge_check(context, probes, &Redactor::default())
}

fn check(health: Answer, list: &[Answer], suggest: &[Answer], read: &[Answer]) -> CheckReport {
    check_with(&context(), health, list, suggest, read)
}

fn good() -> [Vec<Answer>; 3] {
    [
        times(7, Ok((200, GOOD_LIST))),
        times(7, Ok((200, "{}"))),
        times(7, Ok((404, "{}"))),
    ]
}

#[test]
fn a_good_check_is_healthy_and_an_unreadable_optional_flag_changes_nothing() {
    let [list, suggest, read] = good();
    let report = check(Ok((200, GOOD_HEALTH)), &list, &suggest, &read);
    assert_eq!((report.status, report.judged), (Status::Healthy, true));
    let record = &report.record;
    assert_eq!(
        (record.p95_latency_ms, record.error_rate_hundredths, record.sample_size),
        (Some(100), Some(0), 21)
    );
    let lines: Vec<_> = report.lines.iter().map(|(_, line)| line.as_str()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    ✅ Service health: healthy (4/4 handlers)
    ❔ Feature flags: not judged: RENDER_API_KEY is not set
    ✅ List endpoint: 200 OK (12 actions, 100ms)
    ✅ Suggestions endpoint: 200 OK (100ms)
    ✅ Read action: 404 Not Found (100ms)
    ");
}

/// Defect 1: list and suggestions unreachable was reported healthy with an error rate of 0 %.
#[test]
fn defect_1_unreachable_endpoints_are_unhealthy() {
    let dead = times(7, Err(FailureClass::Connectivity));
    let [_, _, read] = good();
    let report = check(Ok((200, GOOD_HEALTH)), &dead, &dead, &read);
    assert_eq!(
        (report.status, report.record.error_rate_hundredths),
        (Status::Unhealthy, Some(6667))
    );
    let all = check(Err(FailureClass::Connectivity), &dead, &dead, &dead);
    assert_eq!(
        (all.status, all.record.error_rate_hundredths, all.record.p95_latency_ms),
        (Status::Unhealthy, Some(10_000), None)
    );
}

/// Defect 2: 401, 404 or 429 on both was reported healthy. A rate limit is of its own: see V7.
#[test]
fn defect_2_unasserted_4xx_is_unhealthy() {
    for status in [401, 403, 404] {
        let [_, _, read] = good();
        let refused = times(7, Ok((status, "{}")));
        let report = check(Ok((200, GOOD_HEALTH)), &refused, &refused, &read);
        assert_eq!(report.status, Status::Unhealthy, "{status}");
    }
}

/// Defect 3: zero actions (wrong domain, user without a role) was reported healthy.
#[test]
fn defect_3_zero_actions_is_unhealthy() {
    let [_, suggest, read] = good();
    let report = check(
        Ok((200, GOOD_HEALTH)),
        &times(7, Ok((200, r#"{"total_count":0}"#))),
        &suggest,
        &read,
    );
    assert_eq!(report.status, Status::Unhealthy);
    assert!(
        report.lines[2].1.contains("$.total_count is 0, expected at least 1"),
        "{:?}",
        report.lines
    );
}

/// Defect 7: the service's own `degraded` was reported unhealthy, health without counters healthy.
#[test]
fn defect_7_the_service_s_own_degraded_is_degraded_and_no_counters_is_unjudged() {
    let [list, suggest, read] = good();
    let cases = [
        (
            r#"{"status":"degraded","loaded":3,"total":4}"#,
            "⚠️ Service health: degraded (3/4 handlers)",
        ),
        (
            r#"{"status":"degraded","loaded":4,"total":4}"#,
            "⚠️ Service health: degraded (4/4 handlers)",
        ),
        (
            r#"{"status":"healthy","loaded":3,"total":4}"#,
            "⚠️ Service health: healthy (3/4 handlers)",
        ),
        (
            r#"{"status":"healthy"}"#,
            "⚠️ Service health: not judged: the answer has no $.loaded",
        ),
    ];
    for (body, line) in cases {
        let report = check(Ok((200, body)), &list, &suggest, &read);
        assert_eq!(
            (report.status, report.lines[0].1.as_str()),
            (Status::Degraded, line),
            "{body}"
        );
        assert!(
            report.record.events.iter().any(|event| event.level == Level::Warning),
            "{body}"
        );
    }
}

/// Defect 11: retries collapsed a persistent 500 into "status 0", which was healthy.
#[test]
fn defect_11_a_retry_never_hides_a_5xx() {
    let plan = plan();
    let probe = &plan.probes[2];
    let [_, suggest, read] = good();
    for last in [Ok((200, GOOD_LIST)), Ok((500, "{}")), Err(FailureClass::Connectivity)] {
        let attempts = [exchange(Ok((500, "{}")), 5), exchange(last, 5)];
        let mut samples: Vec<Sample> = (0..6)
            .map(|_| sample(probe, &[exchange(Ok((200, GOOD_LIST)), 5)]))
            .collect();
        samples.push(sample(probe, &attempts));
        let mut report = check(Ok((200, GOOD_HEALTH)), &times(7, Ok((200, GOOD_LIST))), &suggest, &read);
        report.probes[2] = ProbeReport::of(probe, &samples);
        let report = judge_check(&context(), report.probes, &Redactor::default());
        assert_eq!(report.status, Status::Unhealthy, "{last:?}");
        assert!(report.lines[2].1.contains("500"), "{last:?}: {}", report.lines[2].1);
    }
}

#[test]
fn one_failure_in_21_is_degraded_and_two_are_unhealthy() {
    let [mut list, mut suggest, read] = good();
    list[3] = Err(FailureClass::Timeout);
    let report = check(Ok((200, GOOD_HEALTH)), &list, &suggest, &read);
    assert_eq!(
        (report.status, report.record.error_rate_hundredths),
        (Status::Degraded, Some(476))
    );
    suggest[0] = Ok((404, "{}"));
    let report = check(Ok((200, GOOD_HEALTH)), &list, &suggest, &read);
    assert_eq!(
        (report.status, report.record.error_rate_hundredths),
        (Status::Unhealthy, Some(952))
    );
}

#[test]
fn a_switched_off_feature_is_told_apart_from_an_outage_and_its_changes_are_events() {
    let [good_list, suggest, read] = good();
    let off = times(7, Ok((503, r#"{"error_code":"FEATURE_DISABLED"}"#)));
    let mut context = context();
    context.disabled_before = Some(Vec::new());
    let report = check_with(&context, Ok((200, GOOD_HEALTH)), &off, &suggest, &read);
    assert_eq!(
        (report.status, report.lines[2].1.as_str()),
        (Status::Unhealthy, "❌ List endpoint: 503 FEATURE_DISABLED")
    );
    let kinds = |report: &CheckReport| {
        let kind = |event: &EventRecord| event.detail.to_value()["kind"].as_str().unwrap().to_owned();
        report.record.events.iter().map(kind).collect::<Vec<_>>()
    };
    assert!(
        kinds(&report).contains(&"transition".to_owned()),
        "{:?}",
        kinds(&report)
    );
    assert_eq!(report.record.notes.read().disabled, ["List endpoint"]);
    context.disabled_before = Some(vec!["List endpoint".to_owned()]);
    let back = check_with(&context, Ok((200, GOOD_HEALTH)), &good_list, &suggest, &read);
    assert!(
        back.lines.iter().any(|(_, line)| line.contains("503→200")),
        "{:?}",
        back.lines
    );
    let outage = check_with(
        &context,
        Ok((200, GOOD_HEALTH)),
        &times(7, Ok((503, "{}"))),
        &suggest,
        &read,
    );
    assert_eq!(
        outage.lines[2].1,
        "❌ List endpoint: Expected 200, got 503, 7 of 7 samples failed"
    );
}

/// The status of a check whose samples all took `own_us`, after `earlier` ones of the window.
fn after(earlier: Vec<u64>, own_us: u64, taken: usize) -> (Status, Vec<String>) {
    let plan = plan();
    let mut context = context();
    context.earlier = earlier.into_iter().collect();
    let samples: Vec<Sample> = (0..taken)
        .map(|_| sample(&plan.probes[2], &[exchange(Ok((200, GOOD_LIST)), own_us)]))
        .collect();
    let report = judge_check(
        &context,
        vec![ProbeReport::of(&plan.probes[2], &samples)],
        &Redactor::default(),
    );
    let reasons = report
        .record
        .events
        .iter()
        .map(|event| event.detail.to_value()["reason"].to_string());
    (report.status, reasons.collect())
}

/// Fault V6: the samples of a check decide on its status; one slow check an hour ago does not.
#[test]
fn v6_the_own_p95_decides_and_the_window_degrades_only_what_supports_it() {
    const MS: u64 = 1_000;
    let slow = |n| vec![11_000 * MS; n];
    let table = [
        ("good after slow ones", slow(30), MS, 21, Status::Healthy),
        ("slow by itself", Vec::new(), 3_000 * MS, 21, Status::Degraded),
        ("too slow by itself", Vec::new(), 11_000 * MS, 21, Status::Unhealthy),
        (
            "slow, too few for a P95, alone",
            Vec::new(),
            11_000 * MS,
            6,
            Status::Healthy,
        ),
        (
            "slow, too few for a P95, after slow ones",
            slow(30),
            11_000 * MS,
            6,
            Status::Degraded,
        ),
        (
            "good, too few for a P95, after slow ones",
            slow(30),
            MS,
            6,
            Status::Healthy,
        ),
        (
            "slow after many good ones",
            vec![MS; 1000],
            11_000 * MS,
            6,
            Status::Healthy,
        ),
    ];
    for (what, earlier, own_us, taken, status) in table {
        let (found, reasons) = after(earlier, own_us, taken);
        assert_eq!(found, status, "{what}: {reasons:?}");
    }
    let (_, reasons) = after(Vec::new(), MS, 6);
    assert!(reasons[0].contains("P95 not judged: 6 samples"), "{reasons:?}");
    let (_, reasons) = after(slow(30), 11_000 * MS, 6);
    assert!(reasons[0].contains("within the window (n=36) above"), "{reasons:?}");
}

/// Fault V7: what the API's rate limit keeps from being asked is degraded, says the way out, and counts in
/// neither error rate nor latency.
#[test]
fn v7_a_rate_limit_is_degraded_and_no_failure() {
    let [mut list, suggest, read] = good();
    for answer in &mut list[3..] {
        *answer = Ok((429, "{}"));
    }
    let report = check(Ok((200, GOOD_HEALTH)), &list, &suggest, &read);
    assert_eq!(
        (report.status, report.record.error_rate_hundredths),
        (Status::Degraded, Some(0))
    );
    assert!(
        report.lines[2]
            .1
            .contains("List endpoint: 4 of 7 samples: 429, rate limited: lower `samples`"),
        "{}",
        report.lines[2].1
    );
    // A failure beside it is one.
    list[0] = Ok((404, "{}"));
    let report = check(Ok((200, GOOD_HEALTH)), &list, &suggest, &read);
    assert_eq!(report.record.error_rate_hundredths, Some(476));
}

#[test]
fn a_required_probe_that_is_unjudged_degrades_and_nothing_judged_is_said() {
    let plan = plan();
    let unjudged = |probe: &Probe| ProbeReport::unsent(probe, ProbeResult::Unjudged("no test entity".to_owned()));
    let report = judge_check(
        &context(),
        plan.probes.iter().map(unjudged).collect(),
        &Redactor::default(),
    );
    assert_eq!((report.status, report.judged), (Status::Degraded, false));
    let empty = judge_check(&context(), Vec::new(), &Redactor::default());
    assert_eq!((empty.status, empty.judged), (Status::Degraded, false));
}

/// V1 of the faults, as far as the judge is concerned: what connecting took counts as any other wait.
#[test]
fn connecting_is_part_of_the_latency() {
    let mut slow_connect = exchange(Ok((200, GOOD_LIST)), 901_000);
    slow_connect.timings.connect_us = Some(900_000);
    assert_eq!(sample(&plan().probes[2], &[slow_connect]).latency_us, Some(901_000));
}

/// Rows of all versions lie beside one another: what is written today is written the same tomorrow.
#[test]
fn notes_are_written_with_these_keys_in_this_order() {
    let [list, suggest, _] = good();
    let mut context = context();
    let plain = check_with(&context, Ok((200, GOOD_HEALTH)), &list[..1], &[], &[]);
    insta::assert_snapshot!(plain.record.notes.text(), @r#"{"samples_us":[100000],"endpoints":{"List endpoint":{"n":1,"failed":0,"retries":0,"p50_us":100031,"p95_us":100031,"statuses":{"200":1}},"Suggestions endpoint":{"n":0,"failed":0,"retries":0,"p50_us":null,"p95_us":null,"statuses":{}},"Read action":{"n":0,"failed":0,"retries":0,"p50_us":null,"p95_us":null,"statuses":{}}},"window":{"p95_us":100031,"n":1},"unjudged":["Feature flags","Suggestions endpoint","Read action"],"reached":{"host":"api.example.com","answered":true},"every":"15m","slo":{"window":"1h","p95_ms":{"warn":2000.0,"fail":10000.0},"error_rate_percent":{"warn":1.0,"fail":5.0}}}"#);
    context.flags = vec![("B".to_owned(), true), ("A".to_owned(), false), ("B".to_owned(), false)];
    context.muted = Some(Muted::new(MutedWhy::Paused, "too \"slow\""));
    (context.virtual_clock, context.plan_origin) = (true, PlanOrigin::Edited);
    let off = vec![
        Ok((503, r#"{"error_code":"FEATURE_DISABLED"}"#)),
        Err(FailureClass::Timeout),
    ];
    let full = check_with(&context, Ok((200, GOOD_HEALTH)), &off, &suggest[..2], &[]);
    insta::assert_snapshot!(full.record.notes.text(), @r#"{"samples_us":[100000,100000,100000,100000],"endpoints":{"List endpoint":{"n":2,"failed":2,"retries":0,"p50_us":100031,"p95_us":100031,"statuses":{"503":1},"failed_at":[0,1]},"Suggestions endpoint":{"n":2,"failed":0,"retries":0,"p50_us":100031,"p95_us":100031,"statuses":{"200":2}},"Read action":{"n":0,"failed":0,"retries":0,"p50_us":null,"p95_us":null,"statuses":{}}},"window":{"p95_us":100031,"n":4},"disabled":["List endpoint"],"unjudged":["Feature flags","Read action"],"flags":{"B":false,"A":false},"muted":{"why":"paused","reason":"too \"slow\""},"clock":"virtual","plan":"edited","reached":{"host":"api.example.com","answered":true},"every":"15m","slo":{"window":"1h","p95_ms":{"warn":2000.0,"fail":10000.0},"error_rate_percent":{"warn":1.0,"fail":5.0}}}"#);
}

/// W17: no word was said of a certificate that ends tomorrow.
#[test]
fn w17_a_certificate_that_expires_soon_is_told_and_changes_no_status() {
    let [list, suggest, read] = good();
    let table = [
        (SignedDuration::from_hours(24 * 15), None),
        (SignedDuration::from_hours(24 * 14), None),
        (
            SignedDuration::from_hours(24 * 14 - 1),
            Some("⚠️ the certificate expires in 13 days, "),
        ),
        (
            SignedDuration::from_hours(24 * 3),
            Some("⚠️ the certificate expires in 3 days, "),
        ),
        (
            SignedDuration::from_hours(24 * 3 - 1),
            Some("❌ the certificate expires in 2 days, "),
        ),
        (
            SignedDuration::from_hours(25),
            Some("❌ the certificate expires in 1 day, "),
        ),
        (
            SignedDuration::from_hours(1),
            Some("❌ the certificate expires within a day, "),
        ),
    ];
    for (left, told) in table {
        let mut report = check(Ok((200, GOOD_HEALTH)), &list, &suggest, &read);
        let expires = context().observed_at + left;
        report.probes[1].certificate_expires = Some(expires);
        report.probes[2].certificate_expires = Some(expires + SignedDuration::from_hours(1));
        let report = judge_check(&context(), report.probes, &Redactor::default());
        assert_eq!(report.status, Status::Healthy, "{left:?}");
        assert_eq!(
            report.record.notes.read().certificate_expires,
            Some(expires),
            "{left:?}"
        );
        let line = report.lines.iter().find(|(_, line)| line.contains("certificate"));
        assert_eq!(line.is_some(), told.is_some(), "{left:?}: {line:?}");
        assert!(
            told.is_none_or(|told| line.unwrap().1.starts_with(told)),
            "{left:?}: {line:?}"
        );
    }
}
