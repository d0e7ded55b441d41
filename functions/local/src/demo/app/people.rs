//! Who uses Orbit.

/// A user of the app. The id is the identity under which Mooring files connections.
pub struct Person {
    pub id: &'static str,
    pub name: &'static str,
    pub role: &'static str,
}

/// Everybody who can log in.
pub const EVERYBODY: [Person; 2] = [
    Person { id: "alice", name: "Alice Adams", role: "Sales" },
    Person { id: "bob", name: "Bob Brown", role: "Support" },
];

/// The user with this id.
pub fn person(id: &str) -> Option<&'static Person> {
    EVERYBODY.iter().find(|person| person.id == id)
}
