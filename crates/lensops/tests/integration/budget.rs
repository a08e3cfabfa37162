//! The time of a check: it ends within its interval, says what it left out, and waits as long as it is
//! asked to. Faults V5 and V7.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use lensops::commands::worker::Before;
use lensops_core::exchange::{Exchange, Failure, FailureClass, PreparedRequest, Sender};
use lensops_core::verdict::CheckReport;
use lensops_core::verdict::record::Status;
use tokio::time::{Instant, sleep};

use crate::fixture::{NORTH, answered};
use crate::worker::monitor;

/// An API that hangs on a path until the client gives up after 15 s, and answers elsewhere; with `per_second`
/// it answers no more than so many requests within a second, the rest with 429.
#[derive(Default)]
struct Api {
    hangs_on: &'static str,
    per_second: Option<usize>,
    /// What each answer takes.
    takes: Duration,
    /// The status and the `Retry-After` of every answer.
    always: Option<(u16, &'static str)>,
    since: Mutex<Option<(Instant, usize)>>,
    sent: AtomicUsize,
}

impl Api {
    fn is_over_its_limit(&self) -> bool {
        let Some(most) = self.per_second else { return false };
        let (mut since, now) = (self.since.lock().unwrap(), Instant::now());
        let (start, count) = since
            .filter(|(start, _)| now < *start + Duration::from_secs(1))
            .unwrap_or((now, 0));
        *since = Some((start, count + 1));
        count >= most
    }
}

impl Sender for Api {
    async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if !self.hangs_on.is_empty() && request.target.starts_with(self.hangs_on) {
            sleep(Duration::from_secs(15)).await;
            let mut exchange = answered(request, 200, Vec::new(), "");
            exchange.result = Err(Failure::new(FailureClass::Timeout, "no complete answer within 15 s"));
            return exchange;
        }
        if let Some((status, after)) = self.always {
            return answered(
                request,
                status,
                vec![("retry-after".to_owned(), after.to_owned())],
                "{}",
            );
        }
        if self.is_over_its_limit() {
            return answered(request, 429, vec![("retry-after".to_owned(), "1".to_owned())], "{}");
        }
        sleep(self.takes).await;
        let mut exchange = answered(request, 200, Vec::new(), "{}");
        exchange.timings.total_us = u64::try_from(self.takes.as_micros()).unwrap().max(1000);
        exchange
    }
}

const PLAN: &str = "monitor: faults\nevery: 1m\nsamples: 7\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\nprobes:\n  \
    - {name: Health, request: {get: /health}}\n  - {name: List, timed: true, request: {get: /list}}\n  \
    - {name: Read, timed: true, request: {get: /read}}\n  - {name: Search, timed: true, request: {get: /search}}\n";

/// A check against `api`, the lines in the order in which they were told, and the time that it took.
async fn checked(api: &Api) -> (CheckReport, Vec<(Duration, String)>, Duration) {
    checked_every(api, "1m").await
}

async fn checked_every(api: &Api, every: &str) -> (CheckReport, Vec<(Duration, String)>, Duration) {
    let mut monitor = monitor();
    monitor.plan = lensops_core::yaml::read("plan.yml", &PLAN.replace("1m", every)).unwrap();
    let (began, now) = (Instant::now(), Timestamp::now());
    let id = monitor.schedule(NORTH).ad_hoc_id(now, 1);
    let lines = Mutex::new(Vec::new());
    let each = |_, line: &str| lines.lock().unwrap().push((began.elapsed(), line.to_owned()));
    let report = monitor.check(api, NORTH, id, now, now, Before::default(), &each).await;
    (report, lines.into_inner().unwrap(), began.elapsed())
}

/// Fault V5: the check of an API that hangs takes no longer than its interval, and says what it left out.
#[tokio::test(start_paused = true)]
async fn v5_an_api_that_hangs_is_unhealthy_within_the_interval() {
    let api = Api {
        hangs_on: "/",
        ..Api::default()
    };
    let (report, lines, took) = checked(&api).await;
    assert_eq!(report.status, Status::Unhealthy);
    assert_eq!(took, Duration::from_secs(54), "nine tenths of a minute");
    let told: Vec<(u64, &str)> = lines.iter().map(|(at, line)| (at.as_secs(), line.as_str())).collect();
    assert_eq!(
        told[..4],
        [
            (15, "❌ Health: no complete answer within 15 s (timeout)"),
            (
                54,
                "❌ List: no complete answer within 15 s (timeout), 2 of 2 samples failed; 5 more were not taken: the check's time was up"
            ),
            (54, "⚠️ Read: not judged: the check's time was up"),
            (54, "⚠️ Search: not judged: the check's time was up"),
        ]
    );
    assert_eq!(report.record.sample_size, 2, "the error rate counts what was sent");
}

/// Fault V5: with checks of short intervals, each sample of an API that hangs was cut off before its time-out, so that
/// nothing was ever found out.
#[tokio::test(start_paused = true)]
async fn v5_an_api_that_hangs_is_unhealthy_at_short_intervals_too() {
    for (every, seconds) in [("10s", 9.0), ("30s", 27.0)] {
        let api = Api {
            hangs_on: "/",
            ..Api::default()
        };
        let (report, lines, took) = checked_every(&api, every).await;
        assert_eq!(report.status, Status::Unhealthy, "{every}: {lines:?}");
        assert_eq!(took, Duration::from_secs_f64(seconds), "{every}");
        assert!(
            lines[0].1.starts_with("❌ Health: no answer within"),
            "{every}: {lines:?}"
        );
    }
}

/// An answer slower than a third of a short interval was a time-out, whatever the plan allows.
#[tokio::test(start_paused = true)]
async fn v5_an_answer_that_the_plan_allows_is_waited_for_at_short_intervals_too() {
    let api = Api {
        takes: Duration::from_millis(1900),
        ..Api::default()
    };
    let (report, lines, _) = checked_every(&api, "5s").await;
    assert_eq!(report.status, Status::Degraded, "{lines:?}");
    assert_eq!(lines[0].1, "✅ Health: 200 OK, 1900ms");
    let told = &lines[1].1;
    assert!(
        told.starts_with("✅ List: 200 OK (190") && told.ends_with("6 more were not taken: the check's time was up"),
        "{told}"
    );
}

/// Fault V5: three time-outs of a probe are enough; the others are asked.
#[tokio::test(start_paused = true)]
async fn v5_three_time_outs_of_a_probe_end_it_and_no_other() {
    let api = Api {
        hangs_on: "/list",
        ..Api::default()
    };
    let (report, lines, took) = checked(&api).await;
    assert_eq!(took, Duration::from_secs(45));
    assert_eq!(report.status, Status::Unhealthy);
    assert!(
        lines[1]
            .1
            .contains("3 of 3 samples failed; 4 more were not sent after 3 time-outs"),
        "{}",
        lines[1].1
    );
    assert_eq!(lines[3].1, "✅ Search: 200 OK (1.0ms)");
    assert_eq!(api.sent.load(Ordering::Relaxed), 1 + 3 + 7 + 7);
}

/// Fault V7: `Retry-After` is obeyed within the check's time, and the check is healthy.
#[tokio::test(start_paused = true)]
async fn v7_retry_after_is_obeyed() {
    let api = Api {
        per_second: Some(10),
        ..Api::default()
    };
    let (report, lines, took) = checked(&api).await;
    assert_eq!(report.status, Status::Healthy, "{lines:?}");
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(10),
        "{took:?}"
    );
    assert_eq!(
        (report.record.sample_size, report.record.error_rate_hundredths),
        (21, Some(0))
    );
}

/// What ends only when the other side says so has a cap of its own: retries, and waits that are asked for.
#[tokio::test(start_paused = true)]
async fn what_an_api_answers_for_ever_is_asked_so_often_and_no_more() {
    // Four probes: two retries each, or as many waits as there are to spend.
    for (status, after, most) in [
        (500, "0", 1 + 3 * 7 + 4 * 2),
        (429, "0", 1 + 3 * 7 + 4 * 30),
        (429, "3600", 22),
    ] {
        let api = Api {
            always: Some((status, after)),
            ..Api::default()
        };
        let (_, _, took) = checked(&api).await;
        assert_eq!(api.sent.load(Ordering::Relaxed), most, "{status}, Retry-After: {after}");
        assert!(took < Duration::from_secs(54), "{status}: {took:?}");
    }
}
