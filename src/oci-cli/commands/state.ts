import type { Command } from "../commands.ts";
import { parseFlags, positional } from "../flags.ts";
import { describeState, loadContainer } from "../state.ts";
import { print } from "../io.ts";

export const command: Command = {
  summary: "Print the state of a container as JSON",
  usage: "ID",
  run(context, words) {
    const [id = ""] = positional("state", parseFlags("state", words, []), ["container-id"]);
    print(1, `${JSON.stringify(describeState(loadContainer(context.root, id)), null, 2)}\n`);
    return Promise.resolve(0);
  },
};
