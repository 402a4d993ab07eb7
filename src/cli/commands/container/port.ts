import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { naturalOrder } from "../../output/natural.ts";
import { parsePrivatePort } from "../../parse/port.ts";
import { joinHostPort } from "./ports.ts";

export const command = defineCommand({
  summary: "List where a container's ports are published",
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  flags: {},
  args: { min: 1, max: 2 },
  async run(context, { args }) {
    const [name = "", asked] = args;
    const wanted = asked === undefined ? undefined : parsePrivatePort(asked);
    const { containers } = await context.engine();
    const { NetworkSettings } = await containers.inspect(name, { size: false, signal: context.signal });
    const published = Object.entries(NetworkSettings.Ports).flatMap(([port, bindings]) =>
      (bindings ?? []).map((binding) => ({ port, address: joinHostPort(binding.HostIp, binding.HostPort) })));
    const shown = wanted === undefined
      ? published.map(({ port, address }) => `${port} -> ${address}`)
      : published.filter(({ port }) => port === wanted).map(({ address }) => address);
    if (wanted !== undefined && shown.length === 0) throw new SampanError("not-found", `no public port '${asked ?? ""}' published for ${name}`);
    const inOrder = shown.sort(naturalOrder);
    context.io.out(inOrder.map((line) => `${line}\n`).join(""));
    return 0;
  },
});
