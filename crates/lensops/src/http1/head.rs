//! The head of an answer: httparse reads it, and what it says of the body is understood here.

use std::mem::MaybeUninit;

use lensops_core::exchange::Response;

use super::malformed::{Malformed, malformed};

/// The largest head that is read, and the largest trailer.
pub(super) const LARGEST_HEAD: usize = 64 * 1024;

/// The most headers of an answer.
const MOST_HEADERS: usize = 100;

/// What a head says of the answer that it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status.
    pub(crate) status: u16,
    /// Whether the connection ends with this answer.
    pub(crate) closes: bool,
    pub(super) body: Body,
    pub(super) old: bool,
}

/// Where the body of an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Length(u64),
    Chunked,
    UntilClose,
}

/// The last head that was parsed, and what it says.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeadCache {
    pub(super) bytes: Vec<u8>,
    pub(super) head: Option<Head>,
}

impl HeadCache {
    /// Remembers that `bytes` are `head`.
    pub(super) fn remember(&mut self, bytes: &[u8], head: Head) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.head = Some(head);
    }
}

/// The head at the start of `data` and its size; `None` when there is more of it to come.
pub(super) fn parse(data: &[u8]) -> Result<Option<(usize, Head)>, Malformed> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, data, &mut headers)
        .map_err(|error| not_http(error, data))?;
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
                let size = length_of(header.value)?;
                if length.is_some_and(|earlier| earlier != size) {
                    return malformed("two lengths that differ");
                }
                length = Some(size);
            }
            17 if named("transfer-encoding") => {
                if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") || chunked {
                    return malformed("a transfer encoding other than chunked, which nobody asked for");
                }
                chunked = true;
            }
            _ => {}
        }
    }
    // One of the two lies: an answer that is read differently by two readers smuggles another one in.
    if chunked && length.is_some() {
        return malformed("Transfer-Encoding beside Content-Length");
    }
    let body = match (chunked, length) {
        _ if status < 200 || matches!(status, 204 | 304) => Body::Length(0),
        (true, _) => Body::Chunked,
        (false, Some(size)) => Body::Length(size),
        (false, None) => Body::UntilClose,
    };
    Ok(Head {
        status,
        closes: closes || body == Body::UntilClose,
        body,
        old,
    })
}

/// What httparse refuses, in words; `data` is what has come of it.
fn not_http(error: httparse::Error, data: &[u8]) -> Malformed {
    // An HTTP/2 server begins with a frame of settings, or repeats the preface of its client.
    let is_http2 =
        data.starts_with(b"PRI * HTTP/2") || data.starts_with(b"HTTP/2") || data.get(3) == Some(&4) && data[0] == 0;
    Malformed(match error {
        _ if is_http2 => "the server speaks HTTP/2, which was not asked for".to_owned(),
        httparse::Error::TooManyHeaders => format!("a head of more than {MOST_HEADERS} headers"),
        error => format!("the answer is not HTTP: {error}"),
    })
}

/// The value of a `Content-Length`, which may be given several times in one line (RFC 9110 §8.6).
fn length_of(value: &[u8]) -> Result<u64, Malformed> {
    let mut lengths = value.split(|byte| *byte == b',').map(number);
    let first = lengths.next().unwrap_or_else(|| number(b""))?;
    lengths.try_fold(first, |first, next| match next? {
        same if same == first => Ok(first),
        _ => malformed("two lengths that differ"),
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
pub(super) fn whole(bytes: &[u8], head: Head) -> Result<Response, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(bytes).map_err(|error| not_http(error, bytes))?;
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
