//! `tegata invite --kitting`: one code for many devices in a row, in the warehouse where they are unpacked.

use super::options::InviteOptions;
use super::writing::device_label;
use crate::cli::scope::rows;
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{KittingId, Network, Timestamp};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Kitting, Ledger, NewKitting};

/// What stands for the number of a device.
const NUMBER: &str = "{n}";

/// Longest life of a code. It lies about where many people are.
const LONGEST: Duration = Duration::from_hours(24 * 7);

#[derive(clap::Args)]
pub struct KittingOptions {
    /// Make one code for many devices of one site in a row. --label is for all of them, with {n} for the number
    #[arg(long, requires = "devices", conflicts_with_all = ["gate", "acme", "code", "csv", "sheet", "days"])]
    pub kitting: bool,
    /// How many devices the code admits
    #[arg(long, value_name = "N", requires = "kitting", value_parser = clap::value_parser!(u32).range(1..=500))]
    devices: Option<u32>,
    /// How long the code works, such as 30m, 8h or 2d; 7 days at most
    #[arg(long = "for", value_name = "TIME", requires = "kitting", default_value = "8h", value_parser = life)]
    life: Duration,
    /// Where the code works, such as 192.0.2.0/24, as the portal sees its clients; several times for several.
    /// Everywhere without it
    #[arg(long = "network", value_name = "NETWORK", requires = "kitting")]
    networks: Vec<Network>,
    /// How many devices it admits within a minute: a stolen code is slow
    #[arg(long, value_name = "N", requires = "kitting", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=100))]
    per_minute: u32,
}

/// What was handed out. The link is a secret.
#[derive(Serialize)]
struct HandedKittingLink {
    kitting: KittingId,
    site: String,
    label: String,
    devices: u32,
    per_minute: u32,
    networks: Vec<String>,
    expires_at: Timestamp,
    url: String,
}

pub async fn run(
    ledger: &Ledger,
    portal: &str,
    options: &InviteOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let site = options.site(ledger).await?;
    let label = template(&options.label)?;
    let wanted = &options.kitting;
    let places = wanted.devices.ok_or_else(|| Failure::misuse("--kitting needs --devices"))?;
    let (entropy, now) = (system.entropy.as_ref(), system.now());
    let code = InvitationCode::random(entropy);
    let new = NewKitting {
        id: KittingId::random(entropy),
        code: &code,
        tenant: site.tenant,
        site: site.id,
        label,
        places,
        per_minute: wanted.per_minute,
        networks: wanted.networks.clone(),
        expires_at: now.plus(wanted.life),
    };
    let what = "cannot write the kitting code";
    let mut transaction = rows(ledger, Some(&new.tenant)).begin(now).await.doing(what)?;
    transaction.add_kitting(&new, &SystemContext::operator()).await.doing(what)?;
    transaction.commit().await.committed(what)?;
    show(
        &HandedKittingLink {
            kitting: new.id,
            site: site.name,
            label: new.label,
            devices: places,
            per_minute: new.per_minute,
            networks: new.networks.iter().map(ToString::to_string).collect(),
            expires_at: new.expires_at,
            url: format!("{portal}/kitting#{}", code.reveal()),
        },
        options.output.json,
    );
    Ok(())
}

fn show(handed: &HandedKittingLink, as_json: bool) {
    if as_json {
        outln!("{}", json!(handed));
        return;
    }
    let HandedKittingLink { kitting, site, label, devices, expires_at, url, .. } = handed;
    outln!("{url}");
    errln!("for {devices} devices at {site}, called {label}, until {expires_at}");
    errln!("see: tegata invite show {kitting}; end it: tegata invite revoke {kitting}");
}

/// Two devices of one name cannot be told apart in a list.
fn template(label: &str) -> Result<String, Failure> {
    let label = if label == InviteOptions::LABEL { format!("{label}-{NUMBER}") } else { label.to_owned() };
    device_label(&label)?;
    let template = Kitting::label_template(&label).map(Into::into);
    template.ok_or_else(|| {
        Failure::misuse("--label of kitting has {n} once, where the number goes, and is short: 棚卸-{n}")
    })
}

/// Minutes, hours or days.
fn life(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is a number of minutes, hours or days, such as 30m, 8h or 2d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u32 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let life = match unit {
        'm' => Duration::from_mins(1),
        'h' => Duration::from_hours(1),
        'd' => Duration::from_hours(24),
        _ => return Err(wrong()),
    };
    match life.checked_mul(number) {
        Some(life) if !life.is_zero() && life <= LONGEST => Ok(life),
        _ => Err("a kitting code works for a minute to 7 days".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_minutes_hours_or_days_and_ends_within_a_week() {
        assert_eq!(life("30m"), Ok(Duration::from_mins(30)));
        assert_eq!(life("8h"), Ok(Duration::from_hours(8)));
        assert_eq!(life("7d"), Ok(LONGEST));
        for wrong in ["", "h", "8", "8 h", "-1h", "0h", "8d", "4294967295d", "八h", "8時"] {
            assert!(life(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_device_of_a_batch_has_a_name_of_its_own() {
        assert_eq!(template(InviteOptions::LABEL).ok().as_deref(), Some("端末-{n}"));
        assert_eq!(template("棚卸-{n}").ok().as_deref(), Some("棚卸-{n}"));
        for wrong in ["棚卸", "{n}-{n}", "", &"あ".repeat(70)] {
            assert!(template(wrong).is_err(), "{wrong}");
        }
    }
}
