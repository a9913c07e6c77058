//! What a person owes: messages to read, calls to return.

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::{DoTasks, ReadCalls};
use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::events::Writing;
use crate::page::{LIMIT_DEFAULT, LIMIT_MAX, Page, cursor_of, limit_of};
use crate::{auth::SignedIn, calls};
use auricle_domain::code::{Role, TaskState};
use auricle_domain::event::Event;
use auricle_domain::id::{CallId, TaskId};
use auricle_domain::task::Task;
use auricle_storage::{Scan, schema};
use serde::{Deserialize, Serialize};

/// Tasks of one call that are shown.
const OF_CALL_MAX: usize = 100;

/// Tasks that came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallTasks {
    /// The tasks.
    pub items: Vec<Task>,
}

/// Which tasks; newest first.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TaskQuery {
    /// In this state alone.
    #[serde(default)]
    #[param(inline)]
    pub state: Option<TaskState>,
    /// `next` of the page before; none for the first page.
    #[serde(default)]
    pub after: Option<String>,
    /// Items of a page, 1 to 200; 50 unless told.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// The next state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskChange {
    /// `taken` makes it one's own, `open` gives it back.
    pub state: TaskState,
}

/// Messages to read and calls to return, newest first.
///
/// # Errors
/// `invalid` for a page that cannot be.
pub fn list(app: &App, _may: &May<DoTasks>, query: &TaskQuery) -> Result<Page<Task>, Error> {
    let scan = match query.state {
        Some(state) => Scan::index(schema::TASKS_BY_STATE).prefix(state.as_str()),
        None => Scan::table(),
    };
    let limit = limit_of(query.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let scan = scan.newest_first().limit(limit).after(cursor_of(query.after.as_deref())?);
    Ok(Page::of(app.store.read(|tx| tx.scan(scan))?, |task| task))
}

/// Tasks that came of a call.
///
/// # Errors
/// `not_found`.
pub fn of_call(app: &App, _may: &May<ReadCalls>, call: CallId) -> Result<CallTasks, Error> {
    app.store.read(|tx| {
        calls::known(tx, call)?;
        Ok(CallTasks { items: tx.scan(Scan::index(schema::TASKS_BY_CALL).prefix(call).limit(OF_CALL_MAX))?.items })
    })
}

/// Moves a task to its next state. Taking it makes it one's own.
///
/// # Errors
/// `not_found`, `stale`; `conflict` for a step that is not possible; `forbidden` for an agent when it is somebody else's.
pub async fn change(
    app: &App,
    may: &May<DoTasks>,
    id: TaskId,
    version: u64,
    change: TaskChange,
) -> Result<Task, Error> {
    let who = *may.who();
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let mut task: Task = tx.get(&id)?.ok_or_else(|| Error::not_found("task"))?;
        if task.version != version {
            return Err(Error::stale("task", version, task.version));
        }
        step(&mut task, &who, change.state)?;
        put(tx, task)
    });
    changed.await
}

fn step(task: &mut Task, who: &SignedIn, to: TaskState) -> Result<(), Error> {
    let others = task.owner.is_some_and(|owner| owner != who.account);
    if others && who.role == Role::Agent {
        return Err(Error::forbidden("change a task that somebody else has"));
    }
    let from = task.state;
    if matches!(from, TaskState::Done | TaskState::Dropped) && to != TaskState::Open {
        return Err(Error::new(ErrorCode::Conflict, format!("The task is {from}: it can only be opened again")));
    }
    task.owner = match to {
        TaskState::Open => None,
        TaskState::Taken => Some(who.account),
        TaskState::Done | TaskState::Dropped => task.owner.or(Some(who.account)),
    };
    task.state = to;
    Ok(())
}

/// Writes a task and tells of it.
///
/// # Errors
/// When the store fails.
pub(crate) fn put(tx: &mut Writing<'_>, mut task: Task) -> Result<Task, Error> {
    task.version += 1;
    tx.put(&task)?;
    tx.event(Event::TaskChanged { task: task.id, kind: task.kind, state: task.state });
    Ok(task)
}
