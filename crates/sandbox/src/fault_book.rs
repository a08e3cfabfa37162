//! Which faults befall a request: the rules in force, their counters and their dice.
//!
//! Time comes in as an argument, so that stalls can be tested without waiting.

use std::cell::OnceCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::faults::{Act, Faults, Rule, duration};
use crate::query;
use crate::registry::registry;
use crate::reply::Ask;

/// What is to be done to one request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) wait: Duration,
    pub(crate) act: Option<Act>,
}

#[derive(Debug, Default)]
struct Tally {
    selected: u64,
    struck: u64,
    stalled_until: Option<Instant>,
}

#[derive(Debug)]
struct Pages {
    faults: Arc<Faults>,
    tallies: Vec<Tally>,
    random: fastrand::Rng,
}

/// The faults in force.
#[derive(Debug)]
pub(crate) struct FaultBook {
    seed: u64,
    pages: Mutex<Pages>,
}

impl FaultBook {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            seed,
            pages: Mutex::new(Pages::new(seed, faults)),
        }
    }

    /// Replaces the faults; counters and dice start afresh, so that the same faults strike the
    /// same requests again.
    pub(crate) fn replace(&self, faults: Faults) {
        *self.pages() = Pages::new(self.seed, faults);
    }

    pub(crate) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.pages().faults)
    }

    /// The faults in force, and what they do to this request.
    pub(crate) fn plan(&self, ask: &Ask<'_>, now: Instant) -> (Arc<Faults>, Plan) {
        let mut pages = self.pages();
        let faults = Arc::clone(&pages.faults);
        if faults.rules.is_empty() {
            return (faults, Plan::default());
        }
        let domain = OnceCell::new();
        let mut plan = Plan::default();
        for (at, rule) in faults.rules.iter().enumerate() {
            if selects(rule, ask, &domain) {
                pages.apply(at, rule, now, &mut plan);
            }
        }
        (faults, plan)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn new(seed: u64, faults: Faults) -> Self {
        let tallies = faults.rules.iter().map(|_| Tally::default()).collect();
        Self {
            faults: Arc::new(faults),
            tallies,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn apply(&mut self, at: usize, rule: &Rule, now: Instant, plan: &mut Plan) {
        let strikes = self.strikes(at, rule, plan);
        let tally = &mut self.tallies[at];
        match &rule.act {
            Act::Latency(latency) if strikes => plan.wait += latency.draw(&mut self.random),
            Act::StallMs(ms) => {
                if strikes {
                    let end = now + duration(*ms);
                    tally.stalled_until = tally.stalled_until.max(Some(end));
                    plan.wait += duration(*ms);
                } else if let Some(end) = tally.stalled_until {
                    plan.wait += end.saturating_duration_since(now);
                }
            }
            Act::Latency(_) => {}
            act if strikes => plan.act = Some(act.clone()),
            _ => {}
        }
    }

    /// Whether the rule strikes. One that a rule before it has pre-empted is neither counted nor
    /// spent.
    fn strikes(&mut self, at: usize, rule: &Rule, plan: &Plan) -> bool {
        let delay = matches!(rule.act, Act::Latency(_) | Act::StallMs(_));
        if !delay && plan.act.is_some() {
            return false;
        }
        let tally = &mut self.tallies[at];
        tally.selected += 1;
        let due = tally.selected > rule.skip && rule.times.is_none_or(|times| tally.struck < times);
        let strikes = due && (rule.probability >= 1.0 || self.random.f64() < rule.probability);
        tally.struck += u64::from(strikes);
        strikes
    }
}

fn selects(rule: &Rule, ask: &Ask<'_>, domain: &OnceCell<Option<String>>) -> bool {
    let path = rule.path.as_deref();
    let method = rule.method.as_deref();
    path.is_none_or(|prefix| ask.path.starts_with(prefix))
        && method.is_none_or(|method| ask.method.as_str().eq_ignore_ascii_case(method))
        && rule
            .domain
            .as_ref()
            .is_none_or(|wanted| domain.get_or_init(|| domain_of(ask)).as_ref() == Some(wanted))
}

/// The domain a request is about: the query's, the body's, or that of the body's action.
fn domain_of(ask: &Ask<'_>) -> Option<String> {
    if let Some(domain) = query::value(ask.query, "domain") {
        return Some(domain);
    }
    let body: Value = serde_json::from_slice(ask.body).ok()?;
    if let Some(domain) = body.get("domain").and_then(Value::as_str) {
        return Some(domain.to_owned());
    }
    let action = registry().action(body.get("action")?.as_str()?)?;
    Some(action.domain.clone())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::{HeaderMap, Method};
    use serde_json::json;

    use super::*;

    fn book(rules: Value) -> FaultBook {
        let faults = serde_json::from_value(json!({ "rules": rules })).expect("reads");
        FaultBook::new(1, faults)
    }

    fn plan_at(book: &FaultBook, path: &str, query: &str, body: Value, now: Instant) -> Plan {
        let ask = Ask {
            method: if body.is_null() { &Method::GET } else { &Method::POST },
            path,
            query,
            headers: &HeaderMap::new(),
            body: &Bytes::from(body.to_string()),
        };
        book.plan(&ask, now).1
    }

    fn plan(book: &FaultBook) -> Plan {
        plan_at(book, "/v1/x", "", Value::Null, Instant::now())
    }

    #[test]
    fn latency_comes_first_and_then_the_first_other_act() {
        let book = book(json!([
            {"act": "close"},
            {"act": {"latency": {"constant_ms": 5}}},
            {"act": "reset"},
            {"act": {"latency": {"constant_ms": 7}}},
        ]));
        let expected = Plan {
            wait: Duration::from_millis(12),
            act: Some(Act::Close),
        };
        assert_eq!(plan(&book), expected);
    }

    #[test]
    fn a_rule_leaves_the_first_alone_and_is_spent_after_its_times() {
        let book = book(json!([{"act": "reset", "skip": 2, "times": 3}]));
        let struck: Vec<bool> = (0..7).map(|_| plan(&book).act.is_some()).collect();
        assert_eq!(struck, [false, false, true, true, true, false, false]);
    }

    #[test]
    fn a_spent_rule_gives_way_to_the_next() {
        let book = book(json!([{"act": "reset", "times": 1}, {"act": "close", "times": 1}]));
        assert_eq!(plan(&book).act, Some(Act::Reset));
        assert_eq!(plan(&book).act, Some(Act::Close));
        assert_eq!(plan(&book).act, None);
    }

    #[test]
    fn the_same_seed_strikes_the_same_requests() {
        let rules = json!([{"act": "reset", "probability": 0.3}]);
        let run = |book: &FaultBook| (0..1000).map(|_| plan(book).act.is_some()).collect::<Vec<_>>();
        let book_one = book(rules.clone());
        let first = run(&book_one);
        assert_eq!(first, run(&book(rules)));
        let struck = first.iter().filter(|struck| **struck).count();
        assert!((250..350).contains(&struck), "{struck}");
        book_one.replace(book_one.faults().as_ref().clone());
        assert_eq!(first, run(&book_one), "replacing starts afresh");
    }

    #[test]
    fn a_domain_is_found_in_query_body_and_action() {
        let book = book(json!([{"act": "reset", "domain": "faults"}]));
        for (query, body, expected) in [
            ("domain=faults", Value::Null, true),
            ("domain=parts", Value::Null, false),
            ("", json!({"domain": "faults"}), true),
            ("", json!({"action": "view_fault_detail"}), true),
            ("", json!({"action": "view_part_details"}), false),
            ("", json!({"action": "no_such"}), false),
            ("", json!([1]), false),
            ("", Value::Null, false),
        ] {
            let got = plan_at(&book, "/v1/x", query, body.clone(), Instant::now());
            assert_eq!(got.act.is_some(), expected, "{query} {body}");
        }
    }

    #[test]
    fn path_is_a_prefix_and_method_ignores_case() {
        let book = book(json!([{"act": "reset", "path": "/v1/actions", "method": "post"}]));
        let now = Instant::now();
        let struck = |path, body| plan_at(&book, path, "", body, now).act.is_some();
        assert!(struck("/v1/actions/list", json!({})));
        assert!(!struck("/v1/actions/list", Value::Null), "a GET");
        assert!(!struck("/v1/services", json!({})));
    }

    #[test]
    fn what_arrives_during_a_stall_waits_for_its_end() {
        let book = book(json!([{"act": {"stall_ms": 100}, "times": 1, "path": "/a"}]));
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let wait = |path, ms| plan_at(&book, path, "", Value::Null, at(ms)).wait.as_millis();
        assert_eq!(wait("/a", 0), 100);
        assert_eq!(wait("/a", 30), 70);
        assert_eq!(wait("/b", 30), 0, "not selected by the rule");
        assert_eq!(wait("/a", 100), 0);
    }
}
