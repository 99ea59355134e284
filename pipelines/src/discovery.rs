//! Discovery of new partitions during a live run.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater_connectors::transport::{PartitionState, Transport};
use headwater_schemas::Topic;

use crate::config::SourceConfig;
use crate::location;
use crate::resume::Partitions;

/// How soon discovery notices that it is dropped.
const NOTICE: Duration = Duration::from_millis(50);

/// Discovery on a thread; stops on drop.
pub struct Discovery {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Periodically adds partitions to `found` that are not known yet.
pub fn look_out(
    transport: Arc<dyn Transport>,
    names: SourceConfig,
    known: &Partitions,
    found: Arc<Mutex<Vec<(Topic, PartitionState)>>>,
) -> std::io::Result<Discovery> {
    let number =
        |(topic, states): (&Topic, &Vec<PartitionState>)| -> Vec<_> { states.iter().map(|state| (*topic, state.partition)).collect() };
    let mut known: BTreeSet<(Topic, u16)> = known.iter().flat_map(number).collect();
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let thread = std::thread::Builder::new().name("discovery".to_owned()).spawn(move || {
        let mut looked = Instant::now();
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(NOTICE.min(names.discover));
            if looked.elapsed() < names.discover {
                continue;
            }
            looked = Instant::now();
            // Brokers that are down have no new partitions.
            let Ok(there) = location::partitions(transport.as_ref(), &names) else { continue };
            for (topic, state) in there.into_iter().flat_map(|(topic, states)| states.into_iter().map(move |state| (topic, state))) {
                if known.insert((topic, state.partition))
                    && let Ok(mut found) = found.lock()
                {
                    tracing::info!(%topic, partition = state.partition, "a new partition");
                    found.push((topic, state));
                }
            }
        }
    })?;
    Ok(Discovery { over, thread: Some(thread) })
}
