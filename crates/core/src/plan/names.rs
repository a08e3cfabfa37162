//! The variables that a plan names, held against those that it defines at that place.
//!
//! Looked at when the plan is read, so that a plan with an undefined name sends no request. What a
//! scenario captures ends with it; what the setup captures is known to all that follows.

use super::acceptance::PER_STEP;
use super::acceptance::{AcceptancePlan, Step};
use super::monitor::MonitorPlan;
use super::request_template::PER_REQUEST;
use super::stress::StressPlan;
use super::{Request, Vars};
use crate::ident::{Ident, nearest};
use crate::request::fill::{names, names_in};

/// A variable that a plan names where nothing defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undefined {
    /// Where it is named: the keys and indices that lead there.
    pub path: Vec<String>,
    /// Its name.
    pub name: String,
    /// The way out, to stand behind the name.
    pub hint: String,
}

impl std::fmt::Display for Undefined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "${} is not defined here{}", self.name, self.hint)
    }
}

/// What is looked for and what was found.
#[derive(Default)]
struct Search<'a> {
    /// Names that the scenarios capture, each with the scenario.
    captured: Vec<(&'a str, &'a str)>,
    found: Vec<Undefined>,
}

impl<'a> Search<'a> {
    /// Notes every one of `named` that `known` does not hold.
    fn hold<'n>(&mut self, path: &[&str], named: impl IntoIterator<Item = &'n str>, known: &[&str]) {
        for name in named {
            let path: Vec<String> = path.iter().map(ToString::to_string).collect();
            let again = |other: &Undefined| other.name == name && other.path == path;
            if known.contains(&name) || self.found.iter().any(again) {
                continue;
            }
            let hint = self.hint(name, known);
            self.found.push(Undefined {
                path,
                name: name.to_owned(),
                hint,
            });
        }
    }

    fn hint(&self, name: &str, known: &[&str]) -> String {
        if let Some((_, scenario)) = self.captured.iter().find(|(captured, _)| *captured == name) {
            return format!(
                ": scenario {scenario:?} captures it, and captures end with their scenario; capture it in `setup`"
            );
        }
        match nearest(name, known) {
            Some(near) => format!(" (did you mean ${near}?)"),
            None => format!(": define it below `vars`, or write $${name} for the text"),
        }
    }

    /// The variables of a plan: each may name others of them, and `outside`.
    fn vars(&mut self, vars: &'a Vars, outside: &[&'a str]) -> Vec<&'a str> {
        let known: Vec<&str> = vars.keys().map(Ident::as_str).chain(outside.iter().copied()).collect();
        for (name, value) in vars {
            let mut named = Vec::new();
            names_in(value, &mut named);
            self.hold(&["vars", name.as_str()], named, &known);
            if in_circle(name.as_str(), vars) {
                self.found.push(Undefined {
                    path: vec!["vars".to_owned(), name.to_string()],
                    name: name.to_string(),
                    hint: ": it needs itself".to_owned(),
                });
            }
        }
        known
    }
}

/// Whether the value of `start` leads back to `start`.
fn in_circle(start: &str, vars: &Vars) -> bool {
    let mut reached: Vec<&str> = Vec::new();
    let mut next = vec![start];
    while let Some(name) = next.pop() {
        let mut named = Vec::new();
        vars.get(name).into_iter().for_each(|value| names_in(value, &mut named));
        for name in named {
            if name == start {
                return true;
            }
            if !reached.contains(&name) {
                reached.push(name);
                next.push(name);
            }
        }
    }
    false
}

impl MonitorPlan {
    /// The variables that nothing defines, from top to bottom.
    #[must_use]
    pub fn undefined(&self) -> Vec<Undefined> {
        let mut search = Search::default();
        let given = self.env.keys().chain(self.tenants.value_names()).map(Ident::as_str);
        let outside: Vec<&str> = given.chain(["tenant"]).collect();
        let known = search.vars(&self.vars, &outside);
        for (index, probe) in self.probes.iter().enumerate() {
            let index = index.to_string();
            let parts = [
                ("request", probe.request.as_ref().map(Request::names)),
                ("expect", Some(probe.expect.names())),
                ("warn", probe.warn.as_ref().map(super::Expect::names)),
                ("disabled", probe.disabled.as_ref().map(super::Expect::names)),
            ];
            for (part, named) in parts {
                search.hold(&["probes", &index, part], named.into_iter().flatten(), &known);
            }
        }
        search.found
    }
}

impl StressPlan {
    /// The variables that nothing defines, from top to bottom.
    #[must_use]
    pub fn undefined(&self) -> Vec<Undefined> {
        let mut search = Search::default();
        let given = self.env.keys().chain(self.tenants.value_names()).map(Ident::as_str);
        let outside: Vec<&str> = given.chain(["tenant"]).collect();
        let known = search.vars(&self.vars, &outside);
        for (index, target) in self.targets.iter().enumerate() {
            let index = index.to_string();
            // What differs from request to request is known to requests alone.
            let with: Vec<&str> = known.iter().copied().chain(PER_REQUEST).collect();
            search.hold(&["targets", &index, "request"], target.request.names(), &with);
            search.hold(&["targets", &index, "expect"], target.expect.names(), &known);
        }
        search.found
    }
}

impl AcceptancePlan {
    /// The variables that nothing defines, from top to bottom.
    #[must_use]
    pub fn undefined(&self) -> Vec<Undefined> {
        let mut search = Search {
            captured: self
                .scenarios
                .iter()
                .flat_map(|scenario| {
                    let captures = scenario.steps.iter().flat_map(|step| step.capture.keys());
                    captures.map(|name| (name.as_str(), scenario.name.as_str()))
                })
                .collect(),
            found: Vec::new(),
        };
        let given = self.env.keys().chain(self.tenants.value_names()).map(Ident::as_str);
        let outside: Vec<&str> = given.chain(["tenant"]).collect();
        let outside: Vec<&str> = outside.into_iter().chain(PER_STEP).collect();
        let mut known = search.vars(&self.vars, &outside);
        for (index, step) in self.setup.iter().enumerate() {
            self.step(&mut search, &["setup", &index.to_string()], step, &mut known);
        }
        if let Some(proof) = &self.flag_proof {
            // A proof runs beside the scenarios, from the plan's own variables.
            let mut known = search.vars(&self.vars, &outside);
            self.step(&mut search, &["flag_proof", "off"], &proof.off, &mut known.clone());
            self.step(&mut search, &["flag_proof", "on"], &proof.on, &mut known);
        }
        if let Some(matrix) = &self.matrix {
            let mut known = search.vars(&self.vars, &outside);
            known.extend(["action", "signature"]);
            self.request(&mut search, matrix.send.as_str(), &known);
        }
        for (index, entry) in self
            .access
            .iter()
            .flat_map(|access| access.endpoints.iter().enumerate())
        {
            let index = index.to_string();
            let mut known = known.clone();
            for step in &entry.first {
                self.step(&mut search, &["access", "endpoints", &index, "first"], step, &mut known);
            }
            let request = self.requests.get(&entry.send).map(Request::names);
            search.hold(
                &["access", "endpoints", &index, "send"],
                request.into_iter().flatten(),
                &known,
            );
        }
        for (index, scenario) in self.scenarios.iter().enumerate() {
            let index = index.to_string();
            let mut known = known.clone();
            for (at, step) in scenario.steps.iter().enumerate() {
                let place = at.to_string();
                let path: &[&str] = match scenario.steps.len() {
                    1 => &["scenarios", &index],
                    _ => &["scenarios", &index, "steps", &place],
                };
                self.step(&mut search, path, step, &mut known);
                if let (0, Some(used_up)) = (at, &scenario.used_up) {
                    search.hold(&["scenarios", &index, "used_up"], used_up.names(), &known);
                }
            }
            if let Some(last) = scenario.steps.last() {
                known.extend(last.with.keys().map(Ident::as_str));
                known.extend(last.sign_as.as_ref().map(|_| "signature"));
            }
            for (at, proof) in scenario.then.iter().enumerate() {
                let path = ["scenarios", &index, "then", &at.to_string()];
                search.hold(&path, names(&proof.sql), &known);
            }
        }
        for (index, step) in self.teardown.iter().enumerate() {
            self.step(&mut search, &["teardown", &index.to_string()], step, &mut known);
        }
        search.found
    }

    /// One step at `path`; what it captures is known from then on.
    fn step<'a>(&'a self, search: &mut Search<'a>, path: &[&str], step: &'a Step, known: &mut Vec<&'a str>) {
        let at = |part: &'static str| [path, &[part]].concat();
        let mut with = Vec::new();
        step.with.values().for_each(|value| names_in(value, &mut with));
        search.hold(&at("with"), with, known);
        let mut here = known.clone();
        here.extend(step.with.keys().map(Ident::as_str));
        here.extend(step.sign_as.as_ref().map(|_| "signature"));
        if let Some(sent) = self.requests.get(&step.send) {
            let mut request = sent.clone();
            if let Some(body) = request.json_mut() {
                step.omit.iter().for_each(|place| super::acceptance::omit(body, place));
            }
            // The request stands elsewhere: what it lacks is told at the step that sends it.
            search.hold(&at("send"), request.names(), &here);
        }
        search.hold(&at("expect"), step.expect.names(), &here);
        if let Some(undo) = &step.undo {
            here.extend(undo.capture.keys().map(Ident::as_str));
            if let Some(request) = self.requests.get(&undo.send) {
                search.hold(&at("undo"), request.names(), &here);
            }
        }
        known.extend(step.capture.keys().map(Ident::as_str));
        here.extend(step.capture.keys().map(Ident::as_str));
        search.hold(&at("told"), step.told.iter().flat_map(|text| names(text)), &here);
    }

    fn request<'a>(&'a self, search: &mut Search<'a>, name: &str, known: &[&str]) {
        if let Some(request) = self.requests.get(name) {
            search.hold(&["requests", name], request.names(), known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acceptance(text: &str) -> Vec<String> {
        let head = "acceptance: faults\ntenants: [00000000-0000-0000-0000-000000000001]\ndialects: {d: {}}\n";
        let plan: AcceptancePlan = crate::yaml::read("x", &format!("{head}{text}")).unwrap();
        let told = |undefined: Undefined| format!("{}: {undefined}", undefined.path.join("."));
        plan.undefined().into_iter().map(told).collect()
    }

    const REQUESTS: &str = "requests:\n  login: {post: /login}\n  me: {get: \"/me\", headers: {A: $token}}\n  \
                            drop: {delete: \"/users/$usrid\"}\n";

    /// Fault V10: a typo is told before the first request.
    #[test]
    fn a_misspelt_variable_is_told_with_the_one_that_was_meant() {
        let plan = format!("vars: {{userid: 5}}\n{REQUESTS}scenarios:\n  - {{name: a, send: drop}}\n");
        assert_eq!(
            acceptance(&plan),
            ["scenarios.0.send: $usrid is not defined here (did you mean $userid?)"]
        );
    }

    /// Fault V11: what a scenario captures ends with it, and the setup is for all.
    #[test]
    fn a_capture_ends_with_its_scenario_and_one_of_the_setup_does_not() {
        let scenarios = "scenarios:\n  - {name: in, send: login, capture: {token: $.token}}\n  \
                         - {name: out, send: me, expect: {status: 401}}\n";
        assert_eq!(
            acceptance(&format!("{REQUESTS}{scenarios}")),
            [
                "scenarios.1.send: $token is not defined here: scenario \"in\" captures it, and captures end with \
                 their scenario; capture it in `setup`"
            ]
        );
        let setup = "setup:\n  - {send: login, capture: {token: $.token}}\nscenarios:\n  - {name: out, send: me}\n";
        assert_eq!(acceptance(&format!("{REQUESTS}{setup}")), [""; 0]);
    }

    /// Fault V12: every value is looked at, and what cannot be a variable is text.
    #[test]
    fn every_value_of_a_plan_is_looked_at() {
        let plan = "vars: {who: $base, base: $tenant, loop: $loop, price: $5, at: $.x}\nenv: {pw: {from: PW}}\n\
                    requests: {r: {post: /x, json: {p: $p}, query: {q: $q}}}\n\
                    scenarios:\n  - name: a\n    send: r\n    with: {p: $pw, q: $w}\n    \
                    expect: {is: {$.a: $nosuch}, at_least: {$.n: $least}, headers: {X: $x}, contains: \"is $c\"}\n    \
                    told: \"$told\"\n    then: [{sql: \"select $s, $p\", expect: {rows: 1}}]\n";
        let found = acceptance(plan);
        let told: Vec<&str> = found.iter().map(|line| line.split(" is ").next().unwrap()).collect();
        assert_eq!(
            told,
            [
                "vars.loop: $loop",
                "scenarios.0.with: $w",
                "scenarios.0.expect: $nosuch",
                "scenarios.0.expect: $least",
                "scenarios.0.expect: $x",
                "scenarios.0.expect: $c",
                "scenarios.0.told: $told",
                "scenarios.0.then.0: $s",
            ]
        );
    }

    #[test]
    fn what_differs_from_request_to_request_is_known_to_requests_of_stress_alone() {
        let plan: StressPlan = crate::yaml::read(
            "x",
            "stress: a\ntenants: [00000000-0000-0000-0000-000000000001]\ntargets:\n  - name: t\n    request: \
             {get: \"/x?n=$counter\"}\n    load: {burst: 1}\n    expect: {is: {$.n: $counter}}\n",
        )
        .unwrap();
        let paths: Vec<String> = plan.undefined().into_iter().map(|it| it.path.join(".")).collect();
        assert_eq!(paths, ["targets.0.expect"]);
    }
}
