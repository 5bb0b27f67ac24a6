import fs from 'node:fs';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type AuditEvent, AuditLog } from '../../../src/core/auditLog.ts';
import { FileAppendLog } from '../../../src/storage/appendLog.ts';
import { scratchDirectory } from '../storage/scratch.ts';

const day = 86_400_000;
const begin = Date.parse('2026-01-01T12:00:00Z');
let directory: string;
beforeEach(() => {
  directory = scratchDirectory();
  vi.useFakeTimers({ toFake: ['Date'], now: begin });
});
afterEach(() => void vi.useRealTimers());

const event = (outcome: string): AuditEvent => ({
  ...{ actor: 'ann', caller: 'person', operation: 'stop_swarm_instance', effect: 'change', phase: 'done', targets: [] },
  outcome,
});
const windowOf = (name: string, mayPrune?: () => boolean) => new AuditLog(new FileAppendLog(directory, name), mayPrune);
const files = () => fs.readdirSync(directory).sort();
/** Once all that was begun is done. */
const settled = (audit: AuditLog) => audit.verify();

/** A window that writes on so many days, one after the other. */
async function days(audit: AuditLog, count: number, from = 0): Promise<void> {
  for (let index = from; index < from + count; index += 1) {
    vi.setSystemTime(begin + index * day);
    await audit.append(event(`day ${index}`));
    await audit.append(event(`day ${index}, again`));
  }
  await settled(audit);
}

describe('the audit log over a long time', () => {
  test('keeps the last 90 days on which anything was written, and each chain is still proven', async () => {
    const [short, lasting] = [windowOf('short'), windowOf('lasting')];
    await days(short, 3);
    await days(lasting, 300);
    expect(files()).toHaveLength(90);
    expect(files()[0]).toMatch(/^2026-07-30-lasting/);
    const said = (await lasting.entries()).map(({ outcome }) => outcome);
    expect(said).toContain('day 210');
    expect(said).not.toContain('day 209');
    for (const window of [lasting, short, windowOf('third')]) expect(await window.verify()).toEqual([]);
    await short.append(event('after long'));
    expect(await lasting.verify()).toEqual([]);
  });

  test('shows it when anybody else removes the beginning of a chain', async () => {
    const audit = windowOf('one');
    await days(audit, 100);
    const [oldest = ''] = files();
    fs.rmSync(path.join(directory, oldest));
    expect(await windowOf('other').verify()).toEqual([
      { writer: expect.stringMatching(/^one/), line: 1, problem: expect.stringContaining('removed') },
    ]);
  });

  test('shows it when the entry that tells of the removal is forged', async () => {
    const audit = windowOf('one');
    await days(audit, 91);
    const last = path.join(directory, files().at(-1) ?? '');
    const text = fs.readFileSync(last, 'utf8');
    expect(text).toContain('prune_audit_log');
    fs.writeFileSync(last, text.replace('Entries of other', 'Entries of all'));
    const problems = await windowOf('other').verify();
    expect(problems.map(({ problem }) => problem)).toEqual([
      expect.stringContaining('removed'),
      expect.stringContaining('changed'),
    ]);
  });

  test('still proves a chain that went on long after its beginning was removed, and its entry as well', async () => {
    const [quiet, busy] = [windowOf('quiet'), windowOf('busy')];
    await quiet.append(event('first'));
    await days(busy, 80, 1);
    vi.setSystemTime(begin + 81 * day);
    await quiet.append(event('second'));
    await days(busy, 150, 82);
    expect((await busy.entries()).map(({ outcome }) => outcome)).not.toContain('first');
    expect(await windowOf('other').verify()).toEqual([]);
  });

  test('proves a chain that goes on, however many windows there were before', async () => {
    const lasting = windowOf('lasting', () => false);
    const left = (date: string, name: string) =>
      fs.writeFileSync(path.join(directory, `${date}-${name}.jsonl`), `{"by":1,"hash":"${'0'.repeat(64)}"}\n`);
    for (let index = 0; index < 1_000; index += 1) left('2025-12-31', `window${index}`);
    await lasting.append(event('first'));
    for (let index = 1; index < 91; index += 1) left(new Date(begin + index * day).toISOString().slice(0, 10), 'other');
    vi.setSystemTime(begin + 91 * day);
    await lasting.append(event('second'));
    const next = windowOf('next');
    await next.append(event('now'));
    const problems = await next.verify();
    expect((await next.entries()).map(({ outcome }) => outcome)).not.toContain('first');
    expect(problems.filter(({ writer }) => writer.startsWith('lasting'))).toEqual([]);
  });

  test('killed between the entry and the removal, it is gone on with', async () => {
    const audit = windowOf('one');
    await days(audit, 90);
    const rm = vi.spyOn(FileAppendLog.prototype, 'prune').mockImplementation(async function (
      this: FileAppendLog,
      kept,
      note,
    ) {
      rm.mockRestore();
      await this.prune(kept, async going => {
        await note(going);
        throw new Error('killed');
      });
    });
    await days(audit, 1, 90);
    expect(files()).toHaveLength(91);
    expect(await audit.verify()).toEqual([]);
    await days(windowOf('next'), 1, 91);
    expect(files().filter(name => name.includes('-one-'))).toHaveLength(89);
    expect(await audit.verify()).toEqual([]);
  });

  test('removes nothing by a clock that is behind, nor where it only reads', async () => {
    await days(
      windowOf('one', () => false),
      100,
    );
    expect(files()).toHaveLength(100);
    vi.setSystemTime(begin);
    const behind = windowOf('two');
    await behind.append(event('now'));
    await settled(behind);
    expect(files()).toHaveLength(101);
  });
});
