import { expect, test } from "bun:test";
import { createProgressPrinter } from "./progress.ts";

/** As a terminal shows it: lines, the newest last, of which the cursor reaches the lowest `rows`. */
function terminal(rows: number): { readonly lines: string[]; readonly text: () => string; write: (text: string) => void } {
  const lines = [""];
  let row = 0;
  return {
    lines,
    text: () => lines.join("\n"),
    write(text) {
      for (const [piece] of text.matchAll(/\u001b\[(\d+)[ABK]|\r|\n|[^\u001b\r\n]+/g)) {
        const count = Number(/\d+/.exec(piece)?.[0] ?? 0);
        const top = Math.max(0, lines.length - rows);
        if (piece.startsWith("\u001b") && piece.endsWith("A")) row = Math.max(top, row - count);
        else if (piece.startsWith("\u001b") && piece.endsWith("B")) row = Math.min(lines.length - 1, row + count);
        else if (piece.startsWith("\u001b")) lines[row] = "";
        else if (piece === "\n") {
          row++;
          if (row === lines.length) lines.push("");
        } else if (piece !== "\r") lines[row] = piece;
      }
    },
  };
}

test("more layers than rows: no line is written over another's, and the last word on each is there", () => {
  const screen = terminal(5);
  let nowMs = 0;
  const printer = createProgressPrinter({ isTerminal: true, columns: 40, rows: 5, write: screen.write }, () => (nowMs += 100));
  const ids = Array.from({ length: 12 }, (_, index) => `layer${String(index)}`);
  for (const id of ids) printer.update({ id, status: "Waiting" });
  for (const id of ids) printer.update({ id, status: "Downloading", currentBytes: 1, totalBytes: 10 });
  for (const id of ids) printer.update({ id, status: "Pull complete" });
  printer.update({ status: "Digest: x" });
  printer.finish();
  for (const id of ids) expect(screen.lines.filter((line) => line === `${id}: Pull complete`)).toHaveLength(1);
  expect(screen.text()).toEndWith("Digest: x\n");
});

test("as many as there is room for are redrawn in place", () => {
  const screen = terminal(5);
  let nowMs = 0;
  const printer = createProgressPrinter({ isTerminal: true, columns: 40, rows: 5, write: screen.write }, () => (nowMs += 100));
  for (const status of ["Waiting", "Pull complete"]) for (const id of ["a", "b", "c", "d"]) printer.update({ id, status });
  printer.finish();
  expect(screen.lines).toEqual(["a: Pull complete", "b: Pull complete", "c: Pull complete", "d: Pull complete", ""]);
});
