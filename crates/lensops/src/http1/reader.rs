//! Reads one answer after the other from the pieces that a connection gives.

use lensops_core::exchange::Response;

use super::framing::{CHUNK_BEGINS, State, frame};
use super::head::{Body, Head, HeadCache, LARGEST_HEAD, parse, whole};
use super::malformed::{Malformed, malformed};

/// The largest body that is read.
pub(super) const LARGEST_BODY: u64 = 8 * 1024 * 1024;

/// Reads one answer after the other.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    state: State,
    /// A head of which only a part has come.
    part: Vec<u8>,
    head: Option<Head>,
    body_bytes: u64,
    kept: Option<Response>,
    /// Interim answers so far.
    interim: u8,
    /// Whether the answer has a head alone, as that to HEAD or CONNECT.
    head_only: bool,
}

/// The most interim answers (1xx) before the real one.
const MOST_INTERIM: u8 = 16;

impl Default for Reader {
    fn default() -> Self {
        Self {
            state: State::Head,
            part: Vec::new(),
            head: None,
            body_bytes: 0,
            kept: None,
            interim: 0,
            head_only: false,
        }
    }
}

impl Reader {
    /// Makes ready for the next answer.
    pub(crate) fn begin(&mut self) {
        self.state = State::Head;
        self.part.clear();
        self.head = None;
        self.body_bytes = 0;
        self.kept = None;
        self.interim = 0;
        self.head_only = false;
    }

    /// Makes ready for an answer that is a head alone, whatever it says of a body: that to HEAD or CONNECT.
    pub(crate) fn begin_head_only(&mut self) {
        self.begin();
        self.head_only = true;
    }

    /// Whether the answer is complete.
    #[must_use]
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether any of the answer has come.
    #[must_use]
    pub(crate) fn has_begun(&self) -> bool {
        self.head.is_some() || !self.part.is_empty() || self.interim > 0
    }

    /// The part of the answer that the reader is in; `None` before it has begun.
    #[must_use]
    pub(crate) fn place(&self) -> Option<String> {
        match self.head {
            Some(head) => Some(format!("{} with a body that", head.status)),
            None => self.has_begun().then(|| "the head of the answer".to_owned()),
        }
    }

    /// The head, once it is complete.
    #[must_use]
    pub(crate) fn head(&self) -> Option<Head> {
        self.head
    }

    /// The whole answer, where it was to be kept and is complete.
    pub(crate) fn take_response(&mut self) -> Option<Response> {
        self.kept.take().filter(|_| self.is_done())
    }

    /// Reads `data` and says how much of it belongs to this answer. `keep` decides by status
    /// whether the whole answer is kept.
    ///
    /// # Errors
    /// When `data` cannot go on this answer. The connection is then of no more use.
    pub(crate) fn feed(
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
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        match (self.state, self.head) {
            (State::Done, _) => Ok(()),
            (State::UntilClose, _) => {
                self.state = State::Done;
                Ok(())
            }
            _ => match self.place() {
                Some(place) => malformed(format!("{place} breaks off")),
                None => malformed("the connection was closed without an answer"),
            },
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
                    cache.remember(&data[..size], head);
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
            self.interim += 1;
            return match head.status {
                101 => malformed("101 without having been asked to switch protocols"),
                _ if self.interim > MOST_INTERIM => {
                    malformed(format!("more than {MOST_INTERIM} interim answers (1xx)"))
                }
                _ => Ok(()),
            };
        }
        self.head = Some(head);
        self.state = match head.body {
            _ if self.head_only => State::Done,
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
                self.state = frame(self.state, data[0])?;
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
}

fn too_large<T>(status: u16) -> Result<T, Malformed> {
    malformed(format!("{status} with a body of more than {LARGEST_BODY} bytes"))
}
