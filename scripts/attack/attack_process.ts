// The process of an attacker: bun run attack_process.ts NAME OPTIONS
import process from "node:process";
import { type AttackOptions, runAttack } from "./attacker.ts";
import { ATTACKS } from "./attacks.ts";

const [name, options] = process.argv.slice(2);
const attack = ATTACKS.find((one) => one.name === name);
if (attack === undefined || options === undefined) throw new Error(`No attack "${name}"`);
const tally = await runAttack(attack, JSON.parse(options) as AttackOptions);
process.stdout.write(JSON.stringify(tally), () => process.exit(0));
