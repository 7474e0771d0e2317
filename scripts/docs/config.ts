import { anchorOf } from "./anchors.ts";
import { siteLink } from "./links.ts";
import { NAVIGATION } from "./navigation.ts";

/** What is used of a token of markdown-it. */
export interface Token {
  readonly type: string;
  readonly content: string;
  readonly children: readonly Token[] | null;
  attrGet(name: string): string | null;
  attrSet(name: string, value: string): void;
}

/** What is used of markdown-it. */
interface MarkdownIt {
  readonly renderer: {
    readonly rules: { table_open?: (tokens: readonly Token[], index: number) => string };
  };
  readonly core: {
    readonly ruler: {
      push(
        name: string,
        rule: (state: {
          readonly tokens: readonly Token[];
          readonly env: { readonly relativePath: string };
        }) => void,
      ): void;
    };
  };
}

function pointOutside(md: MarkdownIt): void {
  md.core.ruler.push("outside", ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type !== "link_open") continue;
      token.attrSet("href", siteLink(token.attrGet("href") ?? "", env.relativePath));
    }
  });
}

/** Mark the tables of keys, which style.css shows as entries. */
function markTables(md: MarkdownIt): void {
  md.renderer.rules.table_open = (tokens, index) => {
    const end = tokens.findIndex(({ type }, at) => at > index && type === "thead_close");
    const heads = tokens.slice(index, end).filter(({ type }) => type === "inline");
    const isKeys = heads.map(({ content }) => content).join(" ") === "key type default meaning";
    return `<table tabindex="0"${isKeys ? ' class="keys"' : ""}>\n`;
  };
}

const GITHUB =
  '<svg viewBox="0 0 24 24"><path d="M12 .3a12 12 0 0 0-3.8 23.4c.6.1.8-.3.8-.6v-2c-3.3.7-4-1.6' +
  "-4-1.6-.6-1.4-1.4-1.8-1.4-1.8-1-.7.1-.7.1-.7 1.2 0 1.9 1.2 1.9 1.2 1 1.8 2.8 1.3 3.5 1 0-.8.4-1.3.7-1.6-2.7" +
  "-.3-5.5-1.3-5.5-6 0-1.2.5-2.3 1.3-3.1-.2-.4-.6-1.6 0-3.2 0 0 1-.3 3.4 1.2a11.5 11.5 0 0 1 6 0c2.3-1.5 3.3-1.2" +
  " 3.3-1.2.7 1.6.3 2.8.1 3.2.8.8 1.3 1.9 1.3 3.2 0 4.6-2.8 5.6-5.5 5.9.5.4.9 1.1.9 2.3v3.3c0 .3.1.7.8.6A12 12 0 0" +
  ' 0 12 .3"/></svg>';

export default {
  title: "ts-job",
  description:
    "A cron replacement, a durable job queue and the CLI that controls both, in one file",
  lang: "en",
  base: process.env.DOCS_BASE ?? "/",
  // The pages of a folder on a disk have no server that adds ".html".
  cleanUrls: false,
  // The index of the search is large, and loaded by the first search.
  vite: { logLevel: "warn", build: { chunkSizeWarningLimit: 4000 } },
  markdown: {
    anchor: { slugify: anchorOf },
    config: (md: MarkdownIt) => {
      pointOutside(md);
      markTables(md);
    },
    languageAlias: { promql: "text" },
  },
  themeConfig: {
    outline: [2, 3],
    search: { provider: "local" },
    nav: [
      { text: "Tutorial", link: "/tutorial" },
      { text: "How to", link: "/howto/backup" },
      { text: "Reference", link: "/configuration" },
      { text: "Troubleshooting", link: "/troubleshooting" },
    ],
    sidebar: NAVIGATION.map(({ text, entries }) => ({
      text,
      collapsed: false,
      items: entries.map((entry) => ({ text: entry.text, link: `/${entry.page}` })),
    })),
    socialLinks: [{
      icon: { svg: GITHUB },
      link: "https://github.com/ts-job/ts-job",
      ariaLabel: "GitHub",
    }],
  },
};
