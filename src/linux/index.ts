/**
 * Facts about Linux: numbers, names, layouts. No I/O, no decisions.
 *
 * Vocabulary: the kernel's own. Each file is one table or one structure and says where its facts come from; rooms import the
 * file that they need, because a start pays for everything that is loaded.
 *
 * Invariants: a number that differs between x86-64 and arm64 depends on the architecture here and nowhere else.
 */
export { hostArch, type Arch } from "./arch.ts";
export { Errno, errnoName, errnoNumber, errnoText, type ErrnoName } from "./errno.ts";
