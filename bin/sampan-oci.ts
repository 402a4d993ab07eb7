/** `sampan-oci` from its sources; the build makes it another name of the one executable (bin/sampan.ts). */
import { main } from "../src/oci-cli/main.ts";

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
