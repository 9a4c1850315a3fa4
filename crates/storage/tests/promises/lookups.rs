//! How support finds a terminal, and how re-auditing walks the ledger.

use crate::engines::on_both_engines;
use crate::house::{House, day};
use tegata_core::{DeviceId, Role};
use tegata_storage::Origin;

on_both_engines! {
    async fn support_finds_a_terminal_by_what_the_caller_knows(house: House) {
        let device = named(house, "Reception_PC 100% \\ 受付").await;
        let other = named(house, "調剤室 iPad").await;
        for text in ["reception_pc", "RECEPTION", "_pc", "100%", "\\", "受付", device.as_str()] {
            assert_eq!(found(house, text).await, std::slice::from_ref(&device), "{text}");
        }
        for text in ["", "本店", "あおば", "%薬局"] {
            let expected = if text.starts_with('%') { 0 } else { 2 };
            assert_eq!(found(house, text).await.len(), expected, "{text}");
        }
        assert_eq!(found(house, "ipad").await, [other]);
        assert!(found(house, "どこにもない").await.is_empty());
    }

    async fn every_certificate_is_walked_once(house: House) {
        let mut expected = Vec::new();
        for _ in 0..3 {
            let (device, first) = house.enrol(day(0)).await;
            house.renew(&device, first, day(1)).await.unwrap();
            expected.extend([(device.to_string(), 1), (device.to_string(), 2)]);
        }
        expected.sort();
        let (mut walked, mut last) = (Vec::new(), (String::new(), 0));
        loop {
            let page = house.ledger.certificates_after(&last.0, last.1, 4).await.unwrap();
            let Some(end) = page.last() else { break };
            last = (end.device.to_string(), end.generation);
            walked.extend(page.iter().map(|one| (one.device.to_string(), one.generation)));
        }
        assert_eq!(walked, expected);
    }
}

async fn named(house: &House, label: &str) -> DeviceId {
    let invited = house.invite(label, day(0)).await;
    let device = DeviceId::random(&house.entropy);
    let origin = Origin::Invitation {
        invitation: invited.id,
        tenant: house.tenant.clone(),
        site: house.site.clone(),
        role: Role::Device,
        label: label.into(),
    };
    house.issue(house.intent(&device, origin, day(0))).await.unwrap();
    device
}

async fn found(house: &House, text: &str) -> Vec<DeviceId> {
    house.ledger.devices(text).await.unwrap().into_iter().map(|device| device.id).collect()
}
