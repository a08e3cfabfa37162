//! The rows of the REST store: inserts that are all or nothing, reads, and the three functions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::table::{CHECKS, Complaint, EVENTS, Row, Table, Type};

/// Both tables.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    checks: Stored,
    events: Stored,
}

#[derive(Debug, Default)]
struct Stored {
    rows: Vec<Row>,
    by_id: HashMap<String, usize>,
}

impl Stored {
    fn push(&mut self, row: Row) {
        self.by_id.insert(text(&row, "id").to_owned(), self.rows.len());
        self.rows.push(row);
    }
}

fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

impl Rows {
    /// Every row of a table, by name, in the order of arrival.
    pub(crate) fn all(&self, name: &str) -> Option<Vec<Value>> {
        let table = Table::named(name)?;
        Some(self.stored(table).rows.iter().cloned().map(Value::Object).collect())
    }

    pub(crate) fn of(&self, table: &Table) -> &[Row] {
        &self.stored(table).rows
    }

    fn stored(&self, table: &Table) -> &Stored {
        if table.name == CHECKS.name {
            &self.checks
        } else {
            &self.events
        }
    }

    /// Inserts all rows or none; returns those inserted. With `ignore` a row whose id is there
    /// already is passed over, otherwise it refuses the batch.
    pub(crate) fn insert(
        &mut self,
        table: &'static Table,
        given: &[Map<String, Value>],
        ignore: bool,
    ) -> Result<Vec<Value>, Complaint> {
        let mut fresh: Vec<Row> = Vec::with_capacity(given.len());
        let mut batch = std::collections::HashSet::new();
        for given in given {
            let row = table.row(given)?;
            let id = text(&row, "id").to_owned();
            if self.stored(table).by_id.contains_key(&id) || !batch.insert(id) {
                if ignore {
                    continue;
                }
                return Err(duplicate(table));
            }
            fresh.push(row);
        }
        if table.name == EVENTS.name {
            let known = |row: &&Row| self.checks.by_id.contains_key(text(row, "check_id"));
            if !fresh.iter().all(|row| known(&row)) {
                return Err(orphan());
            }
        }
        let inserted = fresh.iter().cloned().map(Value::Object).collect();
        let checks = table.name == CHECKS.name;
        let stored = if checks { &mut self.checks } else { &mut self.events };
        fresh.into_iter().for_each(|row| stored.push(row));
        Ok(inserted)
    }

    /// Calls one of the functions of the schema.
    pub(crate) fn call(&self, function: &str, arguments: &Map<String, Value>) -> Result<Vec<Value>, Complaint> {
        let tenant = || required(function, arguments, "p_yacht_id", Type::Uuid);
        let lens = || required(function, arguments, "p_lens_id", Type::Text);
        match function {
            "get_latest_health_check" => {
                let columns = [
                    "id",
                    "status",
                    "p95_latency_ms",
                    "error_rate_percent",
                    "observed_at",
                    "notes",
                ];
                let newest = self.newest_first(&tenant()?, Some(&lens()?));
                Ok(newest.into_iter().take(1).map(|row| pick(row, &columns)).collect())
            }
            "get_health_check_history" => {
                let columns = ["id", "status", "p95_latency_ms", "error_rate_percent", "observed_at"];
                let hours = arguments.get("p_hours").map_or(Some(24), Value::as_i64);
                let hours =
                    hours.ok_or_else(|| Complaint::bad("22P02", "invalid input syntax for type integer: p_hours"))?;
                let since = Timestamp::now() - SignedDuration::from_hours(hours.clamp(0, 87_600));
                let newest = self.newest_first(&tenant()?, Some(&lens()?));
                let recent = newest.into_iter().take_while(|row| observed(row) >= since);
                Ok(recent.map(|row| pick(row, &columns)).collect())
            }
            "get_unhealthy_lenses" => Ok(self.unhealthy(&tenant()?)),
            _ => Err(unknown_function(function)),
        }
    }

    fn newest_first(&self, tenant: &str, lens: Option<&str>) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self
            .checks
            .rows
            .iter()
            .filter(|row| text(row, "yacht_id") == tenant)
            .filter(|row| lens.is_none_or(|lens| text(row, "lens_id") == lens))
            .collect();
        rows.sort_by_key(|row| Reverse(observed(row)));
        rows
    }

    fn unhealthy(&self, tenant: &str) -> Vec<Value> {
        let mut latest = BTreeMap::new();
        for row in self.newest_first(tenant, None) {
            latest.entry(text(row, "lens_id")).or_insert(row);
        }
        let sick = latest.into_iter().filter(|(_, row)| text(row, "status") != "healthy");
        sick.map(|(lens, row)| {
            let of_check = |event: &&Row| event.get("check_id") == row.get("id") && text(event, "level") == "error";
            json!({
                "lens_id": lens, "status": row["status"], "last_observed": row["observed_at"],
                "error_count": self.events.rows.iter().filter(of_check).count(),
            })
        })
        .collect()
    }
}

fn observed(row: &Row) -> Timestamp {
    text(row, "observed_at").parse().unwrap_or(Timestamp::MIN)
}

fn pick(row: &Row, columns: &[&str]) -> Value {
    let picked = columns.iter().map(|name| ((*name).to_owned(), row[*name].clone()));
    Value::Object(picked.collect())
}

fn required(function: &str, arguments: &Map<String, Value>, name: &str, kind: Type) -> Result<String, Complaint> {
    let given = arguments.get(name).and_then(Value::as_str);
    let given = given.ok_or_else(|| unknown_function(function))?;
    if kind != Type::Uuid {
        return Ok(given.to_owned());
    }
    let id = Uuid::parse_str(given)
        .map_err(|_| Complaint::bad("22P02", format!("invalid input syntax for type uuid: \"{given}\"")))?;
    Ok(id.to_string())
}

/// PostgREST finds functions by name and arguments together: one answer for both.
fn unknown_function(name: &str) -> Complaint {
    let message = format!("Could not find the function public.{name} with these parameters");
    Complaint::new(StatusCode::NOT_FOUND, "PGRST202", message)
}

fn duplicate(table: &Table) -> Complaint {
    let message = format!("duplicate key value violates unique constraint \"{}_pkey\"", table.name);
    Complaint::new(StatusCode::CONFLICT, "23505", message)
}

fn orphan() -> Complaint {
    let message = "insert or update on table \"pms_health_events\" violates foreign key \
                   constraint \"pms_health_events_check_id_fkey\"";
    Complaint::new(StatusCode::CONFLICT, "23503", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YACHT: &str = "53fbdf09-b709-509d-aad0-3a6f50239a5d";

    fn check(number: u128, lens: &str, status: &str, ago_hours: i64) -> Map<String, Value> {
        let at = Timestamp::now() - SignedDuration::from_hours(ago_hours);
        let row = json!({
            "id": Uuid::from_u128(number).to_string(), "yacht_id": YACHT, "lens_id": lens,
            "status": status, "observed_at": at.to_string(),
        });
        row.as_object().expect("object").clone()
    }

    fn event(number: u128, check: u128, level: &str) -> Map<String, Value> {
        let row = json!({
            "id": Uuid::from_u128(number).to_string(),
            "check_id": Uuid::from_u128(check).to_string(), "level": level, "detail_json": {},
        });
        row.as_object().expect("object").clone()
    }

    #[test]
    fn a_batch_goes_in_whole_or_not_at_all() {
        let mut rows = Rows::default();
        let (one, two) = (check(1, "faults", "healthy", 0), check(2, "faults", "healthy", 0));
        rows.insert(&CHECKS, std::slice::from_ref(&one), false).expect("first");
        let error = rows
            .insert(&CHECKS, &[two.clone(), one.clone()], false)
            .expect_err("again");
        assert_eq!((error.status, error.code), (StatusCode::CONFLICT, "23505"));
        assert_eq!(rows.of(&CHECKS).len(), 1, "row 2 was not kept either");
        let inserted = rows.insert(&CHECKS, &[one, two.clone(), two], true).expect("ignored");
        assert_eq!(inserted.len(), 1, "only row 2, once");
    }

    #[test]
    fn an_event_needs_its_check() {
        let mut rows = Rows::default();
        rows.insert(&CHECKS, &[check(1, "faults", "healthy", 0)], false)
            .expect("check");
        let batch = [event(10, 1, "info"), event(11, 2, "info")];
        let error = rows.insert(&EVENTS, &batch, false).expect_err("orphan");
        assert_eq!((error.status, error.code), (StatusCode::CONFLICT, "23503"));
        assert!(rows.of(&EVENTS).is_empty());
    }

    #[test]
    fn functions_answer_from_the_newest_check() {
        let mut rows = Rows::default();
        let checks = [
            check(1, "faults", "healthy", 30),
            check(3, "faults", "degraded", 1),
            check(2, "faults", "unhealthy", 2),
            check(4, "parts", "unhealthy", 3),
            check(5, "parts", "healthy", 1),
        ];
        rows.insert(&CHECKS, &checks, false).expect("checks");
        let events = [event(10, 3, "error"), event(11, 3, "warning"), event(12, 2, "error")];
        rows.insert(&EVENTS, &events, false).expect("events");
        let arguments = json!({"p_yacht_id": YACHT, "p_lens_id": "faults"});
        let arguments = arguments.as_object().expect("object");

        let latest = rows.call("get_latest_health_check", arguments).expect("latest");
        assert_eq!(latest.len(), 1);
        assert_eq!(latest[0]["id"], Uuid::from_u128(3).to_string());
        let history = rows.call("get_health_check_history", arguments).expect("history");
        let statuses: Vec<&Value> = history.iter().map(|row| &row["status"]).collect();
        assert_eq!(statuses, ["degraded", "unhealthy"], "newest first, 24 hours");
        let unhealthy = rows.call("get_unhealthy_lenses", arguments).expect("unhealthy");
        assert_eq!(unhealthy.len(), 1, "parts has recovered");
        assert_eq!(
            (&unhealthy[0]["lens_id"], &unhealthy[0]["error_count"]),
            (&json!("faults"), &json!(1))
        );
        let missing = rows
            .call("get_latest_health_check", &Map::new())
            .expect_err("no arguments");
        assert_eq!(missing.code, "PGRST202");
    }
}
