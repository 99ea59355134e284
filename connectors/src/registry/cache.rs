//! What the registry answered, and the thread that asks it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use headwater_schemas::avro::Schema;
use headwater_schemas::events::{BadRecord, ErrorCode};

use super::RegistryConfig;
use super::client::{Client, Registered, RegistryError, SchemaText};
use crate::fault::with_causes;

/// Time between attempts while the registry does not answer.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Answers without a schema that are kept. Records with arbitrary ids must not fill the memory.
const MAX_UNUSABLE: usize = 10_000;

/// What is known of a schema id.
#[derive(Clone, Debug)]
pub enum Found {
    /// The schema.
    Known(Arc<Schema>),
    /// There is no usable schema: records with the id are dead letters.
    Unusable(Arc<BadRecord>),
    /// The registry has not answered yet.
    Pending,
    /// The registry refuses to answer, with the mend: the run ends.
    Refused(Arc<str>),
}

/// Schemas of writers by id.
pub trait WriterSchemas: Send + Sync {
    /// What is known of an id, without waiting. An id that is asked for the first time is requested.
    fn find(&self, id: u32) -> Found;

    /// What is known of an id, once the registry has answered.
    fn wait(&self, id: u32) -> Found;
}

/// Counters for metrics.
#[derive(Debug, Default)]
pub struct RegistryCounters {
    /// Schemas that the registry answered.
    pub schemas: AtomicU64,
    /// Requests without an answer.
    pub unanswered: AtomicU64,
    /// Whether the registry is waited for.
    pub is_awaited: AtomicBool,
}

/// A schema registry, with what it answered.
#[derive(Debug)]
pub struct SchemaRegistry {
    shared: Arc<Shared>,
    ask: Mutex<Sender<u32>>,
    /// Of requests that are waited for where they are made.
    client: Client,
}

#[derive(Debug)]
struct Shared {
    found: RwLock<BTreeMap<u32, Found>>,
    /// Notified with each answer.
    answered: (Mutex<()>, Condvar),
    counters: Arc<RegistryCounters>,
    is_over: AtomicBool,
}

impl SchemaRegistry {
    /// Starts the thread that asks. The registry need not be reachable.
    pub fn open(config: &RegistryConfig, counters: Arc<RegistryCounters>) -> Result<Self, RegistryError> {
        let (client, asking) = (Client::open(config)?, Client::open(config)?);
        let shared = Arc::new(Shared {
            found: RwLock::default(),
            answered: (Mutex::new(()), Condvar::new()),
            counters,
            is_over: AtomicBool::new(false),
        });
        let (ask, asked) = channel();
        let asks = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("registry".to_owned());
        thread.spawn(move || asks.answer_all(&asking, &asked)).map_err(RegistryError::Client)?;
        Ok(Self { shared, ask: Mutex::new(ask), client })
    }

    /// Fails if the registry does not answer now.
    pub fn check(&self) -> Result<(), RegistryError> {
        self.client.check()
    }

    /// Registers an Avro schema under a subject.
    pub fn register(&self, subject: &str, schema: &str) -> Result<Registered, RegistryError> {
        self.client.register(subject, schema)
    }
}

impl Drop for SchemaRegistry {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.shared.tell();
    }
}

impl WriterSchemas for SchemaRegistry {
    fn find(&self, id: u32) -> Found {
        if let Some(found) = self.shared.get(id) {
            return found;
        }
        self.shared.keep(id, Found::Pending);
        // The thread lives as long as this sender.
        let _ = self.ask.lock().unwrap_or_else(PoisonError::into_inner).send(id);
        Found::Pending
    }

    fn wait(&self, id: u32) -> Found {
        let (lock, answered) = &self.shared.answered;
        let mut guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match self.find(id) {
                Found::Pending => guard = answered.wait(guard).unwrap_or_else(PoisonError::into_inner),
                found => return found,
            }
        }
    }
}

impl Shared {
    fn get(&self, id: u32) -> Option<Found> {
        self.found.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn keep(&self, id: u32, found: Found) {
        let mut all = self.found.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(found, Found::Unusable(_)) && all.values().filter(|found| matches!(found, Found::Unusable(_))).count() >= MAX_UNUSABLE {
            all.retain(|_, found| !matches!(found, Found::Unusable(_)));
        }
        all.insert(id, found);
    }

    fn tell(&self) {
        let (lock, answered) = &self.answered;
        // Whoever holds the lock has asked, and waits, before this notifies.
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        answered.notify_all();
    }

    /// Answers requests until there is nobody to make any.
    fn answer_all(&self, client: &Client, asked: &Receiver<u32>) {
        while let Ok(id) = asked.recv() {
            let Some(found) = self.answer(client, id) else { return };
            self.keep(id, found);
            self.tell();
        }
    }

    /// The registry's answer, however long that takes; `None` if nobody needs it any more.
    fn answer(&self, client: &Client, id: u32) -> Option<Found> {
        while !self.is_over.load(Ordering::Relaxed) {
            match client.schema(id) {
                Err(error) if error.may_pass() => {
                    self.counters.unanswered.fetch_add(1, Ordering::Relaxed);
                    if !self.counters.is_awaited.swap(true, Ordering::Relaxed) {
                        tracing::warn!(schema = id, error = with_causes(&error), "waiting for the schema registry");
                    }
                    std::thread::sleep(TRY_AGAIN);
                }
                answer => {
                    if self.counters.is_awaited.swap(false, Ordering::Relaxed) {
                        tracing::info!("the schema registry answers again; reading continues");
                    }
                    return Some(self.found(id, answer));
                }
            }
        }
        None
    }

    fn found(&self, id: u32, answer: Result<Option<SchemaText>, RegistryError>) -> Found {
        let unusable = |code, message: String| Found::Unusable(Arc::new(BadRecord::new(code, message)));
        match answer {
            Ok(None) => unusable(
                ErrorCode::UnknownSchema,
                format!("the schema registry has no schema of id {id}: register the schema, and send the event again with its id"),
            ),
            Ok(Some(SchemaText { kind, .. })) if kind != "AVRO" => {
                unusable(ErrorCode::BadSchema, format!("the schema of id {id} is {kind}, not AVRO: send Avro, or JSON without a registry"))
            }
            Ok(Some(SchemaText { text, references, .. })) => match Schema::parse(&text, &references) {
                Ok(schema) => {
                    self.counters.schemas.fetch_add(1, Ordering::Relaxed);
                    Found::Known(Arc::new(schema))
                }
                Err(error) => unusable(
                    ErrorCode::BadSchema,
                    format!(
                        "the schema of id {id} cannot be read ({}): register a valid one, and send the event again with its id",
                        with_causes(&error)
                    ),
                ),
            },
            Err(error) => Found::Refused(with_causes(&error).into()),
        }
    }
}
