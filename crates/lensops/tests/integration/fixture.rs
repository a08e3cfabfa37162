//! Stores under test, checks to put into them, and a way to spoil the connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use lensops::commands::worker::delivery::{Delivery, Flushed};
use lensops::http::{Client, TIMEOUT};
use lensops::store::{Journal, Postgres, Rest, Returned, Store};
use lensops_core::duration::Every;
use lensops_core::exchange::{Base, Exchange, PreparedRequest, Response, Route, Timings};
use lensops_core::history::schedule::Schedule;
use lensops_core::redaction::Redactor;
use lensops_core::secret::Secret;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{CheckRecord, EventRecord, Level, Status, event_id};
use lensops_sandbox::{Dialect, Sandbox};
use serde_json::json;
use sqlx::Row as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::bridge;
use crate::harness::sandbox;
use crate::pg::Database;
use crate::pooler::Pooler;

pub(crate) const NORTH: Uuid = Uuid::from_u128(0x53fb_df09_b709_509d_aad0_3a6f_5023_9a5d);
pub(crate) const SOUTH: Uuid = Uuid::from_u128(0x20);

/// The exchange of `request` that was answered with `status`, `headers` and `body` in a millisecond.
pub(crate) fn answered(
    request: Arc<PreparedRequest>,
    status: u16,
    headers: Vec<(String, String)>,
    body: &str,
) -> Exchange {
    Exchange {
        request,
        sent_at: Timestamp::UNIX_EPOCH,
        result: Ok(Response {
            version: "HTTP/1.1",
            status,
            headers,
            body: body.into(),
        }),
        timings: Timings {
            total_us: 1_000,
            ..Timings::default()
        },
        route: Route::default(),
    }
}

/// The backends that every store case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    /// PostgreSQL by way of a pooler that hands out another connection every transaction.
    PostgresPooled,
    /// REST, with the empty body that an insert answers unless it is asked for rows.
    RestMinimal,
    RestRepresentation,
    /// REST in front of a real PostgreSQL, which takes the role from the key.
    RestOverPostgres,
}

pub(crate) const KINDS: [Kind; 6] = [
    Kind::Sqlite,
    Kind::Postgres,
    Kind::PostgresPooled,
    Kind::RestMinimal,
    Kind::RestRepresentation,
    Kind::RestOverPostgres,
];

pub(crate) fn start() -> Timestamp {
    "2026-01-28T15:00:00Z".parse().unwrap()
}

/// The check of slot `n` (quarter hours from [`start`]) of a lens of a tenant, with two events.
pub(crate) fn check_of(tenant: Uuid, lens: &str, n: i64) -> CheckRecord {
    let (lens, at) = (lens.parse().unwrap(), start() + SignedDuration::from_mins(15 * n));
    let id = Schedule::new(Every::QUARTER_HOUR, &lens, tenant).slot_id(at);
    let redactor = Redactor::default();
    let event = |index, level| EventRecord {
        id: event_id(id, index),
        level,
        detail: redactor.json(json!({"index": index, "text": "quote \" and \\ and é"})),
    };
    CheckRecord {
        id,
        yacht_id: tenant,
        lens_id: lens,
        status: [Status::Healthy, Status::Degraded, Status::Unhealthy][usize::try_from(n.rem_euclid(3)).unwrap()],
        p95_latency_ms: Some(100 + n),
        error_rate_hundredths: Some(476),
        sample_size: 21,
        observed_at: at,
        notes: RecordNotes::of_json(json!({"samples_us": [1, 2, 3], "n": n}), &redactor),
        events: vec![event(0, Level::Error), event(1, Level::Info)],
    }
}

pub(crate) fn check(n: i64) -> CheckRecord {
    check_of(NORTH, "faults", n)
}

/// A journal in a folder of its own.
pub(crate) async fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    (folder, journal)
}

pub(crate) fn delivery(journal: &Journal, store: Store<Client>) -> Delivery<Store<Client>> {
    Delivery::new(journal.clone(), store, Redactor::default(), u64::MAX / 8)
}

pub(crate) fn postgres(url: &str) -> Store<Client> {
    Store::Postgres(Postgres::new(&Secret::new(url)).unwrap())
}

pub(crate) fn rest(sandbox: &Sandbox, returned: Returned) -> Store<Client> {
    let key = Secret::new(&*sandbox.config().service_key);
    let rest = Rest::new(Client::new(TIMEOUT), Base::parse(&sandbox.url()).unwrap(), key);
    Store::Rest(rest.returning(returned))
}

/// REST in front of `database`, opened with `key`.
pub(crate) async fn over_postgres(database: &Database, key: &str) -> Store<Client> {
    Store::Rest(over_postgres_rest(database, key).await)
}

/// The same, not yet a store.
pub(crate) async fn over_postgres_rest(database: &Database, key: &str) -> Rest<Client> {
    let base = Base::parse(&bridge::serve(&database.url).await).unwrap();
    Rest::new(Client::new(TIMEOUT), base, Secret::new(key))
}

/// A store with a journal before it.
pub(crate) struct Fixture {
    pub(crate) kind: Kind,
    pub(crate) journal: Journal,
    pub(crate) store: Store<Client>,
    _folder: tempfile::TempDir,
    database: Option<Database>,
    _pooler: Option<Pooler>,
    pub(crate) sandbox: Option<Sandbox>,
}

impl Fixture {
    pub(crate) async fn new(kind: Kind) -> Self {
        let (folder, journal) = journal().await;
        let (mut database, mut stand_in, mut pooler) = (None, None, None);
        let store = match kind {
            Kind::Sqlite => Store::Sqlite(journal.clone()),
            Kind::Postgres => {
                let made = tenants_entered().await;
                let store = postgres(&made.url);
                database = Some(made);
                store
            }
            Kind::PostgresPooled => {
                let made = tenants_entered().await;
                let before = Pooler::before(&made).await;
                let store = postgres(&before.url);
                (database, pooler) = (Some(made), Some(before));
                store
            }
            Kind::RestOverPostgres => {
                let made = tenants_entered().await;
                let store = over_postgres(&made, bridge::SERVICE_KEY).await;
                database = Some(made);
                store
            }
            Kind::RestMinimal | Kind::RestRepresentation => {
                let made = sandbox(Dialect::Documented).await;
                let returned = if kind == Kind::RestMinimal {
                    Returned::Minimal
                } else {
                    Returned::Representation
                };
                let store = rest(&made, returned);
                stand_in = Some(made);
                store
            }
        };
        Self {
            kind,
            journal,
            store,
            _folder: folder,
            database,
            _pooler: pooler,
            sandbox: stand_in,
        }
    }

    pub(crate) async fn record(&self, checks: impl IntoIterator<Item = CheckRecord>) {
        let all = checks.into_iter().map(|check| self.journal.record(check));
        for recorded in futures_util::future::join_all(all).await {
            recorded.unwrap();
        }
    }

    pub(crate) async fn deliver(&self) -> Flushed {
        delivery(&self.journal, self.store.clone()).flush().await.unwrap()
    }

    /// What the store has: the ids of checks, each with the number of its events.
    pub(crate) async fn kept(&self) -> BTreeMap<Uuid, usize> {
        match (&self.database, &self.sandbox) {
            (Some(database), _) => kept(database).await,
            (_, Some(sandbox)) => {
                let events = sandbox.rows("pms_health_events");
                let count = |id: &str| events.iter().filter(|event| event["check_id"] == id).count();
                let rows = sandbox.rows("pms_health_checks");
                let ids = rows.iter().map(|row| row["id"].as_str().unwrap());
                ids.map(|id| (id.parse().unwrap(), count(id))).collect()
            }
            _ => {
                let mut kept = BTreeMap::new();
                for (check, events) in self.journal.page(None, 100_000, false).await.unwrap() {
                    kept.insert(check.id, events.len());
                }
                kept
            }
        }
    }
}

/// A migrated database that knows the tenants of these tests.
pub(crate) async fn tenants_entered() -> Database {
    let database = Database::migrated().await;
    database
        .run(&format!(
            "INSERT INTO yacht_registry (id) VALUES ('{NORTH}'), ('{SOUTH}')"
        ))
        .await;
    database
}

/// The ids of checks in a database, each with the number of its events.
pub(crate) async fn kept(database: &Database) -> BTreeMap<Uuid, usize> {
    let count = "SELECT c.id, count(e.id) FROM pms_health_checks c LEFT JOIN pms_health_events e ON e.check_id = c.id GROUP BY c.id";
    let rows = sqlx::query(count)
        .fetch_all(&mut database.connect().await)
        .await
        .unwrap();
    rows.iter()
        .map(|row| (row.get(0), usize::try_from(row.get::<i64, _>(1)).unwrap()))
        .collect()
}

/// What a [`Proxy`] does to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Spoil {
    /// Nothing.
    Pass,
    /// Cuts when the server says that a transaction was committed, before the client hears it.
    CutAfterCommit,
    /// Cuts once the client has sent 6 kB: in the middle of a batch.
    CutMidBatch,
    /// Passes nothing on.
    Stall,
    /// Ends every connection at once, as where no server is.
    Gone,
}

/// Stands between a client and a server on loopback.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    spoil: Arc<AtomicU8>,
    /// Connections that were cut.
    pub(crate) cuts: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn to(server: &str, spoil: Spoil) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self {
            port,
            spoil: Arc::new(AtomicU8::new(spoil as u8)),
            cuts: Arc::default(),
        };
        let (spoil, cuts, server) = (proxy.spoil.clone(), proxy.cuts.clone(), server.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (spoil, cuts, server) = (spoil.clone(), cuts.clone(), server.clone());
                tokio::spawn(async move {
                    let server = TcpStream::connect(server).await.unwrap();
                    if pass(client, server, &spoil).await {
                        cuts.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        proxy
    }

    pub(crate) fn set(&self, spoil: Spoil) {
        self.spoil.store(spoil as u8, Ordering::SeqCst);
    }
}

/// Passes bytes both ways until one side ends; says whether it was cut on purpose.
async fn pass(mut client: TcpStream, mut server: TcpStream, spoil: &AtomicU8) -> bool {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    let mut sent = 0;
    loop {
        let is = |wanted: Spoil| spoil.load(Ordering::SeqCst) == wanted as u8;
        if is(Spoil::Gone) {
            return true;
        }
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(count @ 1..) => {
                    if is(Spoil::Stall) {
                        std::future::pending::<()>().await;
                    }
                    sent += count;
                    if is(Spoil::CutMidBatch) && sent > 6_000 {
                        return true;
                    }
                    if server.write_all(&up[..count]).await.is_err() {
                        return false;
                    }
                }
                _ => return false,
            },
            read = server.read(&mut down) => match read {
                Ok(count @ 1..) => {
                    let committed = down[..count].windows(7).any(|bytes| bytes == b"COMMIT\0");
                    if committed && is(Spoil::CutAfterCommit) {
                        return true;
                    }
                    if client.write_all(&down[..count]).await.is_err() {
                        return false;
                    }
                }
                _ => return false,
            },
        }
    }
}
