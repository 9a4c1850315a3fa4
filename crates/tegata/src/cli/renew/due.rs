//! Whether it is time to renew: as the server plans it for this device, and by the age of the certificate where the server does not
//! say.

use crate::client::connect;
use crate::client::folder::identity_in;
use http::Uri;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;
use tegata_core::{Entropy, Timestamp};
use tegata_installation::{Failure, FailureContext, SystemContext, pem};
use tegata_net::client::ClientError;

/// The shortest interval: a server is asked no more often.
const SHORTEST: Duration = Duration::from_mins(1);

/// What fails is tried again after this time at the latest.
pub(super) const RETRY: Duration = Duration::from_hours(1);

#[derive(Deserialize)]
struct RenewalPlan {
    due: bool,
}

/// Whether the certificate of a folder should be renewed now.
///
/// # Errors
/// The folder cannot be read.
pub(super) async fn is_due(
    folder: &Path,
    device: &str,
    tls_ca: Option<&Path>,
    system: &SystemContext,
) -> Result<bool, Failure> {
    let client = connect(tls_ca, Some(identity_in(folder)?), system)?;
    let uri: Uri = format!("{device}/api/v1/renewals").parse().doing("the device address is not a URL")?;
    match client.get_json::<RenewalPlan>(&uri).await {
        Ok(plan) => Ok(plan.due),
        Err(error) => {
            // A server of an older version, or none at all. Whoever cannot be asked cannot be renewed with either, and the attempt
            // says so in its own words.
            if !matches!(error, ClientError::Status(_)) {
                errln!("the server does not say when to renew: {error}. The age of the certificate decides");
            }
            is_old(folder, system.now())
        }
    }
}

/// Whether two thirds of its life are over.
fn is_old(folder: &Path, now: Timestamp) -> Result<bool, Failure> {
    let text = std::fs::read(folder.join("cert.pem")).doing("cannot read cert.pem")?;
    let der = pem::decode(&text).ok_or_else(|| Failure::wrong("cert.pem is not PEM"))?;
    let (_, certificate) =
        x509_parser::parse_x509_certificate(&der).doing("cert.pem is not a certificate")?;
    let validity = certificate.validity();
    let moment = |seconds: i64| Timestamp::from_seconds(seconds);
    let (begin, end) = (moment(validity.not_before.timestamp()), moment(validity.not_after.timestamp()));
    Ok(now >= begin.plus(end.since(begin) * 2 / 3))
}

/// Reads `30m`, `6h` and `1d`.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with m, h or d behind it, such as 6h, and at least 1m".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let minutes = match unit {
        'm' => 1,
        'h' => 60,
        'd' => 24 * 60,
        _ => return Err(wrong()),
    };
    let minutes =
        number.checked_mul(minutes).filter(|minutes| *minutes <= 366 * 24 * 60).ok_or_else(wrong)?;
    Some(Duration::from_mins(minutes)).filter(|interval| *interval >= SHORTEST).ok_or_else(wrong)
}

/// Between three quarters and five quarters of an interval, so that machines that were started together part.
pub(super) fn jittered(interval: Duration, entropy: &dyn Entropy) -> Duration {
    let chance = u32::from(u16::from_be_bytes(tegata_core::entropy::bytes::<2>(entropy)));
    interval * 3 / 4 + interval / 2 * chance / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn an_interval_is_read_as_people_write_it() {
        for (text, minutes) in [("1m", 1), ("90m", 90), ("6h", 360), ("1d", 1440), ("366d", 366 * 1440)] {
            assert_eq!(interval(text), Ok(Duration::from_mins(minutes)), "{text}");
        }
        for wrong in ["", "6", "h", "0m", "1s", "-1h", "367d", "99999999999999999999d", "6時"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn machines_that_were_started_together_part() {
        let (entropy, hour) = (Seeded::new(7), Duration::from_hours(1));
        let waits: Vec<_> = (0..100).map(|_| jittered(hour, &entropy)).collect();
        assert!(waits.iter().all(|wait| (hour * 3 / 4..=hour * 5 / 4).contains(wait)));
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(*most > *least + hour / 4, "{least:?} to {most:?}");
    }
}
