/**
 * A zero value that knows its Go type. JSON has one null; Go's templates print a nil slice as [], a nil map as map[], a nil
 * pointer as <nil> and an empty string as nothing, and all of them are empty.
 */
export class GoZero {
  readonly kind: "slice" | "map" | "pointer" | "string";
  readonly #json: null | undefined;

  constructor(kind: GoZero["kind"], json: null | undefined) {
    this.kind = kind;
    this.#json = json;
  }

  /** null, or undefined for a field that JSON leaves out. */
  toJSON(): null | undefined {
    return this.#json;
  }

  /** What stands for it in a comparison. */
  plain(): "" | null {
    return this.kind === "string" ? "" : null;
  }

  /** Go's %v. */
  format(): string {
    return { slice: "[]", map: "map[]", pointer: "<nil>", string: "" }[this.kind];
  }
}
