//! Who has an account at Acme.

/// The password of everybody; the login page shows it.
pub const PASSWORD: &str = "demo";

/// An account.
pub struct Person {
    /// The user name, and what grants and notes are filed under.
    pub user: &'static str,
    /// The stable id that the API answers.
    pub id: &'static str,
    /// The full name.
    pub name: &'static str,
    /// The address.
    pub email: &'static str,
}

const EVERYBODY: [Person; 2] = [
    Person { user: "alice", id: "usr_alice", name: "Alice Archer", email: "alice@acme.example" },
    Person { user: "bob", id: "usr_bob", name: "Bob Baker", email: "bob@acme.example" },
];

/// The account of a user name.
pub fn person(user: &str) -> Option<&'static Person> {
    EVERYBODY.iter().find(|person| person.user == user)
}
