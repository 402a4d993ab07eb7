import { toJson } from "./json.ts";
import { compileTemplate } from "./template/index.ts";
import { GoZero } from "./template/zero.ts";

export interface Inspector {
  /** Takes one more value. Throws where the format makes no sense of it; those before it stay. */
  add(value: unknown): void;
  /** The text of all that were taken. */
  text(): string;
}

/** Values in Docker's inspect shape: an indented array, a compact one for "json", else a line of template for each. */
export function createInspector(format: string | undefined): Inspector {
  if (format === undefined || format === "" || format === "json") {
    const values: unknown[] = [];
    const indent = format === "json" ? "" : "    ";
    return { add: (value) => void values.push(value), text: () => `${toJson(values, indent)}\n` };
  }
  // Compiled before anything is looked up, so that a bad format is told at once.
  const template = compileTemplate(format);
  let text = "";
  return {
    add: (value) => {
      text += `${template.execute(withZeros(value))}\n`;
    },
    text: () => (text === "" ? "\n" : text),
  };
}

/** One value as `info` and `version` print it: "json" is the value itself. */
export function formatOne(format: string, value: unknown): string {
  return format === "json" ? `${toJson(value)}\n` : `${compileTemplate(format).execute(value)}\n`;
}

/** Docker's fields that may be missing or null, by their Go type. */
const ZEROS: Readonly<Record<string, GoZero["kind"]>> = {
  ...fields("slice", `Aliases Binds BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps CapAdd CapDrop Cmd DeviceCgroupRules
    DeviceRequests DNSNames Entrypoint Env ExecIDs ExtraHosts GroupAdd Links Mounts OnBuild RepoDigests RepoTags SecondaryIPAddresses SecondaryIPv6Addresses
    SecurityOpt Shell Test Ulimits VolumesFrom`),
  ...fields("map", "DriverOpts ExposedPorts Labels Options Status Sysctls Tmpfs Volumes"),
  ...fields("pointer", "Health Healthcheck Init IPAMConfig MemorySwappiness OomKillDisable PidsLimit SizeRootFs SizeRw StopTimeout UsageData"),
  ...fields("string", "Driver Name StopSignal Variant"),
};

function fields(kind: GoZero["kind"], names: string): Record<string, GoZero["kind"]> {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, kind]));
}

/** The same value, with what is missing in it as templates know it from Go. */
function withZeros(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withZeros);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]: [string, unknown]) => {
    const kind = ZEROS[name];
    return [name, kind !== undefined && (field === null || field === undefined) ? new GoZero(kind, field) : withZeros(field)];
  }));
}
