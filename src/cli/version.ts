import manifest from "../../package.json" with { type: "json" };

/** As in package.json; compiled in. */
export const version: string = manifest.version;
