//! Requests to the bucket.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    Certificate, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig, UpdateVersion, WriteMultipart,
};
use tokio::runtime::Runtime;

use super::BucketConfig;

/// Objects that are sent or received at the same time.
const AT_ONCE: usize = 8;
/// Files from this size on are sent in parts.
const PART_BYTES: usize = 8 << 20;
/// Parts of one file that are sent at the same time. With [`AT_ONCE`] it bounds the memory of sending.
const PARTS_AT_ONCE: usize = 2;
/// Attempts within one request, before the outage is reported.
const QUIET_ATTEMPTS: usize = 3;
/// How long the attempts within one request may take: a large object that breaks off is continued.
const QUIET_TIME: Duration = Duration::from_secs(3600);
/// How long one attempt may take, with the content.
const TRANSFER: Duration = Duration::from_secs(300);
/// How long a request without a large content may take, with its attempts.
const ANSWER: Duration = Duration::from_secs(60);
/// Attempts to create an object while the store is busy with another request for it.
const CREATIONS: usize = 5;
/// What is attempted when an object may be missing.
const READING: &str = "reading";
const REMOVING: &str = "removing";
const NO_BUCKET: &str = "there is no such bucket: create it, or check bucket.url";
/// Pause between requests to a store that does not answer.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A request to the bucket failed.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The client cannot be set up.
    #[error("the bucket {url} cannot be used: check [bucket] and the credentials in the environment")]
    Unusable {
        /// The bucket.
        url: String,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file of trusted certificates cannot be used.
    #[error("the certificates that bucket.ca names cannot be used: {path}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store refuses the request, or did not answer for as long as it was waited for.
    #[error("{attempt} {object}: {mend}")]
    Request {
        /// What was attempted.
        attempt: &'static str,
        /// The URL of the object or folder.
        object: String,
        /// What resolves it.
        mend: &'static str,
        /// The answer.
        #[source]
        cause: Box<Error>,
    },
    /// An object is missing.
    #[error(
        "{object} is missing: if a run removes replaced files faster than they are received, give it a longer upkeep.grace; otherwise restore the object from a copy of the bucket"
    )]
    Missing {
        /// The URL of the object.
        object: String,
    },
    /// A local file cannot be read or written.
    #[error("{path}: it was to be copied to or from the bucket")]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: std::io::Error,
    },
}

/// What was transferred since the process began.
#[derive(Debug, Default)]
pub struct BucketCounters {
    /// Bytes written.
    pub sent_bytes: AtomicU64,
    /// Bytes read.
    pub received_bytes: AtomicU64,
    /// Requests that the store did not answer; each is made again.
    pub unanswered: AtomicU64,
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name below the bucket's folder.
    pub name: String,
    /// How long before the newest object of the listing it was written.
    pub older_by: Duration,
}

/// The version of an object's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(UpdateVersion);

/// A folder of a bucket. Calls block until the store has answered.
#[derive(Clone)]
pub struct Bucket(Arc<Inner>);

struct Inner {
    store: PrefixStore<AmazonS3>,
    url: String,
    patience: Duration,
    runtime: Runtime,
    counters: Arc<BucketCounters>,
    is_out: AtomicBool,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Bucket").field(&self.0.url).finish()
    }
}

fn client_options(config: &BucketConfig) -> Result<ClientOptions, BucketError> {
    let mut options = ClientOptions::new().with_timeout(TRANSFER).with_allow_http(config.endpoint.starts_with("http://"));
    let Some(path) = &config.ca else { return Ok(options) };
    let unusable = |cause| BucketError::Certificates { path: path.clone(), cause };
    let text = std::fs::read(path).map_err(|error| unusable(error.into()))?;
    let certificates = Certificate::from_pem_bundle(&text).map_err(|error| unusable(error.into()))?;
    if certificates.is_empty() {
        return Err(unusable("it has no certificate: give a PEM file with lines like -----BEGIN CERTIFICATE-----".into()));
    }
    for certificate in certificates {
        options = options.with_root_certificate(certificate);
    }
    Ok(options)
}

impl Bucket {
    /// Sets up the client. Sends nothing.
    pub fn new(config: &BucketConfig) -> Result<Self, BucketError> {
        let unusable = |cause| BucketError::Unusable { url: config.url.clone(), cause };
        let (bucket, folder) = config.place().ok_or_else(|| unusable("its url is not of the form s3://BUCKET/FOLDER".into()))?;
        let retry = RetryConfig { max_retries: QUIET_ATTEMPTS, retry_timeout: QUIET_TIME, ..RetryConfig::default() };
        let mut builder =
            AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).with_client_options(client_options(config)?);
        if !config.region.is_empty() {
            builder = builder.with_region(&config.region);
        }
        if !config.endpoint.is_empty() {
            builder = builder.with_endpoint(&config.endpoint);
        }
        let store = builder.build().map_err(|error| unusable(error.into()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("bucket").enable_all().build();
        Ok(Self(Arc::new(Inner {
            store: PrefixStore::new(store, folder),
            url: config.url.trim_end_matches('/').to_owned(),
            patience: config.patience(),
            runtime: runtime.map_err(|error| unusable(error.into()))?,
            counters: Arc::default(),
            is_out: AtomicBool::new(false),
        })))
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Its counters.
    pub fn counters(&self) -> &Arc<BucketCounters> {
        &self.0.counters
    }

    /// Reads an object with its version; `None` if there is none.
    pub fn get(&self, name: &str) -> Result<Option<(Bytes, Version)>, BucketError> {
        self.0.runtime.block_on(self.0.get(name))
    }

    /// Writes a new object; false if there is one with that name and another content.
    pub fn create(&self, name: &str, content: impl Into<Bytes>) -> Result<bool, BucketError> {
        let content = content.into();
        self.0.runtime.block_on(async {
            for _ in 0..CREATIONS {
                if self.0.put(name, content.clone(), PutMode::Create).await?.is_some() {
                    return Ok(true);
                }
                // An attempt whose answer was lost may have created it, or be about to.
                match self.0.get(name).await? {
                    Some((found, _)) => return Ok(found == content),
                    None => tokio::time::sleep(TRY_AGAIN).await,
                }
            }
            Ok(false)
        })
    }

    /// Writes an object if it still has the version that is known, or does not exist if none is known; otherwise returns `None`.
    pub fn exchange(&self, name: &str, content: impl Into<Bytes>, known: Option<&Version>) -> Result<Option<Version>, BucketError> {
        let content = content.into();
        let mode = known.map_or(PutMode::Create, |Version(version)| PutMode::Update(version.clone()));
        self.0.runtime.block_on(async {
            if let Some(version) = self.0.put(name, content.clone(), mode).await? {
                return Ok(Some(version));
            }
            Ok(self.0.get(name).await?.filter(|(found, _)| *found == content).map(|(_, version)| version))
        })
    }

    /// Lists the objects whose names begin with a folder's, which is empty for all.
    pub fn list(&self, folder: &str) -> Result<Vec<Object>, BucketError> {
        let prefix = Path::from(folder);
        let list =
            || self.0.store.list(Some(&prefix)).map_ok(|found| (found.location.to_string(), found.last_modified.timestamp())).try_collect();
        let found: Option<Vec<_>> = self.0.runtime.block_on(self.0.patiently("listing", folder, || answered(list())))?;
        let found = found.unwrap_or_default();
        let newest = found.iter().map(|(_, written)| *written).max();
        let age = |written: i64| Duration::from_secs(newest.and_then(|newest: i64| u64::try_from(newest - written).ok()).unwrap_or(0));
        Ok(found.into_iter().map(|(name, written)| Object { name, older_by: age(written) }).collect())
    }

    /// Removes objects; those that do not exist are passed over.
    pub fn delete(&self, names: Vec<String>) -> Result<(), BucketError> {
        let delete = |name: String| async move {
            let path = Path::from(name.as_str());
            self.0.patiently(REMOVING, &name, || answered(self.0.store.delete(&path))).await.map(|_| ())
        };
        self.0.runtime.block_on(stream::iter(names).map(delete).buffer_unordered(AT_ONCE).try_collect())
    }

    /// Writes files as objects, also over others.
    pub fn send(&self, files: Vec<(PathBuf, String)>) -> Result<(), BucketError> {
        let send = |(path, name): (PathBuf, String)| async move { self.0.send(&path, &name).await };
        self.0.runtime.block_on(stream::iter(files).map(send).buffer_unordered(AT_ONCE).try_collect())
    }

    /// Reads objects into new files. The first that is missing is an error.
    pub fn receive(&self, objects: Vec<(String, PathBuf)>) -> Result<(), BucketError> {
        let receive = |(name, path): (String, PathBuf)| async move { self.0.receive(&name, &path).await };
        self.0.runtime.block_on(stream::iter(objects).map(receive).buffer_unordered(AT_ONCE).try_collect())
    }
}

impl Inner {
    async fn get(&self, name: &str) -> Result<Option<(Bytes, Version)>, BucketError> {
        let path = Path::from(name);
        let get = || async {
            let found = self.store.get(&path).await?;
            let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            Ok((found.bytes().await?, Version(version)))
        };
        let found = self.patiently(READING, name, || answered(get())).await?;
        let bytes = found.as_ref().map_or(0, |(content, _)| content.len());
        self.counters.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(found)
    }

    /// Writes an object under a condition; `None` if the condition does not hold.
    async fn put(&self, name: &str, content: Bytes, mode: PutMode) -> Result<Option<Version>, BucketError> {
        let path = Path::from(name);
        let put = || async {
            let options = PutOptions { mode: mode.clone(), ..PutOptions::default() };
            match self.store.put_opts(&path, content.clone().into(), options).await {
                Ok(written) => Ok(Some(Version(written.into()))),
                // Of an update, an object that is missing is one that another process removed.
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. })
                    if !matches!(mode, PutMode::Overwrite) =>
                {
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        };
        let written = self.patiently("writing", name, || answered(put())).await?;
        self.counters.sent_bytes.fetch_add(content.len() as u64, Ordering::Relaxed);
        Ok(written.flatten())
    }

    async fn send(&self, path: &FilePath, name: &str) -> Result<(), BucketError> {
        let unreadable = |cause| BucketError::File { path: path.to_owned(), cause };
        let mut file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        if length <= PART_BYTES as u64 {
            let mut content = Vec::new();
            file.read_to_end(&mut content).map_err(unreadable)?;
            return self.put(name, content.into(), PutMode::Overwrite).await.map(|_| ());
        }
        let location = Path::from(name);
        let send = || async {
            let mut upload = WriteMultipart::new_with_chunk_size(self.store.put_multipart(&location).await?, PART_BYTES);
            match send_parts(path, &mut upload).await {
                Ok(()) => Ok(upload.finish().await.map(|_| ())?),
                Err(error) => {
                    upload.abort().await?;
                    Err(error)
                }
            }
        };
        self.patiently("writing", name, send).await?;
        self.counters.sent_bytes.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }

    async fn receive(&self, name: &str, path: &FilePath) -> Result<(), BucketError> {
        let location = Path::from(name);
        let receive = || async {
            let mut content = self.store.get(&location).await?.into_stream();
            let mut file = File::create(path).map_err(Failed::file(path))?;
            while let Some(bytes) = content.try_next().await? {
                self.counters.received_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                file.write_all(&bytes).map_err(Failed::file(path))?;
            }
            Ok(())
        };
        let received = self.patiently(READING, name, receive).await?;
        received.ok_or_else(|| BucketError::Missing { object: self.object(name) })
    }

    /// Makes a request until the store answers; `None` if it answers that there is no such object. An error of a local file ends it.
    async fn patiently<T>(
        &self,
        attempt: &'static str,
        name: &str,
        mut request: impl AsyncFnMut() -> Result<T, Failed>,
    ) -> Result<Option<T>, BucketError> {
        let began = Instant::now();
        loop {
            let error = match request().await {
                Ok(answer) => {
                    if self.is_out.swap(false, Ordering::Relaxed) {
                        tracing::warn!(bucket = self.url, "the bucket answers again");
                    }
                    return Ok(Some(answer));
                }
                Err(Failed::Store(Error::NotFound { .. })) if attempt == READING || attempt == REMOVING => return Ok(None),
                Err(Failed::Store(error)) => error,
                Err(Failed::File { path, cause }) => return Err(BucketError::File { path, cause }),
            };
            let mend = match &error {
                Error::Generic { .. } if is_unknown_bucket(&error) => NO_BUCKET,
                Error::Generic { .. } if is_distrust(&error) => {
                    "its certificate is not trusted: give the certificates of its authority as bucket.ca, or check bucket.endpoint"
                }
                Error::Generic { .. } if is_refusal(&error) => "the store refuses the request: check bucket.url, endpoint and region",
                Error::Generic { .. } if began.elapsed() < self.patience => {
                    self.counters.unanswered.fetch_add(1, Ordering::Relaxed);
                    if !self.is_out.swap(true, Ordering::Relaxed) {
                        tracing::warn!(error = crate::fault::with_causes(&error), bucket = self.url, "waiting for the bucket");
                    }
                    tokio::time::sleep(TRY_AGAIN).await;
                    continue;
                }
                Error::Generic { .. } => "the store did not answer for bucket.patience_seconds; once it does, start again: nothing is lost",
                Error::NotFound { .. } => NO_BUCKET,
                Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                    "the store refuses the credentials: it must allow to read, write, list and remove objects"
                }
                Error::AlreadyExists { .. } => "other requests for the object are in the way: start again",
                _ => "the store cannot do this: it needs conditional writes (If-Match, If-None-Match)",
            };
            return Err(BucketError::Request { attempt, object: self.object(name), mend, cause: Box::new(error) });
        }
    }

    fn object(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }
}

/// Why an attempt failed.
enum Failed {
    /// The store did not answer, or refused.
    Store(Error),
    /// A local file, which no other attempt resolves.
    File { path: PathBuf, cause: std::io::Error },
}

impl Failed {
    fn file(path: &FilePath) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |cause| Self::File { path: path.to_owned(), cause }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

async fn send_parts(path: &FilePath, upload: &mut WriteMultipart) -> Result<(), Failed> {
    let mut file = File::open(path).map_err(Failed::file(path))?;
    let mut part = vec![0; PART_BYTES];
    loop {
        let read = file.read(&mut part).map_err(Failed::file(path))?;
        if read == 0 {
            return Ok(());
        }
        upload.write(part.get(..read).unwrap_or_default());
        upload.wait_for_capacity(PARTS_AT_ONCE).await?;
    }
}

/// Waits for an answer without a large content.
async fn answered<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, Failed> {
    let elapsed = |error: tokio::time::error::Elapsed| Error::Generic { store: "S3", source: error.into() };
    Ok(tokio::time::timeout(ANSWER, request).await.map_err(elapsed)??)
}

/// Whether the store answered that it has no such bucket. The library tells the answer in its text alone.
fn is_unknown_bucket(error: &Error) -> bool {
    crate::fault::with_causes(error).contains("NoSuchBucket")
}

/// Whether the store's certificate is not trusted. Only the text of rustls, among the causes, tells.
fn is_distrust(error: &Error) -> bool {
    crate::fault::with_causes(error).contains("invalid peer certificate")
}

/// Whether the store answered that the request is wrong: with 4xx, except a timeout (408) or a limit of requests (429).
fn is_refusal(error: &Error) -> bool {
    let text = crate::fault::with_causes(error);
    let mut codes = text.split("status code: ").skip(1);
    codes.any(|rest| rest.starts_with('4') && !rest.starts_with("408") && !rest.starts_with("429"))
}
