//! Classification of librdkafka's errors.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::transport::TransportError;

/// Whether no broker has answered.
pub(super) const fn is_unanswered(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::TimedOutQueue
    )
}

/// Whether waiting can resolve an error: brokers are down or electing.
pub(super) const fn is_passing(code: RDKafkaErrorCode) -> bool {
    is_unanswered(code)
        || matches!(
            code,
            RDKafkaErrorCode::MessageTimedOut
                | RDKafkaErrorCode::WaitingForCoordinator
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::BrokerNotAvailable
                | RDKafkaErrorCode::ReplicaNotAvailable
                | RDKafkaErrorCode::OffsetNotAvailable
                | RDKafkaErrorCode::FencedLeaderEpoch
                | RDKafkaErrorCode::UnknownLeaderEpoch
                | RDKafkaErrorCode::NotEnoughReplicas
                | RDKafkaErrorCode::NotEnoughReplicasAfterAppend
                | RDKafkaErrorCode::NetworkException
                | RDKafkaErrorCode::KafkaStorageError
        )
}

/// Whether a partition that brokers have told of has no leader yet, or a leader other than the known one, or is not known to
/// librdkafka, as while its broker starts or stops.
pub(super) const fn is_electing(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable | RDKafkaErrorCode::UnknownPartition)
}

/// Whether a connection error requires action by the operator.
pub(super) const fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::UnsupportedSASLMechanism
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::SSL
            | RDKafkaErrorCode::UnsupportedFeature
            | RDKafkaErrorCode::UnsupportedVersion
            | RDKafkaErrorCode::Fatal
    )
}

/// Whether an answer to a publisher requires action by the operator.
pub(super) const fn is_final(code: RDKafkaErrorCode) -> bool {
    is_refusal(code)
        || is_fenced(code)
        || matches!(
            code,
            RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
                | RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidTransactionTimeout
        )
}

/// Whether another producer has taken over the id of this one.
const fn is_fenced(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced)
}

/// Whether a topic does not exist.
pub(super) const fn is_missing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicId
    )
}

/// The instruction that resolves an error, as the end of a sentence.
fn mend(code: RDKafkaErrorCode) -> &'static str {
    match code {
        code if is_passing(code) => ": is the broker running, and is its address right?",
        code if is_missing(code) => ": the topic is missing, or was deleted; create it (`headwater topics`), or restore it",
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed
        | RDKafkaErrorCode::TransactionalIdAuthorizationFailed => ": ask the brokers' administrator for the permission",
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed | RDKafkaErrorCode::SSL => {
            ": check the user, the password and the certificates"
        }
        code if is_fenced(code) => {
            ": another process publishes for this data directory, or for a copy of it; stop one of them. To publish from a copy as well, \
             remove its file OUTBOX: it then publishes all commits under an id of its own"
        }
        RDKafkaErrorCode::InvalidReplicationFactor => ": there are fewer brokers than copies; set `replication` in [kafka]",
        RDKafkaErrorCode::MessageSizeTooLarge => ": the record is larger than brokers or `message.max.bytes` allow",
        _ => "",
    }
}

/// Converts an error of librdkafka. `reason` is its additional message, if any.
pub(super) fn failure(attempt: &'static str, object: &str, error: &KafkaError, reason: &str) -> TransportError {
    let code = code_of(error);
    let said = match (code, reason) {
        (Some(code), "") => code.to_string(),
        (Some(code), reason) => format!("{code}: {reason}"),
        (None, _) => error.to_string(),
    };
    let cause = format!("{said}{}", code.map_or("", mend)).into();
    TransportError { attempt, object: object.to_owned(), cause, retry: code.is_some_and(is_passing) }
}

/// The code of an error; also of an admin error, which librdkafka's wrapper leaves out.
fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}
