import type { RecordKey, StoreRecord } from "../../records.ts";
import { packRow } from "./gen/instance_row.ts";
import { packNews } from "./memos.ts";
import type { Packable } from "./msgpack.ts";
import { ENDED_ATTEMPT, LINE, packFixed } from "./rows.ts";
import { FATE, packSchedule } from "./schedules.ts";

/** A record in the form of the script: its type and its contents. */
export function packRecord(record: StoreRecord): Packable {
  return [record.type, partsOf(record)];
}

function partsOf(record: StoreRecord): Packable {
  switch (record.type) {
    case "head":
      return [record.at, record.epoch];
    case "schedule":
      return [record.schedule.id, packSchedule(record.schedule)];
    case "pause": {
      const { kind, until, reason, at } = record.pause;
      return [kind ?? "", until, reason, at];
    }
    case "instance": {
      const { order, instance, isHeld, departures } = record;
      const attempts = departures.map((one) => ENDED_ATTEMPT.pack(one));
      return [order, instance.id, packRow(instance), packFixed(instance), isHeld, attempts];
    }
    case "tick":
      return [record.fate.scheduleId, FATE.pack(record.fate)];
    case "rate": {
      const { kind, queueKey, perMs, starts, expireAt } = record;
      return [`${kind}\0${queueKey}`, perMs, starts.flat(), expireAt];
    }
    case "memo": {
      const { key, version, watch, droppedNews, data, news } = record.memo;
      return [key, version, watch, droppedNews, data, news.map(packNews)];
    }
    case "log": {
      const { order, line } = record;
      return [order, line.instanceId, LINE.pack(line)];
    }
  }
}

/** The key of a record in the form of the script. */
export function packKey(key: RecordKey): Packable {
  switch (key.type) {
    case "head":
      return [key.type];
    case "schedule":
      return [key.type, key.id];
    case "pause":
      return [key.type, key.kind ?? ""];
    case "instance":
    case "log":
      return [key.type, key.order];
    case "tick":
      return [key.type, key.scheduleId, key.from];
    case "rate":
      return [key.type, `${key.kind}\0${key.queueKey}`, key.perMs];
    case "memo":
      return [key.type, key.key];
  }
}
