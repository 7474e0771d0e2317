/** The page, in which `{base}` stands for the path of the dashboard, which ends with a slash. */
export const PAGE: string;

/** The files that the page loads, by name. Their names change with their content. */
export const FILES: Readonly<Record<string, { readonly type: string; readonly gzip: string }>>;
