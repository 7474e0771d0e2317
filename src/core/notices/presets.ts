/** Settings that a webhook preset takes. */
export interface PresetNeeds {
  /** The default of `url`; null if required. */
  readonly url: string | null;
  /** True if the path of the URL is a key. */
  readonly isUrlSecret: boolean;
  readonly token: "needed" | "allowed" | "unused";
  readonly chat: "needed" | "unused";
  /** True if it opens and closes incidents, which a digest cannot do. */
  readonly hasIncidents: boolean;
}

const HOOK: PresetNeeds = {
  url: null,
  isUrlSecret: true,
  token: "unused",
  chat: "unused",
  hasIncidents: false,
};

const KEYED = { ...HOOK, isUrlSecret: false, token: "needed" } as const;

/** The services that a webhook has a form for. */
const PRESETS = {
  slack: HOOK,
  teams: HOOK,
  discord: HOOK,
  mattermost: HOOK,
  ntfy: { ...HOOK, isUrlSecret: false, token: "allowed" },
  gotify: KEYED,
  telegram: { ...KEYED, url: "https://api.telegram.org", chat: "needed" },
  pagerduty: { ...KEYED, url: "https://events.pagerduty.com/v2/enqueue", hasIncidents: true },
  opsgenie: { ...KEYED, url: "https://api.opsgenie.com", hasIncidents: true },
} as const satisfies Readonly<Record<string, PresetNeeds>>;

/** Name of a service that a webhook has a form for. */
export type PresetName = keyof typeof PRESETS;

/** All of {@link PRESETS} by name. */
export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[];

/** Settings that the preset of this name takes. */
export function presetNeeds(name: PresetName): PresetNeeds {
  return PRESETS[name];
}
