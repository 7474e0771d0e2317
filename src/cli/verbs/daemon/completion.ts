import type { Verb } from "../../verb.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** `jobctl completion bash|zsh|fish` */
export const COMPLETION: Verb = {
  name: "completion",
  summary: "Print the completion script of a shell, for verbs, options, kinds, ids and files",
  details: [
    "Kinds, ids of instances and schedules, nodes, channels and incidents come from the daemon of",
    "the command line. If it does not respond within a second, none are offered.",
  ].join(" "),
  words: [{ name: "SHELL", describe: SHELLS.join(", "), suggests: SHELLS }],
  examples: [
    ["source <(jobctl completion bash)", "In ~/.bashrc"],
    ["source <(jobctl completion zsh)", "In ~/.zshrc, after compinit"],
    ["jobctl completion fish > ~/.config/fish/completions/jobctl.fish", "Once, for your user"],
  ],
  isOffline: true,
  async run(args, { io, verbs }) {
    const { shellScript } = await import("../../completion/shell_script.ts");
    await io.stdout.write(shellScript(args.word("SHELL"), await verbs()));
  },
};
