import { SampanError } from "../../base/errors.ts";

/** Docker's notation, "ctrl-p,ctrl-q" or plain characters, as the bytes that a terminal sends. "" is none. */
export function parseDetachKeys(text: string): Uint8Array {
  if (text === "") return new Uint8Array(0);
  return Uint8Array.from(text.split(",").map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    throw new SampanError("invalid", `Invalid escape keys (${text}) provided`, { exitCode: 125, hint: "Write them as: ctrl-p,ctrl-q" });
  }));
}
