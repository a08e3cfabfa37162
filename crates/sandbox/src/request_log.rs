//! The last requests, as they came.
//!
//! Each is kept as one flat text: holding on to hyper's own header map would keep its whole read
//! buffer alive with every request.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hyper::http::request::Parts;
use serde::Serialize;

const KEPT: usize = 10_000;

/// One request as the API received it, credentials included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query, still encoded.
    pub target: String,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body; bytes that are not UTF-8 are replaced. Empty without one.
    pub body: String,
    /// Number of the TCP connection it came on, counted from 1.
    pub connection: u64,
}

impl Seen {
    /// The first header of that name (lower case), if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
struct Raw {
    /// Lines: method, target, then one `name: value` a header.
    head: Box<str>,
    body: Box<[u8]>,
    connection: u64,
}

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<VecDeque<Raw>>);

impl RequestLog {
    pub(crate) fn push(&self, parts: &Parts, body: &Bytes, connection: u64) {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut head = String::with_capacity(64 + target.len() + parts.headers.len() * 48);
        head.push_str(parts.method.as_str());
        head.push('\n');
        head.push_str(target);
        for (name, value) in &parts.headers {
            head.push('\n');
            head.push_str(name.as_str());
            head.push_str(": ");
            match value.to_str() {
                Ok(text) => head.push_str(text),
                Err(_) => drop(write!(head, "{}", String::from_utf8_lossy(value.as_bytes()))),
            }
        }
        let raw = Raw {
            head: head.into_boxed_str(),
            body: body.as_ref().into(),
            connection,
        };
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (ring.len() == KEPT).then(|| ring.pop_front());
        ring.push_back(raw);
        drop(ring);
        drop(oldest);
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().map(Raw::read).collect()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Raw {
    fn read(&self) -> Seen {
        let mut lines = self.head.split('\n').map(str::to_owned);
        Seen {
            method: lines.next().unwrap_or_default(),
            target: lines.next().unwrap_or_default(),
            headers: lines
                .filter_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    Some((name.to_owned(), value.to_owned()))
                })
                .collect(),
            body: String::from_utf8_lossy(&self.body).into_owned(),
            connection: self.connection,
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn a_request_reads_back_as_it_came_and_the_oldest_goes_first() {
        let ring = RequestLog::default();
        let (parts, ()) = Request::post("/v1/x?q=1%202")
            .header("X-One", "a: b")
            .header("x-empty", "")
            .body(())
            .expect("builds")
            .into_parts();
        for number in 0..=KEPT {
            ring.push(&parts, &Bytes::from_static(b"{}"), number as u64);
        }
        let all = ring.all();
        assert_eq!(all.len(), KEPT);
        assert_eq!(all[0].connection, 1, "request 0 was pushed out");
        assert_eq!(
            (all[0].method.as_str(), all[0].target.as_str()),
            ("POST", "/v1/x?q=1%202")
        );
        assert_eq!(all[0].header("x-one"), Some("a: b"));
        assert_eq!(all[0].header("x-empty"), Some(""));
        assert_eq!(all[0].body, "{}");
        ring.clear();
        assert!(ring.all().is_empty());
    }
}
