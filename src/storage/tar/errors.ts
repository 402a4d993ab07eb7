import { SampanError } from "../../base/index.ts";

/** An archive that cannot be believed. `code` is always "EBADTAR". */
export function tarError(reason: string, offset?: number): SampanError {
  const where = offset === undefined ? "" : ` (at byte ${offset})`;
  return new SampanError("invalid", `Cannot read tar archive: ${reason}${where}`, { code: "EBADTAR" });
}
