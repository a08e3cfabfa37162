//! Reads HTTP/1.1 answers as they arrive, in whatever pieces.
//!
//! httparse reads the head; lengths, chunks and the end of a connection are read here. A head that
//! is byte for byte the last one is not parsed again, which is the common case under load. Nothing
//! of a body is kept unless asked for. hyper was not taken on this path: its general machinery
//! costs more processor time per request than the parsing does.

use std::mem::MaybeUninit;

use lensops_core::exchange::Response;

/// The largest head that is read, and the largest trailer.
const LARGEST_HEAD: usize = 64 * 1024;

/// The largest body that is read, as for every other request of lensops.
const LARGEST_BODY: u64 = 8 * 1024 * 1024;

/// The most headers of an answer.
const MOST_HEADERS: usize = 100;

/// Why bytes are no answer, one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(String);

fn malformed<T>(why: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(why.into()))
}

/// What a head says of the answer that it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The status.
    pub(super) status: u16,
    /// Whether the connection ends with this answer.
    pub(super) closes: bool,
    body: Body,
    old: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Length(u64),
    Chunked,
    UntilClose,
}

/// The last head that was parsed, and what it says.
#[derive(Debug, Clone, Default)]
pub(super) struct HeadCache {
    bytes: Vec<u8>,
    head: Option<Head>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
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

/// Reads one answer after the other.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    state: State,
    /// A head of which only a part has come.
    part: Vec<u8>,
    head: Option<Head>,
    body_bytes: u64,
    kept: Option<Response>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            state: State::Head,
            part: Vec::new(),
            head: None,
            body_bytes: 0,
            kept: None,
        }
    }
}

impl Reader {
    /// Makes ready for the next answer.
    pub(super) fn begin(&mut self) {
        self.state = State::Head;
        self.part.clear();
        self.head = None;
        self.body_bytes = 0;
        self.kept = None;
    }

    /// Whether the answer is complete.
    #[must_use]
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether any of the answer has come.
    #[must_use]
    pub(super) fn has_begun(&self) -> bool {
        self.head.is_some() || !self.part.is_empty()
    }

    /// The head, once it is complete.
    #[must_use]
    pub(super) fn head(&self) -> Option<Head> {
        self.head
    }

    /// The whole answer, where it was to be kept and is complete.
    pub(super) fn take_response(&mut self) -> Option<Response> {
        self.kept.take().filter(|_| self.is_done())
    }

    /// Reads `data` and says how much of it belongs to this answer. `keep` decides by status
    /// whether the whole answer is kept.
    ///
    /// # Errors
    /// When `data` cannot go on this answer. The connection is then of no more use.
    pub(super) fn feed(
        &mut self,
        data: &[u8],
        cache: &mut HeadCache,
        keep: &dyn Fn(u16) -> bool,
    ) -> Result<usize, Malformed> {
        let mut used = 0;
        while used < data.len() && self.state != State::Done {
            used += match self.state {
                State::Head => self.feed_head(&data[used..], cache, keep)?,
                _ => self.feed_body(&data[used..])?,
            };
        }
        Ok(used)
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// When the answer had not.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        match (self.state, self.head) {
            (State::Done, _) => Ok(()),
            (State::UntilClose, _) => {
                self.state = State::Done;
                Ok(())
            }
            (_, Some(head)) => malformed(format!("{} with a body that breaks off", head.status)),
            _ if self.part.is_empty() => malformed("the connection was closed without an answer"),
            _ => malformed("the head of the answer breaks off"),
        }
    }

    fn feed_head(
        &mut self,
        data: &[u8],
        cache: &mut HeadCache,
        keep: &dyn Fn(u16) -> bool,
    ) -> Result<usize, Malformed> {
        if self.part.is_empty() {
            if let Some(head) = cache.head.filter(|_| data.starts_with(&cache.bytes)) {
                let size = cache.bytes.len();
                self.begin_body(head, &data[..size], keep)?;
                return Ok(size);
            }
            return match parse(data)? {
                Some((size, head)) => {
                    remember(cache, &data[..size], head);
                    self.begin_body(head, &data[..size], keep)?;
                    Ok(size)
                }
                None => self.carry(data),
            };
        }
        let before = self.part.len();
        self.carry(data)?;
        let part = std::mem::take(&mut self.part);
        match parse(&part)? {
            Some((size, head)) => {
                self.begin_body(head, &part[..size], keep)?;
                // What was carried over before was no whole head, so it ends in this piece.
                Ok(size.saturating_sub(before))
            }
            None => {
                self.part = part;
                Ok(data.len())
            }
        }
    }

    fn carry(&mut self, data: &[u8]) -> Result<usize, Malformed> {
        if self.part.len() + data.len() > LARGEST_HEAD {
            return malformed(format!("a head of more than {LARGEST_HEAD} bytes"));
        }
        self.part.extend_from_slice(data);
        Ok(data.len())
    }

    fn begin_body(&mut self, head: Head, bytes: &[u8], keep: &dyn Fn(u16) -> bool) -> Result<(), Malformed> {
        if head.status < 200 {
            // An interim answer; the real one follows. Nobody asked to switch protocols.
            return if head.status == 101 {
                malformed("101 without having been asked to switch protocols")
            } else {
                Ok(())
            };
        }
        self.head = Some(head);
        self.state = match head.body {
            Body::Length(0) => State::Done,
            Body::Length(size) if size > LARGEST_BODY => return too_large(head.status),
            Body::Length(size) => State::Length(size),
            Body::Chunked => CHUNK_BEGINS,
            Body::UntilClose => State::UntilClose,
        };
        if keep(head.status) {
            self.kept = Some(whole(bytes, head)?);
        }
        Ok(())
    }

    fn feed_body(&mut self, data: &[u8]) -> Result<usize, Malformed> {
        match self.state {
            State::Length(left) | State::ChunkData(left) => {
                let size = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
                self.take_body(&data[..size])?;
                let left = left - size as u64;
                self.state = match (self.state, left) {
                    (State::Length(_), 0) => State::Done,
                    (State::Length(_), left) => State::Length(left),
                    (_, 0) => State::ChunkEnd(0),
                    (_, left) => State::ChunkData(left),
                };
                Ok(size)
            }
            State::UntilClose => {
                self.take_body(data)?;
                Ok(data.len())
            }
            _ => {
                self.state = self.frame(data[0])?;
                Ok(1)
            }
        }
    }

    fn take_body(&mut self, data: &[u8]) -> Result<(), Malformed> {
        self.body_bytes += data.len() as u64;
        if self.body_bytes > LARGEST_BODY {
            return too_large(self.head.map_or(0, |head| head.status));
        }
        if let Some(response) = &mut self.kept {
            response.body.extend_from_slice(data);
        }
        Ok(())
    }

    /// One byte between chunks.
    fn frame(&self, byte: u8) -> Result<State, Malformed> {
        Ok(match (self.state, byte) {
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
}

const CHUNK_BEGINS: State = State::ChunkSize {
    size: 0,
    digits: 0,
    extension: false,
    read: 0,
};

fn too_large<T>(status: u16) -> Result<T, Malformed> {
    malformed(format!("{status} with a body of more than {LARGEST_BODY} bytes"))
}

fn remember(cache: &mut HeadCache, bytes: &[u8], head: Head) {
    cache.bytes.clear();
    cache.bytes.extend_from_slice(bytes);
    cache.head = Some(head);
}

/// The head at the start of `data` and its size; `None` when there is more of it to come.
fn parse(data: &[u8]) -> Result<Option<(usize, Head)>, Malformed> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, data, &mut headers)
        .map_err(|error| Malformed(format!("the answer is not HTTP: {error}")))?;
    let httparse::Status::Complete(size) = parsed else {
        return Ok(None);
    };
    let (status, old) = (response.code.unwrap_or(0), response.version == Some(0));
    if !(100..=599).contains(&status) {
        return malformed(format!("the answer is not HTTP: status {status}"));
    }
    Ok(Some((size, understand(status, old, response.headers)?)))
}

fn understand(status: u16, old: bool, headers: &[httparse::Header<'_>]) -> Result<Head, Malformed> {
    let (mut length, mut chunked, mut closes) = (None, false, old);
    for header in headers {
        let named = |name: &str| header.name.eq_ignore_ascii_case(name);
        match header.name.len() {
            10 if named("connection") => {
                for token in header.value.split(|byte| *byte == b',') {
                    match token.trim_ascii() {
                        token if token.eq_ignore_ascii_case(b"close") => closes = true,
                        token if token.eq_ignore_ascii_case(b"keep-alive") => closes = false,
                        _ => {}
                    }
                }
            }
            14 if named("content-length") => {
                let size = number(header.value)?;
                if length.is_some_and(|earlier| earlier != size) {
                    return malformed("two lengths that differ");
                }
                length = Some(size);
            }
            17 if named("transfer-encoding") => {
                if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") || chunked {
                    return malformed("a transfer encoding other than chunked");
                }
                chunked = true;
            }
            _ => {}
        }
    }
    let body = match (chunked, length) {
        _ if status < 200 || matches!(status, 204 | 304) => Body::Length(0),
        (true, _) => Body::Chunked,
        (false, Some(size)) => Body::Length(size),
        (false, None) => Body::UntilClose,
    };
    Ok(Head {
        status,
        // A length beside chunks is what smuggled answers look like: read, and not trusted further.
        closes: closes || body == Body::UntilClose || (chunked && length.is_some()),
        body,
        old,
    })
}

fn number(value: &[u8]) -> Result<u64, Malformed> {
    let digits = value.trim_ascii();
    let valid = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    if !valid {
        return malformed("a length that is no number");
    }
    Ok(digits
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// The answer that `bytes` begin, with its headers and an empty body.
fn whole(bytes: &[u8], head: Head) -> Result<Response, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    response
        .parse(bytes)
        .map_err(|error| Malformed(format!("the answer is not HTTP: {error}")))?;
    Ok(Response {
        version: if head.old { "HTTP/1.0" } else { "HTTP/1.1" },
        status: head.status,
        headers: response
            .headers
            .iter()
            .map(|header| {
                (
                    header.name.to_owned(),
                    String::from_utf8_lossy(header.value).into_owned(),
                )
            })
            .collect(),
        body: Vec::new(),
    })
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod fuzz;
