//! Histories of receivers that ask: whatever is lost, every word arrives, at nobody else, and not after its acknowledgment.

use super::*;

#[derive(Clone, Debug)]
enum StreamStep {
    /// A device of one of the tenants is suspended, or goes on.
    Stir(usize),
    /// A token of one is taken back.
    Deny(usize),
    /// One asks, at one of the servers, for so many; what it acknowledges of what it holds; whether the answer is lost.
    Poll { who: usize, server: usize, most: usize, acks: u32, lost: bool },
    /// The server goes while it answers, after so many steps of it.
    Cut { who: usize, server: usize, acks: u32, after: usize },
}

fn step() -> impl Strategy<Value = StreamStep> {
    let poll = (0..3usize, 0..2usize, 0..5usize, any::<u32>(), any::<bool>());
    prop_oneof![
        3 => (0..2usize).prop_map(StreamStep::Stir),
        1 => (0..2usize).prop_map(StreamStep::Deny),
        6 => poll.prop_map(|(who, server, most, acks, lost)| StreamStep::Poll { who, server, most, acks, lost }),
        1 => (0..3usize, 0..2usize, any::<u32>(), 0..40usize)
            .prop_map(|(who, server, acks, after)| StreamStep::Cut { who, server, acks, after }),
    ]
}

/// A receiver as a model: what it holds, and what it knows to be acknowledged.
#[derive(Default)]
struct Model {
    held: Vec<String>,
    acknowledged: HashSet<String>,
    seen: Vec<String>,
}

impl Model {
    fn chosen(&self, acks: u32) -> Vec<String> {
        let chosen = |place: usize| acks & (1 << (place % 32)) != 0;
        self.held.iter().enumerate().filter(|(place, _)| chosen(*place)).map(|(_, jti)| jti.clone()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_event_reaches_its_receivers_alone_until_it_is_acknowledged(
        steps in proptest::collection::vec(step(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(live(&steps))?;
    }
}

async fn live(steps: &[StreamStep]) -> Result<(), TestCaseError> {
    let pair = TwoServers::new().await;
    let mut models: [Model; 3] = Default::default();
    let mut suspended = [false; 2];
    for (number, step) in steps.iter().enumerate() {
        match *step {
            StreamStep::Stir(device) => {
                suspended[device] = !suspended[device];
                let action = if suspended[device] { DeviceAction::Suspend } else { DeviceAction::Resume };
                act(&pair.fixture.context, &pair.devices[device].id, action).await;
            }
            StreamStep::Deny(device) => {
                let mut transaction = pair.fixture.context.ledger.begin(START).await.unwrap();
                let (id, until) = (&pair.devices[device].id, START.plus(YEAR));
                transaction
                    .deny_token(&format!("t{number}"), until, id, &Actor::System("test"))
                    .await
                    .unwrap();
                transaction.commit().await.unwrap();
            }
            StreamStep::Poll { who, server, most, acks, lost } => {
                let ack = models[who].chosen(acks);
                let body = json!({"ack": ack, "maxEvents": most, "returnImmediately": true});
                let answer = pair.poll(server, RECEIVERS[who], &body).await;
                let model = &mut models[who];
                model.acknowledged.extend(ack);
                let sets = names(&answer);
                prop_assert!(sets.len() <= most);
                prop_assert!(
                    sets.iter().all(|jti| !model.acknowledged.contains(jti)),
                    "{sets:?} after its ack"
                );
                prop_assert!(sets.len() == most || answer.get("moreAvailable").is_none());
                check_walls(&pair, who, &answer)?;
                if !lost {
                    model.seen.extend(sets.iter().cloned());
                    model.held.extend(sets);
                    model.held.retain(|jti| !model.acknowledged.contains(jti));
                }
            }
            StreamStep::Cut { who, server, acks, after } => {
                let ack = models[who].chosen(acks);
                let body = json!({"ack": ack, "returnImmediately": true});
                cut(pair.poll(server, RECEIVERS[who], &body), after).await;
            }
        }
    }
    for (who, model) in models.iter_mut().enumerate() {
        drain(&pair, who, model).await?;
        for jti in expected(&pair, who).await {
            prop_assert!(
                model.seen.contains(&jti),
                "{jti} never came to {}: {:?}",
                RECEIVERS[who],
                model.seen
            );
        }
    }
    Ok(())
}

/// Polls a future so often and drops it, as a server does that is killed, or whose client is gone.
async fn cut(future: impl Future, times: usize) {
    let mut future = std::pin::pin!(future);
    for _ in 0..times {
        if std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await.is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// At the end everything is taken. What was held may have been acknowledged by a request whose answer was lost.
async fn drain(pair: &TwoServers, who: usize, model: &mut Model) -> Result<(), TestCaseError> {
    let mut ack = std::mem::take(&mut model.held);
    loop {
        let answer = pair.poll(who, RECEIVERS[who], &json!({"ack": ack, "returnImmediately": true})).await;
        model.acknowledged.extend(ack);
        check_walls(pair, who, &answer)?;
        let sets = names(&answer);
        prop_assert!(sets.iter().all(|jti| !model.acknowledged.contains(jti)));
        if sets.is_empty() {
            return Ok(());
        }
        model.seen.extend(sets.iter().cloned());
        ack = sets;
    }
}

fn check_walls(pair: &TwoServers, who: usize, answer: &Value) -> Result<(), TestCaseError> {
    // The first device is the second tenant's, and the other way round.
    let stranger = match who {
        1 => &pair.devices[0],
        2 => &pair.devices[1],
        _ => return Ok(()),
    };
    for (jti, token) in answer["sets"].as_object().unwrap() {
        prop_assert!(jti.ends_with(RECEIVERS[who]));
        prop_assert!(!claims(token).to_string().contains(stranger.id.as_str()));
    }
    Ok(())
}

/// The names of everything that a receiver has to hear of, from the ledger itself.
async fn expected(pair: &TwoServers, who: usize) -> Vec<String> {
    let ledger = &pair.fixture.context.ledger;
    let mut names = vec![format!("notice-1.verification.{}", RECEIVERS[who])];
    for event in ledger.feed_after(0).await.unwrap() {
        let own = match &event.change {
            Change::TokenDenied { jti, .. } => {
                let tenant = ledger.tenant_of_denied_token(jti).await.unwrap().unwrap();
                tenant == pair.fixture.tenant
            }
            Change::DeviceDenied { device, .. } | Change::DeviceAllowed { device } => {
                *device == pair.devices[0].id
            }
            other => panic!("nothing brings this about: {other:?}"),
        };
        if who == 0 || own == (who == 2) {
            let told = told(&event.change, event.at);
            names.extend(
                told.iter().map(|(kind, _)| format!("{}.{}.{}", event.seq, kind.word(), RECEIVERS[who])),
            );
        }
    }
    names
}
