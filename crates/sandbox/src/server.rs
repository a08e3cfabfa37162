//! Accept loops and connections.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::body::Wire;
use crate::listener::Listener;
use crate::state::State;
use crate::{control, dispatch};

/// How long [`crate::Sandbox::stop`] lets requests under way finish before it cuts them off.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Pause after a failed accept (out of file descriptors, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Whether the sandbox goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Stopping,
}

/// Serves the API until told to stop.
pub(crate) async fn serve_api(state: Arc<State>, mut phase: watch::Receiver<Phase>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    while let Some((stream, cut)) = next(&state.listener, &mut connections, &mut phase).await {
        number += 1;
        let connection = api_connection(Arc::clone(&state), stream, number, cut, phase.clone());
        connections.spawn(connection);
    }
    state.listener.shut();
    finish(connections).await;
}

/// Serves the control port until told to stop.
pub(crate) async fn serve_control(state: Arc<State>, listener: Listener, mut phase: watch::Receiver<Phase>) {
    let mut connections = JoinSet::new();
    while let Some((stream, _)) = next(&listener, &mut connections, &mut phase).await {
        let connection = control_connection(Arc::clone(&state), stream, phase.clone());
        connections.spawn(connection);
    }
    drop(listener);
    finish(connections).await;
}

/// The next connection; `None` when it is time to stop. Reaps finished ones on the way.
async fn next(
    listener: &Listener,
    connections: &mut JoinSet<()>,
    phase: &mut watch::Receiver<Phase>,
) -> Option<(TcpStream, watch::Receiver<u64>)> {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(connection) => return Some(connection),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
            () = stopping(phase) => return None,
        }
    }
}

/// Waits for the end; a sandbox that is gone has ended too.
async fn stopping(phase: &mut watch::Receiver<Phase>) {
    drop(phase.wait_for(|phase| *phase == Phase::Stopping).await);
}

async fn finish(mut connections: JoinSet<()>) {
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_GRACE, all).await.is_err() {
        connections.shutdown().await;
    }
}

async fn api_connection(
    state: Arc<State>,
    stream: TcpStream,
    number: u64,
    mut cut: watch::Receiver<u64>,
    mut phase: watch::Receiver<Phase>,
) {
    prepare(&stream);
    let (wire, reset) = Wire::new(stream);
    let service = service_fn(|request| dispatch::answer(&state, &reset, number, request));
    let connection = http1::Builder::new().serve_connection(wire, service);
    tokio::pin!(connection);
    tokio::select! {
        // However a connection ends, its client has noticed; nobody here needs to be told.
        _ = connection.as_mut() => {}
        _ = cut.changed() => {}
        () = stopping(&mut phase) => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

async fn control_connection(state: Arc<State>, stream: TcpStream, mut phase: watch::Receiver<Phase>) {
    prepare(&stream);
    let service = service_fn(|request| {
        let state = &state;
        async move { Ok::<_, Infallible>(control::answer(state, request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stopping(&mut phase) => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

fn prepare(stream: &TcpStream) {
    // Without it small answers wait for the client's delayed acknowledgement. A socket that
    // refuses is slower, not wrong.
    drop(stream.set_nodelay(true));
}
