//! Sends one request: whose turn it is, what its placeholders hold, and over which connection.

use std::cell::{Cell, RefCell};

use lensops_core::exchange::FailureClass;
use lensops_core::plan::request_template::{Fill, Prebuilt};
use tokio::time::Instant;

use super::broken::Broken;
use super::connection::{Answer, Connection};
use super::judge::{Asked, Judge, Request};
use super::target::is_asserted;
use super::task::Task;
use crate::http1::decode;

/// Sends the requests of one worker, and has a judge for what comes of them.
pub(super) struct Requester {
    task: Task,
    judge: Judge,
    random: RefCell<fastrand::Rng>,
}

impl Requester {
    pub(super) fn new(task: &Task) -> Self {
        Self {
            judge: Judge::new(task),
            random: RefCell::new(fastrand::Rng::with_seed(task.seed ^ u64::from(task.worker))),
            task: task.clone(),
        }
    }

    /// Who judges and counts what comes of the requests.
    pub(super) fn judge(&self) -> &Judge {
        &self.judge
    }

    /// The target whose turn it is: each as often as its weight says, spread evenly.
    pub(super) fn pick(&self) -> usize {
        let states = self.judge.targets();
        if states.len() == 1 {
            return 0;
        }
        let targets = &self.task.targets;
        let total: i64 = targets.iter().map(|target| i64::from(target.weight)).sum();
        for (target, state) in targets.iter().zip(states) {
            state.turn.set(state.turn.get() + i64::from(target.weight));
        }
        let turns = states.iter().map(|state| state.turn.get()).enumerate();
        let chosen = turns.rev().max_by_key(|(_, turn)| *turn).map_or(0, |(index, _)| index);
        let turn = &states[chosen].turn;
        turn.set(turn.get() - total);
        chosen
    }

    /// Sends the next request of `target` over `connection`.
    pub(super) async fn ask(
        &self,
        connection: &mut Connection,
        target: usize,
        due: Option<Instant>,
        now: Instant,
    ) -> Asked {
        let deadline = due.unwrap_or(now) + self.task.timeout;
        let mut request = Request {
            fill: self.fill(target),
            due,
            started: now,
            connect: None,
            reconnected: false,
            renewed: false,
            refused: false,
        };
        let spec = &self.task.targets[target];
        let state = &self.judge.targets()[target];
        let claimed = Cell::new(false);
        let keep = |status| {
            claimed.set(!spec.expect.needs_json() && state.keeps(spec, status));
            state.keeping.set(state.keeping.get() + u32::from(claimed.get()));
            claimed.get() || spec.expect.needs_json()
        };
        let (prebuilt, renewed) = spec.current();
        request.renewed = renewed;
        let mut answer = self.answer(connection, prebuilt, &mut request, deadline, &keep).await;
        if let (false, Some(renewal), Ok(refused)) = (renewed, &spec.renewal, &answer)
            && refused.status == 401
            && !is_asserted(spec, 401)
            && let Some(prebuilt) = renewal.renew().await
        {
            (request.renewed, request.refused, request.started) = (true, true, Instant::now());
            let deadline = request.started + self.task.timeout;
            answer = self.answer(connection, prebuilt, &mut request, deadline, &keep).await;
        }
        state.keeping.set(state.keeping.get() - u32::from(claimed.get()));
        if !self.task.reuse {
            connection.close();
        }
        let answer = match answer {
            Ok(answer) if answer.whole.is_some() => decoded(answer),
            answer => answer,
        };
        match answer {
            Ok(answer) => self.judge.answered(target, request, answer),
            Err(why) => self.judge.broken(target, &request, why),
        }
    }

    /// The answer to `prebuilt`. A kept connection that its server ended before the first byte of one is replaced
    /// once, where nothing was sent or the method allows to send it twice.
    async fn answer(
        &self,
        connection: &mut Connection,
        prebuilt: &Prebuilt,
        request: &mut Request,
        deadline: Instant,
        keep: &dyn Fn(u16) -> bool,
    ) -> Result<Answer, Broken> {
        let mut filled = Vec::new();
        let bytes = prebuilt.same().unwrap_or_else(|| {
            prebuilt.fill(request.fill, &mut filled);
            &filled
        });
        if !connection.is_open() {
            self.open(connection, request, request.started, deadline).await?;
        }
        match connection.ask(bytes, deadline, keep).await {
            Ok(answer) => return Ok(answer),
            Err(ended) if !ended.stale || (ended.sent && !prebuilt.is_idempotent()) => return Err(ended.why),
            Err(_) => request.reconnected = true,
        }
        self.open(connection, request, Instant::now(), deadline).await?;
        connection.ask(bytes, deadline, keep).await.map_err(|ended| ended.why)
    }

    /// Opens `connection` where it is not. What that took from `now` on is no part of the request's time.
    async fn open(
        &self,
        connection: &mut Connection,
        request: &mut Request,
        now: Instant,
        deadline: Instant,
    ) -> Result<(), Broken> {
        if let Some(connect) = connection.open(&self.task.way, now, deadline).await? {
            request.connect = Some(connect);
            request.started += connect;
        }
        Ok(())
    }

    fn fill(&self, target: usize) -> Fill {
        if self.task.targets[target].prebuilt.same().is_some() {
            return Fill { count: 0, random: 0 };
        }
        let count = &self.judge.targets()[target].count;
        let mine = count.replace(count.get() + 1);
        Fill {
            // Workers count in turn, so that no two requests have the same number.
            count: mine * u64::from(self.task.workers) + u64::from(self.task.worker),
            random: self.random.borrow_mut().u128(..),
        }
    }
}

/// The answer with its body as it was before its encoding, where it was kept.
fn decoded(answer: Answer) -> Result<Answer, Broken> {
    let whole = answer.whole.map(decode).transpose();
    Ok(Answer {
        whole: whole.map_err(|error| Broken::of(FailureClass::BadBody, error.to_string()))?,
        ..answer
    })
}
