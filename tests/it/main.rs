//! The handlers and the flow, end to end, against everything running in the process on loopback.
//!
//! Each test has a world of its own, so there is no order between them; time is turned, never waited for.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod attack_callback;
mod attack_code;
mod attack_link;
mod bad_input;
mod callback_fails;
mod calls;
mod canaries;
mod chosen_id;
mod client_credentials;
mod credentials;
mod data_folder;
mod deleted_user;
mod emulator;
mod events;
mod five_quirks;
mod five_ways;
mod frame;
mod from_page;
mod front_end;
mod held;
mod keys;
mod link;
mod login_exchange;
mod long_lived;
mod loopback;
mod openapi;
mod operator_secrets;
mod pages;
mod passthrough;
mod refresh;
mod replaced;
mod requests;
mod roles;
mod router;
mod service_account;
mod settings_keep;
mod slow_provider;
mod status;
mod store_claims;
mod store_expiry;
mod store_grants;
mod store_journal;
mod store_lease_model;
mod store_seals;
mod store_settings;
mod store_stale;
mod store_transactions;
mod store_world;
mod token_slots;
mod typed_key;
mod wire;
mod world;
mod zoo;
