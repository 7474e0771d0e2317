/** Most characters of an address. */
const ADDRESS_LENGTH_MAX = 254;
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LOCAL = new RegExp(`^${ATOM}(?:\\.${ATOM})*$`);
const LABEL =
  "[A-Za-z0-9\\u0080-\\uffff](?:[A-Za-z0-9\\u0080-\\uffff-]*[A-Za-z0-9\\u0080-\\uffff])?";
const DOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

/** The form of a mail address, for messages. */
export const MAIL_ADDRESS_WANTED = 'an address such as "ops@example.com"';

/**
 * True if `text` is one plain mail address: no display name, no comment, no list, no quotes.
 *
 * @param options.isLocalAllowed true to allow a user of this host without a domain
 */
export function isMailAddress(
  text: string,
  { isLocalAllowed = false }: { readonly isLocalAllowed?: boolean } = {},
): boolean {
  if (text.length > ADDRESS_LENGTH_MAX) return false;
  const at = text.lastIndexOf("@");
  // For programs that take mail, these begin an option, a program and a file.
  if (/^[-|/]/.test(text)) return false;
  if (at < 0) return isLocalAllowed && LOCAL.test(text);
  return at <= 64 && LOCAL.test(text.slice(0, at)) && DOMAIN.test(text.slice(at + 1));
}
