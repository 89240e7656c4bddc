//! aws-emulator
