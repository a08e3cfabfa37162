//! A request as the bytes of HTTP/1.1.

use super::request::PreparedRequest;
use crate::secret::Secret;

/// A request that would not stay the one request that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a header or the path holds a control character")]
pub struct ControlCharacter;

/// How a request is written for a proxy that forwards it: with its whole address in the first line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxied {
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<Secret>,
}

impl PreparedRequest {
    /// The header that lensops adds by itself: it asks for bodies as they are, since a body is evidence.
    /// `None` where the request says itself what it accepts.
    #[must_use]
    pub fn accept_encoding(&self) -> Option<(&'static str, &'static str)> {
        let name = "Accept-Encoding";
        let own = self.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
        (!own).then_some((name, "identity"))
    }

    /// The bytes that go on the wire; `proxied` where a proxy forwards them.
    ///
    /// # Errors
    /// A header or target that holds a control character, which would end its line.
    pub fn wire(&self, proxied: Option<&Proxied>) -> Result<Vec<u8>, ControlCharacter> {
        let (method, target, authority) = (self.method.as_str(), &self.target, self.base.authority());
        let mut lines = vec![
            match proxied {
                Some(_) => format!("{method} http://{authority}{target} HTTP/1.1"),
                None => format!("{method} {target} HTTP/1.1"),
            },
            format!("Host: {authority}"),
        ];
        if let Some(authorization) = proxied.and_then(|proxied| proxied.authorization.as_ref()) {
            lines.push(format!("Proxy-Authorization: {}", authorization.expose()));
        }
        lines.extend(self.accept_encoding().map(|(name, value)| format!("{name}: {value}")));
        for header in &self.headers {
            lines.push(format!("{}: {}", header.name, header.value.expose()));
        }
        if let Some(body) = &self.body {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        // A tab is the one control character that a header value may hold.
        let breaks = |c: char| c.is_control() && c != '\t';
        if lines.iter().any(|line| line.contains(breaks)) {
            return Err(ControlCharacter);
        }
        let mut bytes = lines.join("\r\n").into_bytes();
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default().as_bytes());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Base, Method};

    fn request() -> PreparedRequest {
        let base = Base::parse("http://api.test:8080/v1").unwrap();
        PreparedRequest::new(base, Method::Get, "/x?a=b")
    }

    fn text(request: &PreparedRequest, proxied: Option<&Proxied>) -> String {
        String::from_utf8(request.wire(proxied).unwrap()).unwrap()
    }

    #[test]
    fn a_request_asks_for_its_body_as_it_is_unless_it_says_what_it_accepts() {
        assert_eq!(
            text(&request(), None),
            "GET /v1/x?a=b HTTP/1.1\r\nHost: api.test:8080\r\nAccept-Encoding: identity\r\n\r\n"
        );
        assert_eq!(
            text(&request().header("accept-encoding", "gzip"), None),
            "GET /v1/x?a=b HTTP/1.1\r\nHost: api.test:8080\r\naccept-encoding: gzip\r\n\r\n"
        );
    }

    #[test]
    fn a_proxy_is_told_the_whole_address_and_who_asks() {
        let proxied = Proxied {
            authorization: Some(Secret::new("Basic dTpw")),
        };
        assert_eq!(
            text(&request(), Some(&proxied)),
            "GET http://api.test:8080/v1/x?a=b HTTP/1.1\r\nHost: api.test:8080\r\n\
             Proxy-Authorization: Basic dTpw\r\nAccept-Encoding: identity\r\n\r\n"
        );
    }

    #[test]
    fn a_header_that_would_begin_another_line_is_refused() {
        assert_eq!(request().header("A", "b\r\nEvil: c").wire(None), Err(ControlCharacter));
    }
}
