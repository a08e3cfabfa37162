//! Start and stop.

use std::io::ErrorKind;

use lensops_sandbox::{Act, Config, Dialect, Faults, Latency, Rule, SandboxError, serve};
use tokio::net::TcpStream;

use crate::client::{Tenant, authority};

#[tokio::test]
async fn it_listens_on_loopback_only() {
    for field in ["bind", "control_bind"] {
        let mut config = Config::loopback(Dialect::Documented);
        let everywhere = "0.0.0.0:0".parse().expect("an address");
        if field == "bind" {
            config.bind = everywhere;
        } else {
            config.control_bind = everywhere;
        }
        let error = serve(config).await.expect_err("refused");
        assert!(
            matches!(error, SandboxError::NotLoopback(addr) if addr == everywhere),
            "{field}"
        );
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let first = Tenant::start(Dialect::Documented).await;
    let taken = first.sandbox.config().bind;
    let config = Config {
        bind: taken,
        ..Config::loopback(Dialect::Documented)
    };
    let error = serve(config).await.expect_err("taken");
    assert_eq!(error.to_string(), format!("cannot listen on {taken}"));
}

#[tokio::test]
async fn stopping_lets_a_request_under_way_finish_and_frees_the_port() {
    let tenant = Tenant::start(Dialect::Documented).await;
    tenant.fault(Rule::new(Act::Latency(Latency::ConstantMs(30.0))));
    let url = tenant.sandbox.url();
    let under_way = tokio::spawn({
        let url = url.clone();
        async move { crate::client::raw(&url, "/v1/actions/health").await }
    });
    while tenant.sandbox.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    tenant.sandbox.stop().await;
    let (answer, _) = under_way.await.expect("ran");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let error = TcpStream::connect(authority(&url)).await.expect_err("stopped");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn dropping_it_stops_it() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let url = tenant.sandbox.url();
    drop(tenant);
    let error = TcpStream::connect(authority(&url)).await.expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn faults_of_the_configuration_hold_from_the_start() {
    let tenant = Tenant::with(Config {
        faults: Faults {
            refuse_connections: true,
            ..Faults::default()
        },
        ..Config::loopback(Dialect::Documented)
    })
    .await;
    let url = tenant.sandbox.url();
    let error = TcpStream::connect(authority(&url)).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    tenant.sandbox.set_faults(Faults::default());
    assert_eq!(tenant.get("/v1/actions/health").await.status, 200);
}
