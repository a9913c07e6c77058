//! Appointments: one slot, one patient.

use crate::support::clinic::Clinic;
use crate::support::person::{Person, read};
use auricle::voice::tools::{Message, Scope, ToolError};
use auricle_domain::Timestamp;
use auricle_domain::code::AppointmentStatus;
use auricle_domain::id::{CallId, CauseId, ConversationId, ServiceId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn service(admin: &Person) -> (String, Vec<Value>) {
    let every_day: Vec<Value> =
        (1..=7).map(|day| json!({ "weekday": day, "from_minute": 480, "to_minute": 960 })).collect();
    let service =
        json!({ "name": "Consultation", "duration_min": 30, "resource": "Room 1", "hours": every_day, "lead_min": 0 });
    let id = admin.made("/api/services", service).await["id"].as_str().unwrap().to_owned();
    let slots = read(admin.get(&format!("/api/slots?service={id}&limit=5")).await, StatusCode::OK).await;
    (id, slots["items"].as_array().unwrap().clone())
}

fn scope(random: u8) -> Scope {
    let (at, random) = (Timestamp::UNIX_EPOCH, [random; 10]);
    Scope {
        call: CallId::new(at, random),
        conversation: ConversationId::new(at, random),
        cause: CauseId::new(at, random),
    }
}

/// Two people at the desk, one slot: the second is told.
#[tokio::test]
async fn a_slot_is_booked_once() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let (id, slots) = service(&admin).await;
    let booking = |name: &str| json!({ "service": id, "start": slots[0]["start"], "patient_name": name, "patient_number": "+420777123456" });
    let ann = admin.made("/api/appointments", booking("Ann")).await;
    assert_eq!((&ann["status"], &ann["service_name"]), (&json!("booked"), &json!("Consultation")));
    let refused = admin.send(Method::POST, "/api/appointments", booking("Bea")).await;
    assert_eq!(read(refused, StatusCode::CONFLICT).await["code"], "slot_taken");
    let left = read(admin.get(&format!("/api/slots?service={id}&limit=1")).await, StatusCode::OK).await;
    assert_eq!(left["items"][0], slots[1]);
    let path = format!("/api/appointments/{}", ann["id"].as_str().unwrap());
    let cancel = json!({ "status": "cancelled", "cancel_reason": "is on holiday" });
    let ann = read(admin.change(Method::PATCH, &path, &ann["version"], cancel).await, StatusCode::OK).await;
    assert_eq!(ann["cancel_reason"], "is on holiday");
    let arrive = admin.change(Method::PATCH, &path, &ann["version"], json!({ "status": "arrived" })).await;
    assert_eq!(read(arrive, StatusCode::CONFLICT).await["code"], "conflict");
    admin.made("/api/appointments", booking("Bea")).await;
    let again = admin.change(Method::PATCH, &path, &ann["version"], json!({ "status": "booked" })).await;
    assert_eq!(read(again, StatusCode::CONFLICT).await["code"], "slot_taken");
    let listed = read(admin.get("/api/appointments?status=booked").await, StatusCode::OK).await;
    assert_eq!(listed["items"][0]["patient_name"], "Bea");
}

/// B-10: a slot is held for its conversation, confirmed once however often it is asked, and free again when it is given back.
#[tokio::test]
async fn a_conversation_holds_and_confirms_once() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let (id, _) = service(&admin).await;
    let service: ServiceId = id.parse().unwrap();
    let tools = &clinic.running.app.desk.tools;
    let now = Timestamp::now();
    let slots = tools.find_slots(service, now, now + jiff::SignedDuration::from_hours(96), 3).await.unwrap();
    let (one, other) = (scope(1), scope(2));
    let held = tools.hold(one, slots[0].clone()).await.unwrap();
    assert_eq!(tools.hold(one, slots[0].clone()).await.unwrap(), held);
    assert_eq!(tools.hold(other, slots[0].clone()).await, Err(ToolError::SlotTaken));
    assert_eq!(tools.find_slots(service, now, slots[2].start, 1).await.unwrap(), [slots[1].clone()]);
    let confirm = |scope| tools.confirm(scope, held, "Ann Novak".to_owned(), "+420777123456".to_owned());
    assert_eq!(confirm(other).await, Err(ToolError::HoldGone));
    let booked = confirm(one).await.unwrap();
    assert_eq!((booked.status, booked.held_until), (AppointmentStatus::Booked, None));
    assert_eq!(confirm(one).await.unwrap(), booked);
    tools.release(one, held).await.unwrap();
    let second = tools.hold(one, slots[1].clone()).await.unwrap();
    tools.release(one, second).await.unwrap();
    assert!(tools.hold(other, slots[1].clone()).await.is_ok());
    let listed = read(admin.get("/api/appointments?status=booked").await, StatusCode::OK).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let contacts = read(admin.get("/api/contacts").await, StatusCode::OK).await;
    assert_eq!(contacts["items"][0]["name"], "Ann Novak");
}

/// B-10: the same message in the same call is kept once, and is there to be done.
#[tokio::test]
async fn a_message_becomes_a_task_once() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let tools = &clinic.running.app.desk.tools;
    let message =
        || Message { text: "please ring me back".to_owned(), name: "Ann".to_owned(), number: "555".to_owned() };
    let task = tools.take_message(scope(1), message()).await.unwrap();
    assert_eq!(tools.take_message(scope(1), message()).await.unwrap(), task);
    let open = read(admin.get("/api/tasks?state=open").await, StatusCode::OK).await;
    assert_eq!(open["items"].as_array().unwrap().len(), 1);
    let path = format!("/api/tasks/{task}");
    let taken =
        read(admin.change(Method::PATCH, &path, &json!(1), json!({ "state": "taken" })).await, StatusCode::OK).await;
    assert!(taken["owner"].is_string());
    let done =
        read(admin.change(Method::PATCH, &path, &json!(2), json!({ "state": "done" })).await, StatusCode::OK).await;
    assert_eq!(done["state"], "done");
    read(admin.change(Method::PATCH, &path, &json!(3), json!({ "state": "taken" })).await, StatusCode::CONFLICT).await;
}
