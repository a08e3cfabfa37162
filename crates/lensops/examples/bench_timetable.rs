//! The server behind `bench/load/accuracy.py`: it stalls on a timetable, or sleeps before each
//! answer, and tells afterwards when it received and answered each request by its own clock.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on says so by panicking")]

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// A stall of this length begins each period.
const STALL: Duration = Duration::from_millis(200);
const PERIOD: Duration = Duration::from_secs(2);

struct Server {
    began: Instant,
    /// Number, received and answered in microseconds of each request.
    log: RefCell<Vec<(u64, u128, u128)>>,
}

#[tokio::main(flavor = "local")]
async fn main() {
    let listener = TcpListener::bind(("127.0.0.1", 18_081)).await.unwrap();
    let server = Rc::new(Server {
        began: Instant::now(),
        log: RefCell::default(),
    });
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let server = Rc::clone(&server);
        tokio::task::spawn_local(async move {
            // A client that goes away ends its connection and nothing else.
            drop(serve(&server, stream).await);
        });
    }
}

async fn serve(server: &Server, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    loop {
        let size = stream.read(&mut buffer).await?;
        if size == 0 {
            return Ok(());
        }
        let received = server.began.elapsed();
        let head = String::from_utf8_lossy(&buffer[..size]);
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let number = path.split_once("n=").and_then(|(_, n)| n.parse::<u64>().ok());
        let body = if path.starts_with("/log") {
            let mut text = String::new();
            for (number, received, answered) in server.log.take() {
                writeln!(text, "{number} {received} {answered}").unwrap();
            }
            text
        } else {
            if path.starts_with("/sleep") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            } else {
                let into = Duration::from_nanos((received.as_nanos() % PERIOD.as_nanos()) as u64);
                if into < STALL {
                    tokio::time::sleep(STALL - into).await;
                }
            }
            String::from(r#"{"ok":true}"#)
        };
        if let Some(number) = number {
            let answered = server.began.elapsed();
            let entry = (number, received.as_micros(), answered.as_micros());
            server.log.borrow_mut().push(entry);
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await?;
    }
}
