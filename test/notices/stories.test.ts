// In one process, in which the manager is compiled for speed once.
import { after } from "node:test";
import { closeStoryServers } from "../support/notices/story_stores.ts";
import "./stories/delivery.ts";
import "./stories/digest.ts";
import "./stories/expectation.ts";
import "./stories/failure.ts";
import "./stories/flood.ts";
import "./stories/gone.ts";
import "./stories/order.ts";
import "./stories/reminder.ts";
import "./stories/restart.ts";
import "./stories/silence.ts";
import "./stories/time.ts";
import "./stories/watcher.ts";

after(closeStoryServers);
