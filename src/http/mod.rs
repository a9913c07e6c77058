//! The web side: API, socket, health, metrics and the web app, under one origin.
//!
//! A handler extracts, calls one use-case and answers JSON. Everything that holds for all requests (identity of the request,
//! headers, session, CSRF, limits) is a layer in `guard.rs`; errors become problem bodies in `error.rs`.

mod accounts;
mod appointments;
mod audit;
mod auth;
mod calls;
mod carriers;
mod clinic;
mod contacts;
mod cookie;
pub mod error;
mod events;
mod extract;
mod follow;
mod guard;
mod headers;
mod health;
mod knowledge;
mod limits;
mod metrics;
mod music;
pub mod openapi;
mod outbound;
mod phones;
mod recording;
mod search;
pub mod socket;
mod softphone;
mod storage;
mod supervisor;
mod tasks;
mod trunks;
mod web;
mod webhooks;

use crate::app::App;
use crate::error::{Error, ErrorCode};
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use axum::{Extension, Router};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use utoipa_axum::router::OpenApiRouter;

/// Largest body, in bytes, where a route does not say otherwise.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Every route of the API, with its description.
fn routes() -> OpenApiRouter<Arc<App>> {
    openapi::base()
        .merge(auth::routes())
        .merge(calls::routes())
        .merge(contacts::routes())
        .merge(softphone::routes())
        .merge(supervisor::routes())
        .merge(knowledge::routes())
        .merge(appointments::routes())
        .merge(tasks::routes())
        .merge(audit::routes())
        .merge(search::routes())
        .merge(storage::routes())
        .merge(accounts::routes())
        .merge(clinic::routes())
        .merge(trunks::routes())
        .merge(outbound::routes())
        .merge(music::routes())
        .merge(phones::routes())
        .merge(carriers::routes())
        .merge(webhooks::routes())
        .merge(events::routes())
        .merge(follow::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(openapi::routes())
}

/// The whole web side.
pub fn router(app: Arc<App>) -> Router {
    metrics::install();
    app.tasks.spawn("figures", metrics::keep(app.tasks.stop_token()));
    let (api, _) = routes().split_for_parts();
    let compressed = DefaultPredicate::new().and(NotForContentType::new("audio/"));
    let guard = Arc::new(guard::Guard::new(Arc::clone(&app)));
    api.fallback(web::serve)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(Arc::new(follow::Sockets::default())))
        .layer(from_fn_with_state(guard, guard::guard))
        .layer(CatchPanicLayer::custom(|_| panicked()))
        .layer(CompressionLayer::new().compress_when(compressed))
        .layer(from_fn(headers::secure))
        .layer(from_fn(guard::identify))
        .with_state(app)
}

async fn method_not_allowed() -> Error {
    Error::new(ErrorCode::MethodNotAllowed, "This path does not take this method")
}

fn panicked() -> Response {
    Error::internal("answer the request", &"a handler panicked").into_response()
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl axum::extract::connect_info::Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Serves until `stop`; requests that are being answered are finished.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) {
    let service = router(app).into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stop).await {
        tracing::error!(%error, "the web side ended");
    }
}

/// The address of a request's connection, where there is one.
fn peer_of(request: &axum::extract::Request) -> Option<SocketAddr> {
    request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.0)
}
