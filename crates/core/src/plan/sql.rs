//! SQL of plans: variables put in place as literals, and what came back held against the plan.
//!
//! Literals and not parameters: a quoted literal takes the type of what it is compared with, so
//! that the same plan fits a column of uuid and one of text. Quoting is the whole of the safety,
//! so it is here, alone, and tested.

use serde_json::Value;

use super::Vars;
use crate::request::fill::{PrepareError, fill_with};

/// `sql` with each `$name` replaced by a literal; `$$` is a dollar, `$1` is left alone.
///
/// # Errors
/// An undefined or unknown variable.
pub fn expand_sql(sql: &str, vars: &Vars) -> Result<String, PrepareError> {
    fill_with(sql, vars, |value, out| out.push_str(&literal(value)))
}

/// A value as a literal of PostgreSQL with `standard_conforming_strings`, its default: a quote is
/// doubled, a backslash is itself. A NUL, which no text of PostgreSQL holds, is left out.
fn literal(value: &Value) -> String {
    let text = match value {
        Value::Number(number) => return number.to_string(),
        Value::Bool(yes) => return yes.to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

/// Whether `sql` is one statement that reads: a plan is reviewed, but a semicolon is no place to
/// hide a second one.
///
/// # Errors
/// Says what it must be.
pub fn check_sql(sql: &str) -> Result<(), String> {
    let text = sql.trim().trim_end_matches(';');
    let first = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if !matches!(first.as_str(), "select" | "with" | "table" | "values") {
        return Err(format!(
            "SQL of a plan reads: it starts with select, with, table or values, not {first:?}"
        ));
    }
    if text.contains(';') {
        return Err("SQL of a plan is one statement".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::prepare::set;
    use serde_json::json;

    fn vars() -> Vars {
        let mut vars = Vars::new();
        set(&mut vars, "id", json!("a1bcc3d4-8832-5f43-b4d0-d845c74c9637"));
        set(&mut vars, "count", json!(3));
        set(&mut vars, "evil", json!("x'; drop table t; --\\"));
        set(&mut vars, "signature", json!({"role": "captain's"}));
        set(&mut vars, "entity", Value::Null);
        vars
    }

    #[test]
    fn variables_become_literals_that_cannot_end_their_quotes() {
        let table = [
            (
                "select 1 from t where id = $id",
                "select 1 from t where id = 'a1bcc3d4-8832-5f43-b4d0-d845c74c9637'",
            ),
            ("select $count, '$$5', $1", "select 3, '$5', $1"),
            ("select $evil", "select 'x''; drop table t; --\\'"),
            ("select $signature::jsonb", "select '{\"role\":\"captain''s\"}'::jsonb"),
        ];
        for (sql, expanded) in table {
            assert_eq!(expand_sql(sql, &vars()).unwrap(), expanded);
        }
        assert_eq!(
            expand_sql("select $entity", &vars()),
            Err(PrepareError::NotKnown("entity".to_owned()))
        );
        assert_eq!(
            expand_sql("select $x", &vars()),
            Err(PrepareError::Undefined("x".to_owned()))
        );
    }

    #[test]
    fn a_statement_that_does_not_read_is_refused() {
        for good in [
            "select 1",
            "  WITH x as (select 1) select * from x;",
            "table t",
            "values (1)",
        ] {
            assert!(check_sql(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "delete from t",
            "select 1; delete from t",
            "update t set x = 1",
            "-- x\nselect 1",
        ] {
            assert!(check_sql(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_literal_reads_back_as_what_it_was(text in "\\PC{0,40}|['\\\\;$-]{0,20}") {
            let mut vars = Vars::new();
            set(&mut vars, "x", json!(&text));
            let sql = expand_sql("$x", &vars).unwrap();
            let inner = sql.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap();
            // Every quote inside stands doubled, so the literal ends where it should.
            proptest::prop_assert!(!inner.replace("''", "").contains('\''), "{sql}");
            proptest::prop_assert_eq!(inner.replace("''", "'"), text);
        }
    }
}
