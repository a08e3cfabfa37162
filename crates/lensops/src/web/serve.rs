//! Connections: how many, how long, and how much of a head. What a stranger can take is bounded.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use super::app::{App, Setup};
use super::guard::Peer;
use super::router::router;
use super::watcher;

/// Connections at once; more wait to be accepted.
const AT_ONCE: usize = 512;

/// The time in which a request's head must be there, and an idle connection is kept.
const HEAD: Duration = Duration::from_secs(5);

/// The time that a connection has in all. An event stream that is cut by it is asked for again.
const WHOLE: Duration = Duration::from_secs(20 * 60);

/// The most bytes that a request's head may have. A session's token is in it.
const LARGEST_HEAD: usize = 16 * 1024;

/// Pause after a failed accept (out of file descriptors, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the dashboard to whoever connects to `listener`, until `stop` is cancelled.
pub async fn serve(listener: TcpListener, setup: Setup, stop: CancellationToken) {
    let app = Arc::new(App::new(setup));
    let router = router(app.clone());
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    tasks.spawn(watcher::watch(app));
    loop {
        // Nobody closes it.
        let Ok(seat) = room.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            // Dropping the set ends whatever is still open.
            () = stop.cancelled() => return,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = router.clone();
                tasks.spawn(async move {
                    // However it ends, whoever asked has noticed.
                    tokio::time::timeout(WHOLE, connection(stream, Peer(peer.ip()), router))
                        .await
                        .ok();
                    drop(seat);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, peer: Peer, router: axum::Router) {
    // Rows are small and wanted at once.
    stream.set_nodelay(true).ok();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let mut router = router.clone();
        async move { Ok::<Response<Body>, Infallible>(router.call(request).await.unwrap_or_else(|never| match never {})) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}
