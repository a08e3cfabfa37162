//! Reads HTTP/1.1 answers as they arrive, in whatever pieces.
//!
//! httparse reads the head; lengths, chunks and the end of a connection are read here. A head that
//! is byte for byte the last one is not parsed again, which is the common case under load. Nothing
//! of a body is kept unless asked for.
//!
//! It is the one reader: single requests, the stress engine and the handshake with a proxy read with it, so
//! that they agree on every framing. hyper was not taken: it reads a `Transfer-Encoding` beside a length
//! and endless interim answers, refuses `Content-Length: 2, 2`, hides on which connection a request went, and
//! its general machinery costs more processor time per request than the parsing does.

mod coding;
mod framing;
mod head;
mod malformed;
mod reader;
mod turn;

pub(crate) use coding::decode;
pub(crate) use head::HeadCache;
pub(crate) use reader::Reader;
pub(crate) use turn::{Reading, Turn, TurnError, turn};

#[cfg(test)]
mod tests;

#[cfg(test)]
mod fuzz;
