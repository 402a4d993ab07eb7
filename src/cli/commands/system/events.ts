import type { EngineEvent } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { string } from "../../flags/flag.ts";
import { rfc3339Nano } from "../../output/human.ts";
import { toJson } from "../../output/json.ts";
import { collectFilters } from "../../parse/filter.ts";
import { parseTimestamp } from "../../parse/timestamp.ts";
import { filterFlag, inspectFormatFlag } from "../shared/flags.ts";

/** "2024-01-02T15:04:05.000000000Z container start 4f… (image=alpine, name=web)". */
function formatEvent({ Type, Action, Actor, timeNano }: EngineEvent): string {
  const attributes = Object.entries(Actor.Attributes).map(([key, value]) => `${key}=${value}`).sort();
  return `${rfc3339Nano(timeNano)} ${Type} ${Action} ${Actor.ID}${attributes.length === 0 ? "" : ` (${attributes.join(", ")})`}`;
}

/** Docker's JSON: events of containers and images carry the fields of its first API too. */
function jsonEvent(event: EngineEvent): unknown {
  const { Type, Action, Actor } = event;
  if (Type === "container") return { status: Action, id: Actor.ID, from: Actor.Attributes["image"] ?? "", ...event };
  return Type === "image" ? { status: Action, id: Actor.ID, ...event } : event;
}

/** An event with the fields that older formats ask for. */
function templateEvent(event: EngineEvent): Record<string, unknown> {
  const { Type, Action, Actor, scope, time, timeNano } = event;
  const fields = { Type, Action, Actor, Scope: scope, Time: time, TimeNano: timeNano, Status: Action, ID: Actor.ID, From: Actor.Attributes["image"] ?? "" };
  return Object.defineProperty(fields, "toJSON", { value: () => jsonEvent(event), enumerable: false });
}

export const command = defineCommand({
  summary: "Print what happens, as it happens",
  usage: "[OPTIONS]",
  flags: {
    filter: filterFlag("container=, event=, image=, label=, network=, type=, volume=", "f"),
    format: inspectFormatFlag(),
    since: string("Begin with what happened after this time: 2024-01-02T15:04:05Z, or 42m for 42 minutes ago"),
    until: string("End at this time"),
  },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const { io } = context;
    const sinceMs = flags.since === undefined ? undefined : parseTimestamp(flags.since, io.nowMs());
    const untilMs = flags.until === undefined ? undefined : parseTimestamp(flags.until, io.nowMs());
    const print = await eventPrinter(flags.format);
    const { system } = await context.engine();
    try {
      for await (const event of system.events({ sinceMs, untilMs, filters: collectFilters(flags.filter), signal: context.signal })) io.out(`${print(event)}\n`);
    } catch (error) {
      // Ctrl-C is how one leaves.
      if (!context.signal.aborted) throw error;
    }
    return 0;
  },
});

async function eventPrinter(format: string | undefined): Promise<(event: EngineEvent) => string> {
  if (format === undefined || format === "") return formatEvent;
  if (format === "json") return (event) => toJson(jsonEvent(event));
  const { compileTemplate } = await import("../../output/template/index.ts");
  const template = compileTemplate(format);
  return (event) => template.execute(templateEvent(event));
}
