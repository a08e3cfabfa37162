//! Servers that misbehave: broken with a reason, in bounded memory, never a panic or a hang.

use std::sync::Arc;
use std::time::Duration;

use lensops::http::Client;
use lensops_core::exchange::{Base, Exchange, FailureClass, Method, PreparedRequest, Sender as _};
use lensops_core::redaction::{Redactor, Transcript};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What a server writes after it has read a request; then it closes.
#[derive(Clone)]
enum Answer {
    Bytes(Vec<u8>),
    /// A head, then this many bytes of body.
    Flood(&'static str, usize),
    /// Nothing, for ever.
    Silence,
}

async fn ask(answer: Answer) -> Exchange {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _read = stream.read(&mut request).await;
                match answer {
                    Answer::Bytes(bytes) => drop(stream.write_all(&bytes).await),
                    Answer::Flood(head, mut left) => {
                        let chunk = vec![b'x'; 64 * 1024];
                        drop(stream.write_all(head.as_bytes()).await);
                        while left > 0 && stream.write_all(&chunk[..left.min(chunk.len())]).await.is_ok() {
                            left -= left.min(chunk.len());
                        }
                    }
                    Answer::Silence => std::future::pending().await,
                }
            });
        }
    });
    let client = Client::new(Duration::from_millis(1_500));
    client
        .send(Arc::new(PreparedRequest::new(base, Method::Get, "/x")))
        .await
}

fn bytes(text: &str) -> Answer {
    Answer::Bytes(text.as_bytes().to_vec())
}

#[tokio::test]
async fn each_misbehaviour_has_its_class() {
    use FailureClass::{BadBody, Connectivity, Timeout};
    let table = [
        ("nothing but a close", bytes(""), Err(Connectivity)),
        ("garbage", bytes("this is no HTTP at all\r\n\r\n"), Err(BadBody)),
        ("half a head", bytes("HTTP/1.1 200 OK\r\ncontent-le"), Err(BadBody)),
        (
            "a body cut short",
            bytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
            Err(BadBody),
        ),
        (
            "a chunk that is none",
            bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
            Err(BadBody),
        ),
        (
            "a body beyond the limit",
            Answer::Flood("HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n", 104_857_600),
            Err(BadBody),
        ),
        (
            "an endless head",
            Answer::Flood("HTTP/1.1 200 OK\r\nx: ", 10_000_000),
            Err(BadBody),
        ),
        ("silence", Answer::Silence, Err(Timeout)),
        (
            "HTTP/1.0 without a length",
            bytes("HTTP/1.0 200 OK\r\n\r\nto the end"),
            Ok((200, 10)),
        ),
        (
            "1xx first",
            bytes("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
            Ok((200, 2)),
        ),
        (
            "duplicate headers",
            bytes("HTTP/1.1 200 OK\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 0\r\n\r\n"),
            Ok((200, 0)),
        ),
        (
            "a redirect to itself",
            bytes("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"),
            Ok((302, 0)),
        ),
        (
            "a compressed body nobody asked for",
            bytes("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"),
            Err(BadBody),
        ),
    ];
    for (what, answer, expected) in table {
        let exchange = ask(answer).await;
        let came = exchange
            .result
            .as_ref()
            .map(|response| (response.status, response.body.len()))
            .map_err(|failure| failure.class);
        assert_eq!(came, expected, "{what}: {:?}", exchange.result.as_ref().err());
        // Whatever it was, it can be shown.
        assert!(
            !Transcript::of(&exchange, &Redactor::default())
                .response
                .as_str()
                .is_empty(),
            "{what}"
        );
    }
}

#[tokio::test]
async fn invalid_utf_8_is_shown_with_replacement_characters() {
    let mut answer = b"HTTP/1.1 200 OK\r\nx-name: caf\xe9\r\ncontent-length: 4\r\n\r\n".to_vec();
    answer.extend_from_slice(&[0xff, 0xfc, b'o', b'k']);
    let exchange = ask(Answer::Bytes(answer)).await;
    let shown = Transcript::of(&exchange, &Redactor::default()).response;
    assert!(
        shown.as_str().contains("caf\u{fffd}") && shown.as_str().ends_with("\u{fffd}\u{fffd}ok"),
        "{shown}"
    );
}
