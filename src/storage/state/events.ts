import type { StateDatabase } from "./database.ts";
import { labelsFromText } from "./json.ts";

export interface EventRecord {
  /** Rises from event to event, whatever the clock does. */
  readonly id: number;
  /** Since the epoch. */
  readonly timeNs: bigint;
  readonly type: "container" | "image" | "network" | "volume" | "system";
  readonly action: string;
  readonly actorId: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export type NewEvent = Omit<EventRecord, "id">;

export interface EventQuery {
  /** Inclusive, both. */
  readonly sinceNs?: bigint;
  readonly untilNs?: bigint;
  /** Only what came after this one. */
  readonly afterId?: number;
  readonly limit?: number;
}

interface EventRow {
  readonly id: number;
  /** As text: it does not fit a JavaScript number. */
  readonly timeText: string;
  readonly type: EventRecord["type"];
  readonly action: string;
  readonly actorId: string;
  readonly attributes: string;
}

/** How many events are kept. Docker's daemon keeps 256, in memory. */
export const EVENTS_KEPT = 8192;
/** How often old ones are dropped, in events: not at each, to keep the common append one row. */
const PRUNE_EVERY = 256;

export class Events {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  /** Returns its id. Now and then it drops what is too old to keep. */
  append(event: NewEvent): number {
    return this.#db.transaction(() => {
      const id =
        this.#db.get<{ id: number }>(
          "INSERT INTO events(timeNs, type, action, actorId, attributes) VALUES (?, ?, ?, ?, ?) RETURNING id",
          event.timeNs,
          event.type,
          event.action,
          event.actorId,
          JSON.stringify(event.attributes),
        )?.id ?? 0;
      if (id % PRUNE_EVERY === 0) this.prune(EVENTS_KEPT);
      return id;
    });
  }

  /** Oldest first. */
  list(query: EventQuery = {}): EventRecord[] {
    const conditions = ["id > ?"];
    const values: (number | bigint)[] = [query.afterId ?? 0];
    if (query.sinceNs !== undefined) {
      conditions.push("timeNs >= ?");
      values.push(query.sinceNs);
    }
    if (query.untilNs !== undefined) {
      conditions.push("timeNs <= ?");
      values.push(query.untilNs);
    }
    return this.#db
      .all<EventRow>(
        `SELECT id, CAST(timeNs AS TEXT) AS timeText, type, action, actorId, attributes FROM events WHERE ${conditions.join(" AND ")} ORDER BY id LIMIT ?`,
        ...values,
        query.limit ?? -1,
      )
      .map(({ timeText, attributes, ...row }) => ({ ...row, timeNs: BigInt(timeText), attributes: labelsFromText(attributes) }));
  }

  /** The newest event's id, 0 if there is none: where somebody begins who wants only what is to come. */
  lastId(): number {
    return this.#db.get<{ id: number | null }>("SELECT max(id) AS id FROM events")?.id ?? 0;
  }

  /** Keeps the newest `count`. */
  prune(count: number): void {
    this.#db.run("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", count);
  }
}
