//! What a fleet is tested with: a PostgreSQL that can be stopped and started, and an API that fails on demand.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener as Listener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::pg::binaries;

const PASSWORD: &str = "made-up-test-password";

/// Obeys `start` and `stop` line by line, answers each with a line, and removes its files when its input ends.
const SCRIPT: &str = r#"
set -e
dir=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill -INT "$server" 2>/dev/null; wait "$server"; fi; rm -rf "$dir"' EXIT
as=
if [ "$(id -u)" = 0 ]; then
    user=postgres; id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$dir"
    as="setpriv --reuid=$(id -u "$user") --regid=$(id -g "$user") --clear-groups"
fi
echo "$PASSWORD" > "$dir/password"
chmod 644 "$dir/password"
cd "$dir"
$as "$BIN/initdb" -D "$dir/data" -U postgres --auth=scram-sha-256 --pwfile="$dir/password" --no-sync -E UTF8 --locale=C >/dev/null
while read -r order; do
    case $order in
    start)
        $as "$BIN/postgres" -D "$dir/data" -c listen_addresses="$HOST" -c port="$PORT" -c unix_socket_directories= \
            -c fsync=off -c full_page_writes=off -c max_connections=200 >/dev/null 2>"$dir/log" &
        server=$!
        until $as "$BIN/pg_isready" -q -h "$HOST" -p "$PORT"; do sleep 0.1; done
        ;;
    stop)
        kill -INT "$server"; wait "$server" || true; server=
        ;;
    esac
    echo "$order done"
done
"#;

/// A PostgreSQL of its own.
pub(crate) struct Postgres {
    pub(crate) url: String,
    orders: ChildStdin,
    answers: std::io::Lines<BufReader<std::process::ChildStdout>>,
    _watched: Child,
}

impl Postgres {
    /// Starts one that listens at `host`.
    pub(crate) fn start_at(host: &str) -> Self {
        let port = Listener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT])
            .env("BIN", binaries())
            .env("HOST", host)
            .env("PORT", port.to_string())
            .env("PASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Self {
            url: format!("postgres://postgres:{PASSWORD}@{host}:{port}/postgres"),
            orders: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()).lines(),
            _watched: child,
        };
        server.order("start");
        server
    }

    /// `start` or `stop`; it is done when this returns.
    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        let answer = self.answers.next().unwrap().unwrap();
        assert_eq!(answer, format!("{order} done"));
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        self.url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
    }

    /// The one number that a statement answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.connect().await)
            .await
            .unwrap()
    }

    pub(crate) async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.connect().await)
            .await
            .unwrap();
    }
}

/// An API that answers `{}` at every path: 200, or 500 while it is down.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) url: String,
    down: Arc<AtomicBool>,
    /// Requests it was asked.
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Api {
    pub(crate) async fn start_at(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let api = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            down: Arc::default(),
            asked: Arc::default(),
        };
        let shared = api.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(shared.clone().serve(stream));
            }
        });
        api
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    async fn serve(self, mut stream: TcpStream) {
        let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            read.extend_from_slice(&buffer[..count]);
            while let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                read.drain(..end + 4);
                self.asked.fetch_add(1, Ordering::SeqCst);
                let status = if self.down.load(Ordering::SeqCst) {
                    "500 Broken"
                } else {
                    "200 OK"
                };
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}
