//! Hand-made inputs.
