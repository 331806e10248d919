//! Keeps tokens: renewed ahead of time, one renewal at a time, never sent when they are about to run out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{AccessToken, Authorizer, AuthorizerError, Call, UnixTime};
use crate::seeing::metrics::Rare;
use crate::worker::unix_time;

/// Tokens kept per account; past that the ones that run out first go.
const CAPACITY: usize = 10_000;
/// A token that was made less than this long ago is not made again because an app refuses it.
const YOUNG_SECONDS: u64 = 10;
/// The first wait after a failure; it doubles up to the last.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];

/// The tokens of one account, shared by all workers; they come here when their own copy has to be renewed.
pub(crate) struct TokenSource {
    account: String,
    authorizer: Arc<dyn Authorizer>,
    slots: Mutex<HashMap<Call, Slot>>,
    rare: Rare,
}

#[derive(Default)]
struct Slot {
    token: Option<Arc<AccessToken>>,
    renew_at: Option<UnixTime>,
    /// Set while somebody is at it: the outcome comes here.
    under_way: Option<watch::Receiver<Option<Outcome>>>,
    /// What went wrong last, and until when nobody tries again.
    failed: Option<(AuthorizerError, Instant)>,
    failures: u32,
}

type Outcome = Result<Arc<AccessToken>, AuthorizerError>;

/// What is to be done for a caller.
enum Step {
    Take(Arc<AccessToken>),
    /// The token is good; this caller starts the renewal and does not wait.
    TakeAndRenew(Arc<AccessToken>, watch::Sender<Option<Outcome>>),
    Wait(watch::Receiver<Option<Outcome>>),
    Make(watch::Sender<Option<Outcome>>, watch::Receiver<Option<Outcome>>),
    Fail(AuthorizerError),
}

// === impl TokenSource ===

impl TokenSource {
    pub(crate) fn new(account: String, authorizer: Arc<dyn Authorizer>, rare: Rare) -> Arc<Self> {
        Arc::new(Self { account, authorizer, slots: Mutex::default(), rare })
    }

    /// Whether a renewed token could be better than one that was refused.
    pub(crate) fn renewable(&self) -> bool {
        self.authorizer.renewable()
    }

    /// A token that is good for at least its gap. Waits only where there is none.
    pub(crate) async fn token(self: &Arc<Self>, call: &Call) -> Outcome {
        loop {
            let mut outcome = match self.step(call, unix_time()) {
                Step::Take(token) => return Ok(token),
                Step::TakeAndRenew(token, sender) => {
                    self.start(call.clone(), Some(Arc::clone(&token)), sender);
                    return Ok(token);
                }
                Step::Fail(error) => return Err(error),
                Step::Wait(receiver) => receiver,
                Step::Make(sender, receiver) => {
                    self.start(call.clone(), None, sender);
                    receiver
                }
            };
            // An error means that whoever was at it is gone (a worker stopped): look again.
            if let Ok(done) = outcome.wait_for(Option::is_some).await
                && let Some(outcome) = done.clone()
            {
                return outcome;
            }
        }
    }

    /// Forgets a token that the app has refused, and says whether another could be better: one that is young is no worse
    /// than the next, and an app that refuses everything must not have a token made for every call.
    pub(crate) fn refused(&self, call: &Call, header: &http::HeaderValue) -> bool {
        let mut slots = self.lock();
        let Some(slot) = slots.get_mut(call) else { return true };
        match &slot.token {
            Some(token) if token.header == *header => {
                let old = unix_time().saturating_sub(token.issued_at) >= YOUNG_SECONDS;
                if old {
                    slot.token = None;
                }
                old
            }
            // It has been replaced meanwhile.
            _ => true,
        }
    }

    /// Whose tokens they are.
    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, HashMap<Call, Slot>> {
        self.slots.lock()
    }

    fn step(&self, call: &Call, now: UnixTime) -> Step {
        let mut slots = self.lock();
        if slots.len() >= CAPACITY && !slots.contains_key(call) {
            evict(&mut slots);
        }
        let slot = slots.entry(call.clone()).or_default();
        let good = slot.token.clone().filter(|token| !self.authorizer.expired(token, now));
        let backing_off =
            slot.failed.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(error, _)| error.clone());
        match (good, &slot.under_way, backing_off) {
            (Some(token), None, None) if slot.renew_at.is_some_and(|at| now >= at) => {
                let (sender, receiver) = watch::channel(None);
                slot.under_way = Some(receiver);
                Step::TakeAndRenew(token, sender)
            }
            (Some(token), _, _) => Step::Take(token),
            (None, Some(receiver), _) if receiver.has_changed().is_ok() => Step::Wait(receiver.clone()),
            (None, _, Some(error)) => Step::Fail(error),
            (None, _, None) => {
                let (sender, receiver) = watch::channel(None);
                slot.under_way = Some(receiver.clone());
                Step::Make(sender, receiver)
            }
        }
    }

    /// In a task of its own, so that it goes on when the caller goes away. The task ends by itself; when its worker
    /// stops, the sender is dropped and whoever waits looks again.
    fn start(self: &Arc<Self>, call: Call, current: Option<Arc<AccessToken>>, sender: watch::Sender<Option<Outcome>>) {
        let source = Arc::clone(self);
        tokio::spawn(async move {
            let now = unix_time();
            let made = match &current {
                Some(token) => source.authorizer.refresh(&call, token, now).await,
                None => source.authorizer.authorize(&call, now).await,
            };
            let outcome = source.keep(&call, made);
            sender.send_replace(Some(outcome));
        });
    }

    fn keep(&self, call: &Call, made: Result<AccessToken, AuthorizerError>) -> Outcome {
        let result = if made.is_ok() { "ok" } else { "error" };
        self.rare.token_requests.get_or_create(&vec![("result", result)]).inc();
        let mut slots = self.lock();
        let slot = slots.entry(call.clone()).or_default();
        slot.under_way = None;
        match made {
            Ok(token) => {
                let token = Arc::new(token);
                slot.renew_at = token.renew_at(fastrand::f64());
                (slot.token, slot.failed, slot.failures) = (Some(Arc::clone(&token)), None, 0);
                Ok(token)
            }
            Err(error) => {
                let wait = BACK_OFF[0].saturating_mul(1 << slot.failures.min(10)).min(BACK_OFF[1]);
                slot.failures = slot.failures.saturating_add(1);
                slot.failed = Some((error.clone(), Instant::now() + wait.mul_f64(0.5 + fastrand::f64() / 2.0)));
                tracing::warn!(account = %self.account, target = %call.target, %error, "no token");
                Err(error)
            }
        }
    }
}

fn evict(slots: &mut HashMap<Call, Slot>) {
    let ends = |slot: &Slot| slot.token.as_ref().and_then(|token| token.expires_at).unwrap_or(0);
    let mut all: Vec<u64> = slots.values().map(ends).collect();
    let middle = all.len() / 2;
    let (_, cut, _) = all.select_nth_unstable(middle);
    let cut = *cut;
    slots.retain(|_, slot| slot.under_way.is_some() || ends(slot) > cut);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::{Answer, CallUser};
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::sync::Semaphore;

    /// Gives a token per permit, so that a test decides when.
    struct Gate {
        made: AtomicU64,
        permits: Semaphore,
        life: u64,
        fails: bool,
    }

    impl Authorizer for Gate {
        fn authorize<'a>(&'a self, _: &'a Call, now: UnixTime) -> Answer<'a> {
            Box::pin(async move {
                self.permits.acquire().await.unwrap().forget();
                let number = self.made.fetch_add(1, Ordering::SeqCst);
                if self.fails {
                    return Err(AuthorizerError::InvalidClient("no".into()));
                }
                Ok(AccessToken::new("Bearer", &number.to_string(), now, Some(now + self.life)).unwrap())
            })
        }
    }

    fn source(permits: usize, life: u64, fails: bool) -> (Arc<TokenSource>, Arc<Gate>) {
        let gate = Arc::new(Gate { made: AtomicU64::new(0), permits: Semaphore::new(permits), life, fails });
        let authorizer: Arc<dyn Authorizer> = Arc::<Gate>::clone(&gate);
        (TokenSource::new("a".into(), authorizer, Rare::default()), gate)
    }

    fn call(user: Option<&str>) -> Call {
        let user = user.map(|name| Arc::new(CallUser { name: name.into(), authorities: vec![] }));
        Call { target: "orders.local".into(), user }
    }

    #[tokio::test]
    async fn many_callers_share_one_request() {
        let (source, gate) = source(0, 300, false);
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let source = Arc::clone(&source);
                tokio::spawn(async move { source.token(&call(None)).await.unwrap().header.clone() })
            })
            .collect();
        while source.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        gate.permits.add_permits(50);
        for one in waiting {
            assert_eq!(one.await.unwrap(), "Bearer 0");
        }
        assert_eq!(gate.made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn users_never_share_a_token() {
        let (source, _) = source(10, 300, false);
        let alice = source.token(&call(Some("alice"))).await.unwrap();
        let bob = source.token(&call(Some("bob"))).await.unwrap();
        let nobody = source.token(&call(None)).await.unwrap();
        assert!(alice.header != bob.header && bob.header != nobody.header);
    }

    #[tokio::test]
    async fn a_good_token_never_waits_for_renewal() {
        let (source, gate) = source(1, 300, false);
        let first = source.token(&call(None)).await.unwrap();
        source.lock().get_mut(&call(None)).unwrap().renew_at = Some(0);
        // The gate is closed: the renewal cannot end, and the call gets its token all the same.
        assert_eq!(source.token(&call(None)).await.unwrap().header, first.header);
        gate.permits.add_permits(1);
        while source.lock()[&call(None)].under_way.is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(source.token(&call(None)).await.unwrap().header, "Bearer 1");
    }

    #[tokio::test]
    async fn a_token_in_its_gap_is_not_sent() {
        let (source, _) = source(10, 300, false);
        source.token(&call(None)).await.unwrap();
        let old = AccessToken::new("Bearer", "old", unix_time() - 290, Some(unix_time() + 10)).unwrap();
        source.lock().get_mut(&call(None)).unwrap().token = Some(Arc::new(old));
        assert_eq!(source.token(&call(None)).await.unwrap().header, "Bearer 1");
    }

    #[tokio::test]
    async fn failures_are_not_tried_at_once() {
        let (source, gate) = source(10, 300, true);
        assert!(source.token(&call(None)).await.is_err());
        assert!(source.token(&call(None)).await.is_err());
        assert_eq!(gate.made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_refused_token_is_replaced() {
        let (source, _) = source(10, 300, false);
        source.token(&call(None)).await.unwrap();
        let old = AccessToken::new("Bearer", "old", unix_time() - 60, Some(unix_time() + 240)).unwrap();
        source.lock().get_mut(&call(None)).unwrap().token = Some(Arc::new(old.clone()));
        assert!(source.refused(&call(None), &old.header));
        let second = source.token(&call(None)).await.unwrap();
        assert_ne!(old.header, second.header);
        assert!(source.refused(&call(None), &old.header));
        assert_eq!(source.token(&call(None)).await.unwrap().header, second.header);
    }

    /// Threat D4: an app that refuses everything has no token made for every call.
    #[tokio::test]
    async fn a_young_token_is_not_made_again() {
        let (source, gate) = source(10, 300, false);
        let token = source.token(&call(None)).await.unwrap();
        assert!(!source.refused(&call(None), &token.header));
        assert_eq!(source.token(&call(None)).await.unwrap().header, token.header);
        assert_eq!(gate.made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn eviction_halves_what_is_kept() {
        let mut slots: HashMap<Call, Slot> = (0..100_u64)
            .map(|n| {
                let token = AccessToken::new("Bearer", "t", 0, Some(n)).map(Arc::new);
                (call(Some(&n.to_string())), Slot { token, ..Slot::default() })
            })
            .collect();
        evict(&mut slots);
        assert_eq!(slots.len(), 49);
    }
}
