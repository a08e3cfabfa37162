//! What delimits a body, byte by byte: lengths, chunks and trailers.

use super::head::LARGEST_HEAD;
use super::malformed::{Malformed, malformed};

/// Where in an answer the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Head,
    /// So many bytes of the body are to come.
    Length(u64),
    UntilClose,
    /// The size of a chunk: value and digits so far, and whether its extension has begun.
    ChunkSize {
        size: u64,
        digits: u8,
        extension: bool,
        read: usize,
    },
    /// The line feed behind a chunk's size.
    ChunkSizeEnd(u64),
    ChunkData(u64),
    /// The line end behind a chunk: how much of it came.
    ChunkEnd(u8),
    /// Bytes of the trailer so far, and of its present line.
    Trailer {
        read: usize,
        line: usize,
    },
    Done,
}

/// A chunk begins: nothing of its size has come.
pub(super) const CHUNK_BEGINS: State = State::ChunkSize {
    size: 0,
    digits: 0,
    extension: false,
    read: 0,
};

/// What follows `state` after one byte between chunks.
pub(super) fn frame(state: State, byte: u8) -> Result<State, Malformed> {
    Ok(match (state, byte) {
        (State::ChunkSize { digits: 0, .. }, b'\r' | b';' | b' ') => return malformed("a chunk without a size"),
        (State::ChunkSize { size, .. }, b'\r') => State::ChunkSizeEnd(size),
        (State::ChunkSize { read, .. }, _) if read > LARGEST_HEAD => {
            return malformed("a chunk extension too long");
        }
        (
            State::ChunkSize {
                size,
                digits,
                extension,
                read,
            },
            byte,
        ) => {
            let read = read + 1;
            let extension = extension || matches!(byte, b';' | b' ' | b'\t');
            match (extension, char::from(byte).to_digit(16)) {
                (true, _) if byte != b'\n' => State::ChunkSize {
                    size,
                    digits,
                    extension,
                    read,
                },
                (false, Some(digit)) if digits < 15 => State::ChunkSize {
                    size: size * 16 + u64::from(digit),
                    digits: digits + 1,
                    extension,
                    read,
                },
                _ => return malformed("a chunk size that is no number"),
            }
        }
        (State::ChunkSizeEnd(0), b'\n') => State::Trailer { read: 0, line: 0 },
        (State::ChunkSizeEnd(size), b'\n') => State::ChunkData(size),
        (State::ChunkEnd(0), b'\r') => State::ChunkEnd(1),
        (State::ChunkEnd(1), b'\n') => CHUNK_BEGINS,
        (State::Trailer { read, .. }, _) if read > LARGEST_HEAD => return malformed("a trailer too long"),
        (State::Trailer { line: 0, .. }, b'\n') => State::Done,
        (State::Trailer { read, .. }, b'\n') => State::Trailer {
            read: read + 1,
            line: 0,
        },
        (State::Trailer { read, line }, b'\r') => State::Trailer { read: read + 1, line },
        (State::Trailer { read, line }, _) => State::Trailer {
            read: read + 1,
            line: line + 1,
        },
        _ => return malformed("a chunk that does not end where it said"),
    })
}
