//! V16 of the faults: how an answer may be framed (RFC 9112 §6), as one table that single requests and
//! loads pass with the same answers. They read with one reader; what surrounds it is theirs.

use std::sync::Arc;
use std::time::Duration;

use lensops::connect::Connector;
use lensops::http::Client;
use lensops::load::{Flow, Job, LoadTarget, run};
use lensops_core::exchange::{Base, Exchange, FailureClass, Method, PreparedRequest, Response, Sender as _};
use lensops_core::plan::load_shape::Load;
use lensops_core::plan::request_template::Prebuilt;
use lensops_core::plan::{Dialect, Expect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What an answer comes to: status and body, or class and words of the refusal.
type Expected = Result<(u16, &'static str), (FailureClass, &'static str)>;

const fn bad(words: &'static str) -> Expected {
    Err((FailureClass::BadBody, words))
}

const fn broken(words: &'static str) -> Expected {
    Err((FailureClass::Connectivity, words))
}

fn table() -> Vec<(&'static str, String, Expected)> {
    let head = "HTTP/1.1 200 OK\r\n";
    let with = |rest: &str| format!("{head}{rest}");
    let interim = |count: usize| "HTTP/1.1 100 Continue\r\n\r\n".repeat(count) + &with("Content-Length: 2\r\n\r\nok");
    let headers = |count: usize| with(&("X-A: b\r\n".repeat(count - 1) + "Content-Length: 2\r\n\r\nok"));
    vec![
        ("Content-Length", with("Content-Length: 2\r\n\r\nok"), Ok((200, "ok"))),
        (
            "chunked",
            with("Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            Ok((200, "ok")),
        ),
        (
            "chunked with extensions",
            with("Transfer-Encoding: chunked\r\n\r\n1;a=b\r\no\r\n1 ; c=\"d\"\r\nk\r\n0;e\r\n\r\n"),
            Ok((200, "ok")),
        ),
        (
            "chunked with trailers",
            with("Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"),
            Ok((200, "ok")),
        ),
        (
            "Transfer-Encoding: gzip, chunked",
            with("Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            bad("a transfer encoding other than chunked"),
        ),
        (
            "chunked twice",
            with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            bad("a transfer encoding other than chunked"),
        ),
        (
            "two equal lengths",
            with("Content-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
            Ok((200, "ok")),
        ),
        (
            "two different lengths",
            with("Content-Length: 2\r\nContent-Length: 3\r\n\r\noks"),
            bad("two lengths that differ"),
        ),
        ("2, 2", with("Content-Length: 2, 2\r\n\r\nok"), Ok((200, "ok"))),
        (
            "2, 3",
            with("Content-Length: 2, 3\r\n\r\noks"),
            bad("two lengths that differ"),
        ),
        (
            "a list with a hole",
            with("Content-Length: 2,\r\n\r\nok"),
            bad("a length that is no number"),
        ),
        (
            "a negative length",
            with("Content-Length: -2\r\n\r\nok"),
            bad("a length that is no number"),
        ),
        (
            "a signed length",
            with("Content-Length: +2\r\n\r\nok"),
            bad("a length that is no number"),
        ),
        (
            "a huge length",
            with("Content-Length: 99999999999999999999\r\n\r\nok"),
            bad("a length that is no number"),
        ),
        (
            "a large length",
            with("Content-Length: 9000000\r\n\r\nok"),
            bad("200 with a body of more than 8388608 bytes"),
        ),
        (
            "Transfer-Encoding beside Content-Length",
            with("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            bad("Transfer-Encoding beside Content-Length"),
        ),
        ("neither, closed at the end", with("\r\nok"), Ok((200, "ok"))),
        (
            "204 with a length",
            "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n".to_owned(),
            Ok((204, "")),
        ),
        (
            "304 with a length",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n".to_owned(),
            Ok((304, "")),
        ),
        ("100 before the answer", interim(1), Ok((200, "ok"))),
        (
            "103 before the answer",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_owned() + &interim(0),
            Ok((200, "ok")),
        ),
        ("sixteen 1xx before the answer", interim(16), Ok((200, "ok"))),
        (
            "more than sixteen 1xx",
            interim(17),
            bad("more than 16 interim answers (1xx)"),
        ),
        (
            "100,000 1xx",
            interim(100_000),
            bad("more than 16 interim answers (1xx)"),
        ),
        (
            "101",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(),
            bad("101 without having been asked to switch protocols"),
        ),
        (
            "bare LF",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok".to_owned(),
            Ok((200, "ok")),
        ),
        (
            "bare LF between chunks",
            with("Transfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n"),
            bad("a chunk size that is no number"),
        ),
        (
            "obs-fold",
            with("X-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok"),
            bad("the answer is not HTTP"),
        ),
        (
            "NUL in a header",
            with("X-A: b\0c\r\nContent-Length: 2\r\n\r\nok"),
            bad("the answer is not HTTP"),
        ),
        (
            "a space before the colon",
            with("Content-Length : 2\r\n\r\nok"),
            bad("the answer is not HTTP"),
        ),
        (
            "no reason phrase",
            "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok".to_owned(),
            Ok((200, "ok")),
        ),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok".to_owned(), Ok((200, "ok"))),
        (
            "HTTP/2 preface",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            bad("the server speaks HTTP/2, which was not asked for"),
        ),
        (
            "HTTP/2 settings",
            "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64".to_owned(),
            bad("the server speaks HTTP/2, which was not asked for"),
        ),
        ("100 headers", headers(100), Ok((200, "ok"))),
        ("101 headers", headers(101), bad("a head of more than 100 headers")),
        (
            "a head without end",
            with(&format!("X-A: {}", "b".repeat(100_000))),
            bad("a head of more than 65536 bytes"),
        ),
        (
            "closed before the head",
            String::new(),
            broken("the connection was closed without an answer"),
        ),
        (
            "closed in the head",
            with("Content-Le"),
            bad("the head of the answer breaks off"),
        ),
        (
            "closed in the body",
            with("Content-Length: 9\r\n\r\nok"),
            bad("200 with a body that breaks off"),
        ),
        (
            "closed between chunks",
            with("Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
            bad("200 with a body that breaks off"),
        ),
        (
            "a status beyond 599",
            "HTTP/1.1 700 Odd\r\nContent-Length: 2\r\n\r\nok".to_owned(),
            bad("status 700"),
        ),
        (
            "a second answer unasked",
            with("Content-Length: 2\r\n\r\nok") + &with("Content-Length: 3\r\n\r\nbad"),
            Ok((200, "ok")),
        ),
    ]
}

/// Answers every request with `answer`, and closes.
async fn serve(answer: Vec<u8>) -> Base {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                if matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {
                    // A client that has seen enough closes first.
                    drop(stream.write_all(&answer).await);
                }
            });
        }
    });
    base
}

fn request(base: &Base) -> PreparedRequest {
    PreparedRequest::new(base.clone(), Method::Get, "/x")
}

/// What a load of one request came to.
async fn load(base: &Base) -> Exchange {
    let target = LoadTarget {
        renewal: None,
        prebuilt: Prebuilt::fixed(request(base)).unwrap(),
        weight: 1,
        expect: Expect::default(),
        dialect: Dialect::default(),
    };
    let job = Job {
        base: base.clone(),
        connector: Connector::system(),
        targets: vec![target],
        load: serde_json::from_value::<Load>(serde_json::json!({"burst": 1})).unwrap(),
        timeout: Duration::from_secs(5),
        reuse: true,
        warm_up: Duration::ZERO,
        threads: 1,
        seed: 1,
    };
    let outcome = run(job, |_| Flow::Continue).await.unwrap();
    let figures = outcome.progress.totals.into_iter().next().unwrap();
    assert_eq!((figures.planned, figures.ended()), (1, 1));
    figures.kept.into_iter().next().unwrap().1
}

fn came(exchange: &Exchange) -> Result<(u16, String), (FailureClass, String)> {
    let whole = |response: &Response| (response.status, String::from_utf8_lossy(&response.body).into_owned());
    let failure = exchange.result.as_ref().map(whole);
    failure.map_err(|failure| (failure.class, failure.detail.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn v16_both_senders_take_and_refuse_the_same_framings() {
    let table = table();
    assert!(table.len() > 40);
    for (what, answer, expected) in table {
        let base = serve(answer.into_bytes()).await;
        let single = Client::new(Duration::from_secs(5)).send(Arc::new(request(&base))).await;
        let (single, load) = (came(&single), came(&load(&base).await));
        assert_eq!(single, load, "{what}: the senders do not agree");
        match (&single, &expected) {
            (Ok((status, body)), Ok(wanted)) => assert_eq!((*status, body.as_str()), *wanted, "{what}"),
            (Err((class, words)), Err((wanted, part))) => {
                assert!(class == wanted && words.contains(part), "{what}: {class:?} {words}");
            }
            _ => panic!("{what}: {single:?}, expected {expected:?}"),
        }
    }
}

/// V16: an answer that was there before the request passed.
#[tokio::test(flavor = "multi_thread")]
async fn v16_an_answer_that_comes_before_the_request_is_a_bad_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .await
                .unwrap();
            tokio::spawn(async move { while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {} });
        }
    });
    // The connections of a burst are open before it begins.
    let (class, words) = came(&load(&base).await).unwrap_err();
    assert_eq!(
        (class, words.as_str()),
        (FailureClass::BadBody, "the server answered before it was asked")
    );
}

/// V14: `body is not JSON` was all that was told of an answer in gzip.
#[tokio::test(flavor = "multi_thread")]
async fn v14_both_senders_decode_a_body_that_comes_encoded_unasked() {
    use base64::Engine as _;
    let packed = "H4sIAAAAAAAAA6tWys9WsiopKk3VUcpLzE1VslJKTkw7vFKpFgBN9oaTGgAAAA==";
    let mut body = base64::engine::general_purpose::STANDARD.decode(packed).unwrap();
    let whole = Ok((200, r#"{"ok":true,"name":"café"}"#.to_owned()));
    for (is_whole, expected) in [(true, whole), (false, Err(FailureClass::BadBody))] {
        if !is_whole {
            body[20] ^= 0xff;
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length";
        let mut answer = format!("{head}: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(&body);
        let base = serve(answer).await;
        let single = Client::new(Duration::from_secs(5)).send(Arc::new(request(&base))).await;
        let (single, load) = (came(&single), came(&load(&base).await));
        assert_eq!(single, load, "the senders do not agree");
        assert_eq!(single.map_err(|(class, _)| class), expected);
    }
}
