/**
 * The tables, as the steps that led to them: step n takes a database from version n to n + 1 (`PRAGMA user_version`).
 * A released step is never edited; a change is a new step.
 *
 * Columns bear the names of the record's fields. JSON columns hold what is never searched, or small lists and
 * label maps that json_each(1) can search. Times are milliseconds since the epoch. Whatever belongs to a container
 * goes with its row, except `resources`: those rows are how the garbage collector finds what the container left.
 */
export const STEPS: readonly string[] = [
  `
CREATE TABLE containers(
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, status TEXT NOT NULL, revision INTEGER NOT NULL,
  createdMs INTEGER NOT NULL, imageId TEXT, imageReference TEXT NOT NULL, chainIds TEXT NOT NULL, command TEXT NOT NULL,
  labels TEXT NOT NULL, runDir TEXT NOT NULL, autoRemove INTEGER NOT NULL, bootId TEXT,
  pid INTEGER, pidStartTime INTEGER, monitorPid INTEGER, monitorStartTime INTEGER,
  startedMs INTEGER, finishedMs INTEGER, exitCode INTEGER, exitSignal INTEGER, oomKilled INTEGER NOT NULL, error TEXT NOT NULL,
  restartPolicy TEXT NOT NULL, restartMaxRetries INTEGER NOT NULL, restartCount INTEGER NOT NULL, nextRestartMs INTEGER,
  hasBeenManuallyStopped INTEGER NOT NULL,
  healthStatus TEXT NOT NULL, healthFailingStreak INTEGER NOT NULL, healthLog TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE containerConfigs(
  containerId TEXT PRIMARY KEY REFERENCES containers(id) ON DELETE CASCADE, config TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE execs(
  id TEXT PRIMARY KEY, containerId TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE, config TEXT NOT NULL,
  createdMs INTEGER NOT NULL, pid INTEGER, pidStartTime INTEGER, monitorPid INTEGER, monitorStartTime INTEGER,
  finishedMs INTEGER, exitCode INTEGER
) STRICT;
CREATE INDEX execsOfContainer ON execs(containerId);
CREATE TABLE resources(
  kind TEXT NOT NULL, key TEXT NOT NULL, containerId TEXT NOT NULL, lifetime TEXT NOT NULL, createdMs INTEGER NOT NULL,
  PRIMARY KEY(containerId, kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE images(
  id TEXT PRIMARY KEY, manifestDigest TEXT NOT NULL, platform TEXT NOT NULL, createdMs INTEGER, storedMs INTEGER NOT NULL,
  sizeBytes INTEGER NOT NULL, chainIds TEXT NOT NULL, blobs TEXT NOT NULL, repoDigests TEXT NOT NULL, labels TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tags(
  reference TEXT PRIMARY KEY, imageId TEXT NOT NULL REFERENCES images(id), taggedMs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tagsOfImage ON tags(imageId);
CREATE TABLE layers(
  chainId TEXT PRIMARY KEY, diffId TEXT NOT NULL, parent TEXT, sizeBytes INTEGER NOT NULL, path TEXT NOT NULL, createdMs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE leases(
  id TEXT PRIMARY KEY, ownerPid INTEGER NOT NULL, ownerStartTime INTEGER NOT NULL, bootId TEXT NOT NULL, expiresMs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE leaseDigests(
  leaseId TEXT NOT NULL REFERENCES leases(id) ON DELETE CASCADE, digest TEXT NOT NULL, PRIMARY KEY(leaseId, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE networks(
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, bridge TEXT UNIQUE, config TEXT NOT NULL,
  labels TEXT NOT NULL, createdMs INTEGER NOT NULL
) STRICT;
CREATE TABLE endpoints(
  networkId TEXT NOT NULL REFERENCES networks(id) ON DELETE CASCADE,
  containerId TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,
  id TEXT NOT NULL, active INTEGER NOT NULL, interfaceName TEXT, hostInterface TEXT, macAddress TEXT, ipv4 TEXT, ipv6 TEXT,
  aliases TEXT NOT NULL, config TEXT NOT NULL,
  PRIMARY KEY(networkId, containerId)
) STRICT, WITHOUT ROWID;
CREATE INDEX endpointsOfContainer ON endpoints(containerId);
CREATE TABLE addresses(
  networkId TEXT NOT NULL REFERENCES networks(id) ON DELETE CASCADE, address TEXT NOT NULL,
  containerId TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,
  PRIMARY KEY(networkId, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX addressesOfContainer ON addresses(containerId);
CREATE TABLE addressCursors(
  networkId TEXT NOT NULL REFERENCES networks(id) ON DELETE CASCADE, pool TEXT NOT NULL, address TEXT NOT NULL,
  PRIMARY KEY(networkId, pool)
) STRICT, WITHOUT ROWID;
CREATE TABLE ports(
  protocol TEXT NOT NULL, hostPort INTEGER NOT NULL, hostIp TEXT NOT NULL, containerPort INTEGER NOT NULL,
  containerId TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,
  PRIMARY KEY(protocol, hostPort, hostIp)
) STRICT, WITHOUT ROWID;
CREATE INDEX portsOfContainer ON ports(containerId);

CREATE TABLE volumes(
  name TEXT PRIMARY KEY, driver TEXT NOT NULL, labels TEXT NOT NULL, options TEXT NOT NULL, mountpoint TEXT NOT NULL,
  anonymous INTEGER NOT NULL, createdMs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE volumeUses(
  volume TEXT NOT NULL REFERENCES volumes(name), containerId TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,
  target TEXT NOT NULL, PRIMARY KEY(containerId, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX usesOfVolume ON volumeUses(volume);

CREATE TABLE events(
  id INTEGER PRIMARY KEY, timeNs INTEGER NOT NULL, type TEXT NOT NULL, action TEXT NOT NULL, actorId TEXT NOT NULL, attributes TEXT NOT NULL
) STRICT;
`,
];

/** The version that this program reads and writes. */
export const SCHEMA_VERSION = STEPS.length;

/** "SMPN": tells our file from anybody else's SQLite database (`PRAGMA application_id`). */
export const APPLICATION_ID = 0x534d504e;
