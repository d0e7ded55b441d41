//! The integration tests are the `it` target beside this file; the library is empty.
