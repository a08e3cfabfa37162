//! Real programs of Debian beside the tests: tinyproxy and nginx. Where one is not installed its tests fail:
//! a test that was skipped proves nothing.

use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// A program that runs as long as its value lives.
pub(crate) struct Daemon {
    child: Child,
    _folder: tempfile::TempDir,
    pub(crate) port: u16,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a program; `ready` is what it writes once it accepts connections.
fn start(program: &str, ready: &str, options: &[&str], configuration: impl Fn(&str, u16) -> String) -> Daemon {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let path = folder.path().join("conf");
    std::fs::write(&path, configuration(folder.path().to_str().unwrap(), port)).unwrap();
    let spawned = Command::new(program)
        .args(options)
        .arg("-c")
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{program}: {error}; scripts/test installs it"));
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let said: Box<dyn Read + Send> = if program.ends_with("nginx") {
        Box::new(err)
    } else {
        Box::new(out)
    };
    let mut lines = BufReader::new(said).lines();
    let mut before = Vec::new();
    loop {
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("{program} ended: {before:?}"))
            .unwrap();
        if line.contains(ready) {
            break;
        }
        before.push(line);
    }
    // What it writes from now on is read, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    Daemon {
        child,
        _folder: folder,
        port,
    }
}

/// An HTTP proxy that lets `someone` with the password `made-up` through.
pub(crate) fn tinyproxy() -> Daemon {
    start("tinyproxy", "Starting main loop", &["-d"], |_, port| {
        format!("Port {port}\nListen 127.0.0.1\nTimeout 30\nLogLevel Info\nBasicAuth someone made-up\n")
    })
}

/// A web server that answers `ok` and ends a connection with its `requests`th answer.
pub(crate) fn nginx(requests: u32) -> Daemon {
    nginx_of(&format!(
        "keepalive_requests {requests}; location / {{ return 200 ok; }}"
    ))
}

/// A web server with these directives in its `server` block.
pub(crate) fn nginx_of(server: &str) -> Daemon {
    let path = if Command::new("nginx").arg("-v").output().is_ok() {
        "nginx"
    } else {
        "/usr/sbin/nginx"
    };
    start(path, "getrlimit", &[], |folder, port| {
        format!(
            "daemon off; master_process off; pid {folder}/pid; error_log stderr notice;\n\
             events {{ worker_connections 64; }}\n\
             http {{\n  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;\n  \
             fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;\n  \
             server {{ listen 127.0.0.1:{port}; {server} }}\n}}\n"
        )
    })
}
