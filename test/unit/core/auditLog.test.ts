import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type AuditEvent, AuditLog } from '../../../src/core/auditLog.ts';
import type { AppendLog } from '../../../src/model/stateStore.ts';

/** A log folder in memory: each writer's lines. */
class MemoryLog implements AppendLog {
  readonly writers: Map<string, string[]>;
  readonly #writer: string;

  constructor(writer = 'one', writers = new Map<string, string[]>()) {
    this.#writer = writer;
    this.writers = writers;
  }

  async append(line: string): Promise<void> {
    this.writers.set(this.#writer, [...(this.writers.get(this.#writer) ?? []), line]);
  }

  async prune(): Promise<void> {}

  async readAll(): Promise<{ writer: string; lines: string[] }[]> {
    return [...this.writers].map(([writer, lines]) => ({ writer, lines }));
  }
}

const event = (over: Partial<AuditEvent> = {}): AuditEvent => ({
  actor: 'ann',
  caller: 'person',
  operation: 'stop_swarm_instance',
  effect: 'change',
  phase: 'asked',
  targets: ['aaaaaaaaaaaa'],
  ...over,
});

async function written(lines: number): Promise<{ log: MemoryLog; audit: AuditLog }> {
  const log = new MemoryLog();
  const audit = new AuditLog(log);
  for (let line = 0; line < lines; line += 1) {
    await audit.append(event({ arguments: { line, note: 'größer "🚢"\n' }, outcome: `line ${line}` }));
  }
  return { log, audit };
}

describe('the audit log', () => {
  test('keeps one line an event, in the order of the calls, and finds it whole', async () => {
    const log = new MemoryLog();
    const audit = new AuditLog(log);
    expect(await audit.verify()).toEqual([]);
    await Promise.all(['a', 'b', 'c'].map(outcome => audit.append(event({ outcome }))));
    expect((await audit.entries()).map(({ outcome }) => outcome)).toEqual(['a', 'b', 'c']);
    expect(log.writers.get('one')).toHaveLength(3);
    expect(await audit.verify()).toEqual([]);
    expect(await new AuditLog(log).verify()).toEqual([]);
  });

  test('merges the writers by time, and filters by instance and actor', async () => {
    const writers = new Map<string, string[]>();
    const [one, two] = [new AuditLog(new MemoryLog('one', writers)), new AuditLog(new MemoryLog('two', writers))];
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000 });
    await one.append(event({ outcome: 'first' }));
    vi.setSystemTime(2_000);
    await two.append(event({ outcome: 'second', actor: 'bob', targets: ['bbbbbbbbbbbb', 'aaaaaaaaaaaa'] }));
    vi.setSystemTime(3_000);
    await one.append(event({ outcome: 'third', targets: [] }));
    vi.useRealTimers();
    const outcomes = async (...filter: Parameters<AuditLog['entries']>) =>
      (await one.entries(...filter)).map(({ outcome }) => outcome);
    expect(await outcomes()).toEqual(['first', 'second', 'third']);
    expect(await outcomes({ instanceId: 'aaaaaaaaaaaa' })).toEqual(['first', 'second']);
    expect(await outcomes({ actor: 'ann' })).toEqual(['first', 'third']);
    expect(await outcomes({ actor: 'bob', instanceId: 'bbbbbbbbbbbb' })).toEqual(['second']);
    expect(await two.verify()).toEqual([]);
  });

  test('says when it cannot be written, and the chain goes on without the lost line', async () => {
    const log = new MemoryLog();
    const audit = new AuditLog(log);
    await audit.append(event());
    const append = vi.spyOn(log, 'append').mockRejectedValueOnce(new Error('disk full'));
    await expect(audit.append(event())).rejects.toMatchObject({ code: 'audit-unavailable' });
    append.mockRestore();
    await audit.append(event());
    expect(await audit.entries()).toHaveLength(2);
    expect(await audit.verify()).toEqual([]);
  });

  test('names the writer and the line that was changed', async () => {
    const { log, audit } = await written(4);
    const lines = log.writers.get('one') ?? [];
    lines[2] = (lines[2] ?? '').replace('"actor":"ann"', '"actor":"bob"');
    expect(await audit.verify()).toEqual([{ writer: 'one', line: 3, problem: expect.stringContaining('changed') }]);
    expect(await audit.entries()).toHaveLength(4);
  });

  test('names a line that never was one, and no other', async () => {
    const { log, audit } = await written(3);
    log.writers.set('one', (log.writers.get('one') ?? []).toSpliced(1, 0, '{"noise":true}'));
    expect(await audit.verify()).toEqual([{ writer: 'one', line: 2, problem: expect.stringContaining('changed') }]);
  });

  test('any change of a byte, any removal, insertion and swap shows', async () => {
    const { log, audit } = await written(5);
    const whole = log.writers.get('one') ?? [];
    const line = fc.nat({ max: whole.length - 1 });
    const tampering = fc.oneof(
      fc.tuple(line, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, byte, flip]) => {
        const bytes = Buffer.from(whole[at] ?? '');
        const place = byte % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ flip;
        return Buffer.from(whole.join('\n')).length === 0
          ? whole
          : whole.toSpliced(at, 1, ...bytes.toString().split('\n'));
      }),
      line.map(at => whole.toSpliced(at, 1)),
      fc.tuple(line, line).map(([at, copied]) => whole.toSpliced(at, 0, whole[copied] ?? '')),
      fc
        .tuple(line, line)
        .filter(([one, other]) => one !== other)
        .map(([one, other]) => whole.with(one, whole[other] ?? '').with(other, whole[one] ?? '')),
      fc.constant<string[]>([]),
    );
    await fc.assert(
      fc.asyncProperty(tampering, async lines => {
        log.writers.set('one', lines);
        expect(await audit.verify()).not.toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('a removed line shows to another window too, but for the last ones of a chain', async () => {
    const { log } = await written(5);
    const whole = log.writers.get('one') ?? [];
    for (const at of [0, 1, 2, 3]) {
      log.writers.set('one', whole.toSpliced(at, 1));
      expect(await new AuditLog(log).verify()).toEqual([
        { writer: 'one', line: at + 1, problem: expect.stringContaining('removed') },
      ]);
    }
  });
});
