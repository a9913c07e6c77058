//! `/api/services`, `/api/slots`, `/api/appointments`: what can be booked, and bookings.

use super::extract::{IdempotencyKey, IfMatch, Json, Path, Query};
use crate::app::App;
use crate::appointments::{
    self, AppointmentChange, AppointmentQuery, NewAppointment, ServiceInput, Services, SlotQuery, Slots,
};
use crate::auth::{
    May,
    permissions::{EditAppointments, EditServices, ReadAppointments},
};
use crate::error::Error;
use crate::page::Page;
use auricle_domain::appointment::{Appointment, Service};
use auricle_domain::id::{AppointmentId, ServiceId};
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(services, create_service))
        .routes(routes!(replace_service))
        .routes(routes!(slots))
        .routes(routes!(list, book))
        .routes(routes!(get, change))
}

/// What can be booked.
#[utoipa::path(get, path = "/api/services", tag = "appointments", responses((status = 200, body = Services)))]
async fn services(State(app): State<Arc<App>>, may: May<ReadAppointments>) -> Result<axum::Json<Services>, Error> {
    Ok(axum::Json(appointments::services(&app, &may)?))
}

/// Adds a service.
#[utoipa::path(post, path = "/api/services", tag = "appointments", request_body = ServiceInput, params(super::openapi::IdempotencyHeader),
    responses((status = 201, body = Service)))]
async fn create_service(
    State(app): State<Arc<App>>,
    may: May<EditServices>,
    key: IdempotencyKey,
    Json(input): Json<ServiceInput>,
) -> Result<(StatusCode, axum::Json<Service>), Error> {
    Ok((StatusCode::CREATED, axum::Json(appointments::create_service(&app, &may, key.0.as_deref(), input).await?)))
}

/// Replaces all fields of a service. Appointments that are booked stay as they are.
#[utoipa::path(put, path = "/api/services/{id}", tag = "appointments", request_body = ServiceInput,
    params(("id" = ServiceId, Path), super::openapi::IfMatchHeader), responses((status = 200, body = Service)))]
async fn replace_service(
    State(app): State<Arc<App>>,
    may: May<EditServices>,
    Path(id): Path<ServiceId>,
    version: IfMatch,
    Json(input): Json<ServiceInput>,
) -> Result<axum::Json<Service>, Error> {
    Ok(axum::Json(appointments::replace_service(&app, &may, id, version.0, input).await?))
}

/// Free slots of a service, earliest first.
#[utoipa::path(get, path = "/api/slots", tag = "appointments", params(SlotQuery), responses((status = 200, body = Slots)))]
async fn slots(
    State(app): State<Arc<App>>,
    may: May<ReadAppointments>,
    Query(query): Query<SlotQuery>,
) -> Result<axum::Json<Slots>, Error> {
    Ok(axum::Json(appointments::slots(&app, &may, &query)?))
}

/// Appointments by start, ascending; held slots that have run out are left out.
#[utoipa::path(get, path = "/api/appointments", tag = "appointments", params(AppointmentQuery), responses((status = 200, body = Page<Appointment>)))]
async fn list(
    State(app): State<Arc<App>>,
    may: May<ReadAppointments>,
    Query(query): Query<AppointmentQuery>,
) -> Result<axum::Json<Page<Appointment>>, Error> {
    Ok(axum::Json(appointments::list(&app, &may, &query)?))
}

/// Books a free slot. `slot_taken` when somebody was faster.
#[utoipa::path(post, path = "/api/appointments", tag = "appointments", request_body = NewAppointment, params(super::openapi::IdempotencyHeader),
    responses((status = 201, body = Appointment)))]
async fn book(
    State(app): State<Arc<App>>,
    may: May<EditAppointments>,
    key: IdempotencyKey,
    Json(input): Json<NewAppointment>,
) -> Result<(StatusCode, axum::Json<Appointment>), Error> {
    Ok((StatusCode::CREATED, axum::Json(appointments::book(&app, &may, key.0.as_deref(), input).await?)))
}

/// One appointment.
#[utoipa::path(get, path = "/api/appointments/{id}", tag = "appointments", params(("id" = AppointmentId, Path)), responses((status = 200, body = Appointment)))]
async fn get(
    State(app): State<Arc<App>>,
    may: May<ReadAppointments>,
    Path(id): Path<AppointmentId>,
) -> Result<axum::Json<Appointment>, Error> {
    Ok(axum::Json(appointments::get(&app, &may, id).await?))
}

/// Moves an appointment to its next status: arrived, fulfilled, cancelled, noshow.
#[utoipa::path(patch, path = "/api/appointments/{id}", tag = "appointments", request_body = AppointmentChange,
    params(("id" = AppointmentId, Path), super::openapi::IfMatchHeader), responses((status = 200, body = Appointment)))]
async fn change(
    State(app): State<Arc<App>>,
    may: May<EditAppointments>,
    Path(id): Path<AppointmentId>,
    version: IfMatch,
    Json(change): Json<AppointmentChange>,
) -> Result<axum::Json<Appointment>, Error> {
    Ok(axum::Json(appointments::change(&app, &may, id, version.0, change).await?))
}
