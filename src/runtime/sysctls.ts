import { SampanError } from "../base/errors.ts";
import type { Call } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Context } from "./context.ts";
import { openInRoot } from "./resolve.ts";

/** Through the procfs that this plan itself mounted: a fake /proc in the image is never written to (CVE-2025-52881). */
export function addSysctls(context: Context, proc: Call | undefined): void {
  const { inner, config, where } = context;
  for (const [name, value] of Object.entries(config.linux?.sysctl ?? {})) {
    const what = `set sysctl "${name}" ${where}`;
    if (!proc) throw new SampanError("invalid", `Cannot ${what}: the container has no /proc of its own`);
    const file = openInRoot(inner, proc, `sys/${name.replaceAll(".", "/")}`, {
      flags: C.O_WRONLY, resolve: C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS | C.RESOLVE_NO_XDEV, what, why: "linux.sysctl",
    });
    inner.call("write", [file, value, Buffer.byteLength(value)], { what, why: `= ${value}` });
    inner.call("close", [file], { what, why: "done with it" });
  }
}
