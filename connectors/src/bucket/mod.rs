//! A bucket of an object store with Amazon's S3 API (S3 itself, MinIO, Ceph, Cloudflare R2, Garage).
//!
//! - An object is written whole: it has its old content or the new one.
//! - [`Bucket::create`] never overwrites, and [`Bucket::exchange`] overwrites only the content that the caller knows. Both rely on
//!   conditional writes (`If-None-Match`, `If-Match`), which the store must support.
//! - A store that does not answer is waited for: each request is made again, until `bucket.patience_seconds` have passed. One log
//!   line reports the outage, one its end.
//! - Credentials come from the environment, as for other programs: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, a web identity,
//!   the role of a container or of a machine. They are in no file of Headwater.

mod client;
mod config;

pub use client::{Bucket, BucketCounters, BucketError, Object, Version};
pub use config::BucketConfig;
