//! A transport with topics in memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_schemas::Offset;

use crate::transport::{OffsetUnit, Outbox, PartitionState, Publisher, RawRecord, ReadStatus, Reader, Transport, TransportError};

/// Topics in memory, which a test fills by hand. A record's offset is its index in the partition. Clones share the records.
///
/// ```
/// use headwater_connectors::testing::MemoryLog;
/// use headwater_connectors::transport::{PartitionState, Transport};
/// use headwater_schemas::Offset;
///
/// let log = MemoryLog::default();
/// log.append("orders", 0, "{}");
/// assert_eq!(log.partitions("orders")?, [PartitionState { partition: 0, low: Offset::ZERO, high: Offset::new(1) }]);
/// # Ok::<(), headwater_connectors::transport::TransportError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    topics: Arc<Mutex<Topics>>,
}

/// The values of each partition, by topic and number.
type Topics = BTreeMap<(String, u16), Vec<Vec<u8>>>;

impl MemoryLog {
    /// Adds a partition, if it is not there yet.
    pub fn add_partition(&self, topic: &str, partition: u16) {
        self.topics().entry((topic.to_owned(), partition)).or_default();
    }

    /// Appends a record to a partition.
    pub fn append(&self, topic: &str, partition: u16, value: impl Into<Vec<u8>>) {
        self.topics().entry((topic.to_owned(), partition)).or_default().push(value.into());
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for MemoryLog {
    fn offset_unit(&self) -> OffsetUnit {
        OffsetUnit::Records
    }

    fn partitions(&self, topic: &str) -> Result<Vec<PartitionState>, TransportError> {
        let topics = self.topics();
        let of_topic = topics.iter().filter(|((name, _), _)| name == topic);
        Ok(of_topic
            .map(|((_, partition), values)| PartitionState {
                partition: *partition,
                low: Offset::ZERO,
                high: Offset::new(values.len() as u64),
            })
            .collect())
    }

    fn create_topic(&self, topic: &str, partitions: u16) -> Result<bool, TransportError> {
        let is_new = self.partitions(topic)?.is_empty();
        (0..partitions).filter(|_| is_new).for_each(|partition| self.add_partition(topic, partition));
        Ok(is_new)
    }

    fn reader(&self, _wake: Box<dyn Fn() + Send + Sync>) -> Result<Box<dyn Reader>, TransportError> {
        Ok(Box::new(MemoryReader { log: self.clone(), slots: Vec::new() }))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, TransportError> {
        Err(read_only())
    }

    fn outbox(&self, _id: &str, _progress_topic: &str) -> Result<Box<dyn Outbox>, TransportError> {
        Err(read_only())
    }

    fn has_transactions(&self) -> bool {
        false
    }
}

fn read_only() -> TransportError {
    let cause = "a test appends to it by hand".into();
    TransportError { attempt: "publishing to", object: "topics in memory".to_owned(), cause, retry: false }
}

struct MemoryReader {
    log: MemoryLog,
    /// The partitions that are read, and the offset of the next record.
    slots: Vec<((String, u16), Offset)>,
}

impl Reader for MemoryReader {
    fn assign(&mut self, topic: &str, partition: u16, from: Offset) -> Result<usize, TransportError> {
        self.slots.push(((topic.to_owned(), partition), from));
        Ok(self.slots.len() - 1)
    }

    fn read(
        &mut self,
        slot: usize,
        max_records: usize,
        sink: &mut dyn FnMut(RawRecord<'_>) -> ControlFlow<()>,
    ) -> Result<ReadStatus, TransportError> {
        let Some((partition, next)) = self.slots.get_mut(slot) else { return Ok(ReadStatus::Waiting) };
        let topics = self.log.topics();
        for _ in 0..max_records {
            let values = topics.get(&*partition).map_or(&[][..], Vec::as_slice);
            let Some(value) = usize::try_from(next.get()).ok().and_then(|next| values.get(next)) else { return Ok(ReadStatus::End) };
            let offset = *next;
            *next = next.next();
            if sink(RawRecord { offset, next_offset: *next, key: None, value: Some(value), timestamp_ms: None, cut_from: None }).is_break()
            {
                break;
            }
        }
        Ok(ReadStatus::More)
    }

    fn high_watermark(&self, slot: usize) -> Option<Offset> {
        let (partition, _) = self.slots.get(slot)?;
        self.log.topics().get(partition).map(|values| Offset::new(values.len() as u64))
    }

    fn announce(&mut self, _slot: usize, _offset: Offset) -> Result<(), TransportError> {
        Ok(())
    }
}
