//! goplugin
