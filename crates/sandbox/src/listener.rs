//! A listener that can be closed, with its port kept, and opened again.
//!
//! A closed listener keeps a socket that is bound but does not listen: the system answers connection
//! attempts with a reset, and nobody else is handed the port. Both moves are immediate, so that
//! what follows them in a test cannot race them.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Room for a burst of connections before the accept loop gets a turn.
const BACKLOG: u32 = 4096;

#[derive(Debug)]
enum Socket {
    Listening(TcpListener),
    /// The socket that keeps the port; `None` when it could not be kept.
    Bound(Option<TcpSocket>),
}

#[derive(Debug)]
struct Inner {
    socket: Socket,
    waiting: Option<Waker>,
}

/// A listener on one address.
#[derive(Debug)]
pub(crate) struct Listener {
    addr: SocketAddr,
    runtime: Handle,
    inner: Mutex<Inner>,
    closings: watch::Sender<u64>,
}

impl Listener {
    /// Listens; must be called on a tokio runtime.
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let listener = reserve(addr)?.listen(BACKLOG)?;
        Ok(Self {
            addr: listener.local_addr()?,
            runtime: Handle::current(),
            inner: Mutex::new(Inner {
                socket: Socket::Listening(listener),
                waiting: None,
            }),
            closings: watch::Sender::new(0),
        })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The next connection, and what changes when it is to be cut; waits while the listener is closed.
    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, watch::Receiver<u64>)> {
        poll_fn(|cx| {
            let mut inner = self.inner();
            if let Socket::Listening(listener) = &inner.socket
                && let Poll::Ready(accepted) = listener.poll_accept(cx)
            {
                // Under the lock: a listener that closes now cuts this connection too.
                return Poll::Ready(accepted.map(|(stream, _)| (stream, self.closings.subscribe())));
            }
            inner.waiting = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Closes the listener, keeps the port, and cuts open connections.
    pub(crate) fn refuse(&self) {
        let _context = self.runtime.enter();
        let mut inner = self.inner();
        if matches!(inner.socket, Socket::Listening(_)) {
            inner.socket = Socket::Bound(None);
            inner.socket = Socket::Bound(reserve(self.addr).ok());
            self.closings.send_modify(|count| *count += 1);
        }
    }

    /// Opens the listener again on the same port.
    pub(crate) fn open(&self) -> io::Result<()> {
        let _context = self.runtime.enter();
        let mut inner = self.inner();
        if let Socket::Bound(kept) = &mut inner.socket {
            let socket = kept.take().map_or_else(|| reserve(self.addr), Ok)?;
            inner.socket = Socket::Listening(socket.listen(BACKLOG)?);
            if let Some(waiting) = inner.waiting.take() {
                waiting.wake();
            }
        }
        Ok(())
    }

    /// Closes the listener for good and gives the port up.
    pub(crate) fn shut(&self) {
        self.inner().socket = Socket::Bound(None);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket bound to the address that does not listen yet.
fn reserve(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // Connections of the last listener may linger on the port; without this they would block it.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}
