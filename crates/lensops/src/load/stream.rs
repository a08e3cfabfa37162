//! A stream to the peer, plain or encrypted, and how it is opened.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use lensops_core::exchange::FailureClass;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::broken::Broken;
use super::peer::Peer;
use crate::connect::{TcpError, tcp};

pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => {
                let size = std::task::ready!(Pin::new(&mut **stream).poll_write(cx, bytes))?;
                // What TLS still holds back goes out with the next poll at the latest.
                let _sent_later = Pin::new(&mut **stream).poll_flush(cx)?;
                Poll::Ready(Ok(size))
            }
        }
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
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

/// Opens a stream to `peer`.
pub(super) async fn connect(peer: &Peer) -> Result<Stream, Broken> {
    let addresses = match &peer.addresses {
        Ok(addresses) => addresses,
        Err(why) => return Err(Broken::of(FailureClass::Connectivity, why.clone())),
    };
    let stream = tcp(addresses).await.map_err(|error| match error {
        TcpError::NoAddress => Broken::of(FailureClass::Connectivity, "the host has no address"),
        TcpError::Refused(address) => {
            Broken::of(FailureClass::Connectivity, format!("connection refused by {address}"))
        }
        TcpError::Failed(_, error) | TcpError::Options(error) => Broken::connectivity(&error),
    })?;
    encrypt(stream, peer).await
}

async fn encrypt(stream: TcpStream, peer: &Peer) -> Result<Stream, Broken> {
    match &peer.tls {
        None => Ok(Stream::Tcp(stream)),
        Some(Err(why)) => Err(Broken::of(FailureClass::Tls, why.clone())),
        Some(Ok((connector, name))) => connector
            .connect(name.clone(), stream)
            .await
            .map(|stream| Stream::Tls(Box::new(stream)))
            .map_err(|error| Broken::of(FailureClass::Tls, error.to_string())),
    }
}
