//! Bodies that come encoded though nobody asked for it: gzip, deflate, br and zstd, bounded in bytes and ratio.

use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use lensops_core::exchange::Response;
use ruzstd::decoding::StreamingDecoder;

use super::malformed::{Malformed, malformed};
use super::reader::LARGEST_BODY;

/// The most encodings of one body, each over the other.
const MOST_CODINGS: usize = 3;

/// From how many bytes on the ratio counts: a short text may well repeat itself.
const RATIO_FROM: usize = 1024 * 1024;

/// The most bytes that one encoded byte may stand for.
const MOST_RATIO: usize = 200;

/// The largest window of zstd, as RFC 9659 bounds it for HTTP.
const LARGEST_WINDOW: u64 = 8 * 1024 * 1024;

/// How much is decoded at once.
const STEP: usize = 16 * 1024;

/// The answer with its body as it was before its encoding. An encoding that is not known stays.
///
/// # Errors
/// A body that is not what its encoding says, or that is a bomb.
pub(crate) fn decode(mut response: Response) -> Result<Response, Malformed> {
    let Some(codings) = response
        .header("content-encoding")
        .filter(|_| !response.body.is_empty())
    else {
        return Ok(response);
    };
    let codings: Vec<String> = codings
        .split(',')
        .map(|coding| coding.trim().to_ascii_lowercase())
        .collect();
    if codings.len() > MOST_CODINGS {
        return malformed(format!(
            "{} with a body of more than {MOST_CODINGS} encodings",
            response.status
        ));
    }
    // The last one was put on last.
    for coding in codings.iter().rev() {
        match decoded(coding, &response.body) {
            Some(Ok(body)) => response.body = body,
            Some(Err(why)) => return malformed(format!("{} with a body in {coding} that {why}", response.status)),
            None => break,
        }
    }
    Ok(response)
}

/// `body` before `coding`; `None` where it is not known.
fn decoded(coding: &str, body: &[u8]) -> Option<Result<Vec<u8>, String>> {
    let unreadable = |error: &dyn std::fmt::Display| Err(format!("cannot be decoded: {error}"));
    Some(match coding {
        "identity" | "" => Ok(body.to_vec()),
        "gzip" | "x-gzip" => all_of(MultiGzDecoder::new(body), body.len()),
        // By the letter it is wrapped in zlib; servers that send it bare are as common.
        "deflate" if is_zlib(body) => all_of(ZlibDecoder::new(body), body.len()),
        "deflate" => all_of(DeflateDecoder::new(body), body.len()),
        "br" => all_of(Decompressor::new(body, STEP), body.len()),
        "zstd" => match StreamingDecoder::new_with_max_window_size(body, LARGEST_WINDOW) {
            Ok(decoder) => all_of(decoder, body.len()),
            Err(error) => unreadable(&error),
        },
        _ => return None,
    })
}

fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

/// Everything that `decoder` gives, of `encoded` bytes.
fn all_of(mut decoder: impl Read, encoded: usize) -> Result<Vec<u8>, String> {
    let (mut body, mut step) = (Vec::new(), vec![0; STEP]);
    loop {
        let size = match decoder.read(&mut step) {
            Ok(0) => return Ok(body),
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("cannot be decoded: {error}")),
        };
        body.extend_from_slice(&step[..size]);
        if body.len() as u64 > LARGEST_BODY {
            return Err(format!("decodes to more than {LARGEST_BODY} bytes"));
        }
        if body.len() > RATIO_FROM && body.len() / MOST_RATIO > encoded {
            return Err(format!("decodes to more than {MOST_RATIO} times its size"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    const TEXT: &str = r#"{"ok":true,"name":"café"}"#;

    // Written by zlib, brotli and zstd.
    const GZIP: &str = "H4sIAAAAAAAAA6tWys9WsiopKk3VUcpLzE1VslJKTkw7vFKpFgBN9oaTGgAAAA==";
    const ZLIB: &str = "eJyrVsrPVrIqKSpN1VHKS8xNVbJSSk5MO7xSqRYAdmMJNg==";
    const BARE: &str = "q1bKz1ayKikqTdVRykvMTVWyUkpOTDu8UqkWAA==";
    const BR: &str = "iwyAeyJvayI6dHJ1ZSwibmFtZSI6ImNhZsOpIn0D";
    const ZSTD: &str = "KLUv/QRY0QAAeyJvayI6dHJ1ZSwibmFtZSI6ImNhZsOpIn1vn3Qd";
    // 64 MiB of zeros.
    const BR_BOMB: &str = "y///P/gnAOKxQCD3/o///3/wTwDEYRGA7v0f////4J8AiMMCAN37P/7//8E/ARCHBQC693/8//+DfwIgDgsAdO//+P//B/8EQBwWAOje//H//w/+CYA4LADQvf/L//8//BMAcVgAoHv/Bw==";

    fn answer(coding: &str, body: Vec<u8>) -> Result<String, String> {
        let response = Response {
            version: "HTTP/1.1",
            status: 200,
            headers: vec![("content-encoding".to_owned(), coding.to_owned())],
            body,
        };
        let decoded = decode(response).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&decoded.body).into_owned())
    }

    fn bytes(base64: &str) -> Vec<u8> {
        STANDARD.decode(base64).unwrap()
    }

    /// V14: `body is not JSON` was all that was told of an answer in gzip.
    #[test]
    fn v14_a_body_is_read_in_whatever_encoding_it_comes() {
        for (coding, body) in [
            ("gzip", GZIP),
            ("X-GZIP", GZIP),
            ("deflate", ZLIB),
            ("deflate", BARE),
            ("br", BR),
            ("zstd", ZSTD),
            ("identity", "eyJvayI6dHJ1ZSwibmFtZSI6ImNhZsOpIn0="),
            ("identity, gzip", GZIP),
        ] {
            assert_eq!(answer(coding, bytes(body)).as_deref(), Ok(TEXT), "{coding}");
        }
        assert_eq!(answer("compress", b"\x1f\x9d".to_vec()).as_deref(), Ok("\x1f\u{fffd}"));
        assert_eq!(answer("gzip", Vec::new()).as_deref(), Ok(""));
    }

    #[test]
    fn v14_a_body_that_is_not_what_its_encoding_says_is_a_bad_body() {
        for (coding, body) in [("gzip", GZIP), ("deflate", ZLIB), ("br", BR), ("zstd", ZSTD)] {
            let mut cut = bytes(body);
            cut.truncate(cut.len() / 2);
            for body in [cut, b"abc".to_vec(), vec![0xff; 40]] {
                let why = answer(coding, body).unwrap_err();
                let words = format!("200 with a body in {coding} that cannot be decoded");
                assert!(why.starts_with(&words), "{coding}: {why}");
            }
        }
        let many = answer("gzip, gzip, gzip, gzip", bytes(GZIP)).unwrap_err();
        assert_eq!(many, "200 with a body of more than 3 encodings");
    }

    /// So many zeros in gzip.
    fn zeros(size: usize) -> Vec<u8> {
        let mut packed = flate2::read::GzEncoder::new(io::repeat(0).take(size as u64), flate2::Compression::best());
        let mut bytes = Vec::new();
        packed.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn v14_a_bomb_is_a_bad_body_in_bounded_memory() {
        let bombs = [
            ("gzip", zeros(4 * 1024 * 1024)),
            ("br", bytes(BR_BOMB)),
            (
                "zstd",
                ruzstd::encoding::compress_to_vec(
                    vec![0; 64 * 1024 * 1024].as_slice(),
                    ruzstd::encoding::CompressionLevel::Fastest,
                ),
            ),
        ];
        for (coding, bomb) in bombs {
            let why = answer(coding, bomb).unwrap_err();
            assert_eq!(
                why,
                format!("200 with a body in {coding} that decodes to more than 200 times its size")
            );
        }
        assert_eq!(answer("gzip", zeros(RATIO_FROM)).map(|text| text.len()), Ok(RATIO_FROM));
        // Random bytes do not shrink: the bound of bytes holds alone.
        let mut random = vec![0; 9 * 1024 * 1024];
        fastrand::Rng::with_seed(1).fill(&mut random);
        let mut packed = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(random.as_slice(), flate2::Compression::fast());
        encoder.read_to_end(&mut packed).unwrap();
        assert_eq!(
            answer("gzip", packed).unwrap_err(),
            "200 with a body in gzip that decodes to more than 8388608 bytes"
        );
    }
}
