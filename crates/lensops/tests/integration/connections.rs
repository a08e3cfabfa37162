//! Servers that are slow to connect to, that end kept connections, that have several addresses or stand
//! behind a proxy; each test has the name of the fault that it comes from.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lensops::connect::{Connector, Proxies, Resolver, Trust};
use lensops::http::Client;
use lensops_core::exchange::{Base, Exchange, FailureClass, Method, PreparedRequest, Sender as _};
use lensops_core::redaction::{Redactor, Transcript};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::daemons::{nginx, tinyproxy};
use crate::harness::Project;
use crate::tls_server::{Handshakes, TlsServer};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn get(base: &str) -> Arc<PreparedRequest> {
    Arc::new(PreparedRequest::new(Base::parse(base).unwrap(), Method::Get, "/x"))
}

fn client(names: &[(&str, Vec<SocketAddr>)], proxies: Proxies, trusted: &TlsServer) -> Client {
    let connector = Connector::new(
        Resolver::table(names.iter().cloned()),
        proxies,
        Trust::only(vec![trusted.der.clone()]),
    );
    Client::over(connector, Duration::from_millis(3_000))
}

fn status(exchange: &Exchange) -> u16 {
    exchange.status().unwrap_or_else(|| panic!("{:?}", exchange.result))
}

/// V1: 43 ms were told of an API that takes four seconds for each handshake.
#[tokio::test]
async fn v1_the_latency_of_a_sample_holds_its_handshake() {
    let server = TlsServer::start(Handshakes::Slow(Duration::from_millis(400)));
    let exchange = client(&[], Proxies::none(), &server).send(get(&server.url)).await;
    assert_eq!(status(&exchange), 200);
    let timings = exchange.timings;
    let tls = timings.tls_us.unwrap();
    assert!(tls >= 400_000, "{timings:?}");
    assert!(exchange.latency_us().unwrap() >= tls, "{timings:?}");
    // The phases stay beside it, and add up to no more than the whole.
    let (connect, send) = (timings.connect_us.unwrap(), timings.send_us.unwrap());
    let (first, receive) = (timings.first_byte_us.unwrap(), timings.receive_us.unwrap());
    assert!(send <= first, "{timings:?}");
    assert!(connect + tls + first + receive <= timings.total_us, "{timings:?}");
    assert_eq!(timings.dns_us, None, "an address is not looked up");
}

/// V1: connecting and sending had fifteen seconds each.
#[tokio::test]
async fn v1_connecting_and_sending_share_one_deadline() {
    let server = TlsServer::start(Handshakes::SlowAndSilent(Duration::from_millis(700)));
    let connector = Connector::new(
        Resolver::system(),
        Proxies::none(),
        Trust::only(vec![server.der.clone()]),
    );
    let exchange = Client::over(connector, Duration::from_millis(1_000))
        .send(get(&server.url))
        .await;
    let failure = exchange.result.unwrap_err();
    assert_eq!(failure.class, FailureClass::Timeout);
    assert_eq!(failure.detail, "no answer within 1s, waiting for the answer");
    let total = exchange.timings.total_us;
    assert!((1_000_000..1_500_000).contains(&total), "{total}");
}

/// Answers each request after the first read and closes behind it, without saying so. Of every second
/// connection the first request is read and never answered.
async fn closing(listener: TcpListener, most: usize, requests: Arc<AtomicUsize>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let requests = Arc::clone(&requests);
        tokio::spawn(async move {
            for _ in 0..most {
                if !matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {
                    return;
                }
                requests.fetch_add(1, Ordering::Relaxed);
                stream.write_all(OK).await.unwrap();
            }
            // The next request is read, so that its sender cannot know before that nobody will answer.
            let _read = stream.read(&mut [0; 4096]).await;
        });
    }
}

/// V2: 9 of 9 checks of such a server were UNHEALTHY, and every second case failed.
#[tokio::test]
async fn v2_a_kept_connection_that_ends_before_an_answer_is_replaced_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    tokio::spawn(closing(listener, 1, Arc::clone(&requests)));
    let client = Client::new(Duration::from_secs(3));
    let mut again = 0;
    for n in 0..20 {
        let exchange = client.send(get(&base)).await;
        assert_eq!(status(&exchange), 200, "{n}");
        again += usize::from(exchange.route.reconnected);
    }
    assert_eq!(again, 19, "each but the first found its connection ended");
    assert_eq!(requests.load(Ordering::Relaxed), 20);
}

/// V2: what may do more twice than once is not sent twice, but for the probes of a monitor.
#[tokio::test]
async fn v2_a_post_is_sent_again_by_a_monitor_alone() {
    for (repeats, expected) in [(false, Err(FailureClass::Connectivity)), (true, Ok(200))] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(closing(listener, 1, Arc::default()));
        let client = Client::new(Duration::from_secs(3));
        let client = if repeats { client.for_probes() } else { client };
        let post = PreparedRequest::new(Base::parse(&base).unwrap(), Method::Post, "/x");
        assert_eq!(status(&client.send(get(&base)).await), 200);
        let second = client.send(Arc::new(post)).await;
        let came = second
            .result
            .map(|response| response.status)
            .map_err(|failure| failure.class);
        assert_eq!(came, expected, "repeats: {repeats}");
    }
}

/// V2: a new connection that ends early is a failure, and stays one.
#[tokio::test]
async fn v2_a_new_connection_that_ends_before_an_answer_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(closing(listener, 0, Arc::default()));
    let exchange = Client::new(Duration::from_secs(3)).for_probes().send(get(&base)).await;
    let failure = exchange.result.unwrap_err();
    assert_eq!(failure.class, FailureClass::Connectivity);
    assert!(!exchange.route.reconnected);
}

/// A listener whose queue is full: the system swallows every further SYN. It keeps what fills it.
async fn swallowing(address: &str) -> (SocketAddr, Vec<TcpStream>, TcpListener) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fill = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        fill.push(stream);
        assert!(fill.len() < 16, "the queue does not fill");
    }
    (address, fill, listener)
}

async fn answering(address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(closing(listener, usize::MAX, Arc::default()));
    address
}

/// V3: a time-out after fifteen seconds, UNHEALTHY.
#[tokio::test]
async fn v3_the_second_address_answers_where_the_first_swallows() {
    let (first, _fill, _listener) = swallowing("127.0.0.2:0").await;
    let second = answering("127.0.0.1:0").await;
    let server = TlsServer::start(Handshakes::Complete);
    let client = client(&[("api.test", vec![first, second])], Proxies::none(), &server);
    let exchange = client.send(get("http://api.test")).await;
    assert_eq!(status(&exchange), 200);
    assert_eq!(exchange.route.address, Some(second));
    let connect = exchange.timings.connect_us.unwrap();
    assert!((250_000..1_000_000).contains(&connect), "{connect}");
    assert!(exchange.timings.dns_us.is_some());
}

#[tokio::test]
async fn v3_an_address_that_refuses_costs_no_quarter_of_a_second() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = free.local_addr().unwrap();
    drop(free);
    let second = answering("127.0.0.1:0").await;
    let server = TlsServer::start(Handshakes::Complete);
    let names = [("api.test", vec![refusing, second]), ("down.test", vec![refusing])];
    let client = client(&names, Proxies::none(), &server);
    let exchange = client.send(get("http://api.test")).await;
    assert_eq!((status(&exchange), exchange.route.address), (200, Some(second)));
    assert!(exchange.timings.connect_us.unwrap() < 200_000, "{:?}", exchange.timings);
    let down = client.send(get("http://down.test")).await.result.unwrap_err();
    assert_eq!(down.detail, format!("connection refused by {refusing}"));
    let unknown = client.send(get("http://nowhere.test")).await.result.unwrap_err();
    assert_eq!(unknown.class, FailureClass::Connectivity);
    assert!(
        unknown.detail.starts_with("nowhere.test could not be looked up"),
        "{unknown:?}"
    );
}

/// V3: addresses are tried in bounded time.
#[tokio::test]
async fn v3_where_every_address_swallows_the_deadline_holds() {
    let (first, _fill, _listener) = swallowing("127.0.0.3:0").await;
    let server = TlsServer::start(Handshakes::Complete);
    let names = [("api.test", vec![first; 1])];
    let exchange = client(&names, Proxies::none(), &server)
        .send(get("http://api.test"))
        .await;
    let failure = exchange.result.unwrap_err();
    assert_eq!(
        (failure.class, failure.detail.as_str()),
        (FailureClass::Timeout, "no answer within 3s, connecting")
    );
}

/// Runs a closed load of forty requests against `url`, and returns its only target with the exit code.
fn stress(project: &mut Project, url: &str, request: &str) -> (i32, Value) {
    project.env.insert("API_BASE_URL".to_owned(), url.to_owned());
    project.write(
        "plan.yml",
        &format!(
            "stress: connections\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\ntimeout: 3s\n\
             targets: [{{name: t, request: {request}, load: {{closed: {{connections: 2, count: 40}}}}}}]\n"
        ),
    );
    let ran = project.run("stress --plan plan.yml --json");
    let json: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}\n{}", ran.out, ran.err));
    (ran.code, json["targets"][0].clone())
}

/// V2: 20 of 40 requests of a load had no answer; idempotent methods alone are sent again.
#[tokio::test(flavor = "multi_thread")]
async fn v2_a_load_counts_what_it_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(closing(listener, 1, Arc::default()));
    let (code, target) = stress(&mut Project::empty(), &url, "{get: /}");
    assert_eq!((code, target["statuses"]["200"].as_u64()), (0, Some(40)), "{target:#}");
    assert_eq!(target["reconnected"].as_u64(), Some(38), "{target:#}");
    let (code, target) = stress(&mut Project::empty(), &url, "{post: /}");
    assert_eq!((code, target["reconnected"].as_u64()), (1, Some(0)), "{target:#}");
    assert!(
        target["failures"]["connectivity"]
            .as_u64()
            .is_some_and(|count| count >= 19),
        "{target:#}"
    );
}

/// V2: nginx that ends a connection with its first, second or third answer.
#[tokio::test]
async fn v2_keep_alive_limits_of_nginx_are_no_failure() {
    for requests in 1..=3 {
        let nginx = nginx(requests);
        let base = format!("http://127.0.0.1:{}", nginx.port);
        let client = Client::new(Duration::from_secs(3));
        for n in 0..12 {
            assert_eq!(status(&client.send(get(&base)).await), 200, "{n} of {requests}");
        }
        let (code, target) = stress(&mut Project::empty(), &base, "{post: /}");
        assert_eq!((code, target["statuses"]["200"].as_u64()), (0, Some(40)), "{target:#}");
    }
}

/// The proxies of a machine whose variables name `address` for both schemes.
fn proxies(address: &str) -> Proxies {
    Proxies::of(|name| matches!(name, "http_proxy" | "HTTPS_PROXY").then(|| address.to_owned()))
}

/// V18 of the issue, W18 of the faults: a proxy was ignored without a word.
#[tokio::test]
async fn w18_a_proxy_is_passed_for_http_and_https() {
    let proxy = tinyproxy();
    let plain = answering("127.0.0.1:0").await;
    let server = TlsServer::start(Handshakes::Complete);
    // No loopback by its text, and reached all the same: loopback goes through no proxy.
    let (plain, tls) = (
        format!("http://0.0.0.0:{}", plain.port()),
        server.url.replace("127.0.0.1", "0.0.0.0"),
    );
    let named = format!("127.0.0.1:{}", proxy.port);
    for url in [&plain, &tls] {
        let with = client(&[], proxies(&format!("http://someone:made-up@{named}")), &server);
        let exchange = with.send(get(url)).await;
        assert_eq!(status(&exchange), 200, "{url}");
        assert_eq!(exchange.route.proxy.as_ref(), Some(&named));
        assert_eq!(exchange.route.certificate_expires.is_some(), url.starts_with("https"));
        let shown = format!("{:?}", Transcript::of(&exchange, &Redactor::default()));
        assert!(
            !shown.contains("c29tZW9uZTptYWRlLXVw") && !shown.contains("made-up"),
            "{shown}"
        );

        let without = client(&[], proxies(&format!("http://someone:wrong-one@{named}")), &server);
        let refused = without.send(get(url)).await;
        if url == &plain {
            assert_eq!(status(&refused), 401, "tinyproxy answers for the API");
        } else {
            let failure = refused.result.unwrap_err();
            assert_eq!(failure.class, FailureClass::Connectivity);
            let tells =
                failure.detail.starts_with(&format!("the proxy {named}")) && !failure.detail.contains("wrong-one");
            assert!(tells, "{failure:?}");
        }
    }
    let loopback = client(&[], proxies("http://127.0.0.1:1"), &server)
        .send(get(&server.url))
        .await;
    assert_eq!((status(&loopback), loopback.route.proxy), (200, None));
    let down = client(&[], proxies("http://127.0.0.1:1"), &server)
        .send(get(&tls))
        .await;
    assert_eq!(
        down.result.unwrap_err().detail,
        "the proxy 127.0.0.1:1 of HTTPS_PROXY cannot be reached: connection refused by 127.0.0.1:1"
    );
}

/// W18: the program itself, single requests and a load, with the variables of its environment.
#[tokio::test(flavor = "multi_thread")]
async fn w18_a_load_goes_through_the_proxy_that_the_environment_names() {
    let proxy = tinyproxy();
    let plain = answering("127.0.0.1:0").await;
    let server = TlsServer::start(Handshakes::Complete);
    let address = format!("http://someone:made-up@127.0.0.1:{}", proxy.port);
    let (plain, tls) = (
        format!("http://0.0.0.0:{}", plain.port()),
        server.url.replace("127.0.0.1", "0.0.0.0"),
    );
    for (variable, url) in [("http_proxy", plain), ("HTTPS_PROXY", tls)] {
        let mut project = Project::empty();
        project.write("authorities.pem", &server.authority);
        project
            .env
            .insert("SSL_CERT_FILE".to_owned(), "authorities.pem".to_owned());
        project.env.insert(variable.to_owned(), address.clone());
        let (code, target) = stress(&mut project, &url, "{get: /}");
        assert_eq!((code, target["statuses"]["200"].as_u64()), (0, Some(40)), "{target:#}");
        assert!(!target.to_string().contains("c29tZW9uZTptYWRlLXVw"), "{target:#}");
        project.env.insert(variable.to_owned(), "http://127.0.0.1:1".to_owned());
        let (code, target) = stress(&mut project, &url, "{get: /}");
        assert_eq!(
            (code, target["failures"]["connectivity"].as_u64()),
            (1, Some(40)),
            "{target:#}"
        );
    }
}

/// W18: a file of certificates that is not there was ignored; what TLS refuses is told in words.
#[test]
fn w18_a_refused_handshake_names_the_file_the_authority_and_the_way_out() {
    let server = TlsServer::start(Handshakes::Complete);
    let authority = TlsServer::authority();
    let stranger = TlsServer::authority().authority;
    let table = [
        (
            &server,
            None,
            "SSL_CERT_FILE names /nowhere/ca.pem, which cannot be read: No such file",
        ),
        (&server, Some("no certificate"), "holds no certificate in PEM form"),
        (
            &server,
            Some(stranger.as_str()),
            "does not trust (UnknownIssuer): add the authority",
        ),
        (
            &authority,
            Some(authority.authority.as_str()),
            "is that of an authority, not of a server (CaUsedAsEndEntity)",
        ),
    ];
    for (server, file, words) in table {
        let mut project = Project::empty();
        let path = file.map_or("/nowhere/ca.pem", |pem| {
            project.write("ca.pem", pem);
            "ca.pem"
        });
        project.env.insert("SSL_CERT_FILE".to_owned(), path.to_owned());
        let (code, target) = stress(&mut project, &server.url, "{get: /}");
        assert_eq!((code, target["failures"]["tls"].as_u64()), (1, Some(40)), "{target:#}");
        let first = target["transcripts"][0].to_string();
        assert!(first.contains(words), "{words}: {first}");
    }
}
