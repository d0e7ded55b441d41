//! The list of what a link may connect, and of what is connected already.

use std::collections::{BTreeSet, HashMap};

use askama::Template;
use shared::{
    app::App,
    error::Error,
    flow::connector_in_use::ConnectorInUse,
    http::{Request, Response},
    id::{ConnectorId, Environment, Identity, ProjectId},
    page::{self, Frame, Language},
    store::connections::{Connection, Health},
};

use crate::{
    arrival::{self, Arrival},
    connecting::project,
    visit::Visit,
};

#[derive(Template)]
#[template(path = "choose.html")]
struct Choose<'a> {
    frame: &'a Frame,
    app_name: &'a str,
    link: &'a str,
    wanted: &'a Wanted,
    categories: &'a BTreeSet<String>,
    entries: &'a [Entry],
    shown: usize,
}

/// A connector in a list.
pub struct Entry {
    pub id: ConnectorId,
    pub name: String,
    /// By their ids.
    pub categories: Vec<String>,
    /// Whether the provider asks the person, or the person types a key.
    pub by_authorization: bool,
    pub connected: Option<Connected>,
    /// What a search looks in.
    sought: String,
    fits: bool,
}

/// The newest of an owner's accounts at a provider, and how many more there are.
pub struct Connected {
    /// Whether the newest needs no renewal.
    pub works: bool,
    /// A sentence for people.
    pub state: String,
}

/// What somebody looks for.
struct Wanted {
    text: String,
    category: String,
}

/// The list.
pub async fn page(app: &App, request: &Request) -> Result<Response, Error> {
    match Arrival::of(request)? {
        Arrival::Framed => arrival::framed(app, request).await,
        Arrival::Token(token) => arrival::claim(app, request, &token).await,
        Arrival::Unattended(token) => arrival::ask(app, request, &token, false).await,
        Arrival::Name => list(app, request, &Visit::of(app, request).await?).await,
    }
}

async fn list(app: &App, request: &Request, visit: &Visit) -> Result<Response, Error> {
    let link = &visit.link;
    let project = project(app, link).await?;
    let frame = Frame::of(app, request).dressed(&project);
    let owner = (&link.project, link.environment, link.identity.as_ref());
    let wanted = Wanted::of(request)?;
    let mut entries = entries(app, frame.t, owner, &link.connectors).await?;
    for entry in &mut entries {
        entry.fits = wanted.fits(&entry.sought, &entry.categories);
    }
    let template = Choose {
        frame: &frame,
        app_name: &project.name,
        link: visit.name.as_str(),
        wanted: &wanted,
        categories: &entries.iter().flat_map(|entry| entry.categories.iter().cloned()).collect(),
        entries: &entries,
        shown: entries.iter().filter(|entry| entry.fits).count(),
    };
    Ok(frame.show(&template, page::NOBODY))
}

/// What an owner may connect, in the project's order, and what they have connected. `only` names what a link or a session is
/// limited to; empty means all that are offered.
pub async fn entries(
    app: &App,
    t: Language,
    (project, environment, identity): (&ProjectId, Environment, Option<&Identity>),
    only: &[ConnectorId],
) -> Result<Vec<Entry>, Error> {
    let (all, owned) = tokio::try_join!(app.connectors_in_use(project, environment), async {
        Ok(app.connections.of_owner(project, environment, identity).await?)
    })?;
    let accounts = by_connector(owned);
    let named = |c: &ConnectorInUse<'_>| only.contains(&c.id) && c.is_ready() && c.settings().visible;
    let offered = all.iter().filter(|c| if only.is_empty() { c.is_offered() } else { named(c) });
    Ok(offered.map(|connector| entry(t, connector, &accounts)).collect())
}

/// Each connector's accounts, the newest first: that is the one which renewing renews.
fn by_connector(owned: Vec<(Connection, Health)>) -> HashMap<ConnectorId, Vec<(Connection, Health)>> {
    let mut accounts: HashMap<_, Vec<_>> = HashMap::new();
    for (connection, health) in owned.into_iter().rev() {
        accounts.entry(connection.connector.clone()).or_default().push((connection, health));
    }
    accounts
}

fn entry(
    t: Language,
    connector: &ConnectorInUse<'_>,
    accounts: &HashMap<ConnectorId, Vec<(Connection, Health)>>,
) -> Entry {
    let name = connector.data.name.to_string();
    let categories: Vec<String> = connector.data.categories.iter().map(ToString::to_string).collect();
    let words: Vec<String> = categories.iter().map(|category| t.category_name(category)).collect();
    let sought = format!("{name} {} {}", connector.id, words.join(" ")).to_lowercase();
    Entry {
        fits: true,
        by_authorization: connector.data.consent().is_some(),
        connected: accounts.get(&connector.id).and_then(|accounts| connected(t, accounts)),
        id: connector.id.clone(),
        name,
        categories,
        sought,
    }
}

fn connected(t: Language, accounts: &[(Connection, Health)]) -> Option<Connected> {
    let ((newest, health), further) = accounts.split_first()?;
    let works = *health == Health::Connected;
    let state = match (works, newest.name.as_deref().or(newest.account.name())) {
        (true, Some(account)) => t.connected_as(account),
        (true, None) => t.connected_unnamed(),
        (false, Some(account)) => t.needs_renewal(account),
        (false, None) => t.needs_renewal_unnamed(),
    };
    let more = (!further.is_empty()).then(|| t.and_more(&further.len().to_string()));
    Some(Connected { works, state: [Some(state), more].into_iter().flatten().collect::<Vec<_>>().join(", ") })
}

impl Wanted {
    fn of(request: &Request) -> Result<Self, Error> {
        let query = request.query()?;
        let text = |name: &str| Ok::<_, Error>(query.one(name)?.unwrap_or_default().trim().to_owned());
        Ok(Self { text: text("q")?, category: text("category")? })
    }

    /// The same rule as in `assets/form.js`, which narrows the list without asking.
    fn fits(&self, sought: &str, categories: &[String]) -> bool {
        sought.contains(&self.text.to_lowercase()) && (self.category.is_empty() || categories.contains(&self.category))
    }
}
