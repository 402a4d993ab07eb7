import type { SystemInfo } from "../../../engine/api.ts";
import { defineCommand } from "../../command.ts";
import { bytesSize } from "../../output/human.ts";
import { formatOne } from "../../output/inspect.ts";
import { inspectFormatFlag } from "../shared/flags.ts";

function formatInfo(info: SystemInfo): string {
  const lines = [
    `Containers: ${info.Containers}`,
    ` Running: ${info.ContainersRunning}`,
    ` Paused: ${info.ContainersPaused}`,
    ` Stopped: ${info.ContainersStopped}`,
    `Images: ${info.Images}`,
    `Server Version: ${info.ServerVersion}`,
    `Storage Driver: ${info.Driver}`,
    `Logging Driver: ${info.LoggingDriver}`,
    `Cgroup Driver: ${info.CgroupDriver}`,
    `Cgroup Version: ${info.CgroupVersion}`,
    "Plugins:",
    ` Volume: ${info.Plugins.Volume.join(" ")}`,
    ` Network: ${info.Plugins.Network.join(" ")}`,
    ` Log: ${info.Plugins.Log.join(" ")}`,
    "Security Options:",
    ...info.SecurityOptions.map((option) => ` ${option}`),
    `Kernel Version: ${info.KernelVersion}`,
    `Operating System: ${info.OperatingSystem}`,
    `OSType: ${info.OSType}`,
    `Architecture: ${info.Architecture}`,
    `CPUs: ${info.NCPU}`,
    `Total Memory: ${bytesSize(info.MemTotal)}`,
    `Name: ${info.Name}`,
    `ID: ${info.ID}`,
    `Root Dir: ${info.DockerRootDir}`,
    ...(info.HttpProxy === "" ? [] : [`HTTP Proxy: ${info.HttpProxy}`]),
    ...(info.HttpsProxy === "" ? [] : [`HTTPS Proxy: ${info.HttpsProxy}`]),
    ...(info.NoProxy === "" ? [] : [`No Proxy: ${info.NoProxy}`]),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

export const command = defineCommand({
  summary: "Print what the engine has and what it runs on",
  usage: "[OPTIONS]",
  flags: { format: inspectFormatFlag("f") },
  args: { min: 0, max: 0 },
  async run(context, { flags }) {
    const { system } = await context.engine();
    const info = await system.info({ signal: context.signal });
    context.io.out(flags.format === undefined || flags.format === "" ? formatInfo(info) : formatOne(flags.format, info));
    for (const warning of info.Warnings) context.io.err(`${warning}\n`);
    return 0;
  },
});
