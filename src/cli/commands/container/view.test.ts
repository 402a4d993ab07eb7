import { describe, expect, test } from "bun:test";
import type { ContainerSummary } from "../../../engine/api.ts";
import { formatList } from "../../output/list.ts";
import { formatPorts } from "./ports.ts";
import { containerView, formatStatus } from "./view.ts";

const now = 1_700_000_000_000;
const container: ContainerSummary = {
  id: "0123456789abcdef".repeat(4),
  name: "web",
  image: "nginx:1@sha256:" + "a".repeat(64),
  imageId: "sha256:" + "b".repeat(64),
  command: ["nginx", "-g", "daemon off;"],
  createdAtMs: now - 3_600_000,
  status: "running",
  startedAtMs: now - 300_000,
  finishedAtMs: 0,
  exitCode: 0,
  health: "none",
  ports: [{ hostIp: "0.0.0.0", hostPort: 8080, containerPort: 80, protocol: "tcp" }],
  labels: { b: "2", a: "1" },
  mounts: [],
  networks: ["bridge"],
};

test("ps as Docker prints it", () => {
  const view = containerView({ truncate: true, nowMs: now });
  expect(formatList(view, [container], {})).toBe(
    'CONTAINER ID   IMAGE     COMMAND                  CREATED             STATUS         PORTS                  NAMES\n' +
      '0123456789ab   nginx:1   "nginx -g \'daemon of…"   About an hour ago   Up 5 minutes   0.0.0.0:8080->80/tcp   web\n',
  );
  expect(formatList(view, [container], { format: '{{.Labels}} {{.Label "b"}} {{.State}} {{.Networks}}' })).toBe("a=1,b=2 2 running bridge\n");
});

describe("status", () => {
  test.each<[Partial<ContainerSummary>, string]>([
    [{}, "Up 5 minutes"],
    [{ health: "healthy" }, "Up 5 minutes (healthy)"],
    [{ health: "starting" }, "Up 5 minutes (health: starting)"],
    [{ status: "paused" }, "Up 5 minutes (Paused)"],
    [{ status: "exited", exitCode: 137, finishedAtMs: now - 3000 }, "Exited (137) 3 seconds ago"],
    [{ status: "restarting", exitCode: 1, finishedAtMs: now - 1000 }, "Restarting (1) 1 second ago"],
    [{ status: "created" }, "Created"],
    [{ status: "removing" }, "Removal In Progress"],
    [{ status: "dead" }, "Dead"],
  ])("%p", (change, text) => expect(formatStatus({ ...container, ...change }, now)).toBe(text));
});

describe("ports", () => {
  const port = (containerPort: number, hostPort = 0, hostIp = "", protocol: "tcp" | "udp" = "tcp") => ({ hostIp, hostPort, containerPort, protocol });
  test.each([
    [[port(80)], "80/tcp"],
    [[port(80, 8080, "0.0.0.0"), port(80, 8080, "::")], "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"],
    [[port(82), port(80), port(81)], "80-82/tcp"],
    [[port(80), port(82)], "80/tcp, 82/tcp"],
    [[port(80, 80, "0.0.0.0"), port(81, 81, "0.0.0.0")], "0.0.0.0:80-81->80-81/tcp"],
    [[port(53, 0, "", "udp"), port(53, 5353, "127.0.0.1")], "53/udp, 127.0.0.1:5353->53/tcp"],
  ])("%#", (ports, text) => expect(formatPorts(ports)).toBe(text));
});
