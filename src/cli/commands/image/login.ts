import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";
import { bool, string } from "../../flags/flag.ts";
import type { Io } from "../../io.ts";

/** Docker Hub's key in ~/.docker/config.json. */
const defaultServer = "https://index.docker.io/v1/";

export const command = defineCommand({
  summary: "Log in to a registry",
  usage: "[OPTIONS] [SERVER]",
  examples: [["sampan login -u me --password-stdin registry.example < token", "Without the password in the shell's history"]],
  flags: {
    username: string("The user's name", { short: "u" }),
    password: string("The password or token", { short: "p" }),
    "password-stdin": bool("Read the password from standard input"),
  },
  args: { min: 0, max: 1 },
  async run(context, { flags, args }) {
    const { io } = context;
    if (flags["password-stdin"] && flags.password !== undefined)
      throw new SampanError("invalid", "conflicting options: cannot specify both --password and --password-stdin");
    if (flags["password-stdin"] && flags.username === undefined) throw new SampanError("invalid", "the --password-stdin option requires --username to be set");
    if (flags.username === "" || flags.password === "") throw new SampanError("invalid", `${flags.username === "" ? "username" : "password"} is empty`);
    if (flags.password !== undefined) io.err("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
    const username = flags.username ?? (await ask(io, "Username: ", false));
    const password = flags["password-stdin"] ? await readPassword(io) : (flags.password ?? (await ask(io, "Password: ", true)));
    const { registries } = await context.engine();
    const { message, warning } = await registries.login({ server: args[0] ?? defaultServer, username, password }, { signal: context.signal });
    if (warning !== undefined) io.err(`${warning}\n\n`);
    io.out(`${message}\n`);
    return 0;
  },
});

async function ask(io: Io, prompt: string, hidden: boolean): Promise<string> {
  if (!io.isTerminal(0))
    throw new SampanError("invalid", "cannot perform an interactive login from a non-TTY device", { hint: "Use --username with --password-stdin." });
  io.err(prompt);
  const answer = (await io.readLine({ hidden }))?.trim() ?? "";
  if (hidden) io.err("\n");
  if (answer === "") throw new SampanError("invalid", `${hidden ? "password" : "username"} is required`);
  return answer;
}

/** All of standard input, without the one line end that a shell puts behind it. */
async function readPassword(io: Io): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of io.input()) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8").replace(/\r?\n$/, "");
}
