//! Who may ask: the checks before every request to the console and its API.
//!
//! | check | against |
//! |---|---|
//! | `Host` is a name of this server | another site's name that resolves to this machine (DNS rebinding) |
//! | `Origin`, `Sec-Fetch-Site` are of the console's own page | another site's page in the same browser |
//! | name and password, where users are configured | everybody else |
//! | number of requests | a client that opens too many |

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use headwater_sql::Reader;
use tokio::sync::OwnedSemaphorePermit;

use super::desk::Desk;
use super::refusal::Refusal;

/// A request's place among those that are open; held as long as its answer is sent.
#[derive(Clone)]
pub(super) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

const API: &str = "/api/";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Headers of all answers, refusals included.
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with(API);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CACHE_CONTROL, if is_api { "no-store" } else { "no-cache" }),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Lets a request through with its reader, or refuses it.
pub(super) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&desk, &parts).await {
        Ok((reader, place)) => {
            parts.extensions.insert(reader);
            parts.extensions.insert(place);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn admit(desk: &Desk, request: &Parts) -> Result<(Reader, Place), Refusal> {
    check_host(desk, request)?;
    check_site(request)?;
    let Ok(permit) = Arc::clone(&desk.requests).try_acquire_owned() else {
        let most = desk.config().max_connections;
        let message = format!("there are {most} requests (serve.max_connections): close some pages or streams");
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message));
    };
    Ok((reader(desk, request).await?, Place { _permit: Arc::new(permit) }))
}

/// The only value of a header; none if it is missing.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let wrong = || Refusal::new(StatusCode::BAD_REQUEST, "bad_header", format!("the header {name} is given twice, or is not plain text"));
    let mut all = headers.get_all(name).iter();
    let first = all.next();
    if all.next().is_some() {
        return Err(wrong());
    }
    first.map(|value| value.to_str().map_err(|_| wrong())).transpose()
}

fn check_host(desk: &Desk, request: &Parts) -> Result<(), Refusal> {
    let given = single(&request.headers, &header::HOST)?;
    let of_uri = request.uri.authority().map(|authority| authority.as_str());
    let all_known = given.into_iter().chain(of_uri).all(|host| desk.hosts.has(host));
    if given.is_some() && all_known {
        return Ok(());
    }
    let given = given.unwrap_or_default();
    let message = format!("this server is not called {given:?}: ask for it by its address or as localhost, or add the name to http.hosts");
    Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", message))
}

/// Refuses what a page of another site asks for. Following a link to the page is no request of that kind.
fn check_site(request: &Parts) -> Result<(), Refusal> {
    let headers = &request.headers;
    let (site, origin) = (single(headers, &HeaderName::from_static("sec-fetch-site"))?, single(headers, &header::ORIGIN)?);
    let is_mode = |name: &'static str, value: &str| headers.get(name).is_some_and(|given| given == value);
    let is_link = request.method == Method::GET
        && !request.uri.path().starts_with(API)
        && is_mode("sec-fetch-mode", "navigate")
        && is_mode("sec-fetch-dest", "document");
    let is_own_site = site.is_none_or(|site| matches!(site, "same-origin" | "none")) || is_link;
    let host = single(headers, &header::HOST)?.unwrap_or_default();
    let is_own = |origin: &str| ["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme) == Some(host));
    if is_own_site && origin.is_none_or(is_own) {
        return Ok(());
    }
    let asked_by = origin.or(site).unwrap_or_default();
    Err(Refusal::new(StatusCode::FORBIDDEN, "foreign_page", format!("a page of another site asks ({asked_by}): open the console itself")))
}

/// Who asks. Where users are configured, they prove it with each request.
async fn reader(desk: &Desk, request: &Parts) -> Result<Reader, Refusal> {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let given = credentials(&request.headers)?;
    let unknown = || Refusal::new(StatusCode::UNAUTHORIZED, "no_password", "give the name and password of a user of [serve.users]");
    if given.is_none() && !desk.config().users.is_empty() {
        return Err(unknown());
    }
    let access = desk.access().await?;
    match (access.anybody(), given) {
        (Some(anybody), _) => Ok(anybody),
        (None, Some((user, password))) => Ok(access.log_in(&user, &password, peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))).await?),
        (None, None) => Err(unknown()),
    }
}

/// Name and password of HTTP's scheme Basic (RFC 7617).
fn credentials(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let Some(given) = single(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    let decode = || {
        let (scheme, encoded) = given.split_once(' ')?;
        let bytes = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
        let (user, password) =
            String::from_utf8(bytes).ok()?.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))?;
        Some((user, password))
    };
    let message = "the header authorization is not one of the scheme Basic: give name and password like curl -u NAME:PASSWORD";
    decode().map(Some).ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "bad_authorization", message))
}
