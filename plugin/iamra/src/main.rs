//! the plugin
fn main() {}
