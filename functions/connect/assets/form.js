// A connector's form, as the server gave it.
