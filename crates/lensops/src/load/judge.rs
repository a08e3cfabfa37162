//! Judges what came of each request as every run does, and counts it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::{Exchange, Failure, FailureClass, Response, Route, Timings};
use lensops_core::plan::load_shape::Load;
use lensops_core::plan::request_template::Fill;
use lensops_core::verdict::judge::judge;
use lensops_core::verdict::outcome::{Outcome, Severity};
use tokio::time::Instant;

use super::broken::Broken;
use super::connection::Answer;
use super::tally::{Figures, MOST_UNASSERTED, UNASSERTED};
use super::target::{TargetState, is_asserted, is_small};
use super::task::Task;
use crate::connect::micros;

/// What a request came to, for the one who sends the next.
pub(super) struct Asked {
    pub(super) answered: bool,
    pub(super) at: Instant,
}

/// The most bytes of bodies that wait for their judgement.
const MOST_HELD: usize = 16 * 1024 * 1024;

/// One request under way.
pub(super) struct Request {
    pub(super) fill: Fill,
    /// From when its latency counts in an open load.
    pub(super) due: Option<Instant>,
    pub(super) started: Instant,
    pub(super) connect: Option<Duration>,
    /// Whether it was sent again over a new connection.
    pub(super) reconnected: bool,
    /// Whether it carries another credential than at the start.
    pub(super) renewed: bool,
    /// Whether it was sent again with that one.
    pub(super) refused: bool,
}

/// An answer of a burst that is judged when the others are in.
struct Held {
    target: usize,
    request: Request,
    answer: Answer,
}

/// Judges and counts for one worker.
pub(super) struct Judge {
    task: Task,
    figures: RefCell<Vec<Figures>>,
    targets: Vec<TargetState>,
    measured_from: Cell<Option<Instant>>,
    held: RefCell<Vec<Held>>,
    held_bytes: Cell<usize>,
}

impl Judge {
    pub(super) fn new(task: &Task) -> Self {
        Self {
            figures: RefCell::new(empty(task)),
            targets: task.targets.iter().map(|_| TargetState::default()).collect(),
            measured_from: Cell::new(None),
            held: RefCell::default(),
            held_bytes: Cell::new(0),
            task: task.clone(),
        }
    }

    /// What is remembered of each target.
    pub(super) fn targets(&self) -> &[TargetState] {
        &self.targets
    }

    /// The load begins now.
    pub(super) fn begin(&self, start: Instant) {
        self.measured_from.set(Some(start + self.task.warm_up));
    }

    /// What was counted since the last time.
    pub(super) fn take_figures(&self) -> Vec<Figures> {
        self.figures.replace(empty(&self.task))
    }

    /// A request that was due and never sent.
    pub(super) fn unsent(&self, target: usize, due: Instant, now: Instant) {
        let figures = &mut self.figures.borrow_mut()[target];
        figures.planned += 1;
        figures.unsent += 1;
        figures.waited.record(micros(now.saturating_duration_since(due)));
    }

    /// A request that leaves late.
    pub(super) fn late(&self, target: usize, due: Instant) {
        if self.is_measured(due) {
            self.figures.borrow_mut()[target].late += 1;
        }
    }

    fn is_measured(&self, at: Instant) -> bool {
        self.measured_from.get().is_some_and(|from| at >= from)
    }

    /// Counts an answer, now or when those of the burst are in.
    pub(super) fn answered(&self, target: usize, request: Request, answer: Answer) -> Asked {
        let at = answer.at;
        if self.holds(target, &answer) {
            self.held.borrow_mut().push(Held {
                target,
                request,
                answer,
            });
        } else {
            self.judge(target, &request, answer);
        }
        Asked { answered: true, at }
    }

    /// Whether `answer` is judged later: reading JSON takes longer than the answers of a burst are
    /// apart, and those that are complete already would seem to come when it is their turn.
    fn holds(&self, target: usize, answer: &Answer) -> bool {
        let needs_json = self.task.targets[target].expect.needs_json();
        let size = answer.whole.as_ref().map_or(0, |whole| whole.body.len());
        let held = self.held_bytes.get() + size;
        if !matches!(self.task.load, Load::Burst(_)) || !needs_json || held > MOST_HELD {
            return false;
        }
        self.held_bytes.set(held);
        true
    }

    /// Judges what was put off.
    pub(super) fn judge_held(&self) {
        self.held_bytes.set(0);
        for held in self.held.take() {
            self.judge(held.target, &held.request, held.answer);
        }
    }

    fn judge(&self, target: usize, request: &Request, answer: Answer) {
        let Answer { status, whole, at } = answer;
        let spec = &self.task.targets[target];
        let state = &self.targets[target];
        let service = micros(at.saturating_duration_since(request.started));
        let why = whole.and_then(|response| {
            let exchange = self.exchange(target, request, Ok(response), service);
            let outcomes = judge(&spec.expect, Severity::Fail, &spec.dialect, &exchange);
            let why = outcomes
                .iter()
                .find_map(Outcome::broken)
                .map(|(_, why)| why.to_string());
            self.keep(target, status, why.is_some(), exchange);
            why
        });
        let unexpected = why.is_some() || !is_asserted(spec, status);
        let counted_from = request.due.unwrap_or(request.started);
        // A warm-up is left out of the figures; a failure in it is not.
        if !self.is_measured(counted_from) && !unexpected {
            return;
        }
        let figures = &mut self.figures.borrow_mut()[target];
        figures.planned += 1;
        figures.answered(status, micros(at.saturating_duration_since(counted_from)));
        if request.due.is_some() {
            figures.service.record(service);
        }
        if let Some(connect) = request.connect {
            figures.connects.record(micros(connect));
        }
        figures.reconnected += u64::from(request.reconnected);
        figures.renewed += u64::from(request.refused);
        if unexpected {
            figures.unexpected += 1;
            state.unasserted.set(state.unasserted.get() + 1);
            figures.first_unexpected = figures.first_unexpected.take().or(why);
        }
    }

    /// Counts a request that has no answer.
    pub(super) fn broken(&self, target: usize, request: &Request, why: Broken) -> Asked {
        let at = Instant::now();
        let total = micros(at.saturating_duration_since(request.due.unwrap_or(request.started)));
        let class = why.failure.class;
        let figures = &mut self.figures.borrow_mut()[target];
        figures.planned += 1;
        if why.own {
            figures.own_faults += 1;
            return Asked { answered: false, at };
        }
        figures.failed(class, 1);
        if class == FailureClass::Timeout {
            figures.waited.record(total);
        }
        let mut failures = self.targets[target].failures.borrow_mut();
        if !failures.contains(&class) {
            failures.push(class);
            let exchange = self.exchange(target, request, Err(why.failure), total);
            figures.kept.push((class.as_str().to_owned(), exchange));
        }
        Asked { answered: false, at }
    }

    /// Keeps the first exchange of each status, and unasserted ones up to a bound.
    fn keep(&self, target: usize, status: u16, unasserted: bool, exchange: Exchange) {
        let state = &self.targets[target];
        let mut statuses = state.statuses.borrow_mut();
        let label = if !statuses.contains(&status) {
            statuses.push(status);
            status.to_string()
        } else if unasserted && state.unasserted.get() < MOST_UNASSERTED && is_small(&exchange) {
            format!("{UNASSERTED} {status}")
        } else {
            return;
        };
        self.figures.borrow_mut()[target].kept.push((label, exchange));
    }

    fn exchange(&self, target: usize, request: &Request, result: Result<Response, Failure>, total_us: u64) -> Exchange {
        let spec = &self.task.targets[target];
        let sent = match request.renewed {
            true => spec.current().0,
            false => &spec.prebuilt,
        };
        let elapsed = jiff::SignedDuration::from_micros(i64::try_from(total_us).unwrap_or(0));
        let now = Timestamp::now();
        Exchange {
            request: Arc::new(sent.sent(request.fill)),
            sent_at: now.checked_sub(elapsed).unwrap_or(now),
            result,
            timings: Timings {
                connect_us: request.connect.map(micros),
                total_us,
                ..Timings::default()
            },
            route: Route {
                reconnected: request.reconnected,
                ..Route::default()
            },
        }
    }
}

fn empty(task: &Task) -> Vec<Figures> {
    task.targets.iter().map(|_| Figures::default()).collect()
}
