//! SCEP's part of the configuration, and the safe in which its registrars' keys lie: sealed in the ledger, so that all
//! servers of an installation have the same ones, and the keys folder's own secret opens them.

use crate::server::Server;
use std::sync::Arc;
use tegata_ca::{KeySafe, KeyType, Registrars};
use tegata_core::{Entropy, Role};
use tegata_installation::{Failure, KeyRing};
use zeroize::Zeroizing;

/// The registrars, if SCEP is enabled.
pub fn open(server: &Server) -> Result<Option<Arc<Registrars>>, Failure> {
    if !server.config.scep.enabled {
        return Ok(None);
    }
    let devices = |authority: &Arc<tegata_ca::IssuingCa>| authority.allows(Role::Device, KeyType::Rsa);
    if !server.authorities.all().iter().all(devices) {
        return Err(Failure::misuse(
            "scep.enabled: clients of SCEP have RSA keys, and device.toml allows none: add \"rsa\" to its keys",
        ));
    }
    let entropy = server.context.entropy.clone();
    let safe = RegistrarKeySafe { ring: server.ring.clone(), entropy: entropy.clone() };
    Ok(Some(Arc::new(Registrars::new(Arc::new(safe), entropy))))
}

struct RegistrarKeySafe {
    ring: Arc<KeyRing>,
    entropy: Arc<dyn Entropy>,
}

impl KeySafe for RegistrarKeySafe {
    fn seal(&self, pkcs8: &[u8]) -> Option<String> {
        self.ring.sealed(pkcs8, self.entropy.as_ref()).ok()
    }

    fn open(&self, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.ring.open_sealed(sealed).ok().map(|key| Zeroizing::new(key.to_vec()))
    }
}
