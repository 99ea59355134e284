//! Requests to the registry.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::RegistryConfig;
use super::config::Address;

/// An error of a library.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The media type of the API.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Schemas that a schema refers to, directly and indirectly, at most.
const MAX_REFERENCES: usize = 100;
/// The registry's own error code of an unknown schema id.
const NO_SCHEMA: u32 = 40403;
/// Where systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 3] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A request to the registry failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There was no answer, or none that says anything about the request. Another attempt may succeed.
    #[error("the schema registry {url} does not answer: is it running, and is registry.url its address?")]
    NoAnswer {
        /// The request's URL.
        url: String,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The registry answered with an error that another attempt does not resolve.
    #[error("the schema registry refuses {method} {url}: {status}{}: {mend}", quoted(message))]
    Refused {
        /// The request's method.
        method: &'static str,
        /// The request's URL.
        url: String,
        /// The answer's status.
        status: StatusCode,
        /// The registry's message.
        message: String,
        /// What resolves it.
        mend: &'static str,
    },
    /// The answer is not one of a schema registry.
    #[error("{url} does not answer as a schema registry: check registry.url; of Apicurio it ends with /apis/ccompat/v7")]
    NoRegistry {
        /// The request's URL.
        url: String,
        /// Why.
        #[source]
        cause: Option<serde_json::Error>,
    },
    /// Certificates cannot be read.
    #[error("the certificates that registry.ca names cannot be used: {file}")]
    Certificates {
        /// The file.
        file: String,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The client cannot be started.
    #[error("the client of the schema registry cannot be started")]
    Client(#[source] std::io::Error),
    /// registry.url is missing or wrong.
    #[error("registry.url is {0:?}: write http://HOST:PORT or https://HOST")]
    Address(String),
}

fn quoted(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(", {message:?}") }
}

impl RegistryError {
    /// Whether another attempt may succeed.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::NoAnswer { .. })
    }
}

/// A schema that was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Registered {
    /// The schema's id.
    pub id: u32,
}

/// The text of a schema, with those that it refers to, each after those that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SchemaText {
    /// `AVRO`, `JSON` or `PROTOBUF`.
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) references: Vec<String>,
}

/// A schema as the registry answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    schema: String,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
struct Reference {
    subject: String,
    version: i64,
}

#[derive(Default, Deserialize)]
struct Failed {
    #[serde(default)]
    error_code: u32,
    #[serde(default)]
    message: String,
}

/// A client with blocking requests. Each uses a connection of its own: a schema is asked for once.
pub(super) struct Client {
    runtime: tokio::runtime::Runtime,
    address: Address,
    authorization: Option<String>,
    tls: Option<TlsConnector>,
    timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.url(""))
    }
}

impl Client {
    pub(super) fn open(config: &RegistryConfig) -> Result<Self, RegistryError> {
        let address = config.address().ok_or_else(|| RegistryError::Address(config.url.clone()))?;
        let password = config.password_variable.as_ref().and_then(|variable| std::env::var(variable).ok());
        let authorization = config.user.as_ref().zip(password);
        let authorization = authorization.map(|(user, password)| format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))));
        let tls = if address.is_secure { Some(connector(config)?) } else { None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RegistryError::Client)?;
        Ok(Self { runtime, address, authorization, tls, timeout: config.timeout() })
    }

    /// A schema by its id; `None` if the registry has none.
    pub(super) fn schema(&self, id: u32) -> Result<Option<SchemaText>, RegistryError> {
        let path = format!("/schemas/ids/{id}");
        let (status, body) = self.request(Method::GET, &path, None)?;
        if status == StatusCode::NOT_FOUND {
            // A wrong path is a 404, too, and no record's fault.
            let failed: Failed = self.parsed(&path, &body)?;
            let is_missing = failed.error_code == NO_SCHEMA;
            return if is_missing { Ok(None) } else { Err(RegistryError::NoRegistry { url: self.url(&path), cause: None }) };
        }
        let answer: Answer = self.accepted("GET", &path, status, &body)?;
        let (mut texts, mut visited) = (Vec::new(), Vec::new());
        self.collect(answer.references.unwrap_or_default(), &mut visited, &mut texts)?;
        Ok(Some(SchemaText { kind: answer.schema_type.unwrap_or_else(|| "AVRO".to_owned()), text: answer.schema, references: texts }))
    }

    /// Adds the texts of references, each after those that it refers to itself.
    fn collect(&self, references: Vec<Reference>, visited: &mut Vec<(String, i64)>, texts: &mut Vec<String>) -> Result<(), RegistryError> {
        for Reference { subject, version } in references {
            if visited.len() >= MAX_REFERENCES || visited.iter().any(|(name, number)| *name == subject && *number == version) {
                continue;
            }
            let path = format!("/subjects/{}/versions/{version}", escaped(&subject));
            visited.push((subject, version));
            let (status, body) = self.request(Method::GET, &path, None)?;
            if status == StatusCode::NOT_FOUND {
                continue; // The schema then names a type that nobody defines.
            }
            let answer: Answer = self.accepted("GET", &path, status, &body)?;
            self.collect(answer.references.unwrap_or_default(), visited, texts)?;
            texts.push(answer.schema);
        }
        Ok(())
    }

    /// Registers an Avro schema under a subject; the same schema again has the same id.
    pub(super) fn register(&self, subject: &str, schema: &str) -> Result<Registered, RegistryError> {
        let path = format!("/subjects/{}/versions", escaped(subject));
        let body = json!({ "schema": schema }).to_string();
        let (status, answer) = self.request(Method::POST, &path, Some(body))?;
        self.accepted("POST", &path, status, &answer)
    }

    /// Fails if the registry does not answer.
    pub(super) fn check(&self) -> Result<(), RegistryError> {
        let path = "/schemas/types";
        let (status, body) = self.request(Method::GET, path, None)?;
        self.accepted::<Vec<String>>("GET", path, status, &body).map(drop)
    }

    /// The body of an answer, or the error that it is.
    fn accepted<T: for<'de> Deserialize<'de>>(
        &self,
        method: &'static str,
        path: &str,
        status: StatusCode,
        body: &[u8],
    ) -> Result<T, RegistryError> {
        let url = self.url(path);
        if status.is_success() {
            return self.parsed(path, body);
        }
        let message = serde_json::from_slice::<Failed>(body).unwrap_or_default().message;
        if status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) {
            return Err(RegistryError::NoAnswer { url, cause: format!("{status}{}", quoted(&message)).into() });
        }
        let mend = match status {
            StatusCode::UNAUTHORIZED => "check registry.user, and the password in the variable that registry.password_variable names",
            StatusCode::FORBIDDEN => "ask the registry's administrator for the permission",
            StatusCode::CONFLICT => {
                "the new schema is not compatible with that of before under this subject: publish to a topic of another name \
                 (source.aliases), or relax the subject's compatibility"
            }
            StatusCode::UNPROCESSABLE_ENTITY => "the registry does not take the schema: its message says why",
            _ => "check registry.url; of Apicurio it ends with /apis/ccompat/v7",
        };
        Err(RegistryError::Refused { method, url, status, message, mend })
    }

    fn parsed<T: for<'de> Deserialize<'de>>(&self, path: &str, body: &[u8]) -> Result<T, RegistryError> {
        serde_json::from_slice(body).map_err(|cause| RegistryError::NoRegistry { url: self.url(path), cause: Some(cause) })
    }

    fn url(&self, path: &str) -> String {
        let scheme = if self.address.is_secure { "https" } else { "http" };
        format!("{scheme}://{}{}{path}", self.address.authority, self.address.path)
    }

    fn request(&self, method: Method, path: &str, body: Option<String>) -> Result<(StatusCode, Bytes), RegistryError> {
        let answered = self.runtime.block_on(async {
            match tokio::time::timeout(self.timeout, self.exchange(method, path, body)).await {
                Ok(answered) => answered,
                Err(_) => Err(format!("timed out after {:?} (registry.timeout_ms)", self.timeout).into()),
            }
        });
        answered.map_err(|cause| RegistryError::NoAnswer { url: self.url(path), cause })
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<String>) -> Result<(StatusCode, Bytes), Cause> {
        let Address { host, port, authority, path: base, .. } = &self.address;
        let mut request = Request::builder().method(method).uri(format!("{base}{path}")).header(HOST, authority).header(ACCEPT, MEDIA_TYPE);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, MEDIA_TYPE);
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let tcp = TcpStream::connect((host.as_str(), *port)).await?;
        match &self.tls {
            Some(tls) => send(tls.connect(ServerName::try_from(host.clone())?, tcp).await?, request).await,
            None => send(tcp, request).await,
        }
    }
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Cause>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await?.to_bytes();
    connection.abort();
    Ok((status, body))
}

fn connector(config: &RegistryConfig) -> Result<TlsConnector, RegistryError> {
    let known = || SYSTEM_CERTIFICATES.iter().map(std::path::PathBuf::from).find(|file| file.exists());
    let file = config.ca.clone().or_else(known).unwrap_or_else(|| SYSTEM_CERTIFICATES[0].into());
    let unusable = |cause: Cause| RegistryError::Certificates { file: file.display().to_string(), cause };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&file).map_err(|error| unusable(error.into()))? {
        roots.add(certificate.map_err(|error| unusable(error.into()))?).map_err(|error| unusable(error.into()))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let config = config.map_err(|error| unusable(error.into()))?.with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A subject as a part of a path.
fn escaped(subject: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let escaped = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    subject.bytes().map(escaped).collect()
}
