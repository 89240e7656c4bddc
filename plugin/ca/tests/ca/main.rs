//! What the CA signs and takes, one subject a module.

mod import;
mod leaf;
mod openssl;
mod secrets;
mod set_signed;
