//! The end of a user: nothing new is made for them, and what there is goes.

use serde_json::json;
use shared::{
    app::App,
    error::Error,
    http::{Request, Response},
    id::Role,
};

use crate::{
    connection::{own, receipt},
    credentials::user,
};

/// Marks a user as deleted, deletes and revokes each of their connections, and answers the receipts. Again finds nothing
/// more, or what was on its way the first time: the list of connections is eventually consistent.
pub async fn delete(app: &App, request: &Request) -> Result<Response, Error> {
    let caller = app.caller(request, &[Role::Connect]).await?;
    let user = user(request)?;
    let (project, environment) = (&caller.project.id, caller.environment);
    app.settings.mark_user_deleted(project, environment, &user, app.clock.now()).await?;

    let mut receipts = Vec::new();
    // one after the other: of two connections on one grant, the last to go is the one that revokes it
    for (connection, _) in app.connections.of_owner(project, environment, Some(&user)).await? {
        let Some(stored) = own(app, &caller, Some(connection.key)).await? else { continue };
        let connection = stored.connection.clone();
        if let Some(revocation) = app.delete_connection(stored).await? {
            receipts.push(receipt(&connection, revocation, request));
        }
    }
    let answer = json!({
        "userId": user.identity,
        "deleted": true,
        "connections": receipts,
        "requestId": request.request_id,
    });
    Ok(Response::json(&answer))
}
