//! `/api/auth`: signing in and out, and one's own account.

use super::cookie;
use super::extract::Json;
use super::guard::Cause;
use crate::accounts::{self, AccountView, OwnChange};
use crate::app::App;
use crate::auth::SignedIn;
use crate::error::Error;
use crate::sessions::{self, Client, LoggedIn, Login};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(login)).routes(routes!(logout)).routes(routes!(me, change_me))
}

/// Signs in. Ten wrong passwords in a row lock the account for 15 minutes (`locked`).
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = Login, security(()),
    responses((status = 200, body = LoggedIn, description = "Signed in; `web` clients get the cookie `__Host-auricle`")))]
async fn login(State(app): State<Arc<App>>, cause: Cause, Json(input): Json<Login>) -> Result<Response, Error> {
    let client = input.client;
    let (account, token) = sessions::login(&app, cause.0, input).await?;
    let body = |token| axum::Json(LoggedIn { account, token });
    Ok(match client {
        Client::Terminal => body(Some(token.to_text())).into_response(),
        Client::Web => ([cookie::set(&token.to_text())], body(None)).into_response(),
    })
}

/// Signs out; the session ends at once.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", responses((status = 204, description = "Signed out")))]
async fn logout(State(app): State<Arc<App>>, who: SignedIn) -> Result<Response, Error> {
    sessions::logout(&app, &who).await?;
    Ok((StatusCode::NO_CONTENT, [cookie::clear()]).into_response())
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses((status = 200, body = AccountView)))]
async fn me(State(app): State<Arc<App>>, who: SignedIn) -> Result<axum::Json<AccountView>, Error> {
    Ok(axum::Json(accounts::own(&app, &who)?))
}

/// Changes one's own account: language, name, password. The only thing that works with a one-time password.
#[utoipa::path(patch, path = "/api/auth/me", tag = "auth", request_body = OwnChange, responses((status = 200, body = AccountView)))]
async fn change_me(
    State(app): State<Arc<App>>,
    who: SignedIn,
    Json(change): Json<OwnChange>,
) -> Result<axum::Json<AccountView>, Error> {
    Ok(axum::Json(accounts::change_own(&app, &who, change).await?))
}
