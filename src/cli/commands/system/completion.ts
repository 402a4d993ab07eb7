import { SampanError } from "../../../base/errors.ts";
import { defineCommand } from "../../command.ts";

export const command = defineCommand({
  summary: "Print a script that completes commands, flags and names in a shell",
  usage: "bash|zsh|fish",
  examples: [
    ["source <(sampan completion bash)", "Complete in this bash"],
    ["sampan completion zsh > ~/.zsh/_sampan", "Complete in every new zsh, with ~/.zsh in fpath"],
    ["sampan completion fish > ~/.config/fish/completions/sampan.fish", "Complete in every new fish"],
  ],
  flags: {},
  args: { min: 1, max: 1 },
  async run({ io }, { args: [shell = ""] }) {
    const [{ commandTable }, completion] = await Promise.all([import("../table.ts"), import("../../completion/index.ts")]);
    const write = { bash: completion.bashCompletion, zsh: completion.zshCompletion, fish: completion.fishCompletion }[shell];
    if (write === undefined) throw new SampanError("invalid", `Cannot complete in "${shell}": it is none of bash, zsh and fish`);
    io.out(write(await completion.completionModel(commandTable())));
    return 0;
  },
});
