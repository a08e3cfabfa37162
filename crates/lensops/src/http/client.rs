//! Sends prepared requests over kept connections, and times their phases.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::{
    ControlCharacter, Exchange, Failure, FailureClass, PreparedRequest, Response, Route, Sender, Timings,
};
use tokio::time::Instant;

use super::connection::{Connection, Unanswered, decoded};
use super::failure::{proxy_wants_credentials, timed_out, unconnected};
use super::idle::Idle;
use crate::connect::{Connector, micros};

/// The time a request may take, connecting included.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Sends requests over kept connections.
///
/// A kept connection that ended before the first byte of an answer is replaced once, and the request sent
/// again: by its method it must be one that does no more twice than once.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    repeats_any: bool,
}

struct Inner {
    timeout: Duration,
    connector: Connector,
    idle: Idle,
}

impl Client {
    /// A client whose requests take `timeout` at most, connecting included.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self::over(Connector::system(), timeout)
    }

    /// A client over the connections of `connector`.
    #[must_use]
    pub fn over(connector: Connector, timeout: Duration) -> Self {
        let inner = Inner {
            timeout,
            connector,
            idle: Idle::default(),
        };
        Self {
            inner: Arc::new(inner),
            repeats_any: false,
        }
    }

    /// The same client for the probes of a monitor: any of them may be sent twice, whatever its method.
    #[must_use]
    pub fn for_probes(self) -> Self {
        Self {
            repeats_any: true,
            ..self
        }
    }

    fn repeats(&self, request: &PreparedRequest) -> bool {
        self.repeats_any || request.method.is_idempotent()
    }

    async fn open(&self, turn: &mut Attempt<'_>) -> Result<Connection, Failure> {
        let deadline = turn.deadline;
        let opened = async {
            let way = self.inner.connector.way(&turn.request.base, deadline).await?;
            Connection::open(&way, deadline, &mut turn.timings).await
        };
        opened.await.map_err(|error| unconnected(&error, self.inner.timeout))
    }

    /// Sends the request of `turn`, over a kept connection if there is one.
    async fn answer(&self, turn: &mut Attempt<'_>) -> Result<Response, Failure> {
        let key = turn.request.base.to_string();
        if let Some(mut kept) = self.inner.idle.take(&key) {
            match self.ask(turn, &mut kept).await? {
                Ok(answer) => return self.kept(key, kept, answer),
                Err(why) if why.is_replaceable(self.repeats(turn.request)) => turn.route.reconnected = true,
                Err(why) => return Err(self.unanswered(&why, &kept)),
            }
        }
        let mut fresh = self.open(turn).await?;
        match self.ask(turn, &mut fresh).await? {
            Ok(answer) => self.kept(key, fresh, answer),
            Err(why) => Err(self.unanswered(&why, &fresh)),
        }
    }

    async fn ask(
        &self,
        turn: &mut Attempt<'_>,
        connection: &mut Connection,
    ) -> Result<Result<(Response, bool), Unanswered>, Failure> {
        let bytes = turn.request.wire(connection.proxied.as_ref()).map_err(unwritable)?;
        turn.route = Route {
            reconnected: turn.route.reconnected,
            ..connection.route.clone()
        };
        Ok(connection.ask(&bytes, turn.deadline, &mut turn.timings).await)
    }

    fn kept(&self, key: String, connection: Connection, answer: (Response, bool)) -> Result<Response, Failure> {
        let (response, is_reusable) = answer;
        if response.status == 407
            && let Some(proxy) = &connection.forwarder
        {
            return Err(proxy_wants_credentials(proxy));
        }
        if is_reusable {
            self.inner.idle.keep(key, connection);
        }
        decoded(response)
    }

    fn unanswered(&self, why: &Unanswered, connection: &Connection) -> Failure {
        let through = connection.forwarder.as_ref();
        let through = through.map_or_else(String::new, |proxy| format!(" (through the proxy {proxy})"));
        match why {
            Unanswered::Late => timed_out(&format!("waiting for the answer{through}"), self.inner.timeout),
            Unanswered::Failed { error, .. } => Failure::new(error.class(), format!("{error}{through}")),
        }
    }
}

/// One request under way.
struct Attempt<'a> {
    request: &'a PreparedRequest,
    deadline: Instant,
    timings: Timings,
    route: Route,
}

impl Sender for Client {
    async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
        let (sent_at, started) = (Timestamp::now(), Instant::now());
        let mut attempt = Attempt {
            request: &request,
            // Looking up, connecting, sending and waiting share it.
            deadline: started + self.inner.timeout,
            timings: Timings::default(),
            route: Route::default(),
        };
        let result = self.answer(&mut attempt).await;
        let Attempt { mut timings, route, .. } = attempt;
        timings.total_us = micros(started.elapsed());
        Exchange {
            request,
            sent_at,
            result,
            timings,
            route,
        }
    }
}

fn unwritable(error: ControlCharacter) -> Failure {
    Failure::new(
        FailureClass::Connectivity,
        format!("the request cannot be sent: {error}"),
    )
}
