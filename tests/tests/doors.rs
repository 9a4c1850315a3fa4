//! Every endpoint tells every actor what they may know, and nothing more.

use serde_json::{Value, json};
use tegata_tests::openssl::{self, url_after};
use tegata_tests::{Curl, CurlAnswer, DeviceIdentity, Proxied, RunningInstallation, csr};

/// Who may come to the device listener.
struct Actors {
    device: DeviceIdentity,
    gate: DeviceIdentity,
    suspended: DeviceIdentity,
    revoked: DeviceIdentity,
    foreign: Foreign,
}

/// One of them.
struct DoorActor {
    name: &'static str,
    client_id: String,
    /// Certificate and key, where there is one.
    pair: Option<[String; 2]>,
}

/// A certificate of another authority.
struct Foreign {
    certificate: String,
    key: String,
}

/// One route and what each actor is told there: the status and the code.
struct Route {
    name: &'static str,
    /// The request of a client that calls itself by the second argument.
    request: fn(&RunningInstallation, &str) -> Curl,
    told: Told,
}

/// To nobody, a device, a gate, a suspended device, a revoked one, and a certificate of another authority.
type Told = [(u16, &'static str); 6];

const NOBODY: (u16, &str) = (401, "C-01");
const SUSPENDED: (u16, &str) = (401, "C-07");
const REVOKED: (u16, &str) = (401, "C-06");
const FOREIGN: (u16, &str) = (401, "C-02");

/// Devices and gates are told something, everybody else why not.
const fn to_clients(device: (u16, &'static str), gate: (u16, &'static str)) -> Told {
    [NOBODY, device, gate, SUSPENDED, REVOKED, FOREIGN]
}

const ROUTES: &[Route] = &[
    Route { name: "probe", request: |at, _| at.at_device("/probe"), told: to_clients((200, ""), (200, "")) },
    Route {
        name: "device page",
        request: |at, _| at.at_device("/").header("accept", "text/html"),
        told: to_clients((200, ""), (200, "")),
    },
    Route {
        name: "the devices of the shop",
        request: |at, _| at.at_device("/shop").header("accept", "text/html"),
        told: to_clients((200, ""), (403, "C-09")),
    },
    Route {
        name: "a report of loss of nobody known",
        request: |at, _| at.at_device("/api/v1/loss-reports").json(&json!({ "device": "0".repeat(26) })),
        told: to_clients((404, "D-01"), (403, "C-09")),
    },
    Route {
        name: "a report of loss of the device itself, by a slip",
        request: |at, client| at.at_device("/api/v1/loss-reports").json(&json!({ "device": client })),
        told: to_clients((409, "D-05"), (403, "C-09")),
    },
    Route {
        name: "renewal for nonsense",
        request: |at, _| at.at_device("/api/v1/renewals").json(&json!({ "csr": csr::nonsense() })),
        told: to_clients((400, "K-01"), (400, "K-01")),
    },
    Route {
        name: "delivery of somebody else's certificate",
        request: |at, _| at.at_device("/api/v1/deliveries").json(&json!({ "thumbprint": "A".repeat(43) })),
        told: to_clients((400, "R-01"), (400, "R-01")),
    },
    Route {
        name: "handover to a certificate that is not there",
        request: |at, _| at.at_device("/api/v1/handovers").json(&json!({})),
        told: to_clients((409, "K-08"), (409, "K-08")),
    },
    Route {
        name: "token",
        request: |at, client| {
            let fields =
                [("grant_type", "client_credentials"), ("client_id", client), ("resource", &at.product)];
            at.oauth("token_endpoint").form(&fields)
        },
        told: to_clients((200, ""), (400, "C-09")),
    },
    Route {
        name: "introspection of nothing",
        request: |at, client| {
            at.oauth("introspection_endpoint").form(&[("token", "nothing"), ("client_id", client)])
        },
        told: to_clients((200, ""), (200, "")),
    },
    Route {
        name: "revocation of nothing",
        request: |at, client| {
            at.oauth("revocation_endpoint").form(&[("token", "nothing"), ("client_id", client)])
        },
        // A gate gives back what came to it by codes.
        told: to_clients((200, ""), (200, "")),
    },
    Route {
        name: "receipt",
        request: |at, _| at.oauth("tegata_receipt_endpoint").json(&json!({ "seq": 0 })),
        told: to_clients((403, "C-10"), (204, "")),
    },
    Route {
        name: "EST: the CAs",
        request: |at, _| at.at_device("/.well-known/est/cacerts"),
        told: [(200, ""); 6],
    },
    Route {
        name: "EST: what a request should look like",
        request: |at, _| at.at_device("/.well-known/est/csrattrs"),
        told: [(200, ""); 6],
    },
    Route {
        name: "EST: enrollment without an invitation",
        request: |at, _| {
            at.at_device("/.well-known/est/simpleenroll").body("application/pkcs10", csr::honest())
        },
        told: [(401, "I-05"); 6],
    },
    Route {
        name: "EST: renewal for nonsense",
        request: |at, _| {
            at.at_device("/.well-known/est/simplereenroll").body("application/pkcs10", csr::nonsense())
        },
        told: to_clients((400, "K-01"), (400, "K-01")),
    },
    Route { name: "no such page", request: |at, _| at.at_device("/nowhere"), told: [(404, "R-03"); 6] },
    Route {
        name: "enrollment, which belongs to the portal",
        request: |at, _| at.at_device("/api/v1/enrollments").json(&json!({ "code": "", "csr": "" })),
        told: [(404, "R-03"); 6],
    },
];

#[test]
fn every_route_of_the_device_listener_tells_each_actor_what_it_may_know() {
    tells_every_actor_what_they_may_know(&RunningInstallation::start());
}

#[test]
fn through_a_proxy_every_route_tells_every_actor_the_same() {
    tells_every_actor_what_they_may_know(&Proxied::by_nginx().installation);
}

fn tells_every_actor_what_they_may_know(installation: &RunningInstallation) {
    let actors = Actors::gather(installation);
    let mut wrong = Vec::new();
    for route in ROUTES {
        for (actor, expected) in actors.all().into_iter().zip(route.told) {
            let request = actor.present((route.request)(installation, &actor.client_id));
            let told = request.attempt().map(|answer| (answer.status, code_of(&answer)));
            let expected = (expected.0, expected.1.to_owned());
            if told.as_ref() != Ok(&expected) {
                wrong.push(format!("{} to {}: {told:?}, not {expected:?}", route.name, actor.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_feed_of_denials_is_for_gates_alone() {
    let installation = RunningInstallation::start();
    let actors = Actors::gather(&installation);
    // HEAD, because the answer to a gate has no end.
    let feed = || installation.oauth("tegata_feed_endpoint").flag("--head");
    let told = actors.all().map(|actor| (actor.name, actor.present(feed()).send().status));
    for (name, status) in told {
        let expected = match name {
            "a gate" => 200,
            "a device" => 403,
            _ => 401,
        };
        assert_eq!(status, expected, "{name}");
    }
}

#[test]
fn the_portal_asks_for_no_certificate_and_has_no_route_that_needs_one() {
    let installation = RunningInstallation::start();
    for (path, status) in [
        ("/", 200),
        ("/enroll", 200),
        ("/acme/directory", 200),
        ("/acme/device/directory", 200),
        ("/acme/new-order", 405),
        ("/acme/account/0", 405),
        ("/.well-known/oauth-authorization-server", 200),
        ("/.well-known/jwks.json", 200),
        ("/probe", 404),
        ("/nowhere", 404),
        ("/api/v1/renewals", 404),
    ] {
        let answer = installation.at_portal(path).send();
        assert_eq!(answer.status, status, "{path}: {answer}");
        assert!(!answer.header("content-type").is_empty(), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    let wrong_method = installation.at_portal("/api/v1/enrollments").send();
    assert_eq!((wrong_method.status, &*wrong_method.problem()), (405, "R-04"));
    let handshake = openssl::openssl(&[
        "s_client",
        "-connect",
        &format!("127.0.0.1:{}", tegata_tests::ports::of(&installation.portal)),
        "-servername",
        "localhost",
    ]);
    assert!(handshake.stdout.contains("No client certificate CA names sent"), "{}", handshake.stdout);
}

/// Everything that the first page of an invitation fetches before somebody may press its button. A shop's line may be
/// slow: 50 KB take a second and a half at 3G speed.
#[test]
fn the_first_page_takes_less_than_fifty_kilobytes_and_asks_nobody_else() {
    let installation = RunningInstallation::start();
    let mut waiting = vec!["/enroll".to_owned()];
    let mut fetched: Vec<(String, usize)> = Vec::new();
    while let Some(path) = waiting.pop() {
        if fetched.iter().any(|(known, _)| *known == path) {
            continue;
        }
        let sent = installation
            .at_portal(&path)
            .header("accept", "text/html")
            .header("accept-encoding", "gzip")
            .send()
            .expect(200);
        fetched.push((path.clone(), sent.body.len()));
        let text = installation.at_portal(&path).header("accept", "text/html").send().text();
        let folder = if path.starts_with("/assets/") { "/assets/" } else { "" };
        let mut named = quoted_after(&text, "from './");
        named.extend(quoted_after(&text, "import './"));
        waiting.extend(named.into_iter().map(|name| format!("{folder}{name}")));
        let pictures = |address: &String| !address.starts_with("/assets/guide/");
        let own = quoted_after(&text, "src=\"")
            .into_iter()
            .chain(quoted_after(&text, "<link rel=\"stylesheet\" href=\""));
        waiting.extend(own.filter(pictures).filter(|address| address != "data:,"));
    }
    let all: usize = fetched.iter().map(|(_, size)| size).sum();
    assert!(fetched.len() > 10, "{fetched:?}");
    assert!(fetched.iter().all(|(path, _)| path.starts_with('/')), "{fetched:?}");
    assert!(all < 50_000, "{all} bytes: {fetched:?}");
}

/// What stands between this beginning and the next quotation mark.
fn quoted_after(text: &str, beginning: &str) -> Vec<String> {
    let ends = |rest: &str| rest.split(['\'', '"']).next().unwrap_or_default().to_owned();
    text.split(beginning).skip(1).map(ends).collect()
}

#[test]
fn pages_run_no_script_but_their_own() {
    let installation = RunningInstallation::start();
    // The page for those who are invited sends the form that a profile answers.
    for (page, forms) in [("/", "form-action 'none'"), ("/enroll", "form-action 'self'")] {
        let answer = installation.at_portal(page).header("accept", "text/html").send().expect(200);
        let policy = answer.header("content-security-policy");
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "base-uri 'none'",
            forms,
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(directive), "{page}: {directive} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let html = answer.text();
        assert!(
            !html.contains("<script>") && !html.contains("<style") && !html.contains(" onclick"),
            "{html}"
        );
    }
}

impl Actors {
    fn gather(installation: &RunningInstallation) -> Self {
        let [device, suspended, revoked] =
            ["good", "suspended", "revoked"].map(|label| installation.enroll(label));
        installation.tell(&["device", "suspend", &suspended.device]);
        installation.tell(&["device", "revoke", "--yes", &revoked.device]);
        let foreign = Foreign::like(&device);
        Self { device, gate: installation.enroll_gate("gate"), suspended, revoked, foreign }
    }

    /// In the order of [`Told`]. Whoever has no name here goes by the good device's.
    fn all(&self) -> [DoorActor; 6] {
        let own = |name, identity: &DeviceIdentity| DoorActor {
            name,
            client_id: identity.device.clone(),
            pair: Some([identity.file("chain.pem"), identity.file("key.pem")]),
        };
        let client_id = self.device.device.clone();
        let foreign = [self.foreign.certificate.clone(), self.foreign.key.clone()];
        [
            DoorActor { name: "nobody", client_id: client_id.clone(), pair: None },
            own("a device", &self.device),
            own("a gate", &self.gate),
            own("a suspended device", &self.suspended),
            own("a revoked device", &self.revoked),
            DoorActor { name: "another authority's", client_id, pair: Some(foreign) },
        ]
    }
}

impl DoorActor {
    fn present(&self, request: Curl) -> Curl {
        match &self.pair {
            Some([certificate, key]) => request.presenting(certificate, key),
            None => request,
        }
    }
}

impl Foreign {
    /// Names the same device, by an authority of its own.
    fn like(device: &DeviceIdentity) -> Self {
        let (certificate, key) = (device.file("foreign.pem"), device.file("foreign.key"));
        let text = openssl::text(&device.file("cert.pem"));
        let name = format!("subjectAltName=URI:{}", name_in(&text));
        let made = openssl::openssl(&[
            "req",
            "-x509",
            "-nodes",
            "-days",
            "1",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-subj",
            "/CN=foreign",
            "-addext",
            &name,
            "-addext",
            "extendedKeyUsage=clientAuth",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ]);
        made.good();
        Self { certificate, key }
    }
}

/// The URI in the subject's alternative name.
fn name_in(text: &str) -> String {
    let (_, names) = text.split_once("Subject Alternative Name").expect("an alternative name");
    url_after(names, "URI:")
}

/// The code of a problem, JSON or page, or the error of RFC 6749.
fn code_of(answer: &CurlAnswer) -> String {
    if answer.header("content-type").starts_with("text/html") {
        let text = answer.text();
        let code = text.split_once("class=\"code\"").and_then(|(_, rest)| rest.split_once("<strong>"));
        return code.map_or_else(String::new, |(_, code)| code.chars().take(4).collect());
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body["code"].as_str().or_else(|| body["error"].as_str());
    code.unwrap_or_default().to_owned()
}
