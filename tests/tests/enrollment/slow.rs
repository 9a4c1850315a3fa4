//! A shop at the edge of the network.

use tegata_tests::{Browser, Guise, RunningInstallation};

/// Whatever the first page needs, in bytes on the wire.
const FIRST_PAGE: u64 = 50_000;

#[test]
fn an_invitation_works_over_3g_and_takes_less_than_50_kilobytes() {
    let installation = RunningInstallation::start();
    for guise in [Guise::Plain, Guise::IPad] {
        let mut browser = Browser::open_as(&installation, guise);
        browser.slow_down();
        browser.go(&installation.invite("受付PC"));
        browser.reach("ready");
        let mut traffic = browser.traffic();
        // What the page carries in itself.
        traffic.retain(|(url, _)| !url.starts_with("data:"));
        let total: u64 = traffic.iter().map(|(_, bytes)| bytes).sum();
        println!("{guise:?}: {total} bytes in {} requests", traffic.len());
        assert!(total < FIRST_PAGE, "{total}: {traffic:#?}");
        let portal = format!("{}/", installation.portal);
        let abroad: Vec<_> = traffic.iter().filter(|(url, _)| !url.starts_with(&portal)).collect();
        assert!(abroad.is_empty(), "requests to others: {abroad:?}");
        browser.click(if matches!(guise, Guise::IPad) { "#profile-start" } else { "#start" });
        browser.download();
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
}
