import type { ByteString } from "../tar/index.ts";

/** Whether an extended attribute of an archive is set on the file. */
export type XattrPolicy = (name: ByteString) => boolean;

/**
 * Kept: `security.capability` (file capabilities) and `user.*`, which are a file's own business. Dropped: everything that speaks to
 * the host, above all overlayfs's own attributes in both spellings: `trusted.overlay.redirect` or `user.overlay.metacopy` from an
 * archive would make the kernel show files of other layers. `security.selinux`, `security.ima`
 * and ACLs describe the host that packed, not this one; Docker and Podman pack none of them.
 */
export const xattrPolicy: XattrPolicy = (name) => {
  if (name === "security.capability") return true;
  return name.startsWith("user.") && name.length > 5 && !name.startsWith("user.overlay.");
};
