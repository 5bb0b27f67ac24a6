import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type * as vscode from 'vscode';
import type { AuditEntry } from '../../../src/core/auditLog.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { auditText } from '../../../src/vscode/auditText.ts';
import { InstanceSecrets } from '../../../src/vscode/instanceSecrets.ts';
import { hostile } from '../hostileInput.ts';
import { idOf } from '../operations/fakeSwarm.ts';

const strange = fc.oneof(fc.string(), fc.json(), ...Object.values(hostile));

test('what lies in the secret storage and is none of ours is no secret, and gets into no error', async () => {
  const store = new Map<string, string>();
  const storage = {
    get: async (key: string) => store.get(key),
    store: async (key: string, value: string) => void store.set(key, value),
    delete: async (key: string) => void store.delete(key),
  } as unknown as vscode.SecretStorage;
  const secrets = new InstanceSecrets(storage);
  await secrets.store(idOf(1), { TOKEN: 'one' });
  const [key = ''] = store.keys();
  await fc.assert(
    fc.asyncProperty(strange, async text => {
      store.set(key, text);
      for (const value of Object.values(await secrets.read(idOf(1)))) expect(typeof value).toBe('string');
    }),
  );
  store.set(key, '{"TOKEN":"corr');
  expect(await secrets.read(idOf(1))).toEqual({});
  await secrets.store(idOf(1), { TOKEN: 'two' });
  expect(await secrets.read(idOf(1))).toEqual({ TOKEN: 'two' });
});

test('nothing in an entry of the audit log looks like another entry, or is hidden', () => {
  const entry: AuditEntry = {
    ...{ time: '2026-01-02T03:04:05.000Z', caller: 'agent', effect: 'change', phase: 'done' },
    ...{ actor: 'chat', operation: 'x', targets: [idOf(1)], outcome: 'done', code: 'none', arguments: { a: 1 } },
    ...{ previous: '', hash: '' },
  };
  const lines = (change: Partial<AuditEntry>) => auditText([{ ...entry, ...change }], id => id, inEnglish).split('\n');
  const forged = `done\n2026-01-02T03:04:06.000Z  denied     purge_swarm_instance  (person ann)`;
  fc.assert(
    fc.property(fc.oneof(strange, fc.constantFrom(forged, '{}')), text => {
      fc.pre(text !== '');
      const fields = { actor: text, operation: text, targets: [text], outcome: text, code: text, arguments: text };
      for (const [name, value] of Object.entries(fields)) {
        const seen = lines({ [name]: value });
        expect(seen).toHaveLength(4);
        for (const line of seen) expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u);
      }
    }),
  );
});
