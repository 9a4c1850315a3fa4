use super::*;
use std::pin::pin;
use std::task::{Context, Waker};

fn admission(connections: usize, per_network: usize, silent: usize) -> Arc<Admission> {
    Admission::new(Limits { connections, per_network, silent, ..Limits::default() })
}

fn come(admission: &Arc<Admission>, from: &str) -> Result<(AdmittedConnection, Eviction), NotAdmitted> {
    admission.admit(from.parse().unwrap())
}

fn gave_way((_, eviction): &mut (AdmittedConnection, Eviction)) -> bool {
    eviction.try_recv().is_ok()
}

#[test]
fn a_silent_network_at_its_limit_pushes_out_its_own_oldest() {
    let admission = admission(100, 2, 100);
    let mut elsewhere = come(&admission, "192.0.2.9").unwrap();
    let mut first = come(&admission, "192.0.2.1").unwrap();
    let mut second = come(&admission, "192.0.2.1").unwrap();
    let mut third = come(&admission, "192.0.2.1").unwrap();
    assert!(gave_way(&mut first));
    assert!(!gave_way(&mut second) && !gave_way(&mut third) && !gave_way(&mut elsewhere));
}

#[test]
fn a_network_whose_connections_all_speak_gets_no_more_than_its_share() {
    let admission = admission(100, 2, 100);
    let both = ["192.0.2.1"; 2].map(|from| come(&admission, from).unwrap());
    for (place, _) in &both {
        place.speaks();
    }
    assert_eq!(come(&admission, "192.0.2.1").err(), Some(NotAdmitted::ForItsNetwork));
    assert!(come(&admission, "192.0.2.2").is_ok());
    drop(both);
    assert!(come(&admission, "192.0.2.1").is_ok());
}

#[test]
fn whoever_has_spoken_is_never_cut_and_their_network_gives_way_last() {
    let admission = admission(4, 4, 4);
    let (speaker, mut cut) = come(&admission, "192.0.2.1").unwrap();
    speaker.speaks();
    let mut known = come(&admission, "192.0.2.1").unwrap();
    let mut also_known = come(&admission, "192.0.2.1").unwrap();
    let mut stranger = come(&admission, "192.0.2.2").unwrap();
    let mut newcomer = come(&admission, "192.0.2.3").unwrap();
    assert!(gave_way(&mut stranger), "though it was the only one of its network");
    let _next = come(&admission, "192.0.2.4").unwrap();
    assert!(gave_way(&mut newcomer));
    assert!(!gave_way(&mut known) && !gave_way(&mut also_known) && cut.try_recv().is_err());
}

#[test]
fn among_strangers_the_network_with_the_most_gives_way() {
    let admission = admission(100, 100, 4);
    let mut flood = ["192.0.2.1"; 3].map(|from| come(&admission, from).unwrap());
    let mut lone = come(&admission, "192.0.2.2").unwrap();
    let _next = come(&admission, "192.0.2.3").unwrap();
    assert!(gave_way(&mut flood[0]) && !gave_way(&mut flood[1]) && !gave_way(&mut lone));
}

#[test]
fn one_machine_with_a_64_of_addresses_is_one_network() {
    let admission = admission(100, 2, 100);
    let mut first = come(&admission, "2001:db8::1").unwrap();
    let _others = ["2001:db8::2", "2001:db8:0:1::1", "2001:db8::ffff:3"].map(|from| come(&admission, from));
    assert!(gave_way(&mut first));
    let mut mapped = come(&admission, "::ffff:192.0.2.1").unwrap();
    let _others = ["192.0.2.1", "192.0.2.1"].map(|from| come(&admission, from));
    assert!(gave_way(&mut mapped));
}

#[test]
fn when_everybody_has_left_nothing_is_kept_but_who_has_spoken() {
    let admission = admission(3, 3, 2);
    for round in 0..50 {
        let places: Vec<_> = (0..5).filter_map(|n| come(&admission, &format!("192.0.2.{n}")).ok()).collect();
        for (place, _) in places.iter().skip(round % 4) {
            place.speaks();
        }
    }
    let state = admission.state();
    assert_eq!((state.open, state.silent, state.networks.len(), state.ranking.len()), (0, 0, 0, 0));
}

#[tokio::test]
async fn a_full_listener_waits_until_somebody_leaves() {
    let admission = admission(1, 1, 1);
    let (place, _) = come(&admission, "192.0.2.1").unwrap();
    admission.has_room().await;
    place.speaks();
    assert_eq!(come(&admission, "192.0.2.2").err(), Some(NotAdmitted::ForAnybody));
    let mut waiting = pin!(admission.has_room());
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    drop(place);
    assert!(waiting.as_mut().poll(&mut context).is_ready());
}
