/** The pages of docs/: JSON of names and texts, compressed by Brotli, in base64. */
export const PAGES: string;
