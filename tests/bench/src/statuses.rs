//! Token status lists: laid out, packed and signed by the product's code in this process, next to one compression of as
//! many bytes and one signature.

use crate::report::BenchRow;
use crate::rounds::{ROUNDS, median};
use crate::{BenchOutcome, cpu};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use tegata_core::Timestamp;
use tegata_core::jws::SigningKey;
use tegata_core::status_list::{ListLayout, ListSecret, StatusEntries, TokenStatus, list_of};
use tegata_signals::{SignedList, SigningKeys};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

const MILLION: u64 = 1_000_000;

/// Of so many certificates one has ended.
const ENDED: u64 = 10;

/// Repetitions in a round: close to a second.
const WHOLE: u32 = 8;
const ONE: u32 = 100;

/// All lists of a million certificates, as at the start of a server; and one list after one revocation.
pub fn rows() -> BenchOutcome<Vec<BenchRow>> {
    let fixture = StatusFixture::new()?;
    let lists = fixture.lists();
    let all: Vec<&StatusEntries> = lists.values().collect();
    let one = all.first().copied().ok_or("no list")?;
    let raw: Vec<u8> = all.iter().flat_map(|entries| entries.as_bytes()).copied().collect();
    let (mut whole, mut single) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for _ in 0..ROUNDS {
        whole.0.push(cost(WHOLE, || fixture.lists().values().try_for_each(|entries| fixture.sign(entries)))?);
        whole.1.push(cost(WHOLE, || fixture.least(&raw))?);
        single.0.push(cost(ONE, || fixture.sign(one))?);
        single.1.push(cost(ONE, || fixture.least(one.as_bytes()))?);
    }
    Ok(vec![
        BenchRow { path: "status lists 1M", us: median(whole.0), limit_us: median(whole.1) },
        BenchRow { path: "status list, a change", us: median(single.0), limit_us: median(single.1) },
    ])
}

struct StatusFixture {
    keys: SigningKeys,
    bare: EcdsaKeyPair,
    random: SystemRandom,
    layouts: Vec<ListLayout>,
}

impl StatusFixture {
    fn new() -> BenchOutcome<Self> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
        let bare = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)?;
        let keys = SigningKeys::new(SigningKey::from_pkcs8(&SigningKey::generate()?)?, []);
        let secret = ListSecret::new(&[7; 32]);
        let layouts = (0..=list_of(MILLION)).map(|list| secret.layout(list)).collect();
        Ok(Self { keys, bare, random, layouts })
    }

    fn lists(&self) -> BTreeMap<u64, StatusEntries> {
        let mut lists = BTreeMap::new();
        for place in (0..MILLION).step_by(usize::try_from(ENDED).unwrap_or(1)) {
            let list = list_of(place);
            let entries: &mut StatusEntries = lists.entry(list).or_default();
            if let Some(layout) = usize::try_from(list).ok().and_then(|list| self.layouts.get(list)) {
                entries.set(layout.index(place), TokenStatus::Invalid);
            }
        }
        lists
    }

    fn sign(&self, entries: &StatusEntries) -> BenchOutcome<()> {
        let (iss, uri) = ("https://ca.example.jp", "http://pki.example.jp/status/aaaaaaaaaaaaaaaa");
        black_box(SignedList::sign(&self.keys, iss, uri, entries, NOW).ok_or("no signature")?);
        Ok(())
    }

    fn least(&self, raw: &[u8]) -> BenchOutcome<()> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(raw)?;
        black_box(self.bare.sign(&self.random, &encoder.finish()?)?);
        Ok(())
    }
}

fn cost(times: u32, mut work: impl FnMut() -> BenchOutcome<()>) -> BenchOutcome<f64> {
    let before = cpu::own()?;
    for _ in 0..times {
        work()?;
    }
    Ok((cpu::own()? - before) / f64::from(times))
}
