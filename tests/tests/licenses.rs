//! A product is sold to a store while everything runs: its devices may ask for tokens at once, and others may not.

use serde_json::{Value, json};
use tegata_tests::{CurlAnswer, DeviceIdentity, RunningInstallation};

const SOLD: &str = "https://stock.localhost";

fn ask(installation: &RunningInstallation, device: &DeviceIdentity, resource: &str) -> CurlAnswer {
    let fields =
        [("grant_type", "client_credentials"), ("client_id", &*device.device), ("resource", resource)];
    installation.oauth("token_endpoint").as_device(device).form(&fields).send()
}

fn is_refused(answer: &CurlAnswer) {
    let said: Value = answer.json();
    assert_eq!(
        (answer.status, &said["error"], &said["code"]),
        (400, &json!("invalid_target"), &json!("T-04"))
    );
}

#[test]
fn a_product_is_for_licensed_stores_from_the_moment_the_command_returns() {
    let mut installation = RunningInstallation::start();
    installation.reconfigure(|text| format!("{text}\n[[product]]\naudience = \"{SOLD}\"\nlicensed = true\n"));
    let first = installation.enroll("register-1");
    let invited = installation.tell(&["site", "add", "駅前店"]);
    assert_eq!(invited["name"], "駅前店");
    let url = installation.tell(&["invite", "--label", "register-2", "--site", "駅前店"]);
    let second = DeviceIdentity::enroll(&installation, url["url"].as_str().expect("a link"), "register-2");
    let license = |what: &str, more: &[&str]| {
        installation.command(&[&["license", what, "--product", SOLD], more].concat())
    };
    let tried = || [&first, &second].map(|device| ask(&installation, device, SOLD));
    tried().iter().for_each(is_refused);
    ask(&installation, &first, &installation.product).expect(200);

    let granted = license("grant", &["--site", "駅前店"]).good().json();
    assert_eq!((&granted["site_name"], &granted["changed"]), (&json!("駅前店"), &json!(true)));
    let [elsewhere, here] = tried();
    is_refused(&elsewhere);
    here.expect(200);
    assert_eq!(license("grant", &["--site", "駅前店"]).good().json()["changed"], false);

    license("grant", &[]).good();
    for answer in tried() {
        answer.expect(200);
    }
    let listed = installation.listed(&["license", "list"]);
    let sites: Vec<_> = listed.as_array().expect("a list").iter().map(|one| &one["site_name"]).collect();
    assert_eq!(sites, [&Value::Null, &json!("駅前店")]);

    license("withdraw", &[]).good();
    let [elsewhere, here] = tried();
    is_refused(&elsewhere);
    here.expect(200);
    license("withdraw", &["--site", "駅前店"]).good();
    tried().iter().for_each(is_refused);
    assert_eq!(license("withdraw", &[]).code, 2, "there is none any more");
    assert_eq!(license("grant", &["--site", "横浜店"]).code, 2, "nor such a store");
    a_register_of_customers_is_followed(&installation, &tried);
    let typo = ["license", "grant", "--product", "https://stock.localhost/"];
    assert_eq!(installation.command(&typo).code, 2, "nor such a product");
    installation.command(&["check"]).good();
}

/// By keys of its own: a list is done once, however often it is given, and a rehearsal does nothing.
fn a_register_of_customers_is_followed(
    installation: &RunningInstallation,
    tried: &dyn Fn() -> [CurlAnswer; 2],
) {
    let tenants = installation.listed(&["tenant", "list"]);
    let name = tenants[0]["name"].as_str().expect("a name");
    let file = installation.folder("lists").join("contracts.csv");
    let lines = [
        "tenant_key,tenant,site_key,site,products".to_owned(),
        format!("C-1,{name},S-2,駅前店,{SOLD}"),
        "C-2,みどり薬局,,,-".to_owned(),
        "C-2,みどり薬局,S-1,,".to_owned(),
    ];
    std::fs::write(&file, lines.join("\n")).expect("a file");
    let file = file.display().to_string();
    let give = |more: &[&str]| installation.command(&[&["contract", "import", &file], more].concat());
    let rehearsed = give(&["--dry-run"]);
    assert_eq!((rehearsed.code, rehearsed.json()["performed"].clone()), (1, json!(false)));
    tried().iter().for_each(is_refused);
    let given = give(&[]).json();
    assert_eq!(given["lines"], rehearsed.json()["lines"], "a rehearsal says what will be done");
    let first = &given["lines"][0]["changes"];
    assert_eq!(*first, json!(["tenant-linked", "site-linked", "license-granted"]));
    assert_eq!(given["lines"][1]["outcome"], "created");
    assert!(given["lines"][2]["reason"].as_str().is_some_and(|why| why.contains("come together")));
    let [elsewhere, here] = tried();
    is_refused(&elsewhere);
    here.expect(200);
    let again = give(&[]).json();
    assert_eq!((&again["unchanged"], &again["refused"]), (&json!(2), &json!(1)), "{again}");
}
