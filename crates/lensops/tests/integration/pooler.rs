//! A real pgbouncer in transaction mode before the throwaway PostgreSQL: every transaction may run on another
//! connection of the server. Debian's `pgbouncer`; where it is not installed, tests fail.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use jiff::SignedDuration;
use lensops::http::Client;
use lensops::store::postgres::migrate;
use lensops::store::{Archive as _, Board, Owner, REGISTRY, Staging, TenantSource, dry_run};
use lensops_core::secret::Secret;
use serde_json::json;
use sqlx::{Connection as _, Executor as _};

use crate::fixture::{self, NORTH};
use crate::pg::{Database, started};

/// Connections to the server that transactions take in turn.
const SERVER_CONNECTIONS: usize = 3;

/// Runs until its input ends; then stops the pooler and removes its files. pgbouncer refuses to run as root.
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
printf '%s' "$INI" > "$dir/pgbouncer.ini"
chmod 644 "$dir/pgbouncer.ini"
cd "$dir"
$as "$BIN" "$dir/pgbouncer.ini" &
pooler=$!
cat >/dev/null
kill -INT "$pooler"
wait "$pooler" || true
"#;

/// A pooler before one database.
pub(crate) struct Pooler {
    /// The database's address by way of the pooler.
    pub(crate) url: String,
    /// Holds the pipe whose closing, at the latest with this process, stops the pooler.
    _watched: Child,
}

impl Pooler {
    /// Starts a pooler whose transactions take turns over [`SERVER_CONNECTIONS`] connections.
    pub(crate) async fn before(database: &Database) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let pooler = Self {
            url: database.by_way_of(port),
            _watched: start(port, &settings(database, port)),
        };
        pooler.open_connections().await;
        pooler
    }

    /// Holds transactions open at once, so that the pooler connects to the server that many times.
    async fn open_connections(&self) {
        let mut clients = Vec::new();
        for _ in 0..SERVER_CONNECTIONS {
            let options = self.url.parse::<sqlx::postgres::PgConnectOptions>().unwrap();
            let options = options.extra_float_digits(None);
            let mut client = sqlx::PgConnection::connect_with(&options).await.unwrap();
            client.execute(sqlx::raw_sql("BEGIN; SELECT 1")).await.unwrap();
            clients.push(client);
        }
        for mut client in clients {
            client.execute(sqlx::raw_sql("COMMIT")).await.unwrap();
            client.close().await.unwrap();
        }
    }
}

/// As a managed pooler is set up; nothing is ignored for the client's sake.
fn settings(database: &Database, port: u16) -> String {
    let (server, server_port) = database.address().split_once(':').unwrap();
    let login = database.url.split_once("://").unwrap().1.split_once('@').unwrap().0;
    let (user, password) = login.split_once(':').unwrap();
    format!(
        "[databases]\n* = host={server} port={server_port} user={user} password={password}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         pool_mode = transaction\nserver_round_robin = 1\ndefault_pool_size = {SERVER_CONNECTIONS}\n"
    )
}

fn start(port: u16, settings: &str) -> Child {
    let found = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
    let binary = found
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("tests of poolers need pgbouncer: install Debian's pgbouncer");
    let mut child = Command::new("sh")
        .args(["-c", SCRIPT])
        .env("BIN", binary)
        .env("INI", settings)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    started(&mut child, &format!("pgbouncer on {port}"), "process up");
    child
}

/// W9: a named statement meets the one of another client on the same connection of the server.
#[test]
fn no_query_to_postgresql_has_a_name_on_the_server() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut files: Vec<_> = std::fs::read_dir(store.join("postgres"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("statement.rs"))
        .collect();
    files.extend(
        std::fs::read_dir(store.join("fleet"))
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    files.extend(["board/postgres.rs", "dry_run.rs", "tenants.rs"].map(|file| store.join(file)));
    assert!(files.len() > 8, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            !text.replace("sqlx::query::", "").contains("sqlx::query"),
            "{}: use `statement`",
            file.display()
        );
    }
}

/// W9: everything that asks PostgreSQL, twice over each of a pooler's connections.
#[tokio::test]
async fn every_question_holds_behind_a_pooler_in_transaction_mode() {
    let database = Database::empty().await;
    let pooler = Pooler::before(&database).await;
    let url = Secret::new(&*pooler.url);
    let tenants = [NORTH];
    for round in 0..2 * SERVER_CONNECTIONS {
        migrate::migrate(&url, &tenants).await.unwrap();
        assert_eq!(migrate::check(&url, &tenants).await.unwrap(), [""; 0], "{round}");
        dry_run::insert_sql(&url, NORTH).await.unwrap();
        dry_run::now(&url).await.unwrap();
        let source = TenantSource::<Client>::Postgres(url.clone(), REGISTRY.to_owned());
        assert_eq!(source.read().await.unwrap(), tenants);
        let counts = Staging::new(&url).unwrap().count(&["SELECT 1".to_owned()]).await;
        assert_eq!(counts, Ok(vec![1]));
        let owner = Owner::connect(&url).await.unwrap();
        owner.stale(fixture::start(), 10).await.unwrap();
        owner.put(Vec::new()).await.unwrap();
        owner.count_before(fixture::start()).await.unwrap();
        owner.drop_before(fixture::start()).await.unwrap();
        let board = Board::database(&url).unwrap();
        let mut reading = board.read(&json!({"app_metadata": {"yacht_id": NORTH}})).await.unwrap();
        assert_eq!(reading.tenant().await.unwrap(), Some(NORTH));
        let pairs = [(NORTH, "faults".parse().unwrap())];
        let window = (fixture::start(), fixture::start() + SignedDuration::from_hours(1));
        reading.latest(&pairs).await.unwrap();
        reading.points(&pairs, window).await.unwrap();
        reading.hours((NORTH, &pairs[0].1), window).await.unwrap();
        reading.done().await.unwrap();
        board.newest(&pairs).await.unwrap();
    }
}
