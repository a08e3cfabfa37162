//! The stress engine against servers that misbehave: each fault is counted by its class, nothing
//! hangs beyond the time-out, nothing panics.
//!
//! `LENSOPS_FAULTS_FOR=10m cargo test -p lensops --test integration load_faults -- --nocapture` runs
//! each for its share of ten minutes and prints the counts; without it each runs for a moment.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::harness::Project;
use crate::tls_server::{Handshakes, TlsServer};

/// What a server does with its `n`-th request (from 0), which it has not read yet; it ends the
/// connection when this is false.
type Act = fn(&mut TcpStream, u64) -> bool;

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GOOD_AND_LAST: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

fn read(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0; 4096]).is_ok_and(|size| size > 0)
}

fn answer(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    read(stream) && stream.write_all(bytes).is_ok()
}

/// Answers every second request with `bytes`, which the connection does not outlive.
fn break_every_second(stream: &mut TcpStream, n: u64, bytes: &[u8]) -> bool {
    if n.is_multiple_of(2) {
        answer(stream, bytes);
        return false;
    }
    answer(stream, GOOD)
}

fn attend(mut stream: TcpStream, act: Act, count: &AtomicU64) {
    stream.set_nodelay(true).ok();
    while stream.peek(&mut [0]).is_ok_and(|size| size > 0) {
        if !act(&mut stream, count.fetch_add(1, Ordering::Relaxed)) {
            return;
        }
    }
}

/// Serves `act` on a free port for as long as the test runs.
fn serve(act: Act) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || attend(stream, act, &count));
        }
    });
    format!("http://{address}")
}

/// Serves twenty connections of one request each, refuses all for a moment, and so on.
fn serve_and_refuse() -> String {
    let mut listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        loop {
            for stream in listener.incoming().take(20).flatten() {
                let act: Act = |stream, _| {
                    answer(stream, GOOD_AND_LAST);
                    false
                };
                std::thread::spawn(move || attend(stream, act, &AtomicU64::new(0)));
            }
            drop(listener);
            listener = loop {
                // Being down is the fault itself; nothing is waited for.
                std::thread::sleep(Duration::from_millis(20));
                if let Ok(again) = TcpListener::bind(address) {
                    break again;
                }
            };
        }
    });
    format!("http://{address}")
}

/// Runs a load against `url` and returns its only target with the exit code.
fn run(url: &str, load: &str, authorities: Option<&str>) -> (i32, Value) {
    let mut project = Project::empty();
    project.env.insert("API_BASE_URL".to_owned(), url.to_owned());
    if let Some(pem) = authorities {
        project.write("authorities.pem", pem);
        project
            .env
            .insert("SSL_CERT_FILE".to_owned(), "authorities.pem".to_owned());
    }
    project.write(
        "plan.yml",
        &format!(
            "stress: faults\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\ntimeout: 300ms\n\
             targets: [{{name: t, request: {{get: /}}, load: {load}}}]\n"
        ),
    );
    let ran = project.run("stress --plan plan.yml --json");
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    let json: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}\n{}", ran.out, ran.err));
    (ran.code, json["targets"][0].clone())
}

/// Faults by name, with the class that each is counted by beside good answers; `200` where it is
/// none.
const ACTS: [(&str, Act, &str); 14] = [
    (
        "closes instead of answering",
        |stream, _| {
            read(stream);
            false
        },
        "connectivity",
    ),
    (
        "closes now and then",
        |stream, n| match n % 3 {
            0 => {
                read(stream);
                false
            }
            _ => answer(stream, GOOD),
        },
        "connectivity",
    ),
    (
        // What is closed with a request unread is reset.
        "resets now and then",
        |stream, n| n % 3 != 0 && answer(stream, GOOD),
        "connectivity",
    ),
    (
        "resets within an answer",
        |stream, n| match n % 3 {
            0 => stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nshort")
                .is_err(),
            _ => answer(stream, GOOD),
        },
        "bad_body",
    ),
    (
        "stalls",
        // Longer than any time-out: until the client gives up.
        |stream, n| {
            if n % 4 == 0 {
                return read(stream) && read(stream);
            }
            answer(stream, GOOD)
        },
        "timeout",
    ),
    (
        "answers garbage",
        |stream, n| break_every_second(stream, n, b"\x16\x03\x01garbage\r\n\r\n"),
        "bad_body",
    ),
    (
        "breaks off in the head",
        |stream, n| break_every_second(stream, n, b"HTTP/1.1 200 OK\r\nContent-Le"),
        "bad_body",
    ),
    (
        "breaks off in the body",
        |stream, n| break_every_second(stream, n, b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nshort"),
        "bad_body",
    ),
    (
        "breaks off between chunks",
        |stream, n| {
            let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
            break_every_second(stream, n, chunk)
        },
        "bad_body",
    ),
    (
        "lies about chunks",
        |stream, n| {
            let lie: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
            answer(stream, if n.is_multiple_of(2) { lie } else { GOOD })
        },
        "bad_body",
    ),
    ("trickles without end", trickle, "timeout"),
    (
        "trickles a good answer",
        |stream, _| read(stream) && GOOD.chunks(1).all(|byte| stream.write_all(byte).is_ok()),
        "200",
    ),
    (
        "answers in chunks of one byte",
        |stream, _| {
            let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n";
            read(stream) && answer.chunks(1).all(|byte| stream.write_all(byte).is_ok())
        },
        "200",
    ),
    (
        "answers 500",
        |stream, n| {
            let error: &[u8] = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
            answer(stream, if n.is_multiple_of(2) { error } else { GOOD })
        },
        "500",
    ),
];

/// A byte whenever a short read found nothing, until the client gives up.
fn trickle(stream: &mut TcpStream, n: u64) -> bool {
    if !n.is_multiple_of(4) {
        return answer(stream, GOOD);
    }
    let mut open = answer(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    stream.set_read_timeout(Some(Duration::from_millis(2))).ok();
    while open {
        open = stream.write_all(b"x").is_ok() && !matches!(stream.read(&mut [0; 8]), Ok(0));
    }
    false
}

#[test]
fn each_fault_is_counted_by_its_class_and_the_good_answers_beside_it() {
    let tls = TlsServer::start(Handshakes::ThirdBreaks);
    let mut faults: Vec<(&str, String, &str)> = ACTS
        .iter()
        .map(|(what, act, class)| (*what, serve(*act), *class))
        .collect();
    faults.push(("refuses now and then", serve_and_refuse(), "connectivity"));
    faults.push(("breaks handshakes now and then", tls.url.clone(), "tls"));
    let minutes = std::env::var("LENSOPS_FAULTS_FOR").ok();
    let share = minutes
        .and_then(|text| text.trim_end_matches('m').parse::<usize>().ok())
        .map(|minutes| minutes * 60 / faults.len());
    let load = match share {
        Some(seconds) => format!("{{closed: {{connections: 8, for: {seconds}s}}}}"),
        None => "{closed: {connections: 8, count: 48}}".to_owned(),
    };
    for (what, url, class) in faults {
        let (code, target) = run(&url, &load, Some(&tls.authority));
        println!(
            "{what}: {} requests, statuses {}, failures {}, longest {} µs",
            target["planned"], target["statuses"], target["failures"], target["latency_us"]["max"]
        );
        assert_counted(what, code, &target, class);
    }
}

fn assert_counted(what: &str, code: i32, target: &Value, class: &str) {
    assert_eq!(code, i32::from(class != "200"), "{what}: {target:#}");
    let counted = target["failures"][class]
        .as_u64()
        .or(target["statuses"][class].as_u64());
    assert!(counted.is_some_and(|count| count > 0), "{what}: {target:#}");
    let total = |field: &str| {
        let counts = target[field].as_object().unwrap();
        counts.values().filter_map(Value::as_u64).sum::<u64>()
    };
    assert_eq!(
        target["planned"].as_u64(),
        Some(total("failures") + total("statuses")),
        "{what}"
    );
    let firsts = target["transcripts"].as_array().unwrap();
    assert!(
        firsts.iter().any(|first| first["first_of"] == class),
        "{what}: {firsts:?}"
    );
    // The time-out is 300 ms; what waits for ten seconds does not keep it.
    let longest = target["latency_us"]["max"].as_u64();
    assert!(longest.is_none_or(|us| us < 10_000_000), "{what}: {longest:?}");
}

#[test]
fn a_server_that_speaks_no_tls_is_a_tls_failure_and_a_closed_port_is_refused() {
    let act: Act = |stream, _| answer(stream, GOOD);
    let plain = serve(act).replace("http://", "https://");
    let (code, target) = run(&plain, "{burst: 5}", None);
    let failures = &target["failures"];
    assert_eq!((code, failures["tls"].as_u64()), (1, Some(5)), "{target:#}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    let (code, target) = run(&url, "{closed: {connections: 2, count: 6}}", None);
    assert_eq!(
        (code, target["failures"]["connectivity"].as_u64()),
        (1, Some(6)),
        "{target:#}"
    );
}

#[test]
fn answers_over_tls_are_counted_and_an_unknown_authority_is_a_tls_failure() {
    let server = TlsServer::start(Handshakes::Complete);
    for load in ["{burst: 5}", "{closed: {connections: 2, count: 5}}"] {
        let (code, target) = run(&server.url, load, Some(&server.authority));
        assert_eq!((code, target["statuses"]["200"].as_u64()), (0, Some(5)), "{target:#}");
    }
    let stranger = TlsServer::start(Handshakes::Complete).authority;
    let (code, target) = run(&server.url, "{burst: 5}", Some(&stranger));
    assert_eq!((code, target["failures"]["tls"].as_u64()), (1, Some(5)), "{target:#}");
    let first = target["transcripts"][0].to_string();
    assert!(first.contains("invalid peer certificate"), "{first}");
}
