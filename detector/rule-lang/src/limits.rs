//! Every bound of the language, so that no text can exhaust the stack or the memory.

/// Deepest nesting of parentheses and `not`, in one condition and after macros are expanded. Falco's bound.
pub const NESTING: usize = 1000;

/// Most macros inside of each other, far more than people write: each costs stack in every stage, and expansion goes on
/// where parsing has stopped counting.
pub const MACRO_NESTING: usize = 100;

/// Deepest nesting of transformers, and of lists in lists, on one side of an operator.
pub const OPERAND_NESTING: usize = 64;

/// Most nodes and list items of a condition after macros and lists are expanded. The stock files stay below a
/// thousand; macros that each name another twice would otherwise double at every step.
pub const EXPANDED_NODES: usize = 200_000;

/// Most characters that `%<N>field` pads to.
pub const TEMPLATE_WIDTH: usize = 4096;

/// Most mistakes reported for one condition once it is parsed: further ones say nothing new.
pub const ERRORS: usize = 100;
