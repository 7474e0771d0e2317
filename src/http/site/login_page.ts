import { createHash } from "node:crypto";
import { plainPageHeaders } from "./site_headers.ts";

/** Content of a login page. */
export interface LoginPage {
  /** Target of its form: the path of the page itself. */
  readonly action: string;
  /** Path of the site to show after the login; empty for its start. */
  readonly next: string;
  /** Why the last attempt failed; null for the first one. */
  readonly problem: string | null;
  /** False if callers show certificates instead of tokens. */
  readonly takesTokens: boolean;
  /** A one-time code that waits for a click; null to ask for a token. */
  readonly code: string | null;
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { display: grid; place-items: center; min-height: 90vh; margin: 0; padding: 1rem; }
main { width: min(26rem, 100%); }
h1 { font-size: 1.4rem; }
label { display: block; font-weight: 600; }
input, button { box-sizing: border-box; width: 100%; padding: .6rem .7rem; margin: .3rem 0 1rem;
  font: inherit; border: 1px solid GrayText; border-radius: .4rem; }
button { background: LinkText; color: Canvas; border-color: LinkText; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
.problem { border-left: .3rem solid #c62828; padding: .3rem .8rem; }
code { font-family: ui-monospace, monospace; }
`;
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Headers of a login page. */
export const LOGIN_HEADERS: Readonly<Record<string, string>> = {
  ...plainPageHeaders(STYLE_HASH),
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
};

/** A login page: a plain form, without scripts. */
export function loginPage(page: LoginPage): string {
  const { action, next, problem, code, takesTokens } = page;
  const alert = problem === null
    ? ""
    : `<p class="problem" role="alert">${escapeHtml(problem)}</p>`;
  return pageOf(`${alert}
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="next" value="${escapeHtml(next)}">
${code !== null ? codeFields(code) : takesTokens ? TOKEN_FIELDS : NO_TOKENS}
</form>`);
}

/** A page that leads to a path at once, like a page of this site. */
export function leadingPage(path: string): string {
  const target = escapeHtml(path);
  return pageOf(
    `<p><a href="${target}">Go to the dashboard</a></p>`,
    `<meta http-equiv="refresh" content="0;url=${target}">`,
  );
}

function pageOf(content: string, meta = ""): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">${meta}
<title>Log in – jobctl</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>jobctl</h1>
${content}
</main>
</body>
</html>
`;
}

// Password managers want a name beside a password.
const TOKEN_FIELDS = `<input hidden name="username" autocomplete="username" value="token">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button>
<p>Or run <code>jobctl open</code> on the daemon's machine.</p>`;

const NO_TOKENS = `<p>Run <code>jobctl open</code> on the daemon's machine, or use a browser
with a client certificate.</p>`;

function codeFields(code: string): string {
  return `<p>Another page led here. Go on only if you created this link yourself, with
<code>jobctl open</code>.</p>
<input type="hidden" name="code" value="${escapeHtml(code)}">
<button>Log in with this link</button>`;
}

function escapeHtml(text: string): string {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" } as const;
  return text.replace(/[&<>"']/g, (character) => entities[character as keyof typeof entities]);
}
