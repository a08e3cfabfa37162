//! A small REST API of any shop: two tenants, roles, orders that are created, changed and deleted.
//!
//! A user proves itself by a key (`X-Api-Key`) or by a session (`POST /auth/login`, then a bearer token), and sees the
//! orders of its tenant alone. With the flag off every path of it is a 404. Holes can be planted, for tests to find.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::query;
use crate::reply::{Ask, Reply};

/// The flag of the orders.
pub const ORDERS_FLAG: &str = "ORDERS_ENABLED";

/// A hole in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hole {
    /// A viewer may create an order.
    ViewerCreates,
    /// An order is shown to whoever has its number.
    ForeignRow,
    /// The list holds the orders of all tenants.
    ForeignList,
    /// The list answers 200 with an error in its body.
    ErrorIn200,
}

/// A user of the shop. Its secrets are made up at start.
#[derive(Clone, PartialEq, Eq)]
pub struct ShopUser {
    /// Its tenant.
    pub tenant: &'static str,
    /// Its role: `viewer` or `editor`.
    pub role: &'static str,
    /// The value of its `X-Api-Key`.
    pub key: String,
    /// The name it signs in with.
    pub email: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for ShopUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShopUser({} of {})", self.role, self.tenant)
    }
}

/// A viewer and an editor of each tenant, with freshly made secrets.
#[must_use]
pub(crate) fn shop_users() -> Vec<ShopUser> {
    let secret = || Uuid::new_v4().simple().to_string();
    let user = |(tenant, role): (&'static str, &'static str)| ShopUser {
        tenant,
        role,
        key: secret(),
        email: format!("{role}@{tenant}.example"),
        password: secret(),
    };
    let all = [
        ("acme", "viewer"),
        ("acme", "editor"),
        ("globex", "viewer"),
        ("globex", "editor"),
    ];
    all.into_iter().map(user).collect()
}

/// One order.
#[derive(Debug, Clone, Serialize)]
struct Order {
    id: u64,
    tenant: &'static str,
    total: Value,
}

/// The orders, and who is signed in.
#[derive(Debug)]
pub(crate) struct Shop(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    orders: Vec<Order>,
    last: u64,
    sessions: HashMap<String, usize>,
}

impl Default for Shop {
    fn default() -> Self {
        let order = |(id, tenant): (u64, &'static str)| Order {
            id,
            tenant,
            total: json!(id),
        };
        let orders: Vec<Order> = [(1001, "acme"), (1002, "globex"), (1003, "acme"), (1004, "globex")]
            .map(order)
            .to_vec();
        Self(Mutex::new(Inner {
            last: 1004,
            orders,
            sessions: HashMap::new(),
        }))
    }
}

impl Shop {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every order, as a row.
    pub(crate) fn rows(&self) -> Vec<Value> {
        self.inner().orders.iter().map(|order| json!(order)).collect()
    }

    /// Forgets everybody.
    pub(crate) fn sign_out_all(&self) {
        self.inner().sessions.clear();
    }
}

/// What an answer depends on.
pub(crate) struct Counter<'a> {
    pub(crate) shop: &'a Shop,
    pub(crate) users: &'a [ShopUser],
    pub(crate) is_on: bool,
    pub(crate) holes: &'a [Hole],
}

fn error(status: StatusCode, code: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": code}}))
}

fn not_found() -> Reply {
    error(StatusCode::NOT_FOUND, "not_found")
}

impl<'a> Counter<'a> {
    /// Answers `/healthz`, `/auth/login` and what is below `/orders`; `None` for any other path.
    pub(crate) fn answer(&self, ask: &Ask<'_>) -> Option<Reply> {
        match (ask.path, ask.method) {
            ("/healthz", &Method::GET) => return Some(Reply::json(StatusCode::OK, &json!({"status": "ok"}))),
            ("/auth/login", &Method::POST) => return Some(self.login(ask)),
            _ => {}
        }
        let rest = ask.path.strip_prefix("/orders")?;
        if !self.is_on {
            return Some(not_found());
        }
        let Some(user) = self.user(ask) else {
            return Some(error(StatusCode::UNAUTHORIZED, "unauthorized"));
        };
        Some(match (rest, ask.method) {
            ("", &Method::GET) => self.list(user, ask),
            ("", &Method::POST) => self.create(user, ask),
            (rest, method) => match rest.strip_prefix('/').and_then(|id| id.parse().ok()) {
                Some(id) => self.order(user, id, method, ask),
                None => not_found(),
            },
        })
    }

    fn has(&self, hole: Hole) -> bool {
        self.holes.contains(&hole)
    }

    /// Who asks, by key or by session.
    fn user(&self, ask: &Ask<'_>) -> Option<&'a ShopUser> {
        if let Some(key) = ask.header("x-api-key") {
            return self.users.iter().find(|user| user.key == key);
        }
        let at = *self.shop.inner().sessions.get(ask.bearer()?)?;
        self.users.get(at)
    }

    fn login(&self, ask: &Ask<'_>) -> Reply {
        let body: Value = serde_json::from_slice(ask.body).unwrap_or_default();
        let is_meant =
            |user: &ShopUser| body["email"] == user.email.as_str() && body["password"] == user.password.as_str();
        let Some(at) = self.users.iter().position(is_meant) else {
            return error(StatusCode::UNAUTHORIZED, "invalid_credentials");
        };
        let token = Uuid::new_v4().simple().to_string();
        self.shop.inner().sessions.insert(token.clone(), at);
        Reply::json(StatusCode::OK, &json!({"data": {"access_token": token}}))
    }

    fn list(&self, user: &ShopUser, ask: &Ask<'_>) -> Reply {
        if self.has(Hole::ErrorIn200) {
            return error(StatusCode::OK, "database_unavailable");
        }
        let limit = query::value(ask.query, "limit")
            .and_then(|limit| limit.parse().ok())
            .unwrap_or(50);
        let shop = self.shop.inner();
        let seen = |order: &&Order| order.tenant == user.tenant || self.has(Hole::ForeignList);
        let newest: Vec<&Order> = shop.orders.iter().rev().filter(seen).take(limit).collect();
        Reply::json(StatusCode::OK, &json!({"data": newest}))
    }

    fn create(&self, user: &ShopUser, ask: &Ask<'_>) -> Reply {
        if user.role != "editor" && !self.has(Hole::ViewerCreates) {
            return error(StatusCode::FORBIDDEN, "forbidden");
        }
        let body: Value = serde_json::from_slice(ask.body).unwrap_or_default();
        if !body["total"].is_number() {
            return error(StatusCode::UNPROCESSABLE_ENTITY, "total_is_a_number");
        }
        let mut shop = self.shop.inner();
        shop.last += 1;
        let order = Order {
            id: shop.last,
            tenant: user.tenant,
            total: body["total"].clone(),
        };
        shop.orders.push(order.clone());
        Reply::json(StatusCode::CREATED, &json!({"data": order}))
    }

    /// One order: another tenant's is not there.
    fn order(&self, user: &ShopUser, id: u64, method: &Method, ask: &Ask<'_>) -> Reply {
        let mut shop = self.shop.inner();
        let sees = |order: &Order| order.tenant == user.tenant || (self.has(Hole::ForeignRow) && method == Method::GET);
        let Some(at) = shop.orders.iter().position(|order| order.id == id && sees(order)) else {
            return not_found();
        };
        match *method {
            Method::GET => Reply::json(StatusCode::OK, &json!({"data": shop.orders[at]})),
            Method::PATCH | Method::DELETE if user.role != "editor" => error(StatusCode::FORBIDDEN, "forbidden"),
            Method::PATCH => {
                let body: Value = serde_json::from_slice(ask.body).unwrap_or_default();
                shop.orders[at].total = body["total"].clone();
                Reply::json(StatusCode::OK, &json!({"data": shop.orders[at]}))
            }
            Method::DELETE => {
                shop.orders.remove(at);
                Reply::empty(StatusCode::NO_CONTENT)
            }
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        }
    }
}
