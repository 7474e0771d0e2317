// The theme of VitePress with the fonts of the reader's system: it loads none.
export { default } from "vitepress/theme-without-fonts";
