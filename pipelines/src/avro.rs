//! Topics that carry Avro: the schema registry of a run, and the schemas that it publishes with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use headwater_connectors::fault::with_causes;
use headwater_connectors::registry::{RegistryCounters, RegistryError, SchemaRegistry, WriterSchemas};
use headwater_connectors::source::AvroTopics;
use headwater_schemas::avro::TableSchema;
use headwater_schemas::tables::{Declaration, declarations};

use crate::config::Config;
use crate::outbox::PUBLISHED;

/// Time between attempts while the registry does not answer.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The schema of a published topic, and the registry's id of it.
#[derive(Debug)]
pub struct PublishedSchema {
    /// The schema.
    pub schema: TableSchema,
    /// The id.
    pub id: u32,
}

/// The topics that are published as Avro, by name.
pub type PublishedSchemas = BTreeMap<&'static str, PublishedSchema>;

/// The schema registry of a run. The default has none: all topics carry JSON.
#[derive(Clone, Debug, Default)]
pub struct Avro {
    registry: Option<Arc<SchemaRegistry>>,
    /// What is published as Avro.
    pub published: Arc<PublishedSchemas>,
}

impl Avro {
    /// Opens the registry if any topic carries Avro, and registers the schemas of what a run publishes. A live run waits for a registry
    /// that does not answer; `None` if it was stopped meanwhile.
    pub fn connect(config: &Config, way: Connecting, stop: &AtomicBool, counters: &Arc<RegistryCounters>) -> anyhow::Result<Option<Self>> {
        let published: Vec<_> = if way.publishes { published_as_avro(config).collect() } else { Vec::new() };
        if config.source.avro.is_empty() && published.is_empty() {
            return Ok(Some(Self::default()));
        }
        let registry = SchemaRegistry::open(&config.registry, Arc::clone(counters)).context("registry")?;
        let mut schemas = PublishedSchemas::new();
        for name in published {
            let subject = format!("{}-value", config.source.outside(name));
            let schema = schema_of(name)?;
            let registering = || registry.register(&subject, &schema.text());
            let Some(registered) = answered(way, stop, registering).with_context(|| format!("registering the schema of {subject}"))? else {
                return Ok(None);
            };
            schemas.insert(name, PublishedSchema { schema, id: registered.id });
        }
        // A bounded run would otherwise wait without end for a registry that was never there.
        if way.is_bounded && answered(way, stop, || registry.check()).context("registry")?.is_none() {
            return Ok(None);
        }
        Ok(Some(Self { registry: Some(Arc::new(registry)), published: Arc::new(schemas) }))
    }

    /// The topics that are read as Avro.
    pub fn topics(&self, config: &Config) -> Option<AvroTopics> {
        let schemas = self.registry.clone().filter(|_| !config.source.avro.is_empty())?;
        Some(AvroTopics { topics: Arc::new(config.source.avro_topics()), schemas })
    }

    /// The registry's schemas.
    pub fn schemas(&self) -> Option<Arc<dyn WriterSchemas>> {
        self.registry.clone().map(|registry| registry as Arc<dyn WriterSchemas>)
    }
}

/// How a command uses the registry.
#[derive(Clone, Copy, Debug)]
pub struct Connecting {
    /// Whether it publishes.
    pub publishes: bool,
    /// Whether a registry that does not answer is an error, and not waited for.
    pub is_bounded: bool,
}

/// The answer of the registry. `None` if the run was stopped while it was waited for.
fn answered<T>(way: Connecting, stop: &AtomicBool, ask: impl Fn() -> Result<T, RegistryError>) -> Result<Option<T>, RegistryError> {
    while !stop.load(Ordering::Relaxed) {
        match ask() {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) if error.may_pass() && !way.is_bounded => {
                tracing::warn!(error = with_causes(&error), "waiting for the schema registry");
            }
            Err(error) => return Err(error),
        }
        std::thread::sleep(ASK_AGAIN);
    }
    Ok(None)
}

/// The names of the topics that are published as Avro.
fn published_as_avro(config: &Config) -> impl Iterator<Item = &'static str> {
    let names = PUBLISHED.iter().map(|published| published.name);
    names.filter(|name| [&config.outbox.topics, &config.outbox.avro].iter().all(|list| list.iter().any(|listed| listed == name)))
}

/// The schema of a published topic.
pub fn schema_of(topic: &str) -> anyhow::Result<TableSchema> {
    TableSchema::of(topic, &declaration_of(topic)?).with_context(|| format!("the schema of {topic}"))
}

/// The declaration of the table that is published as a topic.
pub fn declaration_of(topic: &str) -> anyhow::Result<Declaration> {
    let declaration = declarations().into_iter().find(|declaration| declaration.spec.topic() == Some(topic));
    let Some(declaration) = declaration else {
        let known = PUBLISHED.iter().map(|published| published.name).collect::<Vec<_>>().join(", ");
        bail!("{topic:?} is not published: give one of {known}");
    };
    Ok(declaration)
}
