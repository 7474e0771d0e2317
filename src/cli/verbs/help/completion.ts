import type { Verb } from "../../verb/verb.ts";

// Loading the scripts for their names would slow down every start; a test compares them.
const SHELLS = ["bash", "zsh", "fish", "nushell", "powershell"] as const;

/** `jobctl completion SHELL` */
export const COMPLETION: Verb = {
  name: "completion",
  summary: "Print the completion script of a shell, for verbs, options, kinds, ids and files",
  details: [
    "The script asks this program at each Tab, so it also works with later versions.",
    "Kinds, their parameters, ids of instances and schedules, nodes, channels and incidents come",
    "from the daemon of the command line. If it does not respond within a second, none are offered.",
  ].join(" "),
  words: [{ name: "SHELL", describe: SHELLS.join(", "), suggests: SHELLS }],
  examples: [
    ["source <(jobctl completion bash)", "In ~/.bashrc"],
    ["source <(jobctl completion zsh)", "In ~/.zshrc, after compinit"],
    ["jobctl completion fish > ~/.config/fish/completions/jobctl.fish", "Once, for your user"],
    ["jobctl completion nushell > ~/.config/nushell/autoload/jobctl.nu", "Once, for your user"],
    ["jobctl completion powershell | Out-String | Invoke-Expression", "In $PROFILE"],
  ],
  isOffline: true,
  async run(args, { io }) {
    const { shellScript } = await import("../../completion/shell_script.ts");
    await io.stdout.write(shellScript(args.word("SHELL")));
  },
};
