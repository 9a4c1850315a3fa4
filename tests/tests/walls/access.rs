//! What each actor is told by the class of an operation, and what is otherwise: `routes.toml`.

use crate::actors::{Actor, ActorKind};
use crate::operations::Operation;
use crate::sending::Told;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// `routes.toml`, read.
pub(crate) struct AccessTable(Table);

/// What somebody is told in a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    /// What nobody is told.
    Same,
    /// Something: neither a refusal of who they are, nor a fault of ours.
    Answered,
    /// A refusal with this code.
    Refused(&'static str),
    /// The way to sign in, or that it is needed.
    SignIn,
}

use ActorKind::{Client, Device, Gate, Nobody, Person, Stopped};
use Expected::{Answered, Refused, Same, SignIn};

/// The one table: by class, what nobody, a device, a gate, a registered client, a stopped device and a person are told.
const CLASSES: &[(&str, [Expected; 6])] = &[
    ("same", [Same, Same, Same, Same, Same, Same]),
    ("holder", [NO_CERTIFICATE, Answered, Answered, FOREIGN, STOPPED, Answered]),
    ("device", [NO_CERTIFICATE, Answered, Refused("C-09"), FOREIGN, STOPPED, Answered]),
    ("gate", [NO_CERTIFICATE, Refused("C-10"), Answered, FOREIGN, STOPPED, Refused("C-10")]),
    ("client", [NO_CERTIFICATE, OTHERS, OTHERS, Answered, STOPPED, OTHERS]),
    ("receiver", [NO_CERTIFICATE, OTHERS, OTHERS, OTHERS, OTHERS, OTHERS]),
    // Whoever presents a token: it is bound to another certificate.
    ("token", [NO_CERTIFICATE, Answered, Answered, Answered, Answered, Answered]),
    ("person", [NO_CERTIFICATE, SignIn, Refused("C-09"), FOREIGN, STOPPED, Answered]),
];

const NO_CERTIFICATE: Expected = Refused("C-01");
const FOREIGN: Expected = Refused("C-02");
const STOPPED: Expected = Refused("C-07");
/// The certificate is not one of the client that is named.
const OTHERS: Expected = Refused("C-12");

impl AccessTable {
    pub(crate) fn read() -> Self {
        let text = include_str!("routes.toml");
        Self(text.parse().expect("routes.toml"))
    }

    /// Fails for an operation that is in no class, and for one that is not there any more.
    pub(crate) fn knows_all(&self, operations: &[Operation]) {
        let known = self.classes();
        let found: Vec<_> = operations.iter().map(Operation::key).collect();
        let new: Vec<_> = found.iter().filter(|key| !known.contains_key(*key)).collect();
        assert!(
            new.is_empty(),
            "who may ask for these? Put each into a class of tests/tests/walls/routes.toml (access.rs says what a class means), with a \
             [form] or [query] that names another tenant's things where it takes any:\n{new:#?}"
        );
        let gone: Vec<_> = known.keys().filter(|key| !found.contains(key)).collect();
        assert!(gone.is_empty(), "there are no such operations: take them out of routes.toml\n{gone:#?}");
    }

    /// What is wrong with an answer, if anything is.
    pub(crate) fn fault(
        &self,
        operation: &Operation,
        actor: &Actor,
        told: &Told,
        of_nobody: &Told,
    ) -> Option<String> {
        let key = operation.key();
        let expected = self.expected(&key, actor);
        let is_fault = told.status >= 500 || told.status == 0;
        let is_good = !is_fault
            && match &expected {
                // Whoever tries many links is told to stop, by address and whoever they are.
                Ok(Same) => {
                    told.code == "I-12" || (told.status, &told.code) == (of_nobody.status, &of_nobody.code)
                }
                Ok(Answered) => !told.code.starts_with("C-") && told.code != "U-03",
                Ok(Refused(code)) => told.code == *code,
                Ok(SignIn) => told.location.starts_with("/sign-in") || told.code.starts_with("U-"),
                Err(code) => told.code == *code,
            };
        let Told { status, code, body, .. } = told;
        let body: String = body.chars().take(200).collect();
        (!is_good).then(|| format!("{key} told {}: {status} {code:?}, not {expected:?}; {body}", actor.name))
    }

    /// Whether it is right that an actor is shown something of another tenant.
    pub(crate) fn may_see(&self, key: &str, actor: &str) -> bool {
        self.lines("sees").any(|line| text(line, "operation") == key && text(line, "actor") == actor)
    }

    /// The paths that an argument of `.route(…)` stands for.
    pub(crate) fn computed(&self, argument: &str) -> Option<Vec<String>> {
        let paths = self.0["computed"].get(argument)?.as_array()?;
        Some(paths.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// What is sent with an operation that openapi.json does not describe: the media type, and the body.
    pub(crate) fn body(&self, operation: &Operation) -> Option<(&'static str, &str)> {
        let kinds = [
            ("form", "application/x-www-form-urlencoded"),
            ("json", "application/json"),
            ("pkcs10", "application/pkcs10"),
        ];
        kinds.into_iter().find_map(|(name, media)| {
            let known = &self.0[name];
            let body = known.get(operation.key()).or_else(|| known.get(operation.name()))?;
            Some((media, body.as_str()?))
        })
    }

    /// The token that is presented.
    pub(crate) fn bearer(&self, operation: &Operation) -> Option<&str> {
        self.0["bearer"].get(operation.name())?.as_str()
    }

    pub(crate) fn query(&self, operation: &Operation) -> Option<&str> {
        self.0["query"].get(operation.name())?.as_str()
    }

    /// The class of each operation.
    fn classes(&self) -> BTreeMap<String, &'static str> {
        let mut found = BTreeMap::new();
        for listener in ["portal", "device", "public"] {
            for (class, names) in self.0[listener].as_table().expect("classes") {
                let known = CLASSES.iter().find(|(name, _)| name == class);
                let (class, _) = known.unwrap_or_else(|| panic!("{class} is no class: see access.rs"));
                for name in names.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    let before = found.insert(format!("{listener} {name}"), *class);
                    assert_eq!(before, None, "{listener} {name} has two classes");
                }
            }
        }
        found
    }

    /// By an exception, as the code that is told; by the table otherwise.
    fn expected(&self, key: &str, actor: &Actor) -> Result<Expected, String> {
        let exception = self.lines("exception").find(|line| {
            text(line, "operation") == key
                && [actor.name.as_str(), actor.kind.as_str()].contains(&text(line, "actor"))
        });
        if let Some(exception) = exception {
            assert!(text(exception, "reason").len() > 20, "{key}: why?");
            return match text(exception, "told") {
                "answered" => Ok(Answered),
                "same" => Ok(Same),
                "same as signed out" => Ok(SignIn),
                code => Err(code.to_owned()),
            };
        }
        let class = self.classes()[key];
        let (_, told) = CLASSES.iter().find(|(name, _)| *name == class).expect("a class");
        let place =
            [Nobody, Device, Gate, Client, Stopped, Person].iter().position(|kind| *kind == actor.kind);
        Ok(told[place.expect("a kind")])
    }

    fn lines(&self, name: &str) -> impl Iterator<Item = &Table> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
    }
}

fn text<'a>(line: &'a Table, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}"))
}

/// A path with something for each of its parameters. Which device is filled in by whoever asks.
pub(crate) fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.strip_prefix('{') {
        Some("file}") => "0.crl",
        Some("list}") => "0123456789abcdefghjkmnpqrs",
        Some("device}") => "{device}",
        Some("transfer}") => "{transfer}",
        Some(_) => "0",
        None => part,
    });
    parts.collect::<Vec<_>>().join("/")
}
