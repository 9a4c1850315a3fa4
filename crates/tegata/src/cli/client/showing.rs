//! `tegata client list|show`.

use crate::cli::output::{OutputFormat, nothing_found};
use clap::Args;
use serde_json::{Value, json};
use tegata_installation::{Config, Failure, FailureContext};
use tegata_storage::{Ledger, LogoutReceiver, StoredClient};

const READ: &str = "cannot read the ledger";

#[derive(Args)]
pub struct ShowClientOptions {
    /// What it calls itself
    client_id: String,
    #[command(flatten)]
    output: OutputFormat,
}

/// A client, wherever it is registered.
struct ShownClient {
    registration: Value,
    /// `configuration`, `operator` or `itself`.
    registered_by: &'static str,
    stored: Option<StoredClient>,
    logout: Option<LogoutReceiver>,
}

pub async fn list(config: &Config, ledger: &Ledger, as_json: bool) -> Result<(), Failure> {
    let clients = read(config, ledger).await?;
    if as_json {
        outln!("{}", clients.iter().map(ShownClient::described).collect::<Value>());
    } else {
        for client in &clients {
            outln!("{}", client.line());
        }
    }
    nothing_found(clients.is_empty(), "no client is registered")
}

pub async fn show(config: &Config, ledger: &Ledger, options: &ShowClientOptions) -> Result<(), Failure> {
    let clients = read(config, ledger).await?;
    let client = clients.iter().find(|client| client.id() == options.client_id);
    let client = client.ok_or_else(|| {
        Failure::misuse(format!("there is no client {}: tegata client list", options.client_id))
    })?;
    if options.output.json {
        outln!("{}", client.described());
    } else {
        outln!("{}", client.line());
        outln!("{:#}", client.registration);
    }
    Ok(())
}

async fn read(config: &Config, ledger: &Ledger) -> Result<Vec<ShownClient>, Failure> {
    let stored = ledger.stored_clients().await.doing(READ)?;
    let logouts = ledger.logout_receivers().await.doing(READ)?;
    let logout = |id: &str| logouts.iter().find(|receiver| receiver.client == id).cloned();
    let configured = config.registered.iter().map(|client| ShownClient {
        registration: client.written.clone(),
        registered_by: "configuration",
        stored: None,
        logout: logout(&client.client_id),
    });
    let of_ledger = stored.into_iter().map(|client| ShownClient {
        registration: client.registration.clone(),
        registered_by: if client.initial_token.is_some() { "itself" } else { "operator" },
        logout: logout(&client.id),
        stored: Some(client),
    });
    Ok(configured.chain(of_ledger).collect())
}

impl ShownClient {
    fn id(&self) -> &str {
        self.registration["client_id"].as_str().unwrap_or_default()
    }

    fn line(&self) -> String {
        let method = self.registration["token_endpoint_auth_method"].as_str().unwrap_or_default();
        format!("{}  {method}  by {}  {}", self.id(), self.registered_by, self.logout_state())
    }

    fn logout_state(&self) -> String {
        if self.registration["backchannel_logout_uri"].is_null() {
            return "is not told of the end of sessions".into();
        }
        let Some(logout) = &self.logout else { return "no session of it has ended".into() };
        let failing = match (logout.failing_since(), &logout.failure) {
            (Some(since), Some(failure)) => format!(", failing since {since}: {failure}"),
            _ => String::new(),
        };
        let LogoutReceiver { delivered, waiting, given_up, .. } = logout;
        format!("{delivered} ends of sessions told, {waiting} waiting, {given_up} given up{failing}")
    }

    fn described(&self) -> Value {
        let logout = self.logout.as_ref().map(|logout| {
            json!({
                "delivered": logout.delivered, "waiting": logout.waiting, "given_up": logout.given_up,
                "failures": logout.failures, "failing_since": logout.failing_since(), "failure": logout.failure,
            })
        });
        json!({
            "client_id": self.id(),
            "registered_by": self.registered_by,
            "registration": self.registration,
            "initial_token": self.stored.as_ref().and_then(|stored| stored.initial_token.as_ref()),
            "created_at": self.stored.as_ref().map(|stored| stored.created_at),
            "changed_at": self.stored.as_ref().map(|stored| stored.changed_at),
            "backchannel_logout": logout,
        })
    }
}
