//! vault-backend
