// Separate: it runs without a browser.

/** An event of a stream, as the HTML standard defines it. */
export interface StreamEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Reads events from the text of a stream. */
export class EventParser {
  readonly #onEvent: (event: StreamEvent) => void;
  #rest = "";
  #id = "";
  #event = "";
  #data: string[] = [];

  constructor(onEvent: (event: StreamEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Read the next part of the text. */
  add(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  #line(line: string): void {
    if (line === "") return this.#end();
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data.push(value);
    else if (name === "id") this.#id = value;
    else if (name === "event") this.#event = value;
  }

  #end(): void {
    const data = this.#data.join("\n");
    const event = this.#event === "" ? "message" : this.#event;
    if (this.#data.length > 0) this.#onEvent({ id: this.#id, event, data });
    this.#data = [];
    this.#event = "";
  }
}
