import type { Progress } from "../../engine/api.ts";
import { humanSize } from "./human.ts";

/** Where progress is drawn. */
export interface ProgressScreen {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
}

export interface ProgressPrinter {
  update(progress: Progress): void;
  /** Draws what is still waiting to be drawn. */
  finish(): void;
}

/** Redrawing more often than this only costs time. */
const redrawMs = 50;
/** A rate over less than this says nothing. */
const rateAfterMs = 1000;

/**
 * Docker's progress: on a terminal one line per layer, redrawn in place, with a bar and the rate where sizes are known; elsewhere
 * each change of status once, as a line of its own.
 */
export function createProgressPrinter(screen: ProgressScreen, nowMs: () => number = Date.now): ProgressPrinter {
  return screen.isTerminal ? terminalPrinter(screen, nowMs) : plainPrinter(screen);
}

function plainPrinter(screen: ProgressScreen): ProgressPrinter {
  const last = new Map<string, string>();
  return {
    update({ id = "", status, totalBytes }) {
      // Steps that are measured are for a bar; here only what they lead to is told.
      if (totalBytes !== undefined) return;
      if (last.get(id) === status && id !== "") return;
      last.set(id, status);
      screen.write(id === "" ? `${status}\n` : `${id}: ${status}\n`);
    },
    finish() {},
  };
}

function terminalPrinter(screen: ProgressScreen, nowMs: () => number): ProgressPrinter {
  const order: string[] = [];
  const wanted = new Map<string, string>();
  const drawn = new Map<string, string>();
  const told = new Map<string, string>();
  const begun = new Map<string, { status: string; atMs: number; bytes: number }>();
  let drawnAtMs = -Infinity;

  /** "  3.4MB/s" since this step began, counting what it has moved itself and not what was there already. */
  function rateOf({ id = "", status, currentBytes }: Progress): string {
    if (currentBytes === undefined) return "";
    const now = nowMs();
    const start = begun.get(id);
    if (start?.status !== status) {
      begun.set(id, { status, atMs: now, bytes: currentBytes });
      return "";
    }
    const elapsedMs = now - start.atMs;
    return elapsedMs < rateAfterMs ? "" : `  ${humanSize(((currentBytes - start.bytes) * 1000) / elapsedMs)}/s`;
  }

  /** Above the top of the screen no cursor goes; it would write over the topmost line instead. */
  const isInReach = (up: number): boolean => up < screen.rows;

  function draw(): void {
    let text = "";
    for (const [index, id] of order.entries()) {
      const line = wanted.get(id) ?? "";
      if (drawn.get(id) === line) continue;
      // Up to the layer's line, clear it, write, and back down again.
      const up = order.length - index;
      if (!isInReach(up)) continue;
      text += `\u001b[${up}A\u001b[2K\r${line}\r\u001b[${up}B`;
      drawn.set(id, line);
    }
    if (text !== "") screen.write(text);
    drawnAtMs = nowMs();
  }

  return {
    update(progress) {
      const { id, status } = progress;
      if (id === undefined) {
        draw();
        screen.write(`${status}\n`);
        // What was written is above nothing: later redraws begin below it.
        order.length = 0;
        wanted.clear();
        drawn.clear();
        return;
      }
      const line = fit(`${id}: ${status}${bar(progress, rateOf(progress), screen.columns - id.length - status.length - 2)}`, screen.columns);
      const index = order.indexOf(id);
      // What has scrolled out of reach is told again, below all others, when something new is to be said of it.
      const isBeyond = index >= 0 && !isInReach(order.length - index);
      if (isBeyond && told.get(id) === status) return;
      if (isBeyond) order.splice(index, 1);
      const isNew = index < 0 || isBeyond;
      told.set(id, status);
      wanted.set(id, line);
      if (isNew) {
        order.push(id);
        screen.write(`${line}\n`);
        drawn.set(id, line);
      } else if (nowMs() - drawnAtMs >= redrawMs) draw();
    },
    finish: draw,
  };
}

function fit(line: string, columns: number): string {
  return columns > 0 && line.length > columns ? line.slice(0, columns) : line;
}

/** " [=====>    ]  12.3MB/45MB  3.4MB/s" in the room that there is. */
function bar({ currentBytes, totalBytes }: Progress, rate: string, room: number): string {
  if (currentBytes === undefined) return "";
  if (totalBytes === undefined || totalBytes <= 0) return `  ${humanSize(currentBytes)}${rate}`;
  const numbers = `${humanSize(Math.min(currentBytes, totalBytes))}/${humanSize(totalBytes)}${rate}`;
  const width = Math.min(50, room - numbers.length - 5);
  if (width < 10) return `  ${numbers}`;
  const filled = Math.min(width, Math.floor((currentBytes / totalBytes) * width));
  const arrow = filled < width ? `${"=".repeat(filled)}>${" ".repeat(width - filled - 1)}` : "=".repeat(width);
  return ` [${arrow}]  ${numbers}`;
}
