import { type Machine, machineText } from "./machine.ts";
import { type FigureReport, numberText, type ScenarioReport } from "./report.ts";
import { storeKind } from "./scenario.ts";

/** The figures of one store against their targets, in Markdown. */
export function targetsMarkdown(reports: readonly ScenarioReport[]): string {
  const rows = reports.flatMap((report) =>
    report.figures.map((figure) => {
      const { min, max, unit } = figure;
      const spread = min === max ? "" : ` (${numberText(min)} – ${numberText(max)})`;
      const cells = [
        `\`${report.name}\` ${figure.name}`,
        `${numberText(figure.median)}${spread}`,
        unit,
        targetText(figure),
        figure.isMet === null ? "" : figure.isMet ? "met" : "**missed**",
      ];
      return `| ${cells.join(" | ")} |`;
    })
  );
  return ["| what | median (spread) | unit | target | |", "|---|---|---|---|---|", ...rows]
    .join("\n");
}

function targetText({ target, better }: FigureReport): string {
  return target === null ? "" : `${better === "higher" ? "≥" : "≤"} ${numberText(target)}`;
}

/** The same scenarios on several stores side by side, in Markdown. */
export function storesMarkdown(reports: readonly ScenarioReport[]): string {
  const stores = [...new Set(reports.map(({ settings }) => settings.store))];
  const names = [...new Set(reports.map(({ name }) => name))];
  const rows = names.flatMap((name) => {
    const first = reports.find((report) => report.name === name)!;
    return first.figures.map((figure) => {
      const cells = stores.map((store) => {
        const report = reports.find((one) => one.name === name && one.settings.store === store);
        const found = report?.figures.find((one) => one.name === figure.name);
        return found === undefined ? "" : storeCell(found);
      });
      return `| \`${name}\` ${figure.name}, ${figure.unit} | ${cells.join(" | ")} |`;
    });
  });
  const heads = stores.map((store) => storeKind(store));
  return [`| | ${heads.join(" | ")} |`, `|---|${"---|".repeat(stores.length)}`, ...rows].join("\n");
}

function storeCell(figure: FigureReport): string {
  const missed = figure.isMet === false ? ` (**missed**: ${targetText(figure)})` : "";
  return `${numberText(figure.median)}${missed}`;
}

/** The machine that the figures were measured on. */
export function machineMarkdown(of: Machine): string {
  return `Measured on ${new Date().toISOString().slice(0, 10)} with version ${of.version}: ${
    machineText(of)
  }.`;
}
