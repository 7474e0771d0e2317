import type { Verb } from "../../verb.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** `jobctl completion bash|zsh|fish` */
export const COMPLETION: Verb = {
  name: "completion",
  summary: "Write the completion of a shell: verbs, options, kinds, ids and files",
  details: [
    "Kinds, ids of instances and schedules, nodes, channels and incidents are asked from the daemon",
    "that the line names. If it does not respond within a second, nothing is offered.",
  ].join(" "),
  words: [{ name: "SHELL", describe: SHELLS.join(", "), suggests: SHELLS }],
  examples: [
    ["source <(jobctl completion bash)", "In ~/.bashrc"],
    ["source <(jobctl completion zsh)", "In ~/.zshrc, after compinit"],
    ["jobctl completion fish > ~/.config/fish/completions/jobctl.fish", "Once"],
  ],
  isOffline: true,
  async run(args, { io, verbs }) {
    const { shellScript } = await import("../../completion/shell_script.ts");
    await io.stdout.write(shellScript(args.word("SHELL"), await verbs()));
  },
};
