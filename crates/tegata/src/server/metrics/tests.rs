use super::*;

#[test]
fn an_answer_without_a_certificate_is_told_by_its_error() {
    assert_eq!(status_of_answer(&[0x30, 3, 0x0a, 1, 6]), Some("unauthorized"));
    assert_eq!(status_of_answer(&[0x30, 3, 0x0a, 1, 1]), Some("malformed_request"));
    assert_eq!(status_of_answer(&[0x30, 3, 0x0a, 1, 0]), None);
    assert_eq!(status_of_answer(b"<html>"), None);
}

#[test]
fn who_was_stopped_is_not_in_the_name_of_the_number() {
    let device = tegata_core::DeviceId::random(&tegata_core::entropy::Seeded::new(1));
    let labels = name_of(&Change::DeviceDenied { device: device.clone(), reason: Denial::Revoked });
    assert_eq!(labels, [("of", "device".to_owned()), ("to", "revoked".to_owned())]);
    assert!(!format!("{labels:?}").contains(device.as_str()));
}
