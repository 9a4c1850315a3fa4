//! A program that people sign in to, such as a customer register: it does for them what its token's scopes name, and no more.

use serde_json::{Value, json};
use tegata_tests::installation::text_of;
use tegata_tests::{Curl, DeviceIdentity, Own, PersonSession, RunningInstallation, escaped};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const CALLBACK: &str = "https://crm.example/callback";
const SCOPES: &str = "console.devices:read console.devices:suspend";

/// A program with a certificate of its own.
struct Program<'a> {
    installation: &'a RunningInstallation,
    own: Own,
    token: String,
}

impl Program<'_> {
    fn ask(&self, path: &str) -> Curl {
        self.own.presented(self.installation.at_device(path)).bearer(&self.token)
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> tegata_tests::CurlAnswer {
        let asked = headers.iter().fold(self.ask(path), |asked, (name, value)| asked.header(name, value));
        asked.json(body).send()
    }
}

/// The registration of the program, and the API as a product that tokens are for.
fn register(installation: &mut RunningInstallation) -> Own {
    let own = Own::make(&installation.folder("crm"), "crm", "crm");
    let (audience, jwks) = (audience(installation), own.jwks_as_toml());
    let scopes = SCOPES.replace(' ', "\", \"");
    installation.reconfigure(|text| {
        format!(
            "{text}\n[[product]]\naudience = \"{audience}\"\nscopes = [\"{scopes}\"]\n\
             [[client]]\nclient_id = \"crm\"\ntoken_endpoint_auth_method = \"self_signed_tls_client_auth\"\n\
             grants = [\"authorization_code\"]\naudiences = [\"{audience}\"]\nscope = \"{SCOPES}\"\n\
             redirect_uris = [\"{CALLBACK}\"]\n[client.jwks]\n{jwks}\n"
        )
    });
    own
}

fn audience(installation: &RunningInstallation) -> String {
    format!("{}/api/v1", installation.device)
}

/// What the program gets when somebody who is signed in comes to it.
fn token(installation: &RunningInstallation, own: &Own, by: &PersonSession, scope: &str) -> String {
    let asked = [
        ("response_type", "code"),
        ("client_id", "crm"),
        ("redirect_uri", CALLBACK),
        ("scope", scope),
        ("resource", &audience(installation)),
        ("state", "s"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let query: Vec<_> = asked.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let sent = by.at(installation, &format!("/authorize?{}", query.join("&"))).send();
    let location = sent.header("location").to_owned();
    let code = location.split(['?', '&']).find_map(|part| part.strip_prefix("code="));
    let code = code.unwrap_or_else(|| panic!("no code: {} {location} {}", sent.status, sent.text()));
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "crm"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let given = own.presented(installation.oauth("token_endpoint")).form(&form).send().expect(200).json();
    text_of(&given, "access_token")
}

/// Within the tenant and by the scopes of the token; what the person may not, no scope lets the program do.
pub(crate) fn act_for_people_within_their_scopes(
    installation: &mut RunningInstallation,
    [admin, staff]: [&PersonSession; 2],
    device: &DeviceIdentity,
) {
    let own = register(installation);
    let installation = &*installation;
    let crm = Program { token: token(installation, &own, admin, SCOPES), installation, own };
    let found = crm.ask("/api/v1/devices?limit=1").send().expect(200).json();
    assert_eq!(found["devices"].as_array().map(Vec::len), Some(1), "{found}");
    let path = format!("/api/v1/devices/{}", device.device);
    let seen = crm.ask(&path).send().expect(200);
    let tag = seen.header("etag").to_owned();
    let suspend =
        |headers: &[(&str, &str)]| crm.post(&format!("{path}/suspend"), headers, &json!({"note": "CRM-7"}));
    assert_eq!(suspend(&[("if-match", "\"never\"")]).problem(), "D-12");
    let once = [("if-match", &*tag), ("idempotency-key", "crm-7")];
    let first = suspend(&once).expect(200).json();
    assert_eq!((&first["state"], &suspend(&once).expect(200).json()), (&json!("suspended"), &first));
    let shown = installation.tell(&["device", "show", &device.device]).to_string();
    assert!(shown.contains("CRM-7"), "{shown}");
    // What the token does not name, and what the person may not.
    let resume = format!("{path}/resume");
    assert_eq!(crm.post(&resume, &[], &json!({})).problem(), "G-08");
    assert_eq!(crm.ask("/api/v1/people").send().problem(), "G-08");
    let for_staff = Program {
        token: token(installation, &crm.own, staff, SCOPES),
        installation,
        own: Own::make(&installation.folder("other"), "other", "other"),
    };
    assert_eq!(for_staff.ask(&path).send().problem(), "G-04", "bound to the program's certificate");
    let for_staff = Program { own: crm.own, ..for_staff };
    for_staff.ask(&path).send().expect(200);
    assert_eq!(for_staff.post(&format!("{path}/suspend"), &[], &json!({})).problem(), "U-20");
    // Pages are for people.
    let page = for_staff.ask("/console/devices").header("accept", "text/html").send();
    assert_eq!(page.status, 403, "{}", page.text());
    // It ends with the session.
    staff.send(installation, "/account/sign-out", &[]).expect(303);
    let after = for_staff.ask(&path).send();
    assert!(["G-03", "G-05", "U-03"].contains(&&*after.problem()), "{}", after.text());
    admin.post(installation, &resume, &[], &json!({})).expect(200);
}
