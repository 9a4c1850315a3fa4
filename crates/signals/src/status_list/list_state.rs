//! One list: its entries, and what was signed of them last.

use super::{STATUS_LIST_LIFE, STATUS_LIST_TTL, SignedList, StatusListPlace};
use crate::issuer::SignalIssuer;
use crate::keys::SigningKeys;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde::Serialize;
use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use tegata_core::encoding::base64url;
use tegata_core::status_list::{BITS, STATUS_LIST, StatusEntries, TokenStatus};
use tegata_core::{TenantId, Thumbprint, Timestamp};

pub(super) struct StatusListState {
    list: Arc<StatusListPlace>,
    entries: StatusEntries,
    changed: bool,
    signed: Option<Arc<SignedList>>,
    /// When its last certificate ends, once all of its places are given out and somebody has looked.
    pub(super) last: Option<Timestamp>,
}

/// A copy of what is to be signed: signing takes time, and the state goes on changing meanwhile.
pub(super) struct StatusListDraft {
    list: Arc<StatusListPlace>,
    entries: StatusEntries,
}

/// Section 5.1 of the draft.
#[derive(Serialize)]
struct StatusListClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    ttl: u64,
    status_list: StatusList<'a>,
}

#[derive(Serialize)]
struct StatusList<'a> {
    bits: u8,
    lst: &'a str,
}

impl StatusListState {
    pub(super) fn new(list: Arc<StatusListPlace>) -> Self {
        Self { list, entries: StatusEntries::default(), changed: true, signed: None, last: None }
    }

    pub(super) fn set(&mut self, place: u64, status: TokenStatus) {
        self.changed |= self.entries.set(self.list.layout.index(place), status);
    }

    /// Moves the decoys with the tenants that are stopped.
    pub(super) fn set_decoys(&mut self, suspended: &[TenantId]) {
        let layout = &self.list.layout;
        let moved: HashSet<u32> = suspended.iter().flat_map(|tenant| layout.decoys_of(tenant)).collect();
        for decoy in layout.decoys() {
            let status = if moved.contains(&decoy) { TokenStatus::Suspended } else { TokenStatus::Valid };
            self.changed |= self.entries.set(decoy, status);
        }
    }

    /// What has to be signed now: what says something new, was signed with another key, or is halfway to its end.
    pub(super) fn due(&self, kid: &str, now: Timestamp) -> Option<StatusListDraft> {
        let holds = self.signed.as_ref().is_some_and(|signed| {
            !self.changed
                && signed.kid == kid
                && now >= signed.issued.whole_second()
                && now.since(signed.issued) < STATUS_LIST_LIFE / 2
        });
        (!holds).then(|| StatusListDraft { list: self.list.clone(), entries: self.entries.clone() })
    }

    pub(super) fn publish(&mut self, signed: SignedList) {
        (self.signed, self.changed) = (Some(Arc::new(signed)), false);
    }

    pub(super) fn name(&self) -> &str {
        self.list.layout.name()
    }

    pub(super) fn uri(&self) -> &str {
        &self.list.uri
    }

    pub(super) fn signed(&self) -> Option<&Arc<SignedList>> {
        self.signed.as_ref()
    }
}

impl StatusListDraft {
    /// Nothing when the key does not sign.
    pub(super) fn sign(&self, issuer: &SignalIssuer, now: Timestamp) -> Option<SignedList> {
        SignedList::sign(&issuer.published().keys, issuer.url(), &self.list.uri, &self.entries, now)
    }
}

impl SignedList {
    /// The list at an address as these keys sign it. Nothing when the key does not sign.
    pub fn sign(
        keys: &SigningKeys,
        iss: &str,
        uri: &str,
        entries: &StatusEntries,
        now: Timestamp,
    ) -> Option<Self> {
        let (issued, lst) = (now.whole_second(), base64url(&compressed(entries.as_bytes())?));
        let expires = issued.plus(STATUS_LIST_LIFE);
        let claims = StatusListClaims {
            iss,
            sub: uri,
            iat: issued.seconds(),
            exp: expires.seconds(),
            ttl: STATUS_LIST_TTL.as_secs(),
            status_list: StatusList { bits: BITS, lst: &lst },
        };
        let text = keys.sign(STATUS_LIST, &claims).ok()?;
        let tag = base64url(&Thumbprint::of(text.as_bytes()).as_bytes()[..12]);
        let (gzipped, kid) = (gzipped(text.as_bytes())?.into(), keys.signing_kid().to_owned());
        Some(Self { text: text.into(), gzipped, tag, issued, expires, kid })
    }
}

/// Section 4.1 of the draft: ZLIB, and the highest level is recommended.
fn compressed(entries: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(entries).ok()?;
    encoder.finish().ok()
}

/// What base64 has made longer; there is nothing else to be found in it.
fn gzipped(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::io::Read;
    use tegata_core::encoding::from_base64url;
    use tegata_core::status_list::LENGTH;

    fn read(lst: &str) -> StatusEntries {
        let mut entries = Vec::new();
        let packed = from_base64url(lst).unwrap();
        ZlibDecoder::new(&packed[..]).read_to_end(&mut entries).unwrap();
        StatusEntries::from(entries)
    }

    /// Appendix C.2 of the draft; 3 has no meaning here.
    #[test]
    fn the_draft_s_own_list_of_two_bits_is_read_as_it_was_meant() {
        let lst = concat!(
            "eNrt2zENACEQAEEuoaBABP5VIO01fCjIHTMStt9ovGVIAAAAAABAbiEBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "AAEB5WwIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAID0ugQAAAAAAAAAAAAAAAAAQG12SgAAAAAAAAAAAAAAAAAAAAAAAAAAAOCSIQEAAAAAAAAAAAAAA",
            "AAAAAAAAAD8ExIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwJEuAQAAAAAAAAAAAAAAAAAAAAAAAMB9SwIAAAAA",
            "AAAAAAAAAAAAAACoYUoAAAAAAAAAAAAAAEBqH81gAQw"
        );
        let entries = read(lst);
        let said = BTreeMap::from([
            (0, Some(TokenStatus::Invalid)),
            (1993, Some(TokenStatus::Suspended)),
            (25_460, Some(TokenStatus::Invalid)),
            (159_495, None),
            (495_669, Some(TokenStatus::Invalid)),
            (554_353, Some(TokenStatus::Invalid)),
            (645_645, Some(TokenStatus::Suspended)),
            (723_232, Some(TokenStatus::Invalid)),
            (854_545, Some(TokenStatus::Invalid)),
            (934_534, Some(TokenStatus::Suspended)),
            (1_000_345, None),
        ]);
        for index in 0..1 << 20 {
            let meant = said.get(&index).copied().unwrap_or(Some(TokenStatus::Valid));
            assert_eq!(entries.get(index), meant, "{index}");
        }
        assert_eq!(entries.get(1 << 20), None);
    }

    /// Section 4.2 of the draft.
    #[test]
    fn the_draft_s_short_example_is_written_as_the_draft_writes_it() {
        assert_eq!(base64url(&compressed(&[0xc9, 0x44, 0xf9]).unwrap()), "eNo76fITAAPfAgc");
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_read(said in proptest::collection::btree_map(0..LENGTH, 0..3_u8, 0..200)) {
            let statuses = [TokenStatus::Valid, TokenStatus::Invalid, TokenStatus::Suspended];
            let mut entries = StatusEntries::default();
            for (index, status) in &said {
                entries.set(*index, statuses[usize::from(*status)]);
            }
            let back = read(&base64url(&compressed(entries.as_bytes()).unwrap()));
            prop_assert_eq!(&back, &entries);
            for (index, status) in said {
                prop_assert_eq!(back.get(index), Some(statuses[usize::from(status)]));
            }
        }
    }
}
