// The theme of VitePress with the fonts of the reader's system: it loads none.
// deno-lint-ignore no-external-import
export { default } from "vitepress/theme-without-fonts";
