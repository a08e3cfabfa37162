//! The proof of an edit: the file is parsed again and everything but our entries says what it said.

use serde_json::{Map, Value};

use super::entry::{OWN_KEYS, does_as_well, name_of, parse, services};
use super::refusal::Refusal;

/// Everything but our entries says what it said, and our entries say what they should.
pub(super) fn prove(before: &Value, text: &str, wanted: &[Value], dropped: &[String]) -> Result<(), Refusal> {
    let doubt = || Refusal("an edit of it could not be proved to leave the rest as it was".to_owned());
    let after = parse("the edited render.yaml", text).map_err(|_| doubt())?;
    let others = |file: &Value| {
        let mut file = file.as_object().cloned().unwrap_or_default();
        file.shift_remove("services");
        file
    };
    let is_named = |entry: &Value, names: &[&str]| name_of(entry).is_some_and(|name| names.contains(&name));
    let names: Vec<&str> = wanted.iter().filter_map(name_of).collect();
    let gone: Vec<&str> = dropped.iter().map(String::as_str).collect();
    let (old, new) = (services(before)?, services(&after)?);
    let strangers = |entries: &[Value]| -> Vec<Value> {
        let stays = |entry: &&Value| !is_named(entry, &names) && !is_named(entry, &gone);
        entries.iter().filter(stays).cloned().collect()
    };
    let ours_hold = wanted.iter().all(|wanted| {
        let mut same = new.iter().filter(|entry| name_of(entry) == name_of(wanted));
        let (Some(entry), None) = (same.next(), same.next()) else {
            return false;
        };
        let was = old.iter().find(|entry| name_of(entry) == name_of(wanted));
        holds(entry, wanted, was)
    });
    let none_left = !new.iter().any(|entry| is_named(entry, &gone));
    if others(before) == others(&after) && strangers(&old) == strangers(&new) && ours_hold && none_left {
        Ok(())
    } else {
        Err(doubt())
    }
}

fn holds(entry: &Value, wanted: &Value, was: Option<&Value>) -> bool {
    let own = OWN_KEYS.iter().all(|key| match (entry.get(key), wanted.get(key)) {
        (Some(there), Some(wanted)) => does_as_well(key, there, wanted),
        (None, None) => true,
        _ => false,
    });
    let extra = |entry: &Value| -> Map<String, Value> {
        let fields = entry.as_object().into_iter().flatten();
        let fields = fields.filter(|(key, _)| !OWN_KEYS.contains(&key.as_str()));
        fields.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    own && was.is_none_or(|was| extra(was) == extra(entry))
}
