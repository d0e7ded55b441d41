//! The end of a user: nothing new is made for them, and what there is goes.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use shared::{
    app::App,
    caller::Caller,
    error::Error,
    flow::revoke::AT_ONCE,
    http::{Request, Response},
    id::Role,
    store::connections::Connection,
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

    let listed = app.connections.of_owner(project, environment, Some(&user)).await?;
    let grants = by_grant(listed.into_iter().map(|(connection, _)| connection));
    let ends = stream::iter(grants).map(|grant| end(app, &caller, request, grant)).buffer_unordered(AT_ONCE);
    // each to its end, also when another fails
    let ended: Vec<_> = ends.collect().await;
    let receipts = ended.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    let answer = json!({
        "userId": user.identity,
        "deleted": true,
        "connections": receipts,
        "requestId": request.request_id,
    });
    Ok(Response::json(&answer))
}

/// The connections that share a grant at the provider, together. Where the account is not known, each stands alone.
fn by_grant(connections: impl Iterator<Item = Connection>) -> impl Iterator<Item = Vec<Connection>> {
    let mut grants: BTreeMap<String, Vec<Connection>> = BTreeMap::new();
    for connection in connections {
        let grant = connection.grant_owner().unwrap_or_else(|| connection.key.to_string());
        grants.entry(grant).or_default().push(connection);
    }
    grants.into_values()
}

/// Deletes the connections of one grant, and answers the receipts. One after the other: the last to go is the one that revokes.
async fn end(app: &App, caller: &Caller, request: &Request, sharing: Vec<Connection>) -> Result<Vec<Value>, Error> {
    let mut receipts = Vec::new();
    for connection in sharing {
        let Some(stored) = own(app, caller, Some(connection.key)).await? else { continue };
        let connection = stored.connection.clone();
        if let Some(revocation) = app.delete_connection(stored, request.deadline).await? {
            receipts.push(receipt(app, &connection, revocation, request).await);
        }
    }
    Ok(receipts)
}
