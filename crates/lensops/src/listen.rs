//! Serves a few small pages over HTTP: health, readiness, figures.
//!
//! It knows nothing of what it serves. What a stranger can take is bounded: so many connections at
//! once, so long for a request's head, so many bytes of it, one request a connection, and no body is
//! read. A router was not taken: there are three paths and one method.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at once; more wait to be accepted.
const AT_ONCE: usize = 64;

/// The time in which a request's head must be there.
const HEAD: Duration = Duration::from_secs(5);

/// The time that a connection has in all.
const WHOLE: Duration = Duration::from_secs(30);

/// The most bytes that a request's head may have.
const LARGEST_HEAD: usize = 16 * 1024;

/// Pause after a failed accept (out of file descriptors, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Its text.
    pub body: String,
}

/// What is served.
pub trait Pages: Send + Sync + 'static {
    /// The page at `path`; `None` where there is none.
    fn page(&self, path: &str) -> impl Future<Output = Option<Page>> + Send;
}

/// Serves `pages` to whoever connects to `listener`, until `stop` is cancelled.
pub async fn serve<P: Pages>(listener: TcpListener, pages: Arc<P>, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(seat) = room.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let pages = pages.clone();
                tokio::spawn(async move {
                    // However it ends, whoever asked has noticed.
                    tokio::time::timeout(WHOLE, connection(stream, &*pages)).await.ok();
                    drop(seat);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connection<P: Pages>(stream: TcpStream, pages: &P) {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(pages, &request).await) });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

async fn answer<P: Pages>(pages: &P, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let text = |status: u16, body: &str| Page {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.to_owned(),
    };
    let page = match *request.method() {
        Method::GET | Method::HEAD => pages
            .page(request.uri().path())
            .await
            .unwrap_or_else(|| text(404, "there are /healthz, /readyz and /metrics\n")),
        _ => text(405, "GET\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from(page.body)));
    *response.status_mut() = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(page.content_type));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    if page.status == 405 {
        headers.insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    }
    response
}
