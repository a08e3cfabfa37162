//! Reads HTTP/1.1 answers as they arrive, in whatever pieces.
//!
//! httparse reads the head; lengths, chunks and the end of a connection are read here. A head that
//! is byte for byte the last one is not parsed again, which is the common case under load. Nothing
//! of a body is kept unless asked for. hyper was not taken on this path: its general machinery
//! costs more processor time per request than the parsing does.

mod framing;
mod head;
mod malformed;
mod reader;

pub(super) use head::HeadCache;
pub(super) use reader::Reader;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod fuzz;
