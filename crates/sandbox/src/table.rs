//! The two tables: columns, defaults, constraints, and how a value is read and compared.

use std::cmp::Ordering;

use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::reply::Reply;

/// One row, its columns in table order.
pub(crate) type Row = Map<String, Value>;

/// An error as PostgREST tells it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Complaint {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn reply(&self) -> Reply {
        let body = json!({
            "code": self.code, "details": null, "hint": null, "message": self.message,
        });
        Reply::json(self.status, &body)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Uuid,
    Text,
    Integer,
    /// `numeric(5,2)`.
    Numeric,
    Timestamp,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    Null,
    Refused,
    NewId,
    Now,
    EmptyObject,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    absent: Absent,
    /// The values a check constraint allows; empty without one.
    allowed: &'static [&'static str],
}

const fn column(name: &'static str, kind: Type, absent: Absent) -> Column {
    Column {
        name,
        kind,
        absent,
        allowed: &[],
    }
}

const fn checked(name: &'static str, allowed: &'static [&'static str]) -> Column {
    Column {
        name,
        kind: Type::Text,
        absent: Absent::Refused,
        allowed,
    }
}

/// A table's name and shape.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
}

pub(crate) static CHECKS: Table = Table {
    name: "pms_health_checks",
    columns: &[
        column("id", Type::Uuid, Absent::NewId),
        column("yacht_id", Type::Uuid, Absent::Refused),
        column("lens_id", Type::Text, Absent::Refused),
        checked("status", &["healthy", "degraded", "unhealthy"]),
        column("p95_latency_ms", Type::Integer, Absent::Null),
        column("error_rate_percent", Type::Numeric, Absent::Null),
        column("sample_size", Type::Integer, Absent::Null),
        column("observed_at", Type::Timestamp, Absent::Now),
        column("notes", Type::Json, Absent::EmptyObject),
    ],
};

pub(crate) static EVENTS: Table = Table {
    name: "pms_health_events",
    columns: &[
        column("id", Type::Uuid, Absent::NewId),
        column("check_id", Type::Uuid, Absent::Refused),
        checked("level", &["info", "warning", "error"]),
        column("detail_json", Type::Json, Absent::Refused),
        column("created_at", Type::Timestamp, Absent::Now),
    ],
};

impl Table {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        [&CHECKS, &EVENTS].into_iter().find(|table| table.name == name)
    }

    pub(crate) fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// A row as it would be stored: defaults filled in, values in their column's form.
    pub(crate) fn row(&self, given: &Map<String, Value>) -> Result<Row, Complaint> {
        if let Some(unknown) = given.keys().find(|name| self.column(name).is_none()) {
            let message = format!(
                "Could not find the '{unknown}' column of '{}' in the schema cache",
                self.name
            );
            return Err(Complaint::bad("PGRST204", message));
        }
        let values = self.columns.iter().map(|column| {
            let value = column.store(self.name, given.get(column.name))?;
            Ok((column.name.to_owned(), value))
        });
        values.collect()
    }
}

impl Column {
    fn store(&self, table: &str, given: Option<&Value>) -> Result<Value, Complaint> {
        let required = matches!(self.absent, Absent::Refused | Absent::NewId | Absent::Now);
        match given {
            None if self.absent != Absent::Refused => return Ok(self.default()),
            None | Some(Value::Null) if required => {
                let message = format!(
                    "null value in column \"{}\" of relation \"{table}\" violates not-null constraint",
                    self.name
                );
                return Err(Complaint::bad("23502", message));
            }
            None | Some(Value::Null) => return Ok(Value::Null),
            Some(_) => {}
        }
        let value = self.kind.read(given.unwrap_or(&Value::Null))?;
        if self.allowed.is_empty() || self.allowed.iter().any(|allowed| value == *allowed) {
            return Ok(value);
        }
        let message = format!(
            "new row for relation \"{table}\" violates check constraint \"{table}_{}_check\"",
            self.name
        );
        Err(Complaint::bad("23514", message))
    }

    fn default(&self) -> Value {
        match self.absent {
            Absent::NewId => Uuid::new_v4().to_string().into(),
            Absent::Now => shown(Timestamp::now()).into(),
            Absent::EmptyObject => json!({}),
            Absent::Null | Absent::Refused => Value::Null,
        }
    }
}

impl Type {
    fn read(self, value: &Value) -> Result<Value, Complaint> {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let wrong = |name: &str| {
            let message = format!("invalid input syntax for type {name}: \"{text}\"");
            Complaint::bad("22P02", message)
        };
        Ok(match self {
            Self::Text => text.into(),
            Self::Json => value.clone(),
            Self::Uuid => {
                let id = Uuid::parse_str(&text).map_err(|_| wrong("uuid"))?;
                id.to_string().into()
            }
            Self::Integer => text.parse::<i32>().map_err(|_| wrong("integer"))?.into(),
            Self::Numeric => {
                let number: f64 = text.parse().map_err(|_| wrong("numeric"))?;
                let rounded = (number * 100.0).round() / 100.0;
                if !rounded.is_finite() || rounded.abs() >= 1000.0 {
                    return Err(Complaint::bad("22003", "numeric field overflow"));
                }
                rounded.into()
            }
            Self::Timestamp => shown(timestamp(&text)?).into(),
        })
    }

    /// How a stored value stands to a value of a filter; `None` when the stored one is null.
    pub(crate) fn compare(self, stored: &Value, wanted: &str) -> Result<Option<Ordering>, Complaint> {
        if stored.is_null() {
            return Ok(None);
        }
        let text = stored.as_str().unwrap_or_default();
        Ok(match self {
            Self::Uuid => {
                let wanted = self.read(&wanted.into())?;
                Some(text.cmp(wanted.as_str().unwrap_or_default()))
            }
            Self::Text => Some(text.cmp(wanted)),
            Self::Json => Some(stored.to_string().as_str().cmp(wanted)),
            Self::Timestamp => Some(timestamp(text)?.cmp(&timestamp(wanted)?)),
            Self::Integer | Self::Numeric => {
                let wanted: f64 = wanted.parse().map_err(|_| {
                    let message = format!("invalid input syntax for a number: \"{wanted}\"");
                    Complaint::bad("22P02", message)
                })?;
                stored.as_f64().and_then(|stored| stored.partial_cmp(&wanted))
            }
        })
    }

    /// How two stored values stand to one another; nulls come last, as in ascending order.
    pub(crate) fn order(self, one: &Value, other: &Value) -> Ordering {
        match (one.is_null(), other.is_null()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) => {}
        }
        let wanted = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
        self.compare(one, &wanted).ok().flatten().unwrap_or(Ordering::Equal)
    }
}

fn timestamp(text: &str) -> Result<Timestamp, Complaint> {
    text.parse().map_err(|_| {
        let message = format!("invalid input syntax for type timestamp with time zone: \"{text}\"");
        Complaint::bad("22007", message)
    })
}

/// A point in time the way PostgreSQL writes it as JSON, with `+00:00` and not `Z`.
pub(crate) fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")
        .to_string()
        .replace(".000000", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: (&str, Value)) -> Map<String, Value> {
        let row = json!({
            "yacht_id": "53FBDF09-b709-509d-aad0-3a6f50239a5d", "lens_id": "faults",
            "status": "healthy", "observed_at": "2026-01-28T15:00:00Z",
        });
        let mut row = row.as_object().expect("object").clone();
        row.insert(change.0.to_owned(), change.1);
        row
    }

    #[test]
    fn a_row_is_stored_in_the_form_of_its_columns() {
        let row = CHECKS.row(&check(("error_rate_percent", json!(4.7619)))).expect("fits");
        assert_eq!(row["yacht_id"], "53fbdf09-b709-509d-aad0-3a6f50239a5d");
        assert_eq!(row["observed_at"], "2026-01-28T15:00:00+00:00");
        assert_eq!(row["error_rate_percent"], 4.76);
        assert_eq!(row["notes"], json!({}));
        assert_eq!(row["sample_size"], Value::Null);
        assert!(Uuid::parse_str(row["id"].as_str().expect("text")).is_ok());
    }

    #[test]
    fn a_row_that_breaks_a_constraint_is_refused_with_its_code() {
        for (column, value, code) in [
            ("status", json!("fine"), "23514"),
            ("status", Value::Null, "23502"),
            ("lens_id", Value::Null, "23502"),
            ("id", json!("7"), "22P02"),
            ("sample_size", json!(1.5), "22P02"),
            ("sample_size", json!(3_000_000_000_u64), "22P02"),
            ("error_rate_percent", json!(1000), "22003"),
            ("observed_at", json!("yesterday"), "22007"),
            ("lens", json!("faults"), "PGRST204"),
        ] {
            let complaint = CHECKS.row(&check((column, value))).expect_err(column);
            assert_eq!(complaint.code, code, "{column}");
            assert_eq!(complaint.status, StatusCode::BAD_REQUEST, "{column}");
        }
    }

    #[test]
    fn nulls_sort_last_and_times_by_instant() {
        let kind = Type::Timestamp;
        let (early, late) = (json!("2026-01-28T15:00:00+01:00"), json!("2026-01-28T14:30:00Z"));
        assert_eq!(kind.order(&early, &late), Ordering::Less);
        assert_eq!(kind.order(&early, &Value::Null), Ordering::Less);
        assert_eq!(kind.order(&Value::Null, &early), Ordering::Greater);
        assert_eq!(Type::Integer.order(&json!(9), &json!(10)), Ordering::Less);
    }
}
