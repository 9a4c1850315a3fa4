//! Clients of the ledger: every server serves them within a second of the change, and those of the configuration win.

use super::keys::JwksWatch;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tegata_core::client_registration::{ClientMethod, JwksLocation};
use tegata_core::{ClientMetadata, ClientRegistration, HttpUrl, Timestamp};
use tegata_installation::{Config, Failure, FailureContext};
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule, Scheduler};
use tegata_storage::StoredClient;
use tegata_web::{
    ClientAuthentication, ClientCas, ClientRegistry, RegisteredClient, Registrant, ServerContext,
};
use tokio::sync::Mutex;

/// How often the ledger is asked whether anything has changed.
const PERIOD: Duration = Duration::from_millis(500);

/// Keeps the registry up with the ledger.
pub struct StoredClients {
    config: Config,
    registry: Arc<ClientRegistry>,
    cas: Option<Arc<ClientCas>>,
    context: ServerContext,
    known: Mutex<KnownClients>,
}

/// What was taken over last.
#[derive(Default)]
struct KnownClients {
    version: Option<u64>,
    by_name: HashMap<String, KnownClient>,
}

struct KnownClient {
    stored: StoredClient,
    serving: Arc<RegisteredClient>,
    /// Where its keys are, if somebody has to fetch them, and what the watch lives by.
    keys: Option<(HttpUrl, Arc<()>)>,
}

impl StoredClients {
    pub fn new(
        config: &Config,
        registry: &Arc<ClientRegistry>,
        cas: Option<Arc<ClientCas>>,
        context: &ServerContext,
    ) -> Self {
        let (config, registry, context) = (config.clone(), registry.clone(), context.clone());
        Self { config, registry, cas, context, known: Mutex::default() }
    }

    /// Looks at all of them before anybody is served. A name that the configuration has too could be meant in two ways.
    pub async fn take_in(&self) -> Result<(), Failure> {
        let stored =
            self.context.ledger.stored_clients().await.doing("cannot read the clients of the ledger")?;
        if let Some(twice) = stored.iter().find(|client| self.registry.is_configured(&client.id)) {
            let id = &twice.id;
            return Err(Failure::misuse(format!(
                "the client {id} is in tegata.toml and in the ledger: take it out there, or tegata client remove {id}"
            )));
        }
        let taken = self.take_over(None).await;
        taken.map(drop).map_err(|error| Failure::wrong(error.to_string()))
    }

    /// Gives how many there are.
    async fn take_over(&self, scheduler: Option<&Scheduler>) -> Result<usize, PassError> {
        let mut known = self.known.lock().await;
        let version = self.context.ledger.clients_version().await?;
        let is_new = known.version != Some(version);
        if is_new {
            let mut before = std::mem::take(&mut known.by_name);
            for stored in self.context.ledger.stored_clients().await? {
                let id = stored.id.clone();
                let one = match before.remove(&id) {
                    Some(one) if one.stored == stored => Some(one),
                    changed => self.read(stored, changed.as_ref()),
                };
                if let Some(one) = one {
                    known.by_name.insert(id, one);
                }
            }
            self.registry.replace_stored(known.by_name.values().map(|one| one.serving.clone()));
            known.version = Some(version);
        }
        if let Some(scheduler) = scheduler {
            known.by_name.values_mut().for_each(|one| self.watch_keys(one, scheduler));
        }
        Ok(known.by_name.len())
    }

    /// One that cannot be served says so in the log, and keeps no other from being served.
    fn read(&self, stored: StoredClient, before: Option<&KnownClient>) -> Option<KnownClient> {
        if self.registry.is_configured(&stored.id) {
            tracing::warn!(
                client = stored.id,
                "a client of the configuration is in the ledger too, and wins"
            );
            return None;
        }
        let read = || {
            let metadata: ClientMetadata =
                serde_json::from_value(stored.registration.clone()).map_err(|error| error.to_string())?;
            let registration =
                ClientRegistration::for_the_ledger(metadata).map_err(|unfit| unfit.to_string())?;
            let by = if stored.initial_token.is_some() { Registrant::Itself } else { Registrant::Operator };
            let client = RegisteredClient::of_the_ledger(&registration, by, self.cas.as_ref());
            let client = client.map_err(|unfit| unfit.to_string())?;
            let is_product = |name: &str| self.config.products.iter().any(|product| product.audience == name);
            client.check(&is_product).map_err(|unfit| unfit.to_string())?;
            Ok::<_, String>((registration, client))
        };
        match read() {
            Ok((registration, client)) => {
                let url = match registration.method {
                    ClientMethod::SelfSigned(JwksLocation::At(url)) => Some(url),
                    _ => None,
                };
                let is_there_still = before.is_some_and(|before| before.has_keys_at(url.as_ref()));
                let client = if is_there_still { self.with_known_keys(client) } else { client };
                let keys = url.map(|url| (url, Arc::default()));
                Some(KnownClient { stored, serving: Arc::new(client), keys })
            }
            Err(error) => {
                tracing::warn!(client = stored.id, error, "a client of the ledger cannot be served");
                None
            }
        }
    }

    /// A client that was changed keeps the keys that were fetched for it until they are fetched again from where they were.
    fn with_known_keys(&self, client: RegisteredClient) -> RegisteredClient {
        let before = self.registry.get(&client.client_id).and_then(|before| before.certificate_keys());
        match (&client.method, before) {
            (ClientAuthentication::SelfSigned(_), Some(before))
                if client.certificate_keys().is_some_and(|own| own.is_empty()) =>
            {
                RegisteredClient { method: ClientAuthentication::self_signed(before), ..client }
            }
            _ => client,
        }
    }

    fn watch_keys(&self, one: &mut KnownClient, scheduler: &Scheduler) {
        let Some((url, registered)) = &one.keys else { return };
        // Whoever watches holds it weakly.
        if Arc::weak_count(registered) > 0 {
            return;
        }
        match JwksWatch::of_stored(&self.config, &self.registry, &self.context, &one.serving, url, registered)
        {
            Ok(watch) => scheduler.add(watch),
            Err(error) => tracing::warn!(client = one.stored.id, %error, "a client's keys cannot be fetched"),
        }
    }
}

impl KnownClient {
    /// Whether its keys come from this address. Where they came from another, they are those of whoever had them there.
    fn has_keys_at(&self, url: Option<&HttpUrl>) -> bool {
        self.keys.as_ref().is_some_and(|(known, _)| Some(known) == url)
    }
}

/// Takes over what has changed.
pub struct StoredClientsPass {
    clients: StoredClients,
    scheduler: Weak<Scheduler>,
}

impl StoredClientsPass {
    pub fn new(clients: StoredClients, scheduler: &Arc<Scheduler>) -> Self {
        Self { clients, scheduler: Arc::downgrade(scheduler) }
    }

    async fn once(&self) -> Result<PassReport, PassError> {
        let scheduler = self.scheduler.upgrade();
        let clients = self.clients.take_over(scheduler.as_deref()).await?;
        Ok(PassReport::nothing().with("clients", clients))
    }
}

impl Pass for StoredClientsPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "stored-clients")
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.once())
    }
}
