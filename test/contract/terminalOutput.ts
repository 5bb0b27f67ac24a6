import { spawn } from 'node:child_process';
import type { TerminalSpec } from '../../src/model/provider.ts';

/** What a terminal shows when `input` is typed, until its shell has ended. */
export async function terminalOutput(spec: TerminalSpec, input: string): Promise<string> {
  let output = '';
  if (spec.kind === 'process') {
    const child = spawn(spec.file, spec.args, { cwd: spec.cwd, env: spec.env });
    child.stdout.on('data', chunk => {
      output += chunk;
    });
    child.stdin.end(input);
    await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
    return output;
  }
  const stream = await spec.open({ columns: 200, rows: 24 });
  try {
    const ended = new Promise(resolve => stream.onExit(resolve));
    stream.onData(data => {
      output += data;
    });
    stream.resize({ columns: 180, rows: 30 });
    stream.write(input);
    await ended;
    return output;
  } finally {
    stream.dispose();
  }
}
