import type { ImageHealthcheck } from "../../oci/image-config.ts";
import { changeError, execForm } from "./words.ts";

const DURATIONS: Readonly<Record<string, "Interval" | "Timeout" | "StartPeriod" | "StartInterval">> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};

/** `NONE`, or `[--interval=… --timeout=… --start-period=… --start-interval=… --retries=N] CMD …`. */
export function parseHealthcheck(rest: string, change: string): ImageHealthcheck {
  if (rest.toUpperCase() === "NONE") return { Test: ["NONE"] };
  const check: ImageHealthcheck = {};
  let text = rest;
  for (let match = /^--([a-z-]+)=(\S+)\s*/.exec(text); match !== null; match = /^--([a-z-]+)=(\S+)\s*/.exec(text)) {
    const [whole, option = "", value = ""] = match;
    text = text.slice(whole.length);
    const duration = DURATIONS[option];
    if (duration !== undefined) check[duration] = nanoseconds(value, change);
    else if (option === "retries" && /^[0-9]{1,9}$/.test(value)) check.Retries = Number(value);
    else throw changeError(change, `--${option}=${value} is not an option of HEALTHCHECK`);
  }
  const command = /^CMD\s+([\s\S]+)$/i.exec(text)?.[1];
  if (command === undefined) throw changeError(change, "HEALTHCHECK takes NONE or CMD and a command");
  const exec = execForm(command);
  return { Test: exec === undefined ? ["CMD-SHELL", command] : ["CMD", ...exec], ...check };
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Go's durations: "1m30s", "1.5h". Docker wants none below a millisecond, but 0. */
function nanoseconds(text: string, change: string): number {
  if (text === "0") return 0;
  if (!/^(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) throw changeError(change, `"${text}" is not a duration`);
  let total = 0;
  for (const [, number, unit] of text.matchAll(/([0-9.]+)([a-zµ]+)/g)) total += Number(number) * (UNITS[unit ?? ""] ?? 0);
  if (total !== 0 && total < 1e6) throw changeError(change, `"${text}" is less than a millisecond`);
  return Math.round(total);
}
