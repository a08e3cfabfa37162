//! The REST interface in front of a real PostgreSQL: as much of PostgREST as the store meets. The
//! presented key decides the role, so that grants and policies are the database's own.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row as _};
use tokio::net::TcpListener;

/// The key that is the service role; any other one is anonymous.
pub(crate) const SERVICE_KEY: &str = "made-up-service-key-of-the-bridge";

/// Serves the database at `url` and says where.
pub(crate) async fn serve(url: &str) -> String {
    let pool = PgPoolOptions::new().max_connections(4).connect(url).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let pool = pool.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(pool.clone(), request));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // A client that goes away is no matter of the server.
                connection.await.ok();
            });
        }
    });
    address
}

async fn answer(pool: PgPool, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let key = header("authorization").trim_start_matches("Bearer ").to_owned();
    let role = if key == SERVICE_KEY && header("apikey") == key {
        "service_role"
    } else {
        "anon"
    };
    let (table, query) = (
        head.uri.path().trim_start_matches("/rest/v1/").to_owned(),
        head.uri.query().unwrap_or_default(),
    );
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query(AssertSqlSafe(format!("SET LOCAL ROLE {role}")))
        .execute(&mut *transaction)
        .await
        .unwrap();
    let done = if head.method == Method::POST {
        let prefer = header("prefer");
        insert(&mut transaction, &table, &body, &prefer).await
    } else {
        select(&mut transaction, &table, query).await.map(|rows| (200, rows))
    };
    let (status, text) = match done {
        Ok(done) => {
            transaction.commit().await.unwrap();
            done
        }
        Err(error) => refusal(&error),
    };
    Ok(Response::builder()
        .status(status)
        .body(Full::new(Bytes::from(text)))
        .unwrap())
}

async fn insert(
    connection: &mut PgConnection,
    table: &str,
    body: &[u8],
    prefer: &str,
) -> Result<(u16, String), sqlx::Error> {
    let ignoring = if prefer.contains("resolution=ignore-duplicates") {
        "ON CONFLICT (id) DO NOTHING"
    } else {
        ""
    };
    let sql = format!(
        "WITH inserted AS (INSERT INTO public.{table} \
         SELECT * FROM jsonb_populate_recordset(NULL::public.{table}, $1::jsonb) {ignoring} RETURNING *) \
         SELECT coalesce(jsonb_agg(to_jsonb(inserted)), '[]')::text FROM inserted"
    );
    let body = String::from_utf8_lossy(body).into_owned();
    let rows: String = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(body)
        .fetch_one(connection)
        .await?;
    // Without return=representation the body is empty: that is no JSON.
    Ok((
        201,
        if prefer.contains("return=representation") {
            rows
        } else {
            String::new()
        },
    ))
}

/// A column, or a member of a JSON column: `notes->reached->>host`.
fn path(column: &str) -> String {
    let column = column.replace("%3E", ">");
    let mut parts = column.split("->");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |path, part| match part.strip_prefix('>') {
        Some(text) => format!("({path} ->> '{text}')"),
        None => format!("({path} -> '{part}')"),
    })
}

async fn select(connection: &mut PgConnection, table: &str, query: &str) -> Result<String, sqlx::Error> {
    let (mut filters, mut order, mut limit, mut offset) = (vec!["true".to_owned()], String::new(), 1000, 0);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match (name, value.split_once('.')) {
            ("limit", _) => limit = value.parse().unwrap(),
            // More columns than were asked for do no harm.
            ("select", _) => {}
            ("offset", _) => offset = value.parse().unwrap(),
            ("order", _) => order = format!("ORDER BY {}", value.replace(".desc", " DESC")),
            (column, Some(("in", list))) => {
                let list = list.trim_matches(['(', ')']).replace(',', "','");
                filters.push(format!("{column} IN ('{list}')"));
            }
            (column, Some(("is", "null"))) => filters.push(format!("{} IS NULL", path(column))),
            (column, Some((operator, operand))) => {
                let known = [("eq", "="), ("gt", ">"), ("gte", ">="), ("lte", "<="), ("neq", "<>")];
                let (_, operator) = known.iter().find(|(name, _)| *name == operator).unwrap();
                let operand = percent_encoding::percent_decode_str(operand).decode_utf8().unwrap();
                filters.push(format!("{} {operator} '{operand}'", path(column)));
            }
            other => panic!("the bridge does not know {other:?}"),
        }
    }
    // As Supabase does, fewer rows than were asked for.
    let sql = format!(
        "SELECT to_jsonb(t)::text FROM public.{table} t WHERE {} {order} LIMIT least({limit}, 700) OFFSET {offset}",
        filters.join(" AND ")
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok(format!("[{}]", rows.join(",")))
}

fn refusal(error: &sqlx::Error) -> (u16, String) {
    let Some(said) = error.as_database_error() else {
        return (503, json!({"code": "PGRST001", "message": "no connection"}).to_string());
    };
    let code = said.code().unwrap_or_default().into_owned();
    let (status, code) = match code.as_str() {
        "42501" => (403, code),
        "42P01" => (404, "PGRST205".to_owned()),
        "23505" | "23503" => (409, code),
        _ => (400, code),
    };
    (
        status,
        json!({"code": code, "message": said.message(), "details": Value::Null, "hint": Value::Null}).to_string(),
    )
}
