//! The API's action registry: whom it says it lets in, and the role matrix that holds it to that.
//!
//! The matrix is data: which cells there are, what each expects, and what an answer means. Sending
//! is the rim's.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ident::Ident;

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Variant {
    /// It changes nothing.
    Read,
    /// It changes something.
    Mutate,
    /// It changes something, and needs a signature.
    Signed,
}

/// The registry as the API publishes it. Fields that lensops does not use are passed over.
#[derive(Debug, Clone, Deserialize)]
pub struct Registry {
    /// All roles.
    #[serde(default)]
    pub roles: Vec<Ident>,
    /// All actions.
    pub actions: Vec<Action>,
}

/// One action.
#[derive(Debug, Clone, Deserialize)]
pub struct Action {
    /// Its name.
    pub action_id: Ident,
    /// Its domain.
    pub domain: Ident,
    /// What it does.
    pub variant: Variant,
    /// Roles that may run it.
    #[serde(default)]
    pub allowed_roles: Vec<Ident>,
    /// Fields it needs.
    #[serde(default)]
    pub required_fields: Vec<Ident>,
    /// Roles that may sign it.
    #[serde(default)]
    pub signer_roles: Option<Vec<Ident>>,
}

/// Why the registry does not let somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The role may not run the action.
    Role,
    /// The role may run it, but not sign it as it does.
    Signer,
}

impl Action {
    /// Why a user of `role` who signs as `signs_as` is not let in; `None` when it is.
    #[must_use]
    pub fn refusal(&self, role: &Ident, signs_as: Option<&Ident>) -> Option<Refusal> {
        if !self.allowed_roles.contains(role) {
            return Some(Refusal::Role);
        }
        let signers = self.signer_roles.as_ref().filter(|_| self.variant == Variant::Signed)?;
        signs_as
            .filter(|signs_as| !signers.contains(signs_as))
            .map(|_| Refusal::Signer)
    }
}

impl Registry {
    /// The registry as roles see it: each role with the list it was answered, `{actions: […]}`.
    /// An action is allowed to the roles that see it, whatever it says of itself.
    ///
    /// # Errors
    /// When an answer is no list of actions.
    pub fn from_lists(lists: &[(Ident, Value)]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct List {
            actions: Vec<Action>,
        }
        let mut registry = Self {
            roles: Vec::new(),
            actions: Vec::new(),
        };
        for (role, answer) in lists {
            let list = List::deserialize(answer)
                .map_err(|error| format!("the list for {role} is no list of actions: {error}"))?;
            registry.roles.push(role.clone());
            for mut action in list.actions {
                match registry
                    .actions
                    .iter_mut()
                    .find(|known| known.action_id == action.action_id)
                {
                    Some(known) => known.allowed_roles.push(role.clone()),
                    None => {
                        action.allowed_roles = vec![role.clone()];
                        registry.actions.push(action);
                    }
                }
            }
        }
        Ok(registry)
    }

    /// Why the registry does not let `role`, signing as `signs_as`, run `action`, in words; `None`
    /// when it does.
    #[must_use]
    pub fn refusal(&self, action: &str, role: &Ident, signs_as: Option<&Ident>) -> Option<String> {
        let Some(entry) = self.actions.iter().find(|entry| entry.action_id.as_str() == action) else {
            return Some(format!("the registry has no action {action}"));
        };
        Some(match (entry.refusal(role, signs_as)?, signs_as) {
            (Refusal::Signer, Some(signs_as)) => format!("the registry does not let {signs_as} sign {action}"),
            _ => format!("the registry does not let {role} run {action}"),
        })
    }
}

/// What a cell of the matrix expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// An answer of the action: neither 401, nor 403 or its code, nor 5xx, nor that of a proxy.
    LetIn,
    /// 403; the reason decides what an answer about other fields means.
    Denied(Refusal),
    /// 403 or 404, for a user of another tenant.
    Outside,
}

/// What the answer of a cell came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// As the registry says.
    AsExpected,
    /// Otherwise.
    Differs(String),
    /// The answer does not tell.
    Unjudged(String),
}

impl Expected {
    /// Holds the `status` of an answer, with its error code, against what is expected.
    #[must_use]
    pub fn judge(self, status: u16, code: Option<&str>) -> Judged {
        let told = code.map_or_else(|| status.to_string(), |code| format!("{status} {code}"));
        if status >= 500 {
            return Judged::Differs(format!("got {told}: a 5xx is always a failure"));
        }
        match self {
            Self::LetIn if is_refusal(status, code) => Judged::Differs(format!("Expected to be let in, got {told}")),
            Self::LetIn => Judged::AsExpected,
            Self::Denied(_) if status == 403 => Judged::AsExpected,
            // The role may run it: the API asks for the left-out fields before it looks who signs.
            Self::Denied(Refusal::Signer) if status == 400 => Judged::Unjudged(format!(
                "got {told}: the API asks for other fields before it looks at the signature"
            )),
            Self::Denied(_) => Judged::Differs(format!("Expected 403, got {told}")),
            Self::Outside if matches!(status, 403 | 404) => Judged::AsExpected,
            Self::Outside => Judged::Differs(format!("Expected 403 or 404 for a user of another tenant, got {told}")),
        }
    }
}

/// Whether an answer lets nobody in: a refusal by status or by code, or an answer that no action
/// gave, such as a redirect to a page for signing in, a proxy's challenge or a rate limit.
fn is_refusal(status: u16, code: Option<&str>) -> bool {
    const CODES: [&str; 3] = ["FORBIDDEN", "RLS_DENIED", "INVALID_SIGNER_ROLE"];
    let by_code = code.is_some_and(|code| CODES.iter().any(|known| known.eq_ignore_ascii_case(code)));
    by_code || matches!(status, 300..=399 | 401 | 403 | 407 | 429 | 451)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        serde_json::from_str(
            r#"{"note": "x", "roles": ["crew", "captain"], "actions": [
              {"action_id": "view", "domain": "d", "variant": "READ", "allowed_roles": ["crew", "captain"], "required_fields": ["yacht_id"]},
              {"action_id": "sign", "domain": "d", "variant": "SIGNED", "allowed_roles": ["captain", "chief"], "required_fields": [], "signer_roles": ["captain", "manager"]}]}"#,
        )
        .unwrap()
    }

    fn ident(text: &str) -> Ident {
        text.parse().unwrap()
    }

    #[test]
    fn the_registry_says_whom_it_lets_in() {
        let sign = &registry().actions[1];
        assert_eq!(sign.refusal(&ident("crew"), Some(&ident("crew"))), Some(Refusal::Role));
        assert_eq!(
            sign.refusal(&ident("chief"), Some(&ident("chief"))),
            Some(Refusal::Signer)
        );
        assert_eq!(sign.refusal(&ident("chief"), Some(&ident("manager"))), None);
        assert_eq!(registry().refusal("view", &ident("crew"), None), None);
        assert_eq!(
            registry().refusal("nothing", &ident("crew"), None).unwrap(),
            "the registry has no action nothing"
        );
    }

    #[test]
    fn lists_of_roles_make_a_registry() {
        let action = |id: &str| serde_json::json!({"action_id": id, "label": "x", "domain": "d", "variant": "READ", "allowed_roles": ["liar"]});
        let lists = [
            (
                ident("crew"),
                serde_json::json!({"actions": [action("view")], "total_count": 1}),
            ),
            (
                ident("captain"),
                serde_json::json!({"actions": [action("view"), action("close")]}),
            ),
        ];
        let registry = Registry::from_lists(&lists).unwrap();
        assert_eq!(registry.roles, [ident("crew"), ident("captain")]);
        assert_eq!(registry.actions[0].allowed_roles, [ident("crew"), ident("captain")]);
        assert_eq!(
            registry.refusal("close", &ident("crew"), None).unwrap(),
            "the registry does not let crew run close"
        );
        assert!(Registry::from_lists(&[(ident("crew"), serde_json::json!({"oops": 1}))]).is_err());
    }

    #[test]
    fn every_answer_has_its_meaning() {
        use Expected::{Denied, LetIn, Outside};
        let table = [
            (LetIn, 200, "as expected"),
            (LetIn, 400, "as expected"),
            (LetIn, 404, "as expected"),
            (LetIn, 401, "differs"),
            (LetIn, 403, "differs"),
            (LetIn, 302, "differs"),
            (LetIn, 407, "differs"),
            (LetIn, 429, "differs"),
            (LetIn, 500, "differs"),
            (Denied(Refusal::Role), 403, "as expected"),
            (Denied(Refusal::Role), 200, "differs"),
            (Denied(Refusal::Role), 400, "differs"),
            (Denied(Refusal::Role), 404, "differs"),
            (Denied(Refusal::Signer), 403, "as expected"),
            (Denied(Refusal::Signer), 400, "unjudged"),
            (Denied(Refusal::Signer), 200, "differs"),
            (Outside, 403, "as expected"),
            (Outside, 404, "as expected"),
            (Outside, 200, "differs"),
            (Outside, 503, "differs"),
        ];
        // A refusal in a 200 is one, in whatever dialect it is spelled.
        for code in ["FORBIDDEN", "invalid_signer_role", "RLS_DENIED"] {
            assert!(matches!(LetIn.judge(200, Some(code)), Judged::Differs(_)), "{code}");
        }
        assert_eq!(LetIn.judge(404, Some("NOT_FOUND")), Judged::AsExpected);
        for (expected, status, meaning) in table {
            let judged = match expected.judge(status, None) {
                Judged::AsExpected => "as expected",
                Judged::Differs(_) => "differs",
                Judged::Unjudged(_) => "unjudged",
            };
            assert_eq!(judged, meaning, "{expected:?} {status}");
        }
    }
}
