/** Permissions of a page: as few as possible. */
const POLICY = {
  "default-src": "'none'",
  "script-src": "'self'",
  "style-src": "'self'",
  "img-src": "'self'",
  "font-src": "'self'",
  "connect-src": "'self'",
  "form-action": "'self'",
  "base-uri": "'none'",
  "frame-ancestors": "'none'",
  "require-trusted-types-for": "'script'",
  // No code may make HTML from text.
  "trusted-types": "'none'",
} as const;

/** Features of browsers that no page needs. */
const FEATURES = [
  "accelerometer",
  "autoplay",
  "camera",
  "display-capture",
  "encrypted-media",
  "geolocation",
  "gyroscope",
  "hid",
  "magnetometer",
  "microphone",
  "midi",
  "payment",
  "publickey-credentials-get",
  "screen-wake-lock",
  "serial",
  "usb",
  "xr-spatial-tracking",
];

/** Headers of every response of the site. */
const COMMON: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": FEATURES.map((name) => `${name}=()`).join(", "),
};

/** Headers of the dashboard and its files. */
export const SITE_HEADERS: Readonly<Record<string, string>> = {
  ...COMMON,
  "content-security-policy": policyText(POLICY),
};

/** Headers of a page without scripts and files. @param styleHash SHA-256 of its style, in Base64 */
export function plainPageHeaders(styleHash: string): Readonly<Record<string, string>> {
  return {
    ...COMMON,
    "content-security-policy": policyText({
      "default-src": "'none'",
      "style-src": `'sha256-${styleHash}'`,
      "form-action": "'self'",
      "base-uri": "'none'",
      "frame-ancestors": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "'none'",
    }),
  };
}

function policyText(policy: Readonly<Record<string, string>>): string {
  return Object.entries(policy).map(([name, value]) => `${name} ${value}`).join("; ");
}
