//! Tenants with CAs of their own.

use crate::support::{RefusedAct, create_issuing, is_believed, issuer_of, until};
use tegata_tests::tokens::obtain;
use tegata_tests::{Ceremony, DeviceIdentity, RunningInstallation, csr};

#[test]
fn a_silo_and_the_pool_never_share_a_ca() {
    let mut installation = RunningInstallation::start();
    let ceremony = Ceremony::of(&installation);
    installation.tell(&["tenant", "add", "みどり薬局", "--silo"]);
    installation.tell(&["site", "add", "駅前店", "--tenant", "みどり薬局"]);
    assert_eq!(installation.command(&["tenant", "add", "みどり薬局"]).code, 2, "a name is a name");
    let invitation = |installation: &RunningInstallation| {
        let invited = installation.tell(&["invite", "--site", "駅前店", "--label", "pc"]);
        invited["url"].as_str().expect("a link").to_owned()
    };
    let link = invitation(&installation);
    let code = link.split_once('#').expect("a code").1;
    let asked = serde_json::json!({ "code": code, "csr": csr::honest() });
    let refused = installation.at_portal("/api/v1/enrollments").json(&asked).send();
    assert_eq!(refused.problem(), "S-03", "without a CA of its own it gets nothing");

    create_issuing(&ceremony, "Midori CA", "tenant = \"みどり薬局\"\n");
    until("the tenant's CA issues", || {
        let asked = serde_json::json!({ "code": code, "csr": csr::honest() });
        let answer = installation.at_portal("/api/v1/enrollments").json(&asked).send();
        (answer.status == 201).then_some(())
    });
    let silo = DeviceIdentity::enroll(&installation, &invitation(&installation), "silo");
    let pool = installation.command(&["invite", "--site", "本店", "--label", "pc"]).good().json();
    let pool = DeviceIdentity::enroll(&installation, pool["url"].as_str().expect("a link"), "pool");
    assert!(issuer_of(&silo).contains("Midori CA"), "{}", issuer_of(&silo));
    assert!(issuer_of(&pool).contains("Tegata Issuing"), "{}", issuer_of(&pool));
    for device in [&silo, &pool] {
        is_believed(&installation, device);
        obtain(&installation, device);
    }
    let lists = installation.tell(&["site", "list", "--tenant", "みどり薬局"]);
    assert_eq!(lists.as_array().map(Vec::len), Some(1));

    // Its policy can change: what exists stays, what comes goes by the new one.
    ceremony
        .act("tenant-issuing", "tenant = \"あおば薬局グループ\"\nissuing = \"silo\"\n")
        .refused("no CA of its own");
    ceremony.act("tenant-issuing", "tenant = \"みどり薬局\"\nissuing = \"pool\"\n").done();
    obtain(&installation, &silo);
    installation.start_again();
    obtain(&installation, &silo);
    obtain(&installation, &pool);
}
