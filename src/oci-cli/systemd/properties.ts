import { SampanError } from "../../base/errors.ts";
import type { Resources } from "../../oci/index.ts";
import { weightFromShares } from "../../runtime/cgroups/index.ts";
import { cpuMask } from "../../runtime/scheduling.ts";
import type { Variant } from "../dbus/index.ts";

export type Property = readonly [name: string, value: Variant];

const INFINITY = 2n ** 64n - 1n;
const PREFIX = "org.systemd.property.";
/** CPUQuotaPerSecUSec is rounded up to this, as systemd does with what an administrator writes. */
const QUOTA_STEP_US = 10_000;

const u64 = (name: string, value: number | bigint): Property => [name, { type: "t", value: BigInt(value) }];
const flag = (name: string): Property => [name, { type: "b", value: true }];
const limit = (name: string, value: number): Property => u64(name, value < 0 ? INFINITY : value);

/** The limits that systemd has words for. It may write them again at any time (daemon-reload), so it has to know them. */
export function limitProperties(resources: Resources, unified: boolean): Property[] {
  const { memory, cpu, pids, blockIO } = resources;
  const result: Property[] = [];
  if (memory?.limit !== undefined && memory.limit !== 0) result.push(limit(unified ? "MemoryMax" : "MemoryLimit", memory.limit));
  if (unified && memory?.reservation !== undefined && memory.reservation !== 0) result.push(limit("MemoryLow", Math.max(memory.reservation, 0)));
  if (unified && memory?.swap !== undefined && memory.swap !== 0)
    result.push(limit("MemorySwapMax", memory.swap < 0 ? -1 : Math.max(memory.swap - Math.max(memory.limit ?? 0, 0), 0)));
  if (cpu?.shares !== undefined && cpu.shares !== 0) result.push(unified ? u64("CPUWeight", weightFromShares(cpu.shares)) : u64("CPUShares", cpu.shares));
  if (cpu?.period !== undefined && cpu.period !== 0) result.push(u64("CPUQuotaPeriodUSec", cpu.period));
  if (cpu?.quota !== undefined && cpu.quota !== 0) {
    const perSecond = (cpu.quota * 1_000_000) / (cpu.period === undefined || cpu.period === 0 ? 100_000 : cpu.period);
    result.push(limit("CPUQuotaPerSecUSec", cpu.quota < 0 ? -1 : Math.ceil(perSecond / QUOTA_STEP_US) * QUOTA_STEP_US));
  }
  if (pids?.limit !== undefined) result.push(limit("TasksMax", pids.limit));
  if (!unified && blockIO?.weight !== undefined && blockIO.weight !== 0) result.push(u64("BlockIOWeight", blockIO.weight));
  if (unified) for (const [name, list] of [["AllowedCPUs", cpu?.cpus], ["AllowedMemoryNodes", cpu?.mems]] as const) {
    const mask = list === undefined || list === "" ? undefined : cpuMask(list);
    if (mask) result.push([name, { type: "ay", value: [...mask.subarray(0, mask.findLastIndex((byte) => byte !== 0) + 1)] }]);
  }
  return result;
}

/** A value in GVariant's text form, as annotations have it: 'text', true, 5, uint64 5, ['a', 'b']. */
function parseValue(name: string, text: string): Variant {
  const trimmed = text.trim();
  const string = /^(['"])(.*)\1$/.exec(trimmed);
  if (string) return { type: "s", value: string[2] };
  if (trimmed === "true" || trimmed === "false") return { type: "b", value: trimmed === "true" };
  const number = /^(?:(int32|uint32|int64|uint64) )?(-?\d+)$/.exec(trimmed);
  if (number) return { type: { int32: "i", uint32: "u", int64: "x", uint64: "t" }[number[1] ?? "int32"] ?? "i", value: BigInt(number[2] ?? 0) };
  const items = /^\[(.*)\]$/.exec(trimmed)?.[1]?.split(",").map((item) => /^\s*(['"])([^'"]*)\1\s*$/.exec(item)?.[2]);
  if (items && items.every((item) => item !== undefined)) return { type: "as", value: items };
  throw new SampanError("invalid", `Cannot use annotation "${PREFIX}${name}": ${JSON.stringify(text)} is no value that is known`);
}

/** Annotations "org.systemd.property.NAME" are properties of the unit; those in seconds become microseconds. */
export function annotatedProperties(annotations: Readonly<Record<string, string>>): Property[] {
  return Object.entries(annotations).filter(([key]) => key.startsWith(PREFIX)).map(([key, text]) => {
    const name = key.slice(PREFIX.length);
    if (!/^[A-Z][A-Za-z]{2,}$/.test(name)) throw new SampanError("invalid", `Cannot use annotation "${key}": "${name}" is no name of a property`);
    const value = parseValue(name, text);
    if (!/[a-z]Sec$/.test(name) || !["i", "u", "x", "t"].includes(value.type)) return [name, value];
    return u64(name.replace(/Sec$/, "USec"), (value.value as bigint) * 1_000_000n);
  });
}

/** What every container's scope has: processes of its own, groups beneath that are the container's, and everything counted. */
export function scopeProperties(id: string, slice: string, pid: number, unified: boolean): Property[] {
  return [
    ["Description", { type: "s", value: `sampan-oci container ${id}` }], ["Slice", { type: "s", value: slice }], ["PIDs", { type: "au", value: [pid] }],
    flag("Delegate"), ["DefaultDependencies", { type: "b", value: false }],
    flag("MemoryAccounting"), flag("CPUAccounting"), flag(unified ? "IOAccounting" : "BlockIOAccounting"), flag("TasksAccounting"),
  ];
}
