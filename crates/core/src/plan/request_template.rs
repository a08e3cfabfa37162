//! A request as the bytes that go on the wire, made once and sent many times.
//!
//! What differs from request to request (a counter, random numbers) has a fixed width, so that
//! only those bytes are written anew and `Content-Length` stays right. A template engine on the
//! hot path was rejected: it would cost more than sending.

use serde_json::{Value, json};

use crate::exchange::{ControlCharacter, PreparedRequest, Proxied};
use crate::plan::{Request, Vars};
use crate::request::prepare::set;
use crate::secret::Secret;

/// The variables that differ from request to request: `$counter` and `$random` are numbers of 12
/// digits, `$random_id` is a UUID.
pub const PER_REQUEST: [&str; 3] = ["counter", "random", "random_id"];

/// The first value of `$counter`: it keeps every one 12 digits wide.
pub const FIRST_COUNT: u64 = 100_000_000_000;

/// What stands for one value until a request is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    what: What,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Counter,
    Random,
    RandomId,
}

/// Marks that stand nowhere in a plan's request, to be put in place of the variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks(Vec<Mark>);

impl Marks {
    /// Marks for `spec`.
    #[must_use]
    pub fn for_request(spec: &Request, vars: &Vars) -> Self {
        let around = format!("{spec:?} {vars:?}");
        let free = |make: &dyn Fn(u64) -> String| {
            let mut candidates = (0..).map(make);
            candidates
                .find(|text| !around.contains(text.as_str()))
                .unwrap_or_default()
        };
        Self(vec![
            Mark {
                what: What::Counter,
                text: free(&|n| (918_273_645_000 + n).to_string()),
            },
            Mark {
                what: What::Random,
                text: free(&|n| (546_372_819_000 + n).to_string()),
            },
            Mark {
                what: What::RandomId,
                text: free(&|n| format!("5a17e5f0-0000-4000-8000-{n:012x}")),
            },
        ])
    }

    /// `vars` with the marks in place of what differs from request to request.
    #[must_use]
    pub fn into_vars(&self, mut vars: Vars) -> Vars {
        for Mark { what, text } in &self.0 {
            let (name, value) = match what {
                What::Counter => ("counter", number(text)),
                What::Random => ("random", number(text)),
                What::RandomId => ("random_id", json!(text)),
            };
            set(&mut vars, name, value);
        }
        vars
    }
}

fn number(text: &str) -> Value {
    text.parse::<u64>().map_or(Value::Null, Value::from)
}

/// What one request is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Counts the requests of a target from 0; no two have the same.
    pub count: u64,
    /// Random bits.
    pub random: u128,
}

impl Fill {
    /// Writes the value of `what` over `place`.
    fn write(self, what: What, place: &mut [u8]) {
        let number = match what {
            What::Counter => self.count % (9 * FIRST_COUNT) + FIRST_COUNT,
            What::Random => u64::try_from(self.random % u128::from(9 * FIRST_COUNT)).unwrap_or(0) + FIRST_COUNT,
            What::RandomId => {
                let id = uuid::Builder::from_random_bytes(self.random.to_be_bytes()).into_uuid();
                let mut text = uuid::Uuid::encode_buffer();
                place.copy_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
                return;
            }
        };
        let mut rest = number;
        for digit in place.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
    }
}

/// A prepared request as bytes.
#[derive(Clone)]
pub struct Prebuilt {
    request: PreparedRequest,
    marks: Marks,
    bytes: Vec<u8>,
    holes: Vec<(What, std::ops::Range<usize>)>,
}

impl Prebuilt {
    /// The bytes of `request`, which was prepared with the variables of `marks`.
    ///
    /// # Errors
    /// A header or target that holds a control character, which would end its line.
    pub fn new(request: PreparedRequest, marks: Marks) -> Result<Self, ControlCharacter> {
        let bytes = request.wire(None)?;
        Ok(Self {
            holes: holes(&marks, &bytes),
            request,
            marks,
            bytes,
        })
    }

    /// A request that is the same every time.
    ///
    /// # Errors
    /// A header or target that holds a control character, which would end its line.
    pub fn fixed(request: PreparedRequest) -> Result<Self, ControlCharacter> {
        Self::new(request, Marks(Vec::new()))
    }

    /// The same request for a proxy that forwards it.
    ///
    /// # Errors
    /// An authorization that holds a control character.
    pub fn proxied(self, proxied: &Proxied) -> Result<Self, ControlCharacter> {
        let bytes = self.request.wire(Some(proxied))?;
        Ok(Self {
            holes: holes(&self.marks, &bytes),
            bytes,
            ..self
        })
    }

    /// Whether the request may be sent twice: once is as good as twice by its method.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.request.method.is_idempotent()
    }

    /// The bytes, where every request is the same; `None` where they must be filled.
    #[must_use]
    pub fn same(&self) -> Option<&[u8]> {
        self.holes.is_empty().then_some(&self.bytes)
    }

    /// Writes the bytes of one request into `out`, whose memory is used again.
    pub fn fill(&self, fill: Fill, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.bytes);
        for (what, range) in &self.holes {
            if let Some(hole) = out.get_mut(range.clone()) {
                fill.write(*what, hole);
            }
        }
    }

    /// The request as it was sent, for its transcript.
    #[must_use]
    pub fn sent(&self, fill: Fill) -> PreparedRequest {
        let mut request = self.request.clone();
        for Mark { what, text } in &self.marks.0 {
            let mut value = vec![b'0'; text.len()];
            fill.write(*what, &mut value);
            let value = String::from_utf8_lossy(&value);
            request.target = request.target.replace(text, &value);
            request.body = request.body.map(|body| body.replace(text, &value));
            for header in &mut request.headers {
                if header.value.expose().contains(text.as_str()) {
                    header.value = Secret::new(header.value.expose().replace(text, &value));
                }
            }
        }
        request
    }

    /// The secrets that no report may show.
    #[must_use]
    pub fn secrets(&self) -> &[Secret] {
        &self.request.secrets
    }
}

/// Where the marks stand in `bytes`.
fn holes(marks: &Marks, bytes: &[u8]) -> Vec<(What, std::ops::Range<usize>)> {
    let mut holes = Vec::new();
    for Mark { what, text } in &marks.0 {
        let mark = text.as_bytes();
        let found = bytes
            .windows(mark.len())
            .enumerate()
            .filter(|(_, window)| *window == mark);
        holes.extend(found.map(|(at, _)| (*what, at..at + mark.len())));
    }
    holes
}

impl std::fmt::Debug for Prebuilt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The bytes hold a token.
        write!(f, "Prebuilt({:?})", self.request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Base;
    use crate::request::prepare::{prepare, vars_of};

    fn prebuilt(path: &str, body: Option<Value>) -> Prebuilt {
        let spec = match body {
            Some(body) => json!({"post": path, "json": body}),
            None => json!({"get": path}),
        };
        let spec: Request = serde_json::from_value(spec).unwrap();
        let vars = vars_of(&Vars::new(), uuid::Uuid::from_u128(1));
        let marks = Marks::for_request(&spec, &vars);
        let base = Base::parse("http://127.0.0.1:9").unwrap();
        let request = prepare(&base, &spec, None, &marks.into_vars(vars)).unwrap();
        Prebuilt::new(request, marks).unwrap()
    }

    #[test]
    fn only_what_differs_is_written_anew_and_the_length_stays_right() {
        let built = prebuilt(
            "/x?n=$counter",
            Some(json!({"n": "$counter", "id": "$random_id", "text": "r-$random"})),
        );
        assert_eq!(built.same(), None);
        let fill = Fill {
            count: 41,
            random: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
        };
        let mut bytes = Vec::new();
        built.fill(fill, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /x?n=100000000041 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["n"], json!(100_000_000_041_u64));
        let id: uuid::Uuid = body["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 4);
        assert_eq!(built.sent(fill).body.unwrap(), text.split_once("\r\n\r\n").unwrap().1);
        assert_eq!(built.sent(fill).target, "/x?n=100000000041");
    }

    #[test]
    fn a_request_that_never_differs_needs_no_filling() {
        let built = prebuilt("/x?n=918273645000", None);
        assert!(built.same().unwrap().starts_with(b"GET /x?n=918273645000 HTTP/1.1\r\n"));
    }
}
