//! The stress engine against servers that misbehave: each fault is counted by its class, nothing
//! hangs beyond the time-out, nothing panics.
//!
//! `LENSOPS_FAULTS_FOR=10m cargo test -p lensops --test integration load_faults` runs each for its
//! share of ten minutes; without it each runs for a moment.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::harness::Project;

/// What a server does with its `n`-th request (from 0); it ends the connection when this is false.
type Act = fn(&mut TcpStream, u64) -> bool;

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Serves `act` on a free port for as long as the test runs.
fn serve(act: Act) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut buffer = [0; 4096];
                stream.set_nodelay(true).ok();
                while stream.read(&mut buffer).is_ok_and(|size| size > 0) {
                    if !act(&mut stream, count.fetch_add(1, Ordering::Relaxed)) {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

/// How many faults the tables hold, which share the time that is given to them.
const FAULTS: u32 = 12;

/// The load of each fault: some requests, or its share of the time that the environment gives.
fn load(closed: &str) -> String {
    let minutes = std::env::var("LENSOPS_FAULTS_FOR").ok();
    match minutes.and_then(|text| text.trim_end_matches('m').parse::<u32>().ok()) {
        Some(minutes) => format!("{{closed: {{connections: 8, for: {}s}}}}", minutes * 60 / FAULTS),
        None => format!("{{closed: {{connections: 8, {closed}}}}}"),
    }
}

/// Runs a load against `url` and returns its only target with the exit code.
fn run(url: &str, load: &str) -> (i32, Value) {
    let mut project = Project::empty();
    project.env.insert("API_BASE_URL".to_owned(), url.to_owned());
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

#[test]
fn each_fault_is_counted_by_its_class_and_the_good_answers_beside_it() {
    let table: [(&str, Act, &str); 10] = [
        ("closes instead of answering", |_, _| false, "connectivity"),
        (
            "closes now and then",
            |stream, n| n % 3 != 0 && stream.write_all(GOOD).is_ok(),
            "connectivity",
        ),
        (
            "stalls",
            |stream, n| {
                if n % 4 == 0 {
                    // Longer than any time-out; the thread ends with the connection.
                    return stream.read(&mut [0; 8]).is_ok_and(|size| size > 0);
                }
                stream.write_all(GOOD).is_ok()
            },
            "timeout",
        ),
        (
            "answers garbage",
            |stream, n| {
                let answer: &[u8] = if n % 2 == 0 {
                    b"\x16\x03\x01garbage\r\n\r\n"
                } else {
                    GOOD
                };
                stream.write_all(answer).is_ok()
            },
            "bad_body",
        ),
        (
            "breaks off in the head",
            |stream, n| match n % 2 {
                0 => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").is_err(),
                _ => stream.write_all(GOOD).is_ok(),
            },
            "bad_body",
        ),
        (
            "breaks off in the body",
            |stream, n| match n % 2 {
                0 => stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nshort")
                    .is_err(),
                _ => stream.write_all(GOOD).is_ok(),
            },
            "bad_body",
        ),
        (
            "breaks off between chunks",
            |stream, n| match n % 2 {
                0 => stream
                    .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
                    .is_err(),
                _ => stream.write_all(GOOD).is_ok(),
            },
            "bad_body",
        ),
        (
            "lies about chunks",
            |stream, n| {
                let lie: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
                stream.write_all(if n % 2 == 0 { lie } else { GOOD }).is_ok()
            },
            "bad_body",
        ),
        (
            "trickles without end",
            |stream, n| {
                if n % 4 == 0 {
                    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
                    let mut open = stream.write_all(head).is_ok();
                    stream.set_read_timeout(Some(Duration::from_millis(2))).ok();
                    // A byte whenever a short read found nothing, until the client gives up.
                    while open {
                        open = stream.write_all(b"x").is_ok() && !matches!(stream.read(&mut [0; 8]), Ok(0));
                    }
                    return false;
                }
                stream.write_all(GOOD).is_ok()
            },
            "timeout",
        ),
        (
            "answers 500",
            |stream, n| {
                let error: &[u8] = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(if n % 2 == 0 { error } else { GOOD }).is_ok()
            },
            "500",
        ),
    ];
    for (what, act, class) in table {
        let (code, target) = run(&serve(act), &load("count: 48"));
        assert_eq!(code, 1, "{what}: {target:#}");
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
    }
}

#[test]
fn an_answer_in_chunks_of_one_byte_and_in_pieces_is_an_answer() {
    let act: Act = |stream, _| {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n";
        answer.chunks(1).all(|byte| stream.write_all(byte).is_ok())
    };
    let (code, target) = run(&serve(act), &load("count: 40"));
    assert_eq!(
        (code, target["failures"].as_object().map(serde_json::Map::len)),
        (0, Some(0)),
        "{target:#}"
    );
}

#[test]
fn a_server_that_speaks_no_tls_is_a_tls_failure_and_a_closed_port_is_refused() {
    let act: Act = |stream, _| stream.write_all(GOOD).is_ok();
    let plain = serve(act).replace("http://", "https://");
    let (code, target) = run(&plain, "{burst: 5}");
    let failures = &target["failures"];
    assert_eq!((code, failures["tls"].as_u64()), (1, Some(5)), "{target:#}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, target) = run(&format!("http://{closed}"), "{closed: {connections: 2, count: 6}}");
    assert_eq!(
        (code, target["failures"]["connectivity"].as_u64()),
        (1, Some(6)),
        "{target:#}"
    );
}
