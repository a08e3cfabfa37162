//! A throwaway PostgreSQL: one server a test process, one database a test.
//!
//! `LENSOPS_TEST_DATABASE_URL` names a server to use instead, as a superuser. Where neither that nor
//! Debian's `postgresql` is there, tests fail: a store test that was skipped tests nothing.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use lensops::store::postgres::migrate::migrate;
use lensops_core::secret::Secret;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use uuid::Uuid;

const PASSWORD: &str = "made-up-test-password";

struct Server {
    /// Its address without a database, such as `postgres://postgres:PASSWORD@127.0.0.1:5432`.
    base: String,
    /// Holds the pipe whose closing, at the latest with this process, stops the server.
    _watched: Option<Child>,
}

/// Runs until its input ends; then stops the server and removes its files.
const SCRIPT: &str = r#"
set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
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
$as "$BIN/postgres" -D "$dir/data" -c listen_addresses=127.0.0.1 -c port="$PORT" -c unix_socket_directories= \
    -c fsync=off -c full_page_writes=off -c max_connections=300 -c log_min_messages=log &
server=$!
cat >/dev/null
kill -INT "$server"
wait "$server" || true
"#;

pub(crate) fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.map(|entry| entry.unwrap().path().join("bin")).collect())
        .unwrap_or_default();
    found.retain(|folder| folder.join("initdb").exists());
    found.sort();
    found.pop().expect(
        "store tests need PostgreSQL: install Debian's postgresql, or set LENSOPS_TEST_DATABASE_URL to a superuser's address",
    )
}

fn start() -> Server {
    if let Ok(url) = std::env::var("LENSOPS_TEST_DATABASE_URL") {
        let (base, _database) = url
            .rsplit_once('/')
            .filter(|(base, _)| base.contains('@'))
            .unwrap_or((&url, ""));
        return Server {
            base: base.to_owned(),
            _watched: None,
        };
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new("sh")
        .args(["-c", SCRIPT])
        .env("BIN", binaries())
        .env("PORT", port.to_string())
        .env("PASSWORD", PASSWORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    started(&mut child, "PostgreSQL", "ready to accept connections");
    Server {
        base: format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}"),
        _watched: Some(child),
    }
}

/// Waits until `child`, which is `name`, says `sign` on its standard error; its log is read on after that, so
/// that it never waits for a reader.
pub(crate) fn started(child: &mut Child, name: &str, sign: &str) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    loop {
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("{name} did not start:\n{said}"))
            .unwrap();
        if line.contains(sign) {
            break;
        }
        said.push_str(&line);
        said.push('\n');
    }
    std::thread::spawn(move || lines.for_each(drop));
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

/// Runs `work` on a runtime of its own, so that a test's runtime need not be the one that made the server.
fn blocking<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    std::thread::spawn(move || runtime().block_on(work)).join().unwrap()
}

async fn connect(url: &str) -> PgConnection {
    url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
}

/// A database of its own.
pub(crate) struct Database {
    pub(crate) url: String,
}

impl Database {
    /// An empty database.
    pub(crate) async fn empty() -> Self {
        Self::like("template0").await
    }

    /// A database with the migration applied.
    pub(crate) async fn migrated() -> Self {
        static TEMPLATE: OnceLock<String> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            blocking(async {
                let database = Self::empty().await;
                migrate(&Secret::new(&*database.url), &[]).await.unwrap();
                database.name().to_owned()
            })
        });
        Self::like(template).await
    }

    async fn like(template: &str) -> Self {
        let base = &server().base;
        let name = format!("lensops_test_{}", Uuid::new_v4().simple());
        let mut connection = connect(&format!("{base}/postgres")).await;
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        connection.execute(AssertSqlSafe(create)).await.unwrap();
        Self {
            url: format!("{base}/{name}"),
        }
    }

    fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap()
    }

    /// The same database by way of another port of this machine.
    pub(crate) fn by_way_of(&self, port: u16) -> String {
        let (user, rest) = self.url.split_once('@').unwrap();
        let (_, name) = rest.split_once('/').unwrap();
        format!("{user}@127.0.0.1:{port}/{name}")
    }

    /// The address of the server: host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once('@').unwrap().1.split_once('/').unwrap().0
    }

    pub(crate) fn secret(&self) -> Secret {
        Secret::new(&*self.url)
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.url).await
    }

    /// Runs statements as the owner.
    pub(crate) async fn run(&self, sql: &str) {
        let mut connection = self.connect().await;
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The one number that a statement answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.connect().await)
            .await
            .unwrap()
    }
}
