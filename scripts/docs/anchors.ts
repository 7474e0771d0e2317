// Beside config.ts, as on the site, where a copy of that file takes this one's place.
export { anchorOf } from "../../src/core/text/anchor.ts";
