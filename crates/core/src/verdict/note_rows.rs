//! The notes of a check in a row: [`RecordNotes`] are on their way into a store and redacted; [`StoredNotes`] came
//! out of one and are passed on as they are.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::notes::CheckNotes;
use crate::lens::mute::Muted;
use crate::redaction::{Redacted, Redactor};

/// The notes of a check that is to be recorded, as text without secrets. What is read of them is what
/// that text says, so that no secret is read either.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordNotes {
    text: Redacted,
    read: CheckNotes,
}

impl RecordNotes {
    /// The notes of a check, redacted by `redactor`.
    #[must_use]
    pub fn new(notes: &CheckNotes, redactor: &Redactor) -> Self {
        // Every key is a text, so that notes are always JSON.
        Self::of_json(serde_json::to_value(notes).unwrap_or_default(), redactor)
    }

    /// Notes that another version or tool wrote, redacted by `redactor`.
    #[must_use]
    pub fn of_json(notes: Value, redactor: &Redactor) -> Self {
        let (text, clean) = redactor.json_and_value(notes);
        Self {
            text,
            read: CheckNotes::of(&clean),
        }
    }

    /// As they are written.
    #[must_use]
    pub fn text(&self) -> &Redacted {
        &self.text
    }

    /// What they say.
    #[must_use]
    pub fn read(&self) -> &CheckNotes {
        &self.read
    }
}

/// The notes of a check as a store has them, whoever wrote them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoredNotes {
    stored: Value,
    read: CheckNotes,
}

impl StoredNotes {
    /// From the text of a row; one that is not JSON says nothing.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        serde_json::from_str::<Value>(text).unwrap_or_default().into()
    }

    /// What they say.
    #[must_use]
    pub fn read(&self) -> &CheckNotes {
        &self.read
    }

    /// All of them, keys that this version does not know among them.
    #[must_use]
    pub fn stored(&self) -> &Value {
        &self.stored
    }

    /// The same of a check that `by` takes back; what is stored is not changed.
    pub fn annul(&mut self, by: &Muted) {
        self.read.muted = Some(Muted {
            annuls: None,
            ..by.clone()
        });
    }

    /// The same, to be passed on.
    #[must_use]
    pub fn into_stored(self) -> Value {
        self.stored
    }

    /// The notes that have no place of their own on the page of a check: all but its samples.
    pub fn others(&self) -> impl Iterator<Item = (&String, &Value)> {
        let all = self.stored.as_object().into_iter().flatten();
        all.filter(|(name, _)| !["samples_us", "endpoints"].contains(&name.as_str()))
    }
}

impl From<Value> for StoredNotes {
    fn from(stored: Value) -> Self {
        Self {
            read: CheckNotes::of(&stored),
            stored,
        }
    }
}

/// Passed on as they are.
impl Serialize for StoredNotes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.stored.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use indexmap::IndexMap;

    use super::*;
    use crate::lens::mute::MutedWhy;
    use crate::secret::Secret;
    use crate::verdict::notes::EndpointNotes;

    /// As version 0.1 writes them: the order of the keys, and what is left out, are the contract.
    const WHOLE: &str = r#"{"samples_us":[7,9],"endpoints":{"List":{"n":2,"failed":1,"retries":0,"p50_us":7,"p95_us":null,"statuses":{"200":1,"404":1}}},"window":{"p95_us":9,"n":22},"disabled":["List"],"unjudged":["Flags"],"flags":{"B":true,"A":false},"muted":{"why":"maintenance","reason":"upgrade"},"clock":"virtual","plan":"edited"}"#;

    #[test]
    fn notes_are_read_and_written_alike_to_the_byte() {
        for text in [
            WHOLE,
            r#"{"samples_us":[],"endpoints":{},"window":{"p95_us":null,"n":0}}"#,
        ] {
            let read = StoredNotes::of_text(text);
            let written = RecordNotes::new(read.read(), &Redactor::default());
            assert_eq!(written.text().as_str(), text);
            assert_eq!(written.read(), read.read());
        }
    }

    /// One row that could not be read would fail the page, the gate and the next check.
    #[test]
    fn what_cannot_be_read_counts_as_absent_and_the_rest_is_read() {
        let nothing = CheckNotes::default();
        for text in [
            "",
            "null",
            "[]",
            "7",
            "\"x\"",
            "{}",
            "not json",
            r#"{"other": {"deep": [1]}}"#,
        ] {
            assert_eq!(StoredNotes::of_text(text).read(), &nothing, "{text:?}");
        }
        let whole = StoredNotes::of_text(WHOLE);
        for key in [
            "samples_us",
            "endpoints",
            "window",
            "disabled",
            "unjudged",
            "flags",
            "muted",
            "clock",
            "plan",
            "rollback",
            "paused",
            "reached",
        ] {
            let mut without = whole.stored().clone();
            without.as_object_mut().unwrap().shift_remove(key);
            for wrong in [
                json!(null),
                json!(7),
                json!(-1.5),
                json!([null]),
                json!({"x": {}}),
                json!([[]]),
            ] {
                let mut stored = whole.stored().clone();
                stored[key] = wrong.clone();
                let read = CheckNotes::of(&stored);
                // An object of unknown names is a map of endpoints of which nothing is known.
                let mut expected = CheckNotes::of(&without);
                if key == "endpoints" && wrong.is_object() {
                    expected.endpoints.insert("x".to_owned(), EndpointNotes::default());
                }
                assert_eq!(read, expected, "{key}: {wrong}");
            }
        }
    }

    #[test]
    fn a_wrong_item_costs_itself_alone() {
        let read = CheckNotes::of(&json!({
            "samples_us": [1, "2", -3, 4.5, null, 5],
            "endpoints": {"a": {"n": 7, "failed": "one", "p50_us": 9, "new": []}, "b": 3},
            "disabled": ["a", 1],
            "flags": {"A": true, "B": "[redacted]", "C": null},
            "muted": {"why": "frozen by a newer version", "reason": "x"},
        }));
        assert_eq!(read.samples_us, [1, 5]);
        let endpoint = &read.endpoints["a"];
        assert_eq!((endpoint.n, endpoint.failed, endpoint.p50_us), (Some(7), None, Some(9)));
        assert_eq!((read.endpoints.len(), read.disabled.len()), (1, 1));
        assert_eq!(read.flags, IndexMap::from([("A".to_owned(), true)]));
        assert_eq!(read.muted, None);
        // A text that only a newer version knows is kept, not lost.
        let plan = CheckNotes::of(&json!({"plan": "signed"})).plan.unwrap();
        assert_eq!((plan.known(), plan.to_string().as_str()), (None, "signed"));
    }

    #[test]
    fn a_pause_as_earlier_versions_wrote_it_is_one() {
        let read = CheckNotes::of(&json!({"paused": "off"}));
        let muted = read.muted.unwrap();
        assert_eq!((muted.why, muted.reason.as_str()), (MutedWhy::Paused, "off"));
    }

    #[test]
    fn what_others_wrote_is_passed_on_as_it_is() {
        let text = r#"{"z":1,"samples_us":"none","a":{"b":[1.50,2e3]}}"#;
        let stored = StoredNotes::of_text(text);
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&stored).unwrap(), value.to_string());
        let others: Vec<_> = stored.others().map(|(name, _)| name.as_str()).collect();
        assert_eq!(others, ["z", "a"]);
    }

    #[test]
    fn no_secret_is_in_the_text_or_in_what_is_read() {
        let secret = "made-up-value-of-a-test";
        let redactor = Redactor::new(&[Secret::new(secret)]);
        let mut notes = CheckNotes::of(&json!({"muted": {"why": "paused", "reason": secret}, "flags": {secret: true}}));
        notes.disabled.push(format!("<{secret}>"));
        notes.endpoints.insert(secret.to_owned(), EndpointNotes::default());
        let record = RecordNotes::new(&notes, &redactor);
        assert!(!record.text().as_str().contains(secret), "{}", record.text());
        assert!(!format!("{record:?}").contains(secret), "{record:?}");
        assert_eq!(record.read().disabled, ["<[redacted]>"]);
    }
}
