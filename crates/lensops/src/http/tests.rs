use std::time::Duration;

use lensops_core::exchange::{Base, FailureClass, Timings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::connection::{Connection, Unanswered};
use crate::connect::{Connector, Look};

/// A connection and the server's end of it.
async fn pair() -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let way = Connector::system().way(&base, deadline).await.unwrap();
    let opened = Connection::open(&way, deadline, &mut Timings::default()).await;
    (opened.unwrap(), listener.accept().await.unwrap().0)
}

/// Waits until something has come on `connection`, which is left as it is.
async fn until_not_quiet(connection: &mut Connection) -> Look {
    loop {
        match connection.stream.look() {
            Look::Quiet => tokio::task::yield_now().await,
            look => return look,
        }
    }
}

/// V16: an answer that was there before the request passed.
#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_a_bad_answer() {
    let (mut connection, mut server) = pair().await;
    server
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await
        .unwrap();
    assert_eq!(until_not_quiet(&mut connection).await, Look::Spoke);
    let deadline = Instant::now() + Duration::from_secs(5);
    let asked = connection
        .ask(b"GET / HTTP/1.1\r\n\r\n", deadline, &mut Timings::default())
        .await;
    let Err(Unanswered::Failed { error, sent }) = asked else {
        panic!("it passed");
    };
    assert_eq!((error.class(), sent), (FailureClass::BadBody, false));
    assert_eq!(error.to_string(), "the server answered before it was asked");
}

/// A server that refuses a large request before it has read all of it is heard.
#[tokio::test]
async fn an_answer_that_comes_while_the_request_is_written_is_read() {
    let (mut connection, mut server) = pair().await;
    let refusing = tokio::spawn(async move {
        let mut some = [0; 1024];
        server.read_exact(&mut some).await.unwrap();
        let answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
        server.write_all(answer).await.unwrap();
        server
    });
    let request = vec![b'x'; 32 * 1024 * 1024];
    let deadline = Instant::now() + Duration::from_secs(5);
    let asked = connection.ask(&request, deadline, &mut Timings::default()).await;
    let Ok((response, is_reusable)) = asked else {
        panic!("it was not heard");
    };
    assert_eq!((response.status, is_reusable), (413, false));
    drop(refusing.await.unwrap());
}
