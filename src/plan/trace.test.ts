import { describe, expect, test } from "bun:test";
import { explainText } from "./explain-text.ts";
import { Plan } from "./index.ts";
import { parseReport } from "./report.ts";
import { traceHtml } from "./trace-html.ts";
import { microseconds, traceText } from "./trace-text.ts";
import { traceJson, traceOf } from "./trace.ts";

/** Two sides; the inner one waits, is refused once, skips, and becomes the program. */
function example(): { plan: Plan; report: ReturnType<typeof parseReport> } {
  const plan = new Plan({ trace: true });
  const { outer, inner } = plan;
  outer.stage("outer work").call("getpid", [], { why: "first" });
  outer.call("write", [1, "x", 1]);
  inner.stage("inner work").call("read", [0, null, 1], { waits: true });
  const refused = inner.call("openat", [-100, "/<script>alert('&')</script>", 0, 0], { tolerate: ["ENOENT"] });
  inner.call("close", [refused], { when: { of: refused, is: "ok" } });
  inner.stage("program").call("execve", ["/bin/true", null, null]);
  //             start, end in ns after keel's; [0, 0] is skipped, an end of 0 never came back
  const times: [number, number, bigint][] = [[1000, 3000, 42n], [3000, 43_000, 1n], [2000, 43_500, 1n], [44_000, 45_250, -2n], [0, 0, 0n], [50_000, 0, 0n]];
  const origin = 5_000_000_000;
  const bytes = Buffer.alloc(64 + times.length * 24);
  bytes.writeUInt32LE(0xffffffff, 4);
  bytes.writeBigUInt64LE(BigInt(origin), 32);
  times.forEach(([start, end, value], i) => {
    bytes.writeBigInt64LE(value, 64 + i * 24);
    bytes.writeBigUInt64LE(BigInt(start === 0 ? 0 : origin + start), 72 + i * 24);
    bytes.writeBigUInt64LE(BigInt(end === 0 ? 0 : origin + end), 80 + i * 24);
  });
  return { plan, report: parseReport(bytes, times.length) };
}

describe("a trace", () => {
  const { plan, report } = example();
  const trace = traceOf(plan, report);

  test("tells work from waiting, and what ran from what did not", () => {
    expect(trace).toMatchObject({ startToExecveUs: 50, callsUs: 2 + 40 + 1.25, waitingUs: 41.5, ran: 5, skipped: 1 });
    expect(trace.stages.map(({ side, stage, us, waitingUs }) => [side, stage, us, waitingUs])).toEqual([
      ["outer", "outer work", 42, 0],
      ["inner", "inner work", 1.25, 41.5],
      ["inner", "program", 0, 0],
    ]);
    expect(trace.stages.flatMap(({ calls }) => calls.map(({ state, us, result }) => [state, us, result]))).toEqual([
      ["ran", 2, "42"], ["ran", 40, "1"], ["ran", 41.5, "1"], ["ran", 1.25, "ENOENT"], ["skipped", 0, ""], ["entered", 0, ""],
    ]);
  });

  test("is a line per call with a bar that is as long as the call took", () => {
    const lines = traceText(trace, { columns: 100 }).split("\n");
    const bar = (number: number): string => /[█▏▎▍▌▋▊▉░]+/.exec(lines.find((line) => line.trimStart().startsWith(`#${number} `)) ?? "")?.[0] ?? "";
    expect(bar(1)).toBe("█".repeat(18));
    expect(bar(0)).toBe("▉"); // 2 of 40 µs are 7 of 144 eighths
    expect(bar(2)).toBe("░".repeat(18));
    expect(lines.find((line) => line.includes("#3 "))).toContain("= ENOENT");
    expect(lines.find((line) => line.includes("#4 "))).toContain("skipped");
    expect(
      lines.join(" "),
    ).toContain("50.0 µs from the executor's start to the program's execve; 5 calls took 43.3 µs on both sides together, and 41.5 µs went by");
    for (const columns of [60, 80, 100, 200])
      for (const line of traceText(trace, { columns }).split("\n")) expect([...line].length).toBeLessThanOrEqual(columns);
  });

  test("is painted only where it is asked for", () => {
    expect(traceText(trace, { columns: 100 })).not.toContain("\u001b");
    expect(Bun.stripANSI(traceText(trace, { columns: 100, colors: true }))).toBe(traceText(trace, { columns: 100 }));
  });

  test("is JSON in microseconds", () => {
    const value = JSON.parse(JSON.stringify(traceJson(trace))) as { stages: { calls: { number: number; us: number }[] }[]; startToExecveUs: number };
    expect(value.startToExecveUs).toBe(50);
    expect(value.stages.flatMap(({ calls }) => calls.map(({ number, us }) => [number, us]))).toEqual([[0, 2], [1, 40], [2, 41.5], [3, 1.25], [4, 0], [5, 0]]);
  });

  test("is a page of its own: nothing from elsewhere, and no markup but ours", () => {
    const html = traceHtml(trace, `run "<b>"`);
    expect(html).not.toMatch(/<script|src=|href=|url\(|@import|https?:/);
    expect(html).toContain("&lt;script&gt;alert(&#39;&amp;&#39;)");
    expect(html).toContain("<title>run &quot;&lt;b&gt;&quot;</title>");
    expect(html.match(/class="row /g)).toHaveLength(6);
    // The axis is 51 µs long: the write begins at 3 and takes 40.
    expect(html).toContain(`style="left:5.882%;width:78.431%"`);
    const open = [...html.matchAll(/<(\/?)(div|section|p|h1|h2|span|code|time|b|i|small|body|html|head)\b/g)];
    expect(open.filter(([, slash]) => slash === "").length).toBe(open.filter(([, slash]) => slash === "/").length);
  });

  test("of a start that failed says so", () => {
    const failed = traceOf(plan, { ...report, result: (i) => (i === 5 ? { value: 0, startNs: 0, endNs: 0 } : report.result(i)) });
    expect(failed.startToExecveUs).toBeUndefined();
    expect(traceText(failed, { columns: 200 })).toContain("the program was never executed");
    expect(explainText(plan, { columns: 80 })).toContain("execve");
  });
});

test.each([[0.25, "0.3 µs"], [99.94, "99.9 µs"], [100, "100 µs"], [9999, "9999 µs"], [12_340, "12.3 ms"]])("%f is %s", (us, text) => {
  expect(microseconds(us)).toBe(text);
});
