// The theme of VitePress with the fonts of the reader's system: it loads no fonts.
import "./style.css";

export { default } from "vitepress/theme-without-fonts";
