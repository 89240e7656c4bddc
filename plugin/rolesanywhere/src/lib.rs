//! rolesanywhere
