//! What decoding promises, checked on bytes.
