import * as z from 'zod';
import { commandTimedOut } from '../model/errors.ts';
import { withTimeout } from '../model/operationContext.ts';
import { headAndTail, lastLines } from '../model/textCut.ts';
import { OneInstanceId } from './instanceInputs.ts';
import { defineOperation } from './operation.ts';
import { shownText, sizeLine } from './shownText.ts';
import { nameLines, registered } from './targets.ts';

const mostLogBytes = 7 * 1024;
const mostStreamBytes = 4 * 1024;

export const getLogs = defineOperation({
  name: 'get_instance_logs',
  destroys: 'nothing',
  reveals: 'log',
  undo: 'nothing',
  title: 'Get Instance Log',
  description:
    "Returns the last lines of an instance's own log: its start, its editor server, its first set-up. Use it to learn why an instance failed or does not answer. Do not use it for the output of a command (run_in_instance returns that) or of an application that writes its own log file. Returns {instanceId,lines,truncated}, oldest first, at most 500 lines and 8 kB, kept from the end; truncated says that older lines exist.",
  effect: 'read',
  audience: 'agent',
  input: z.strictObject({
    instanceId: OneInstanceId,
    tail: z.int().min(1).max(500).default(100).describe('At most this many last lines, 1 to 500.'),
    since: z.iso
      .datetime()
      .max(40)
      .optional()
      .describe('Only lines after this time, ISO 8601 in UTC: 2026-01-31T12:00:00Z.'),
  }),
  output: z.strictObject({ instanceId: z.string(), lines: z.array(z.string()), truncated: z.boolean() }),
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  run: async (swarm, { instanceId, tail, since }, ctx) => {
    const logs = await swarm.access.getInstanceLogs(instanceId, { tail, ...(since !== undefined && { since }) }, ctx);
    const lines = lastLines(logs.lines.slice(-tail), mostLogBytes);
    const whole = lines.length === logs.lines.length && lines[0] === logs.lines[0];
    return { instanceId, lines, truncated: logs.truncated || !whole };
  },
});

export const runInInstance = defineOperation({
  name: 'run_in_instance',
  destroys: 'files',
  reveals: 'files',
  undo: 'snapshot',
  title: 'Run Command in Instance',
  description:
    'Runs a shell command in the workspace folder of a running instance and waits for its end. Use it to build, test, inspect or edit files there. Nobody can type into it: use options that ask nothing. Do not use it for what must go on running; start that in the background with its output in a file. Every call is a new shell. Returns {instanceId,exitCode,stdout,stderr,truncated}; of each stream at most 4 kB, the first and the last part. A command that is not through after timeoutSeconds fails with "command-timed-out".',
  effect: 'execute',
  audience: 'agent',
  input: z.strictObject({
    instanceId: OneInstanceId,
    command: z
      .string()
      .min(1, 'must not be empty')
      .max(8192, 'must have at most 8192 characters')
      .regex(
        /^[^\p{Cc}\p{Zl}\p{Zp}]*(?:[\n\t][^\p{Cc}\p{Zl}\p{Zp}]*)*$/u,
        'must not hold control characters but line breaks and tabs',
      )
      .describe('The command line for the shell of the instance, at most 8192 characters.'),
    timeoutSeconds: z.int().min(1).max(600).default(60).describe('Seconds to wait for its end, 1 to 600.'),
  }),
  output: z.strictObject({
    instanceId: z.string(),
    exitCode: z.int(),
    stdout: z.string(),
    stderr: z.string(),
    truncated: z.boolean(),
  }),
  targets: (swarm, { instanceId }) => registered(swarm, [instanceId]),
  question: (t, { command }, targets) => ({
    title: t('Run a command in "{0}"?', targets[0]?.name ?? ''),
    detail: [nameLines(t, targets), `${sizeLine(t, command)}\n${shownText(t, command)}`].join('\n\n'),
    action: t('Run Command'),
  }),
  run: async (swarm, { instanceId, command, timeoutSeconds }, ctx) => {
    const limited = withTimeout(ctx, timeoutSeconds * 1000);
    try {
      const result = await swarm.access.executeCommand(instanceId, command, limited);
      const stdout = headAndTail(result.stdout, mostStreamBytes);
      const stderr = headAndTail(result.stderr, mostStreamBytes);
      const cut = stdout !== result.stdout || stderr !== result.stderr;
      return { instanceId, exitCode: result.exitCode, stdout, stderr, truncated: result.truncated || cut };
    } catch (error) {
      if (limited.signal.aborted && !ctx.signal.aborted) throw commandTimedOut(instanceId, timeoutSeconds);
      throw error;
    }
  },
});
