//! A stream to an API: plain, or encrypted, or encrypted within what is encrypted to a proxy.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// An open stream.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<Stream>>),
}

/// What has come on a stream that nothing was asked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing.
    Quiet,
    /// Bytes, one of which was taken off.
    Spoke,
    /// Its end.
    Ended,
}

impl Stream {
    /// Looks what has come, without waiting. On plain TCP it costs no system call while nothing has.
    pub(crate) fn look(&mut self) -> Look {
        let mut byte = [0];
        let read = match self {
            Self::Tcp(stream) => stream.try_read(&mut byte),
            Self::Tls(stream) => {
                let mut buffer = ReadBuf::new(&mut byte);
                match Pin::new(&mut **stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer) {
                    Poll::Pending => return Look::Quiet,
                    Poll::Ready(read) => read.map(|()| buffer.filled().len()),
                }
            }
        };
        match read {
            Ok(1..) => Look::Spoke,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Look::Quiet,
            Ok(0) | Err(_) => Look::Ended,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => {
                let _sent = Pin::new(&mut **stream).poll_flush(cx)?;
                match Pin::new(&mut **stream).poll_read(cx, buffer) {
                    // A server that closes without saying goodbye has closed all the same: whether
                    // the answer was complete is told by its length.
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                    other => other,
                }
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => {
                let size = ready!(Pin::new(&mut **stream).poll_write(cx, bytes))?;
                // What TLS still holds back goes out with the next poll at the latest.
                let _sent_later = Pin::new(&mut **stream).poll_flush(cx)?;
                Poll::Ready(Ok(size))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}
