// `npm run bench [-- --json] [-- <part>…]`: a table for people, or one JSON line a figure. Parts: registry, bundle,
// window (a real VS Code in Chromium), snapshots (of a home of `--megabytes=<n>`), fleet, recovery, health and migration
// (a real Docker engine; health over as many containers as `--instances=<n>` says, migration of homes of
// `--megabytes=<n>` and of `--files=<n>`), ssh (a real sshd, with as many editor servers as `--editors=<n>` says) and fly
// (the stand-in of Fly.io, with `--machines=<n>`).
import { measureBundle } from '../test/bench/bundle.ts';
import type { Figure } from '../test/bench/figure.ts';
import { meetsGoal } from '../test/bench/figure.ts';
import { measureFleet } from '../test/bench/fleet.ts';
import { measureFlyRound } from '../test/bench/flyRound.ts';
import { measureHealthRound } from '../test/bench/healthRound.ts';
import { measureMigration } from '../test/bench/migration.ts';
import { measureRecovery } from '../test/bench/recovery.ts';
import { measureRegistry } from '../test/bench/registry.ts';
import { measureSnapshots } from '../test/bench/snapshots.ts';
import { measureSsh } from '../test/bench/ssh.ts';
import { measureWindow } from '../test/bench/window.ts';
import { engineProblem } from '../test/engine/support/engine.ts';
import { sshHostProblem } from '../test/ssh/support/sshHost.ts';
import { chromiumPath } from '../test/workbench/support/chromium.ts';

interface Part {
  readonly measure: () => Promise<Figure[]>;
  /** Why it can't be measured on this machine. */
  readonly problem?: string | undefined;
}

const options = process.argv.slice(2).filter(argument => argument.startsWith('--'));
const numberOf = (option: string, otherwise: number) =>
  Number(options.map(each => /^--(\w+)=(\d+)$/.exec(each)).find(match => match?.[1] === option)?.[2] ?? otherwise);

const parts: Readonly<Record<string, Part>> = {
  registry: { measure: measureRegistry },
  bundle: { measure: measureBundle },
  window: { measure: measureWindow, problem: chromiumPath === undefined ? 'there is no Chromium' : undefined },
  snapshots: { measure: () => measureSnapshots(numberOf('megabytes', 1_000)) },
  fleet: { measure: measureFleet, problem: engineProblem() },
  recovery: { measure: measureRecovery, problem: engineProblem() },
  health: { measure: () => measureHealthRound(numberOf('instances', 100)), problem: engineProblem() },
  fly: { measure: () => measureFlyRound(numberOf('machines', 500)) },
  migration: {
    measure: () => measureMigration({ megabytes: numberOf('megabytes', 1_000), files: numberOf('files', 100_000) }),
    problem: engineProblem(),
  },
  ssh: { measure: () => measureSsh(numberOf('editors', 10)), problem: sshHostProblem() },
};

const asJson = options.includes('--json');
const wanted = process.argv.slice(2).filter(argument => !argument.startsWith('--'));
for (const [name, { measure, problem }] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  if (problem !== undefined) {
    console.error(`not measured: ${name}, since ${problem}`);
    continue;
  }
  for (const figure of await measure()) console.log(asJson ? JSON.stringify(figure) : line(figure));
}

function line(figure: Figure): string {
  const { name, value, unit, goal, better, against } = figure;
  const shown = `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
  const sign = better === 'lower' ? '≤' : '≥';
  const target = goal === undefined ? '' : `${meetsGoal(figure) ? '✓' : '✗'} ${sign} ${goal} ${unit}`;
  return `${name.padEnd(56)} ${shown.padStart(12)}   ${target.padEnd(16)} ${against ?? ''}`.trimEnd();
}
