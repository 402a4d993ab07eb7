import type { RestartPolicy } from "../../engine/request.ts";
import { refuse } from "../flags/flag.ts";

/** `--restart no|always|unless-stopped|on-unhealthy|on-failure[:N]`; nothing for "", which leaves it as it is (Docker's rule). */
export function parseRestartPolicy(text: string): RestartPolicy | undefined {
  if (text === "") return undefined;
  const colon = text.indexOf(":");
  const name = colon === -1 ? text : text.slice(0, colon);
  const count = colon === -1 ? "" : text.slice(colon + 1);
  if (colon === 0) return refuse("invalid restart policy format: no policy provided before colon");
  if (count !== "" && !/^[+-]?[0-9]{1,9}$/.test(count)) return refuse("invalid restart policy format: maximum retry count must be an integer");
  const maximumRetryCount = Number(count);
  switch (name) {
    case "on-failure":
      if (maximumRetryCount < 0) return refuse("invalid restart policy: maximum retry count cannot be negative");
      return { name, maximumRetryCount };
    case "no":
    case "always":
    case "unless-stopped":
    case "on-unhealthy":
      if (maximumRetryCount !== 0) return refuse("invalid restart policy: maximum retry count can only be used with 'on-failure'");
      return { name, maximumRetryCount: 0 };
    default:
      return refuse(
        `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', 'unless-stopped', or 'on-unhealthy'`,
      );
  }
}
