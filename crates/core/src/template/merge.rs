//! Overrides: what a lens file changes in a generated plan.
//!
//! Maps merge key by key and `null` removes a key; a list whose items all have a `name` merges by
//! it, new names at the end; anything else is replaced.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::kind::PlanKind;
use crate::plan::acceptance::AcceptancePlan;
use crate::plan::monitor::MonitorPlan;
use crate::plan::stress::StressPlan;
use crate::yaml::{self, Mistake, Shape, YamlError, mistakes_of_part};

/// Everything in the `overrides` of the lens file `text` that no plan could take, each with its place.
#[must_use]
pub fn override_mistakes(text: &str) -> Vec<Mistake> {
    let plans = [
        ("monitor", Shape::of::<MonitorPlan>()),
        ("acceptance", Shape::of::<AcceptancePlan>()),
        ("stress", Shape::of::<StressPlan>()),
    ];
    // The key that names the lens is not an override's to change.
    let of_plan = |(name, shape): (&str, Shape)| mistakes_of_part(&shape.without(name), text, &["overrides", name]);
    plans.into_iter().flat_map(of_plan).collect()
}

/// `body` with `change` merged in, written anew.
pub(super) fn merged(path: &str, body: &str, change: &Value, kind: PlanKind) -> Result<String, YamlError> {
    let mut plan: Value = yaml::read(path, body)?;
    merge(&mut plan, change);
    match kind {
        PlanKind::Monitor => rewrite::<MonitorPlan>(path, &plan),
        PlanKind::Acceptance => rewrite::<AcceptancePlan>(path, &plan),
        PlanKind::Stress => rewrite::<StressPlan>(path, &plan),
    }
}

/// Reads the merged plan as what it is, so that a wrong override is refused where it stands.
fn rewrite<T: DeserializeOwned + Serialize>(path: &str, plan: &Value) -> Result<String, YamlError> {
    let fail = |message: String| YamlError {
        file: format!("{path} (with the lens's overrides)"),
        line: 0,
        column: 0,
        message,
        snippet: String::new(),
    };
    let typed: T = serde_json::from_value(plan.clone()).map_err(|error| fail(error.to_string()))?;
    let body = yaml::write(&typed).map_err(fail)?;
    Ok(format!("# The lens's overrides are merged in.\n{body}"))
}

fn merge(base: &mut Value, change: &Value) {
    match (base, change) {
        (Value::Object(base), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    base.shift_remove(key);
                } else if key == "load" && kind(value) != base.get(key).and_then(kind) {
                    // A load of another kind takes the place of the one that was there.
                    base.insert(key.clone(), value.clone());
                } else {
                    merge(base.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (Value::Array(base), Value::Array(change)) if named(base) && named(change) => {
            for item in change {
                match base.iter_mut().find(|known| known["name"] == item["name"]) {
                    Some(known) => merge(known, item),
                    None => base.push(item.clone()),
                }
            }
        }
        (base, change) => *base = change.clone(),
    }
}

/// The kind of what names it by its only key, as a load does.
fn kind(value: &Value) -> Option<&String> {
    value.as_object().filter(|map| map.len() == 1)?.keys().next()
}

fn named(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item["name"].is_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_merge_named_lists_merge_by_name_and_null_removes() {
        let mut plan = json!({"slo": {"a": 1, "b": 2}, "probes": [{"name": "x", "n": 1}, {"name": "y"}], "list": [1, 2], "gone": 1});
        merge(
            &mut plan,
            &json!({"slo": {"b": 3}, "probes": [{"name": "x", "n": 9}, {"name": "z"}], "list": [3], "gone": null}),
        );
        assert_eq!(
            plan,
            json!({"slo": {"a": 1, "b": 3}, "probes": [{"name": "x", "n": 9}, {"name": "y"}, {"name": "z"}], "list": [3]})
        );
        let mut target = json!({"load": {"burst": 50}});
        merge(&mut target, &json!({"load": {"open": {"rate": 50, "for": "2m"}}}));
        assert_eq!(
            target,
            json!({"load": {"open": {"rate": 50, "for": "2m"}}}),
            "another kind replaces"
        );
        merge(&mut target, &json!({"load": {"open": {"rate": 80}}}));
        assert_eq!(
            target,
            json!({"load": {"open": {"rate": 80, "for": "2m"}}}),
            "the same kind merges"
        );
    }
}
