//! What the database must say after a case.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::sql::check_sql;

/// A postcondition in the database: a statement that reads, and how many rows it returns after
/// the case, or how much that number changes by the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawProof", into = "RawProof")]
pub struct Proof {
    /// What it proves, in reports.
    pub name: String,
    /// A read-only statement with `$variables` and captures.
    pub sql: String,
    /// What it must return.
    pub expect: Rows,
}

/// How many rows a statement must return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Exactly this many after the case.
    Exactly(u64),
    /// This many more than before the case; negative for fewer.
    Change(i64),
}

impl Rows {
    /// Why the counts are not as expected; `None` when they are. `before` is `None` where the
    /// statement could not be asked before the case, since it speaks of what the case captures.
    #[must_use]
    pub fn broken(self, before: Option<u64>, after: u64) -> Option<String> {
        match (self, before) {
            (Self::Exactly(wanted), _) if wanted == after => None,
            (Self::Exactly(wanted), _) => Some(format!("Expected {wanted} rows, got {after}")),
            (Self::Change(_), None) => Some("a change cannot be told of what the case itself captures".to_owned()),
            (Self::Change(wanted), Some(before)) => {
                let change = i128::from(after) - i128::from(before);
                let told = || format!("Expected {wanted:+} rows, got {change:+} ({before} before, {after} after)");
                (change != i128::from(wanted)).then(told)
            }
        }
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawProof {
    /// What it proves, in reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// One read-only statement, with `$variables` and captures.
    sql: String,
    /// How many rows it must return, or by how many that changes.
    expect: RawRows,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RawRows {
    /// Exactly so many rows after the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    /// So many more rows than before the case; negative for fewer. Scenarios at once (`parallel`)
    /// count each other's rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<i64>,
}

impl TryFrom<RawProof> for Proof {
    type Error = String;
    fn try_from(raw: RawProof) -> Result<Self, String> {
        check_sql(&raw.sql)?;
        let expect = match (raw.expect.rows, raw.expect.change) {
            (Some(rows), None) => Rows::Exactly(rows),
            (None, Some(change)) => Rows::Change(change),
            _ => return Err("a proof expects either `rows` or a `change` of them".to_owned()),
        };
        Ok(Self {
            name: raw.name.unwrap_or_else(|| "database".to_owned()),
            sql: raw.sql,
            expect,
        })
    }
}

impl From<Proof> for RawProof {
    fn from(proof: Proof) -> Self {
        let (rows, change) = match proof.expect {
            Rows::Exactly(rows) => (Some(rows), None),
            Rows::Change(change) => (None, Some(change)),
        };
        Self {
            name: Some(proof.name),
            sql: proof.sql,
            expect: RawRows { rows, change },
        }
    }
}
