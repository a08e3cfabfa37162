//! The variables that differ from request to request.

use jiff::Timestamp;
use lensops_core::plan::Vars;
use lensops_core::plan::request_template::FIRST_COUNT;
use lensops_core::request::prepare::set;
use serde_json::json;

/// Sets what differs from request to request, where `vars` has no variable of that name: `count` numbers the requests
/// from 0, and `random` makes the id.
pub(crate) fn set_per_step(vars: &mut Vars, count: u64, random: u128) {
    let id = uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid();
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let count = FIRST_COUNT + count;
    for (name, value) in [("counter", json!(count)), ("random_id", json!(id)), ("now", json!(now))] {
        if !vars.contains_key(name) {
            set(vars, name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_of_the_plan_goes_before() {
        let mut vars = Vars::new();
        set(&mut vars, "now", json!("noon"));
        set_per_step(&mut vars, 41, 7);
        assert_eq!(vars.get("now"), Some(&json!("noon")));
        assert_eq!(vars.get("counter"), Some(&json!(100_000_000_041_u64)));
        assert_eq!(vars.len(), 3);
    }
}
