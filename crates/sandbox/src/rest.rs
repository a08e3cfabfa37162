//! The store over REST: the part of PostgREST that a client of two tables meets.

use std::cmp::Ordering;

use hyper::{Method, StatusCode};
use serde_json::{Map, Value};

use crate::faults::Faults;
use crate::query;
use crate::reply::{Ask, Reply};
use crate::state::State;
use crate::table::{Column, Complaint, Row, Table, Type};

/// Answers `/rest/v1/{rest}`.
pub(crate) fn answer(state: &State, faults: &Faults, ask: &Ask<'_>, rest: &str) -> Reply {
    judged(state, faults, ask, rest).unwrap_or_else(|complaint| complaint.reply())
}

fn judged(state: &State, faults: &Faults, ask: &Ask<'_>, rest: &str) -> Result<Reply, Complaint> {
    if faults.store_down {
        let down = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Complaint::new(down, "PGRST001", "Could not query the database"));
    }
    let key = Some(state.config.service_key.as_str());
    if ask.header("apikey") != key || ask.bearer() != key {
        let refused = StatusCode::UNAUTHORIZED;
        return Err(Complaint::new(refused, "PGRST301", "Invalid API key"));
    }
    let function = rest.strip_prefix("rpc/");
    let table = Table::named(rest).filter(|_| !faults.store_missing_table);
    if function.is_none() && table.is_none() {
        return Err(missing_table(rest));
    }
    if faults.store_forbidden {
        return Err(forbidden(rest));
    }
    match (function, table, ask.method) {
        (Some(function), _, &Method::POST) => {
            let arguments = one_or_many(ask.body)?.into_iter().next().unwrap_or_default();
            let rows = state.store().call(function, &arguments)?;
            Ok(Reply::json(StatusCode::OK, &rows))
        }
        (None, Some(table), &Method::POST) => insert(state, table, ask),
        (None, Some(table), &Method::GET) => select(state, table, ask.query),
        (None, Some(table), &Method::PATCH | &Method::DELETE | &Method::PUT) => {
            // The service role may select and insert: grants decide, not policies.
            Err(forbidden(table.name))
        }
        _ => Err(Complaint::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "PGRST117",
            "Unsupported HTTP method",
        )),
    }
}

fn missing_table(name: &str) -> Complaint {
    let message = format!("Could not find the table 'public.{name}' in the schema cache");
    Complaint::new(StatusCode::NOT_FOUND, "PGRST205", message)
}

fn forbidden(name: &str) -> Complaint {
    let message = format!("permission denied for table {name}");
    Complaint::new(StatusCode::FORBIDDEN, "42501", message)
}

fn insert(state: &State, table: &'static Table, ask: &Ask<'_>) -> Result<Reply, Complaint> {
    let prefers = |wanted: &str| {
        let headers = ask.headers.get_all("prefer").iter();
        headers
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|preference| preference.trim() == wanted)
    };
    if prefers("resolution=merge-duplicates") {
        // An upsert needs the right to update.
        return Err(forbidden(table.name));
    }
    if query::value(ask.query, "on_conflict").is_some_and(|column| column != "id") {
        let message = "there is no unique constraint matching the ON CONFLICT specification";
        return Err(Complaint::bad("42P10", message));
    }
    let rows = one_or_many(ask.body)?;
    let inserted = state
        .store()
        .insert(table, &rows, prefers("resolution=ignore-duplicates"))?;
    Ok(if prefers("return=representation") {
        Reply::json(StatusCode::CREATED, &inserted)
    } else {
        Reply::empty(StatusCode::CREATED)
    })
}

/// The objects of a body that is one object or an array of objects with the same keys.
fn one_or_many(body: &[u8]) -> Result<Vec<Map<String, Value>>, Complaint> {
    let invalid = || Complaint::bad("PGRST102", "Empty or invalid json");
    let rows = match serde_json::from_slice(body).map_err(|_| invalid())? {
        Value::Object(row) => return Ok(vec![row]),
        Value::Array(rows) => rows,
        _ => return Err(invalid()),
    };
    let rows: Option<Vec<Map<String, Value>>> = rows
        .into_iter()
        .map(|row| match row {
            Value::Object(row) => Some(row),
            _ => None,
        })
        .collect();
    let rows = rows.ok_or_else(invalid)?;
    let same = |pair: &[Map<String, Value>]| {
        pair[0].len() == pair[1].len() && pair[0].keys().all(|key| pair[1].contains_key(key))
    };
    if !rows.windows(2).all(same) {
        return Err(Complaint::bad("PGRST102", "All object keys must match"));
    }
    Ok(rows)
}

struct Filter {
    column: &'static Column,
    /// The members to go down by within a JSON column; the last one as text where that is asked for.
    path: Vec<String>,
    operator: Operator,
}

enum Operator {
    /// The orderings of the stored value to the wanted one that let it through.
    Compare(&'static [Ordering], String),
    In(Vec<String>),
    IsNull,
}

impl Filter {
    fn read(table: &'static Table, name: &str, value: &str) -> Result<Self, Complaint> {
        let mut path = name.split("->").map(|member| member.trim_start_matches('>').to_owned());
        let column = known_column(table, &path.next().unwrap_or_default())?;
        let path = path.collect();
        let (operator, wanted) = value.split_once('.').unwrap_or((value, ""));
        let compare = |orderings| Operator::Compare(orderings, wanted.to_owned());
        let operator = match operator {
            "eq" => compare(&[Ordering::Equal]),
            "neq" => compare(&[Ordering::Less, Ordering::Greater]),
            "gt" => compare(&[Ordering::Greater]),
            "gte" => compare(&[Ordering::Greater, Ordering::Equal]),
            "lt" => compare(&[Ordering::Less]),
            "lte" => compare(&[Ordering::Less, Ordering::Equal]),
            "is" if wanted == "null" => Operator::IsNull,
            "in" if wanted.starts_with('(') && wanted.ends_with(')') => {
                let items = wanted[1..wanted.len() - 1].split(',');
                Operator::In(items.map(|item| item.trim_matches('"').to_owned()).collect())
            }
            _ => {
                let message = format!("\"failed to parse filter ({value})\"");
                return Err(Complaint::bad("PGRST100", message));
            }
        };
        Ok(Self { column, path, operator })
    }

    fn passes(&self, row: &Row) -> Result<bool, Complaint> {
        let column = &row[self.column.name];
        let stored = self.path.iter().fold(column, |value, member| &value[member.as_str()]);
        let (stored, kind) = match (self.path.is_empty(), stored) {
            (true, _) | (_, Value::Null) => (stored.clone(), self.column.kind),
            (false, Value::String(_)) => (stored.clone(), Type::Text),
            (false, other) => (Value::String(other.to_string()), Type::Text),
        };
        let stored = &stored;
        Ok(match &self.operator {
            Operator::IsNull => stored.is_null(),
            Operator::Compare(orderings, wanted) => kind
                .compare(stored, wanted)?
                .is_some_and(|ordering| orderings.contains(&ordering)),
            Operator::In(wanted) => {
                for wanted in wanted {
                    if kind.compare(stored, wanted)? == Some(Ordering::Equal) {
                        return Ok(true);
                    }
                }
                false
            }
        })
    }
}

fn known_column(table: &'static Table, name: &str) -> Result<&'static Column, Complaint> {
    table.column(name).ok_or_else(|| {
        let message = format!("column {}.{name} does not exist", table.name);
        Complaint::bad("42703", message)
    })
}

fn select(state: &State, table: &'static Table, query: &str) -> Result<Reply, Complaint> {
    let mut filters = Vec::new();
    let mut order = Vec::new();
    let (mut limit, mut offset) = (usize::MAX, 0);
    for (name, value) in query::pairs(query) {
        match name.as_str() {
            // Every column is sent whatever was selected.
            "select" | "columns" => {}
            "limit" => limit = count(&value)?,
            "offset" => offset = count(&value)?,
            "order" => order = read_order(table, &value)?,
            _ => filters.push(Filter::read(table, &name, &value)?),
        }
    }
    let store = state.store();
    let mut found: Vec<&Row> = Vec::new();
    for row in store.of(table) {
        let mut all = true;
        for filter in &filters {
            all = all && filter.passes(row)?;
        }
        if all {
            found.push(row);
        }
    }
    found.sort_by(|one, other| {
        let by = order.iter().map(|(column, descending): &(&Column, bool)| {
            let ordering = column.kind.order(&one[column.name], &other[column.name]);
            if *descending { ordering.reverse() } else { ordering }
        });
        by.fold(Ordering::Equal, Ordering::then)
    });
    let page: Vec<&Row> = found.into_iter().skip(offset).take(limit).collect();
    Ok(Reply::json(StatusCode::OK, &page))
}

fn count(text: &str) -> Result<usize, Complaint> {
    text.parse()
        .map_err(|_| Complaint::bad("PGRST100", format!("\"failed to parse number ({text})\"")))
}

/// `observed_at.desc,id` and the like.
fn read_order(table: &'static Table, text: &str) -> Result<Vec<(&'static Column, bool)>, Complaint> {
    text.split(',')
        .map(|term| {
            let (name, direction) = term.split_once('.').unwrap_or((term, "asc"));
            let column = known_column(table, name)?;
            match direction.split('.').next() {
                Some("asc") => Ok((column, false)),
                Some("desc") => Ok((column, true)),
                _ => {
                    let message = format!("\"failed to parse order ({text})\"");
                    Err(Complaint::bad("PGRST100", message))
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::CHECKS;

    #[test]
    fn a_batch_whose_rows_have_different_keys_is_refused() {
        let mixed = br#"[{"a": 1, "b": 2}, {"a": 1}]"#;
        assert_eq!(one_or_many(mixed).expect_err("mixed").code, "PGRST102");
        assert_eq!(
            one_or_many(br#"[{"a": 1, "b": 2}, {"b": 1, "a": 2}]"#)
                .expect("same")
                .len(),
            2
        );
        assert_eq!(one_or_many(b"").expect_err("empty").code, "PGRST102");
        assert!(one_or_many(b"[]").expect("nothing to do").is_empty());
    }

    #[test]
    fn filters_compare_by_the_type_of_their_column() {
        let row = CHECKS
            .row(
                serde_json::json!({
                    "yacht_id": "53fbdf09-b709-509d-aad0-3a6f50239a5d", "lens_id": "faults",
                    "status": "healthy", "p95_latency_ms": 90, "observed_at": "2026-01-28T15:00:00Z",
                })
                .as_object()
                .expect("object"),
            )
            .expect("fits");
        for (name, value, passes) in [
            ("lens_id", "eq.faults", true),
            ("lens_id", "neq.faults", false),
            ("lens_id", "in.(parts,\"faults\")", true),
            ("lens_id", "in.(parts)", false),
            ("p95_latency_ms", "lt.100", true),
            ("p95_latency_ms", "gt.90", false),
            ("sample_size", "is.null", true),
            ("sample_size", "eq.1", false),
            ("observed_at", "gte.2026-01-28T16:00:00+01:00", true),
            ("observed_at", "lt.2026-01-28T15:00:00Z", false),
            ("yacht_id", "eq.53FBDF09-B709-509D-AAD0-3A6F50239A5D", true),
        ] {
            let filter = Filter::read(&CHECKS, name, value).expect(value);
            assert_eq!(filter.passes(&row).expect(value), passes, "{name}={value}");
        }
        for (name, value, code) in [("lens_id", "like.f*", "PGRST100"), ("lens", "eq.faults", "42703")] {
            let error = Filter::read(&CHECKS, name, value).err().expect(value);
            assert_eq!(error.code, code, "{name}={value}");
        }
        let unencoded_plus = Filter::read(&CHECKS, "observed_at", "gte.2026-01-28T15:00:00 00:00");
        let error = unencoded_plus.expect("parses").passes(&row).expect_err("no time");
        assert_eq!(error.code, "22007");
    }
}
