use super::*;
use crate::entropy::{Seeded, bytes};
use std::collections::HashSet;

fn secret(seed: u64) -> ListSecret {
    ListSecret::new(&bytes(&Seeded::new(seed)))
}

#[test]
fn every_place_and_every_decoy_has_an_index_of_its_own() {
    for list in [0, 1, 7] {
        let layout = secret(1).layout(list);
        let mut taken: HashSet<u32> = places_of(list).map(|place| layout.index(place)).collect();
        assert_eq!(taken.len(), PLACES as usize);
        for decoy in PLACES..LENGTH {
            assert!(taken.insert(layout.shuffle.index(decoy)));
        }
        assert!(taken.iter().all(|index| *index < LENGTH));
    }
}

/// Of a random order the mean distance of neighbors is a third of the length, and half of them go up.
#[test]
fn indices_do_not_tell_who_came_first() {
    let layout = secret(2).layout(0);
    let indices: Vec<u32> = places_of(0).map(|place| layout.index(place)).collect();
    let distance: u64 = indices.windows(2).map(|pair| u64::from(pair[0].abs_diff(pair[1]))).sum();
    let mean = distance / u64::from(PLACES);
    assert!((40_000..48_000).contains(&mean), "{mean}");
    let up = indices.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((PLACES as usize * 49 / 100..PLACES as usize * 51 / 100).contains(&up), "{up}");
}

#[test]
fn another_secret_and_another_list_are_another_name_and_another_order() {
    let one = secret(3);
    let layouts = [one.layout(0), one.layout(1), secret(4).layout(0)];
    let names: HashSet<_> = layouts.iter().map(ListLayout::name).collect();
    assert_eq!(names.len(), layouts.len());
    assert!(names.iter().all(|name| name.len() == 16));
    let orders: HashSet<Vec<u32>> =
        layouts.iter().map(|layout| (0..64).map(|place| layout.index(place)).collect()).collect();
    assert_eq!(orders.len(), layouts.len());
    assert_eq!(one.layout(0).name(), layouts[0].name(), "always the same");
}

#[test]
fn decoys_are_nobody_s_places_and_differ_from_tenant_to_tenant_in_number() {
    let layout = secret(5).layout(0);
    let places: HashSet<u32> = places_of(0).map(|place| layout.index(place)).collect();
    let entropy = Seeded::new(6);
    let mut counts = HashSet::new();
    for _ in 0..20 {
        let tenant = TenantId::random(&entropy);
        let decoys: Vec<u32> = layout.decoys_of(&tenant).collect();
        assert!(decoys.iter().all(|index| !places.contains(index)));
        assert_eq!(decoys.iter().collect::<HashSet<_>>().len(), decoys.len());
        assert_eq!(layout.decoys_of(&tenant).collect::<Vec<_>>(), decoys);
        counts.insert(decoys.len());
    }
    assert!(counts.len() > 15 && counts.iter().all(|count| *count < DECOYS as usize));
}

#[test]
fn an_entry_changes_alone() {
    let mut entries = StatusEntries::default();
    assert_eq!(entries.as_bytes().len(), 32 * 1024);
    let said = [
        (0, TokenStatus::Invalid),
        (1, TokenStatus::Suspended),
        (2, TokenStatus::Valid),
        (LENGTH - 1, TokenStatus::Suspended),
    ];
    for (index, status) in said {
        assert_eq!(entries.set(index, status), status != TokenStatus::Valid);
        assert!(!entries.set(index, status), "the second time it is no change");
    }
    for (index, status) in said {
        assert_eq!(entries.get(index), Some(status));
    }
    assert_eq!(entries.as_bytes()[0], 0b1001);
    assert!(entries.set(1, TokenStatus::Valid));
    assert_eq!((entries.get(0), entries.get(1)), (Some(TokenStatus::Invalid), Some(TokenStatus::Valid)));
    assert_eq!(entries.get(LENGTH), None);
    assert!(!entries.set(LENGTH, TokenStatus::Invalid));
}

/// The draft's example of section 4.1 with two bits.
#[test]
fn entries_are_packed_as_the_draft_packs_them() {
    let entries = StatusEntries::from(vec![0xc9, 0x44, 0xf9]);
    let read: Vec<_> = (0..12).map(|index| entries.get(index).map(TokenStatus::bits)).collect();
    let (some, none) = (|bits| Some(bits), None);
    assert_eq!(
        read,
        [some(1), some(2), some(0), none, some(0), some(1), some(0), some(1), some(1), some(2), none, none]
    );
}

#[test]
fn a_refused_device_is_not_valid_and_a_final_status_never_comes_back() {
    use crate::certificate::{Standing, standing};
    use crate::timestamp::Timestamp;
    let [start, now, end] = [1, 2, 3].map(Timestamp::from_seconds);
    for &certificate in CertificateState::ALL {
        for &device in DeviceState::ALL {
            let status = TokenStatus::of(certificate, device);
            match standing(device, certificate, start, end, now) {
                Standing::Good | Standing::Unissued => assert_eq!(status, TokenStatus::Valid),
                Standing::Suspended => assert_ne!(status, TokenStatus::Valid),
                _ => assert_eq!(status, TokenStatus::Invalid, "{certificate} {device}"),
            }
        }
    }
}
