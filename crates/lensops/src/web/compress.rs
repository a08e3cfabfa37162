//! How an answer is sent: with a tag, so that it is not sent again to who has it, and small.
//!
//! A page carries the key of its forms and repeats what was asked for. Whoever could have a browser ask
//! again and again, and see how long the answers are, would learn the key from how well they shrink; so
//! what another site asks for is sent as it is.

use std::io::Write as _;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use lensops_core::crypto::digest::sha256_hex;

use super::guard::is_from_elsewhere;
use super::page;

/// The most bytes that a page may have.
const LARGEST_PAGE: usize = 8 * 1024 * 1024;

/// What is shorter fits into a packet as it is.
const WORTH_IT: usize = 1_000;

/// Whether who asks takes gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let listed = headers.get_all(ACCEPT_ENCODING).into_iter();
    let mut codings = listed
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        ["text/", "application/json", "image/svg"]
            .iter()
            .any(|of| kind.starts_with(of))
    })
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Whether `had`, an `If-None-Match`, names `tag`.
fn names(had: &HeaderValue, tag: &str) -> bool {
    had.to_str()
        .is_ok_and(|had| had.split(',').any(|one| one.trim().trim_start_matches("W/") == tag))
}

/// Gives an answer its tag, shrinks it where it may, and answers `304` to who has it.
pub(super) async fn sent(request: Request, next: Next) -> Response {
    let is_get = request.method() == Method::GET;
    let shrinks = takes_gzip(request.headers()) && !is_from_elsewhere(request.headers());
    let had = request.headers().get(IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    let is_stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_get || is_stream || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_PAGE).await else {
        return page::refused(StatusCode::INTERNAL_SERVER_ERROR, "this page is too large");
    };
    let shrinks = shrinks && bytes.len() >= WORTH_IT && is_text(&parts.headers);
    // The same page shrunk is other bytes, and has another tag.
    let ending = if shrinks { "-gzip" } else { "" };
    let tag = format!("\"{}{ending}\"", sha256_hex(&bytes).get(..20).unwrap_or_default());
    let same = had.is_some_and(|had| names(&had, &tag));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, tag);
    }
    parts.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if same {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        return (parts, Body::empty()).into_response();
    }
    let shrunk = if shrinks { gzip(&bytes) } else { None };
    if shrunk.is_some() {
        parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(shrunk.map_or(bytes, Bytes::from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_only_to_who_takes_it() {
        for (accepted, takes) in [
            (&["gzip"][..], true),
            (&["br, GZIP;q=0.5"], true),
            (&["br", "gzip"], true),
            (&["gzip; q=0"], false),
            (&["gzip;q=0.000"], false),
            (&["identity"], false),
            (&["xgzip"], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in accepted {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(takes_gzip(&headers), takes, "{accepted:?}");
        }
    }

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_not() {
        for (had, same) in [
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("\"ab\"", false),
            ("a", false),
        ] {
            assert_eq!(names(&HeaderValue::from_static(had), "\"a\""), same, "{had}");
        }
    }
}
